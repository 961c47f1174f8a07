"""Damaged files end in a RadiographError or a Radiograph: no other error, no crash, no half-gray picture unnoticed."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.reading.common import readable
from reading_files import dataset, dicom_bytes, phantom, pil_bytes, sample_files, write_itk

CASES_PER_FORMAT = 12


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """The file cut short, with some bytes changed, with a range of zeros, or with a piece missing or twice."""
    size, kind = len(data), rng.integers(5)
    start = int(rng.integers(size))
    stop = min(size, start + int(rng.integers(1, 200)))
    if kind == 0:
        return data[:start]
    if kind == 1:
        changed = bytearray(data)
        for position in rng.integers(size, size=rng.integers(1, 12)):
            changed[position] = rng.integers(256)
        return bytes(changed)
    if kind == 2:
        return data[:start] + b"\0" * (stop - start) + data[stop:]
    if kind == 3:
        return data[:start] + data[stop:]
    return data[:stop] + data[start:]


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> dict[str, bytes]:
    return sample_files(tmp_path_factory.mktemp("samples"))


def test_samples_are_read_whole(samples, tmp_path):
    for name, data in samples.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert read_radiograph(path).shape == (24, 32), name


@pytest.mark.filterwarnings("ignore")
def test_random_damage(samples, tmp_path):
    refused = 0
    for index, (name, data) in enumerate(samples.items()):
        for case in range(CASES_PER_FORMAT):
            path = tmp_path / f"{case}-{name}"
            path.write_bytes(damage(data, np.random.default_rng((index, case))))
            try:
                assert isinstance(read_radiograph(path), Radiograph)
            except RadiographError as error:
                refused += 1
                assert path.name in str(error)
                assert "\n" not in str(error) and str(error).endswith(".")
    assert refused > CASES_PER_FORMAT * len(samples) / 4  # else the damage does not reach what matters


@pytest.mark.parametrize("share", (0.3, 0.7, 0.97))
def test_cut_short(samples, tmp_path, share):
    """No format shows a file that lacks its end: every one is refused."""
    for name, data in samples.items():
        path = tmp_path / name
        path.write_bytes(data[:int(share * len(data))])
        with pytest.raises(RadiographError, match=name):
            read_radiograph(path)


def test_cut_short_is_said(samples, tmp_path):
    for name in ("explicit.dcm", "implicit.dcm", "rle.dcm", "lossless.dcm", "j2k.dcm", "gray.png", "gray.jpg",
                 "plain.nii"):
        path = tmp_path / name
        path.write_bytes(samples[name][:int(0.9 * len(samples[name]))])
        with pytest.raises(RadiographError, match="cut short"):
            read_radiograph(path)


def test_claims_more_than_it_holds(tmp_path):
    huge = phantom()
    path = tmp_path / "huge.dcm"
    path.write_bytes(dicom_bytes(dataset(huge, Rows=65535, Columns=65535)))
    with pytest.raises(RadiographError, match="claims 65535 x 65535"):
        read_radiograph(path)
    path.write_bytes(dicom_bytes(dataset(huge, Rows=20000, Columns=20000)))
    with pytest.raises(RadiographError, match="cut short"):
        read_radiograph(path)
    write_itk(tmp_path / "huge.mha", huge, (1.0, 1.0))
    data = (tmp_path / "huge.mha").read_bytes()
    for size, message in ((b"40000 40000", "more than 30000"), (b"20000 20000", "more than it can hold")):
        (tmp_path / "huge.mha").write_bytes(data.replace(b"DimSize = 32 24", b"DimSize = " + size))
        with pytest.raises(RadiographError, match=message):
            read_radiograph(tmp_path / "huge.mha")


def test_png_bomb(tmp_path):
    """A header of 60000 x 60000 pixels in a tiny file is refused before anything of that size exists."""
    data = bytearray(pil_bytes(phantom(), "PNG"))
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(RadiographError, match="claims 60000 x 60000"):
        read_radiograph(tmp_path / "bomb.png")


def test_jpeg_stream_of_another_size(samples, tmp_path):
    """A code stream larger than the data set says never reaches the native decoder."""
    data = bytearray(samples["baseline.dcm"])
    at = data.find(b"\xff\xc0")
    data[at + 5:at + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "large.dcm").write_bytes(data)
    with pytest.raises(RadiographError, match="do not fit"):
        read_radiograph(tmp_path / "large.dcm")


def test_what_is_no_image(tmp_path):
    for name, content, message in (
            ("empty.png", b"", "empty"), ("readme.txt", b"Hello,\nthis is text.\n", "text file"),
            ("report.pdf", b"%PDF-1.4 ...", "PDF"), ("all.zip", b"PK\x03\x04" + bytes(40), "ZIP"),
            ("noise.dcm", bytes(range(255, 0, -1)) * 9, "not an image"), ("zero.nii", bytes(4000), "not an image"),
            ("head.dcm", bytes(128) + b"DICM", "without an image"), ("sign.png", b"\x89PNG\r\n\x1a\n", "damaged PNG")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(RadiographError, match=f"^{name} .*{message}"):
            read_radiograph(path)
    with pytest.raises(RadiographError, match="does not exist"):
        read_radiograph(tmp_path / "missing.png")
    with pytest.raises(RadiographError, match="is a folder"):
        read_radiograph(tmp_path)
    with pytest.raises(RadiographError, match="cannot be opened|does not exist"):
        read_radiograph("null\0character.png")


def test_other_errors_are_chained(samples, tmp_path):
    path = tmp_path / "odd.tif"
    path.write_bytes(samples["gray.tif"][:200])
    with pytest.raises(RadiographError) as caught:
        read_radiograph(path)
    assert caught.value.__cause__ is not None


def test_wrong_arguments_are_no_matter_of_the_file():
    with pytest.raises(ValueError, match="window"):
        read_radiograph(io.__file__, window="none")
    with pytest.raises(ValueError, match="polarity"):
        read_radiograph(io.__file__, polarity="maybe")


FULL_DISK = """
import resource, sys, tempfile
from GrayscaleDetSegLib.core.reading import read_radiograph
{before}
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
read_radiograph(sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no limit for the size of files")
@pytest.mark.parametrize("before", ["", "tempfile.gettempdir()"], ids=["no folder can be used", "it became full"])
@pytest.mark.parametrize("name", ["explicit.dcm", "gray\u00e9.png"])
def test_a_full_disk_is_not_called_a_fault_of_the_film(before, name, samples, tmp_path):
    path = tmp_path / name
    path.write_bytes(samples[name.replace("\u00e9", "")])
    done = subprocess.run([sys.executable, "-c", FULL_DISK.format(before=before), str(path)], capture_output=True,
                          encoding="utf-8", errors="replace")  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    assert "RadiographError: No temporary file can be written" in last and "TMPDIR" in last, done.stderr


def test_a_film_that_went_is_not_called_a_full_disk(tmp_path):
    with pytest.raises(FileNotFoundError), readable(tmp_path / "gon\u00e9.png"):
        pass
