"""What all readers share, and layouts, lookup tables and windows of DICOM files: what makes no sense, and limits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.gray import GrayMapping, Polarity
from GrayscaleDetSegLib.core.pixel_values import tidy
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading import common, decode, windows
from GrayscaleDetSegLib.core.reading.common import Undecodable
from Testing.reading_files import phantom

PIXELS = phantom()  # 24 x 32, uint8


def test_sizes_and_claims():
    for columns, rows in ((30_001, 10), (10, 30_001), (25_000, 25_000)):
        with pytest.raises(RadiographError, match="claims"):
            common.check_size("a.png", columns, rows)
    for columns, rows in ((7, 10), (10, 7), (-1, 10)):
        with pytest.raises(RadiographError, match="has only"):
            common.check_size("a.png", columns, rows)


def test_placements_that_make_no_sense_are_left_out():
    nan = float("nan")
    header = common.Header((32, 24), (nan, 0.5), (nan, 2.0), (1.0, 0.0, 1.0, 0.0), 1, "uint8")
    placed = header.geometry()
    assert placed.spacing == (1.0, 0.5, 1.0) and placed.origin == (0.0, 2.0, 0.0)
    assert placed.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_values_become_what_the_pipeline_computes_with():
    flags, _ = tidy(PIXELS > 100, "a")
    small, _ = tidy(PIXELS.astype(np.int64), "a")
    large, _ = tidy(PIXELS.astype(np.int64) * 2**40, "a")
    assert (flags.dtype, small.dtype, large.dtype) == (np.uint8, np.int32, np.float32)
    assert np.array_equal(small, PIXELS) and np.allclose(large, PIXELS * 2.0**40)
    values = PIXELS.astype(np.float64)
    values[0, :3] = np.nan, np.inf, -np.inf
    found, notes = tidy(values, "a")
    assert (found[0, :3] == values[1:].min()).all() and "3 pixels were NaN or infinite" in notes[0]
    with pytest.raises(RadiographError, match="no finite pixel value"):
        tidy(np.full((8, 8), np.nan), "a")
    with pytest.raises(RadiographError, match="complex64 values"):
        tidy(PIXELS.astype(np.complex64), "a")


@pytest.mark.parametrize("values", [
    PIXELS / 100.0 + 1e9, PIXELS * 1e38, PIXELS * 1e300, PIXELS * 1e-300, PIXELS.astype(np.int64) + 2**50,
    np.where(PIXELS < 60, 0.0, PIXELS / 100.0 + 1e9), PIXELS + 1e12,
])  # fmt: skip
def test_values_that_single_precision_would_blur_are_refused_and_not_called_blank(values):
    with pytest.raises(RadiographError, match="whose differences are lost in single precision; subtract their min"):
        tidy(values, "a")


@pytest.mark.parametrize("values", [
    PIXELS / 100.0 + 1e3, PIXELS * 1e35, PIXELS * 1e-35, np.where(PIXELS < 60, -1.8e308 / 1.01, PIXELS / 3.0),
    PIXELS + 1e-13 * np.arange(PIXELS.size).reshape(PIXELS.shape),
])  # fmt: skip
def test_values_that_it_holds_are_taken(values):
    found, notes = tidy(values, "a")
    kept = np.abs(values) < 3e38
    assert found.dtype == np.float32 and bool(notes) == (not kept.all())
    np.testing.assert_allclose(found[kept], values[kept], rtol=1e-6)


def test_whole_numbers_far_from_zero_stay_whole():
    found, notes = tidy(PIXELS + 1e9, "a")
    assert found.dtype == np.int32 and not notes and np.array_equal(found - 10**9, PIXELS)
    gray = GrayMapping.from_percentiles(found).to_gray(found)
    np.testing.assert_allclose(gray, GrayMapping.from_percentiles(PIXELS).to_gray(PIXELS), atol=0.01)


@pytest.mark.parametrize("dirt", [np.nan, np.inf, -np.inf])
def test_an_array_with_values_that_are_no_numbers(dirt):
    values = PIXELS.astype(float)
    values[10, 20] = dirt
    image = Radiograph.from_array(values)
    assert image.pixels.dtype == np.float32 and image.pixels[10, 20] == 0 and "1 pixels were NaN" in image.notes[0]
    turned = image.inverted("a test")
    np.testing.assert_array_equal(turned.pixels, 255 - image.pixels)
    with pytest.raises(RadiographError, match="The array holds no finite pixel value"):
        Radiograph.from_array(np.full((9, 9), dirt))


def test_colours():
    gray = np.repeat(PIXELS[..., None], 3, -1)
    assert np.array_equal(common.luminance(gray[..., :2], "a", 255.0)[0], PIXELS)
    tinted, stamped = gray.astype(np.int16) + (12, 6, 0), gray.copy()
    stamped[:2, :5] = 255, 0, 0
    for colours, told in ((tinted.clip(0, 255).astype(np.uint8), "tinted all over"), (stamped, "clearly coloured")):
        values, notes = common.luminance(colours, "a", 255.0)
        assert values.dtype == np.uint8 and told in notes[0]
    with pytest.raises(RadiographError, match="is a colour picture"):
        common.luminance(np.stack([PIXELS, 255 - PIXELS, PIXELS], -1), "a", 255.0)
    real, _ = common.luminance(tinted / 255.0, "a", 1.0)
    assert real.dtype == np.float64 and real.max() < 1.1


def test_a_temporary_folder_is_found_where_the_usual_one_is_not_ascii(tmp_path, monkeypatch):
    odd = tmp_path / "Röntgen"
    odd.mkdir()
    monkeypatch.setattr(common.tempfile, "tempdir", str(odd))
    monkeypatch.setenv("PUBLIC", str(tmp_path / "absent"))
    monkeypatch.setenv("ProgramData", str(tmp_path))
    with common.ascii_folder() as folder:
        assert folder.parent == tmp_path
    monkeypatch.setattr(common, "os", SimpleNamespace(name="nt", environ={}))
    with common.ascii_folder() as folder:
        assert str(folder).startswith(str(odd)), "the usual one, where there is no other"


def test_itk_gets_a_name_that_it_takes(tmp_path):
    for name, suffixes in (("bild ä.nii.gz", (".nii.gz",)), ("plain.data", (".nii", ".nii.gz"))):
        path = tmp_path / name
        path.write_bytes(b"content")
        with common.named(path, suffixes) as other:
            assert other != path and other.name == f"image{suffixes[0]}" and other.read_bytes() == b"content"
        assert not other.exists()
    with common.named(tmp_path / "a.nii", (".nii",)) as same:
        assert same == tmp_path / "a.nii"
    with common.readable(tmp_path / "bild ä.nii.gz") as other:
        assert other.name == "image.nii.gz"


# DICOM


class Tags(dict):
    """A data set of plain values; those that are exceptions are raised, as pydicom does it on conversion."""

    def __init__(self, syntax: str = "1.2.840.10008.1.2.1", **tags) -> None:
        super().__init__(tags)
        self.file_meta = SimpleNamespace(TransferSyntaxUID=syntax)

    def get(self, keyword, default=None):
        value = super().get(keyword, default)
        if isinstance(value, Exception):
            raise value
        return value


def layout(**changed) -> decode.Layout:
    return decode.Layout(Tags(**{"Rows": 24, "Columns": 32, "BitsAllocated": 16, "BitsStored": 12, **changed}), "a")


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"BitsAllocated": 12}, "stores 12 of 12 bits"),
        ({"BitsStored": 17}, "stores 17 of 16 bits"),
        ({"SamplesPerPixel": 4}, "has 4 samples a pixel"),
    ],
)
def test_layouts_that_no_radiograph_has(changed, reason):
    with pytest.raises(RadiographError, match=reason):
        layout(**changed)


def test_tags_that_are_malformed():
    for value in ("many", [1, 2], ValueError("damaged")):
        with pytest.raises(Undecodable):
            layout(Rows=value)


def test_the_stored_bits_are_cut_out_and_signed():
    words = np.array([0x0FFF, 0x0800, 0xF7FF], np.uint16)
    assert layout().values(words).tolist() == [4095, 2048, 2047]
    assert layout(PixelRepresentation=1).values(words).tolist() == [-1, -2048, 2047]
    assert layout(HighBit=15).values(words).tolist() == [0x0FF, 0x080, 0xF7F]
    assert layout(HighBit=20).high == 11, "what does not fit is left out"
    assert layout(PixelRepresentation=1).as_stored(65535.0) == -1.0 and layout().as_stored(-1.0) == 4095.0
    assert layout().as_stored(7.0) == 7.0


@pytest.mark.parametrize("data, reason", [(None, "type NoneType"), ("text", "type str")])
def test_pixel_data_that_are_none(data, reason):
    dataset = Tags(PixelData=data)
    with pytest.raises(Undecodable, match=reason):
        decode.stored_values(dataset, layout(), "a")


TABLE = {"LUTDescriptor": [4, 0, 8], "LUTData": [0, 100, 200, 255]}


@pytest.mark.parametrize(
    "changed",
    [
        {"LUTDescriptor": None},
        {"LUTDescriptor": [4, 0]},
        {"LUTDescriptor": [4, 0, 17]},
        {"LUTDescriptor": [4, 0, 0]},
        {"LUTDescriptor": [5, 0, 8]},
        {"LUTDescriptor": ValueError("damaged")},
        {"LUTData": b"\0\1\2"},
        {"LUTData": "text"},
    ],
)
def test_lookup_tables_that_cannot_be_read(changed):
    assert windows.Lut.of(Tags(**{**TABLE, **changed}), "LUT", False, False) is None


def test_lookup_tables_of_every_form():
    def table(signed=False, big=False, **changed):
        return windows.Lut.of(Tags(**{**TABLE, **changed}), "LUT", signed, big)

    assert table().apply(np.array([-5, 1, 9])).tolist() == [0, 100, 255]
    assert table(LUTData=bytes(TABLE["LUTData"])).data.tolist() == TABLE["LUTData"]
    words = np.array([4, 0xFFFE, 16], ">u2").tobytes()
    found = table(True, True, LUTDescriptor=words, LUTData=np.array([0, 300, 600, 900], ">u2").tobytes())
    assert (found.first, found.bits, found.data.tolist()) == (-2, 16, [0, 300, 600, 900])
    assert table(LUTDescriptor=[4, -2, 8]).first == 0xFFFE, "read as signed, where the inputs are not"


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"WindowCenter": "", "WindowWidth": 100},
        {"WindowCenter": 100, "WindowWidth": 0},
        {"WindowCenter": float("inf"), "WindowWidth": 10},
        {"WindowCenter": "middle", "WindowWidth": 10},
        {"WindowCenter": [], "WindowWidth": 10},
        {"VOILUTSequence": "text"},
        {"VOILUTSequence": [Tags(LUTDescriptor=[4, 0, 8], LUTData=[0, 255, 100, 50])]},  # neither rises nor falls
        {"VOILUTSequence": [Tags(LUTDescriptor=[4, 0, 8], LUTData=[7, 7, 7, 7])]},
        {"VOILUTSequence": ValueError("damaged")},
    ],
)
def test_windows_that_cannot_be_used_are_noted(tags):
    notes = []
    assert windows.voi_mapping(Tags(**tags), PIXELS, Polarity(False, 0.0, ""), notes) is None
    assert notes == ["the file has no usable VOI window, so gray levels come from percentiles"]
    assert not windows.descends(Tags(**tags), False)


def test_a_window_without_contrast_is_noted():
    notes = []
    tags = Tags(WindowCenter=[9000, 1], WindowWidth=[10, 1])
    assert windows.voi_mapping(tags, PIXELS, Polarity(False, 0.0, ""), notes) is None and "no contrast" in notes[0]


@pytest.mark.parametrize("function, width", [("SIGMOID", 200), ("LINEAR_EXACT", 200), ("LINEAR", 200), ("LINEAR", 0.5)])
def test_windows_of_every_function(function, width):
    values = np.linspace(0, 255, 768).reshape(24, 32) if width > 1 else np.linspace(99.5, 100.5, 768).reshape(24, 32)
    tags = Tags(WindowCenter=100, WindowWidth=width, VOILUTFunction=function)
    mapping = windows.voi_mapping(tags, values, Polarity(False, 0.0, ""), [])
    gray = mapping.to_gray(np.array([100.0 - width, 100.0, 100.0 + width]))
    assert gray[0] < 8 and gray[2] > 247 and gray[1] == pytest.approx(127.5, abs=1.0)
    turned = windows.voi_mapping(tags, values, Polarity(True, 255.0, ""), [])
    assert turned.to_gray(np.array([255.0 - 100.0])) == pytest.approx(127.5, abs=1.0)


def test_of_several_tables_the_first_counts_and_a_falling_one_belongs_to_the_polarity():
    notes = []
    falling = Tags(LUTDescriptor=[256, 0, 8], LUTData=list(range(255, -1, -1)))
    tags = Tags(VOILUTSequence=[falling, Tags(**TABLE)])
    mapping = windows.voi_mapping(tags, PIXELS, Polarity(False, 0.0, ""), notes)
    assert notes == ["the file has 2 VOI LUTs, of which the first is used"]
    assert mapping.to_gray(np.array([0.0, 255.0])).tolist() == [0.0, 255.0] and windows.descends(tags, False)
