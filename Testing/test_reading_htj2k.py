"""High-throughput JPEG 2000 in DICOM files: read by whichever decoder is there, else one sentence."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from PIL import features

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.reading import decode, read_radiograph
from GrayscaleDetSegLib.core.reading.common import Undecodable
from Testing.reading_files import dicom_bytes, encapsulated

ROW, COLUMN = np.mgrid[:12, :16]
PIXELS = 250 * COLUMN // 4 + 15 * ROW * ROW
"""What the streams hold, the signed one less 1000; both are without loss."""
UNSIGNED = base64.b64decode(
    "/0//UQApQAAAAAAQAAAADAAAAAAAAAAAAAAAEAAAAAwAAAAAAAAAAAABDwEB/1AACAACAAAACf9SAAwAAgABAAEEBEAB/1wAByCIiIiI/2QAFwAB"
    "T3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAMUAAf+TwAAvbA0Alf8T/jf9M/yh/Y/+Kb+E37pf2c/qY/S5+Yv8J77FX70/07+tz+GH53/25/gi"
    "fft9KT9vj8Ln12/u3/RGfOz85P2tPNPeG/8sH4aX0pPfq/Nnd6y8un0Z32UD16/WX9ev1l0IAMZCQDMxAcAAKyAAF2i6ruu6/ueKenCCdwDde3d3"
    "d3d3d3fv3d3d3d3d3YFOBzod6HSg04FOBzod6HSg8wBCACCEIAMf16/WXoxqMbEB/9k="
)
SIGNED = base64.b64decode(
    "/0//UQApQAAAAAAQAAAADAAAAAAAAAAAAAAAEAAAAAwAAAAAAAAAAAABjwEB/1AACAACAAAACf9SAAwAAgABAAEEBEAB/1wAByCIiIiI/2QAFwAB"
    "T3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAKUAAf+TwAAvTN2XfdxrphfXO3fU77tvUIDE5970V7qBVk0gtodvqRCIjXQKQcOe0y740MQuyuB0"
    "VG3EkUGQXuErliwttwkBBoGPBGLOIQAGGMAxsAHAACsgABdouq7ruv7ninpwgncA3Xt3d3d3d3d3793d3d3d3d2BTgc6Heh0oNOBTgc6Heh0oPMA"
    "QgAghCADH9ev1l6MajGxAf/Z"
)
SYNTAXES = [f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203)]


def film(path, stream: bytes, pixels: np.ndarray, syntax: str = SYNTAXES[0], **tags):
    path.write_bytes(dicom_bytes(encapsulated(pixels, syntax, stream, **tags)))
    return path


def without(monkeypatch, *decoders: str) -> None:
    def missing(*_):
        raise Undecodable("not here")

    for name in decoders:
        monkeypatch.setattr(decode, name, missing)


NEW_PILLOW = pytest.mark.skipif(
    tuple(map(int, (features.version("jpg_2000") or "0.0").split(".")[:2])) < (2, 5),
    reason="this Pillow's OpenJPEG is older than 2.5",
)


@NEW_PILLOW
@pytest.mark.parametrize("without_gdcm", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_its_pixels_are_exact(without_gdcm, syntax, monkeypatch, tmp_path):
    without(monkeypatch, *["_through_gdcm"] * without_gdcm)
    image = read_radiograph(film(tmp_path / "a.dcm", UNSIGNED, PIXELS.astype(np.uint16), syntax))
    np.testing.assert_array_equal(image.pixels, PIXELS)
    image = read_radiograph(film(tmp_path / "b.dcm", SIGNED, (PIXELS - 1000).astype(np.int16), syntax))
    np.testing.assert_array_equal(image.pixels, PIXELS - 1000)
    assert not any("JPEG 2000" in note for note in image.notes)


@NEW_PILLOW
@pytest.mark.parametrize("without_gdcm", [False, True])
def test_a_sign_that_the_header_denies_is_told(without_gdcm, monkeypatch, tmp_path):
    without(monkeypatch, *["_through_gdcm"] * without_gdcm)
    image = read_radiograph(film(tmp_path / "a.dcm", SIGNED, (PIXELS - 1000).astype(np.uint16)))
    np.testing.assert_array_equal(image.pixels, PIXELS - 1000)
    assert sum("JPEG 2000 pixels are signed" in note for note in image.notes) == 1


def test_where_nothing_decodes_it_a_sentence_says_what_does(monkeypatch, tmp_path):
    without(monkeypatch, "_through_gdcm", "_through_pillow")
    stream = UNSIGNED[:70] + b"\xff\x7f" * 20 + UNSIGNED[-2:]  # a plugin of pydicom may be there, too
    with pytest.raises(RadiographError) as caught:
        read_radiograph(film(tmp_path / "a.dcm", stream, PIXELS.astype(np.uint16)))
    assert "export it uncompressed" in str(caught.value) and "pylibjpeg-openjpeg" in str(caught.value)


@pytest.mark.parametrize("size, text", [((10, 16), "do not fit its header"), (None, "cut short")])
def test_a_stream_is_checked_before_a_decoder_has_it(size, text, monkeypatch, tmp_path):
    for name in ("_through_gdcm", "_through_pillow"):
        monkeypatch.setattr(decode, name, lambda *_: pytest.fail("was decoded"))
    pixels = PIXELS.astype(np.uint16)
    path = (film(tmp_path / "a.dcm", UNSIGNED, pixels, Rows=size[0]) if size else
            film(tmp_path / "a.dcm", UNSIGNED[:-2], pixels))  # fmt: skip
    with pytest.raises(RadiographError, match=text):
        read_radiograph(path)
