"""Files that lie about themselves, each made here: read right, or one sentence; never a wrong scale without a word."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.reading import common, read_radiograph
from Testing.reading_files import (
    BIG,
    IMPLICIT,
    J2K_LOSSLESS,
    dataset,
    dicom_bytes,
    encapsulated,
    lossless_stream,
    phantom,
    pil_bytes,
    write_dicom,
    write_itk,
)

DEEP = phantom(top=4095, dtype=np.uint16)
ORIENTATIONS = {1: Orientation(), 2: Orientation(False, False, True), 3: Orientation(False, True, True),
                4: Orientation(False, True), 5: Orientation(True), 6: Orientation(True, False, True),
                7: Orientation(True, True, True), 8: Orientation(True, True)}  # fmt: skip


def written(path, data: bytes):
    path.write_bytes(data)
    return path


def sentence(path, **options) -> str:
    with pytest.raises(RadiographError) as caught:
        read_radiograph(path, **options)
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and path.name in text
    return text


# ---- orientation


def tiff(pixels: np.ndarray, orientation: int, **options) -> bytes:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    tags = ImageFileDirectory_v2()
    tags[274] = orientation
    return pil_bytes(pixels, "TIFF", tiffinfo=tags, **options)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_tiff_file_keeps_its_bits_and_lies_as_slicer_loads_it(orientation, compression, tmp_path):
    turn = ORIENTATIONS[orientation]
    pixels = np.ascontiguousarray(turn.stored(DEEP))
    film = read_radiograph(written(tmp_path / "a.tif", tiff(pixels, orientation, compression=compression)))
    assert film.pixels.dtype == np.uint16
    np.testing.assert_array_equal(film.upright.view(film.pixels), DEEP)
    assert (f"TIFF orientation {orientation}" in film.lie.said_by) == (orientation > 1)
    shallow = written(tmp_path / "b.tif", tiff((pixels >> 4).astype(np.uint8), orientation))
    loaded = sitk.GetArrayFromImage(sitk.ReadImage(str(shallow)))
    loaded = loaded[..., 0] if loaded.ndim == 3 else loaded
    np.testing.assert_array_equal(film.pixels >> 4, loaded)
    np.testing.assert_array_equal(read_radiograph(shallow).pixels, loaded)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_says_how_a_picture_lies(kind, tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = written(tmp_path / "a.x", pil_bytes(phantom(), kind, exif=exif))
    film = read_radiograph(path)
    assert film.upright == ORIENTATIONS[6] and film.lie.said_by == "EXIF orientation 6"
    loaded = sitk.GetArrayFromImage(sitk.ReadImage(str(written(tmp_path / f"a.{kind.lower()}", path.read_bytes()))))
    np.testing.assert_array_equal(film.pixels, loaded)
    assert read_radiograph(written(tmp_path / "b.x", pil_bytes(phantom(), kind))).upright.is_identity


def test_damaged_exif_says_nothing(tmp_path):
    path = written(tmp_path / "a.jpg", pil_bytes(phantom(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"))
    assert read_radiograph(path).lie.turn is None


def test_dicom_tags_say_how_a_picture_lies(tmp_path):
    film = read_radiograph(write_dicom(tmp_path / "a.dcm", DEEP, bits=12, PatientOrientation=["R", "F"],
                                       ViewPosition="PA", ImageLaterality="U"))
    assert film.upright == Orientation(flip_columns=True) and film.lie.to_left == (-1, 0) and film.notes == ()
    view = Dataset()
    view.CodeMeaning = "oblique projection"
    film = read_radiograph(write_dicom(tmp_path / "b.dcm", DEEP, bits=12, ViewCodeSequence=Sequence([view])))
    assert "no sides" in film.notes[-1] and film.lie.turn is None
    film = read_radiograph(write_dicom(tmp_path / "c.dcm", DEEP, bits=12))
    assert film.lie.turn is None and film.lie.to_left is None
    film = read_radiograph(write_dicom(tmp_path / "d.dcm", DEEP, bits=12, ImageOrientationPatient=[-1, 0, 0, 0, 0, -1],
                                       ImagePositionPatient=[0, 0, 0]))
    assert film.lie.to_left == (-1, 0) and film.upright == Orientation(flip_columns=True)


# ---- pages, kinds


def pages(*pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    first, *others = (Image.fromarray(each) for each in pixels)
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


@pytest.mark.parametrize("order", [0, 1])
def test_a_preview_is_no_second_radiograph(order, tmp_path):
    small = np.asarray(Image.fromarray(phantom(96, 128)).resize((32, 24)))
    both = [small, phantom(96, 128)] if order == 0 else [phantom(96, 128), small]
    film = read_radiograph(written(tmp_path / "a.tif", pages(*both)))
    np.testing.assert_array_equal(film.pixels, phantom(96, 128))
    assert "a preview of 32 x 24 pixels" in film.notes[0]


def test_two_pages_of_one_size_are_two_radiographs(tmp_path):
    assert "2 pages" in sentence(written(tmp_path / "a.tif", pages(phantom(), phantom()[::-1])))
    assert "2 pages" in sentence(written(tmp_path / "b.tif", pages(phantom(), phantom(20, 100))))


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "1", "RGBA"])
def test_bmp_files_are_read_as_itk_reads_them(mode, tmp_path):
    path = written(tmp_path / "a.bmp", pil_bytes(phantom(), "BMP", mode=mode))
    film = read_radiograph(path)
    expected = np.asarray(Image.open(path).convert("L"))
    assert np.abs(film.pixels.astype(int) - expected).max() <= 1 and film.spacing is None


def test_damaged_bmp_files_get_a_sentence(tmp_path):
    whole = pil_bytes(phantom(), "BMP")
    for name, data in (("short", whole[:-100]), ("head", whole[:20]), ("few", whole[:10] + b"\x37\0\0\0" + whole[14:])):
        assert "damaged" in sentence(written(tmp_path / f"{name}.bmp", data))
    packed = bytearray(whole)
    packed[30] = 1
    assert "compressed" in sentence(written(tmp_path / "rle.bmp", bytes(packed)))
    huge = bytearray(whole)
    huge[18:26] = struct.pack("<ii", 2**30, 2**30)
    assert "claims" in sentence(written(tmp_path / "huge.bmp", bytes(huge)))


# ---- polarity, tables, padding, sign


def lut(first: int, data: np.ndarray, bits: int = 16) -> Dataset:
    item = Dataset()
    item.add_new(0x00283002, "US", [len(data) % 65536, first, bits])
    item.add_new(0x00283006, "OW", data.astype("<u2").tobytes())
    return item


RISING, FALLING = np.arange(4096), np.arange(4096)[::-1]


@pytest.mark.parametrize("photometric, shape, table, slope, inverted, said", [
    ("MONOCHROME1", None, None, 1, True, None),
    ("MONOCHROME1", "INVERSE", None, 1, True, None),
    ("MONOCHROME1", "IDENTITY", None, 1, True, "contradict"),
    ("MONOCHROME2", "INVERSE", None, 1, True, "INVERSE"),
    ("MONOCHROME2", "IDENTITY", None, 1, False, None),
    ("MONOCHROME2", None, None, -1, False, None),
    ("MONOCHROME2", None, RISING, 1, False, None),
    ("MONOCHROME2", None, FALLING, 1, True, "VOI LUT descends"),
    ("MONOCHROME1", None, FALLING, 1, False, "VOI LUT descends"),
])  # fmt: skip
@pytest.mark.parametrize("window", ["percentile", "voi"])
def test_there_is_one_inversion_at_most(photometric, shape, table, slope, inverted, said, window, tmp_path):
    more = {} if shape is None else {"PresentationLUTShape": shape}
    if table is not None:
        more["VOILUTSequence"] = Sequence([lut(0, table)])
    if slope < 0:
        more |= {"RescaleSlope": -1, "RescaleIntercept": 4095}
    path = write_dicom(tmp_path / "a.dcm", DEEP, bits=12, PhotometricInterpretation=photometric, **more)
    film = read_radiograph(path, window=window)
    assert film.polarity.inverted is inverted
    bright = DEEP if inverted == (slope < 0) else 4095 - DEEP
    np.testing.assert_array_equal(film.pixels, bright)
    assert np.corrcoef(film.gray().ravel(), bright.ravel())[0, 1] > 0.9
    notes = [note for note in film.notes if "VOI window" not in note]
    assert notes == [] if said is None else len(notes) == 1 and said in notes[0]
    if window == "voi" and table is not None:
        assert film.mapping.source == "VOI LUT"


def test_a_falling_table_beside_a_window_is_a_contradiction(tmp_path):
    film = read_radiograph(write_dicom(tmp_path / "a.dcm", DEEP, bits=12, VOILUTSequence=Sequence([lut(0, FALLING)]),
                                       WindowCenter=2000, WindowWidth=4000))
    assert not film.polarity.inverted and "check the polarity" in film.notes[0]


def test_tables_that_lie_about_themselves(tmp_path):
    def read(*items, **more):
        return read_radiograph(write_dicom(tmp_path / "a.dcm", DEEP, bits=12, VOILUTSequence=Sequence(items), **more),
                               window="voi")

    twelve = read(lut(0, RISING, bits=16))  # 12 bit values declared as 16: the range is that of the data
    assert twelve.mapping.source == "VOI LUT" and twelve.gray().max() > 250
    two = read(lut(0, RISING), lut(0, FALLING))
    assert "2 VOI LUTs" in two.notes[0] and not two.polarity.inverted
    unknown = lut(0, RISING)
    unknown.add_new(0x00283002, "UN", struct.pack("<3H", 4096, 0, 16))
    unknown.add_new(0x00283006, "UN", RISING.astype("<u2").tobytes())
    assert read(unknown).mapping.source == "VOI LUT"
    odd = Dataset()
    odd.add_new(0x00283002, "US", [255, 0, 8])
    odd.add_new(0x00283006, "OW", np.arange(255).astype(np.uint8).tobytes() + b"\0")
    film = read_radiograph(write_dicom(tmp_path / "b.dcm", phantom(), VOILUTSequence=Sequence([odd])), window="voi")
    assert film.mapping.source == "VOI LUT"


@pytest.mark.parametrize("center, width", [
    ("2000", "0"), ("nan", "100"), ("2000", "inf"), ("2000", "-5"), ("9e9", "2"),
])  # fmt: skip
def test_windows_that_show_nothing_are_said(center, width, tmp_path):
    film = read_radiograph(write_dicom(tmp_path / "a.dcm", DEEP, bits=12, WindowCenter=center, WindowWidth=width),
                           window="voi")
    assert film.mapping.source == "percentile" and "percentiles" in film.notes[-1]


@pytest.mark.parametrize("signed, value", [(True, 63536), (True, -2000), (False, -2000), (False, 63536)])
def test_padding_of_the_other_sign_is_padding(signed, value, tmp_path):
    values = DEEP.astype(np.int16) - 1000 if signed else DEEP.copy()
    values[:5] = -2000 if signed else 63536
    source = dataset(values)
    source.add_new(0x00280120, "US" if value > 0 else "SS", value)
    film = read_radiograph(written(tmp_path / "a.dcm", dicom_bytes(source)))
    assert any("padding" in note for note in film.notes)
    plain = read_radiograph(written(tmp_path / "b.dcm", dicom_bytes(dataset(values[5:]))))
    assert film.mapping.units == pytest.approx(plain.mapping.units, rel=0.05)


@pytest.mark.parametrize("stream_signed", [False, True])
@pytest.mark.parametrize("ramp", [False, True])
def test_the_sign_of_a_jpeg_2000_stream_is_believed(stream_signed, ramp, tmp_path):
    """A ramp, or the bits of values of the other sign: whichever way, the smooth picture comes out, and a note."""
    smooth = phantom(64, 64, 8000, np.int64) - (4000 if stream_signed == ramp else 0)
    bits = 13
    half = 2 ** (bits - 1)
    other = (smooth + half) % 2**bits - half if stream_signed else smooth % 2**bits
    held = smooth if ramp else other
    stream = lossless_stream(held.astype(np.int16 if stream_signed else np.uint16), tmp_path, "JPEG2000")
    source = encapsulated(held.astype(np.int16 if stream_signed else np.uint16), J2K_LOSSLESS, stream, bits=bits,
                          PixelRepresentation=int(not stream_signed))
    film = read_radiograph(written(tmp_path / "a.dcm", dicom_bytes(source)))
    np.testing.assert_array_equal(film.pixels, smooth)
    assert sum("JPEG 2000 pixels are" in note for note in film.notes) == 1


# ---- what cannot be read


@pytest.mark.parametrize("syntax", ["1.2.840.113619.5.2", "1.3.46.670589.9.1", "1.2.3.4.5"])
def test_private_transfer_syntaxes(syntax, tmp_path):
    data = dicom_bytes(dataset(DEEP, bits=12)).replace(b"1.2.840.10008.1.2.1\0", syntax.encode().ljust(20, b"\0"), 1)
    assert "private transfer syntax" in sentence(written(tmp_path / "a.dcm", data))


def test_several_frames(tmp_path):
    source = dataset(np.vstack([DEEP, DEEP]), bits=12, NumberOfFrames=2, Rows=DEEP.shape[0])
    assert "2 frames" in sentence(written(tmp_path / "a.dcm", dicom_bytes(source)))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (7, 7)])
def test_images_of_a_pixel_or_none(size, tmp_path):
    source = dataset(DEEP, bits=12, Rows=size[0], Columns=size[1])
    assert "choose an image of at least" in sentence(written(tmp_path / "a.dcm", dicom_bytes(source)))
    for kind in ("PNG", "TIFF", "BMP", "JPEG"):
        text = sentence(written(tmp_path / f"a.{kind.lower()}", pil_bytes(np.zeros(size, np.uint8), kind)))
        assert "choose an image of at least" in text
    source = dataset(DEEP, bits=12, Rows=0, Columns=0)
    assert "damaged" in sentence(written(tmp_path / "none.dcm", dicom_bytes(source)))
    assert "0 bytes" in sentence(written(tmp_path / "empty.dcm", b""))


def test_one_value_all_over(tmp_path):
    assert "blank" in sentence(write_dicom(tmp_path / "a.dcm", np.full((40, 40), 7, np.uint16)))


def test_a_dicomdir(tmp_path):
    source = dataset(DEEP)
    del source.PixelData, source.Rows, source.Columns
    source.DirectoryRecordSequence = Sequence([])
    assert "DICOMDIR" in sentence(written(tmp_path / "DICOMDIR", dicom_bytes(source)))


@pytest.mark.parametrize("syntax", [IMPLICIT, BIG, "1.2.840.10008.1.2.1"])
def test_a_file_without_preamble(syntax, tmp_path):
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    source = dataset(DEEP, syntax, bits=12, PatientOrientation=["R", "F"])
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = syntax != BIG, syntax == IMPLICIT
    write_dataset(buffer, source)
    film = read_radiograph(written(tmp_path / "a", buffer.getvalue()))
    np.testing.assert_array_equal(film.pixels, DEEP)
    assert film.lie.to_left == (-1, 0)


def test_colour_that_is_gray_and_colour_that_is_not(tmp_path):
    gray = np.repeat(phantom()[..., None], 3, -1)
    for path in (write_dicom(tmp_path / "a.dcm", gray), written(tmp_path / "a.png", pil_bytes(gray, "PNG"))):
        film = read_radiograph(path)
        np.testing.assert_array_equal(film.pixels, phantom())
        assert film.notes == ()
    coloured = gray.copy()
    coloured[:, 16:, 0] = 255 - coloured[:, 16:, 0]
    assert "colour picture" in sentence(written(tmp_path / "b.png", pil_bytes(coloured, "PNG")))


def test_bad_elements_elsewhere_are_no_hindrance(tmp_path):
    code = Dataset()
    code.CodeMeaning = "Chest"
    source = dataset(DEEP, bits=12, ProcedureCodeSequence=Sequence([code]), SpecificCharacterSet="ISO_IR 192")
    source.add_new(0x00100010, "PN", "Muller")
    data = dicom_bytes(source).replace(b"Muller", b"M\xfcller").replace(b"2.25.123", b"2.025.12")
    np.testing.assert_array_equal(read_radiograph(written(tmp_path / "a.dcm", data)).pixels, DEEP)


# ---- names


@pytest.mark.parametrize("kind", ["dcm", "png", "jpg", "tif", "bmp", "nrrd", "mha", "nii", "nii.gz", "j2k.dcm"])
def test_itk_is_given_ascii_names_alone(kind, tmp_path, monkeypatch):
    """As Windows needs it, also where the user's own temporary folder has another name."""
    import tempfile

    folder = tmp_path / "R\u00f6ntgen \u5f71\u50cf"
    folder.mkdir()
    path = folder / f"Wei\u00df.{kind}"
    if kind == "dcm":
        write_dicom(path, phantom())
    elif kind == "j2k.dcm":
        path.write_bytes(dicom_bytes(encapsulated(phantom(), J2K_LOSSLESS, lossless_stream(phantom(), tmp_path,
                                                                                           "JPEG2000"))))
    elif kind in ("nrrd", "mha", "nii", "nii.gz"):
        path.write_bytes(write_itk(tmp_path / f"a.{kind}", phantom()[None]).read_bytes())
    else:
        path.write_bytes(pil_bytes(phantom(), {"tif": "TIFF", "jpg": "JPEG"}.get(kind, kind.upper())))
    names = []
    plain = common._reader
    monkeypatch.setattr(common, "_reader", lambda path, kind: names.append(str(path)) or plain(path, kind))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    film = read_radiograph(path)
    assert film.shape == phantom().shape and all(name.isascii() for name in names), names
    assert names or kind in ("bmp", "nrrd", "mha")
    assert [each.name for each in folder.iterdir()] == [path.name]


def test_names_of_bytes_that_are_no_text(tmp_path):
    import os

    path = os.path.join(os.fsencode(tmp_path), b"film\xff\xfe.png")
    try:
        with open(path, "wb") as file:
            file.write(pil_bytes(phantom(), "PNG"))
    except OSError:
        pytest.skip("this file system takes text alone")
    assert read_radiograph(os.fsdecode(path)).shape == phantom().shape




def test_two_images_of_a_series_in_one_folder_stay_two(tmp_path):
    """An AP and a lateral film of one size: two inputs, each with its own polarity, spacing and sides."""
    from GrayscaleDetSegLib.batch.inputs import collect

    series = {"SeriesInstanceUID": "2.25.9", "StudyInstanceUID": "2.25.8"}
    write_dicom(tmp_path / "ap.dcm", DEEP, bits=12, PixelSpacing=[0.2] * 2, PatientOrientation=["L", "F"], **series)
    write_dicom(tmp_path / "lateral.dcm", DEEP, bits=12, PixelSpacing=[0.1] * 2, PatientOrientation=["A", "F"],
                PhotometricInterpretation="MONOCHROME1", **series)
    found, problems = collect([tmp_path])
    assert problems == [] and [each.path.name for each in found] == ["ap.dcm", "lateral.dcm"]
    ap, lateral = (read_radiograph(each.path if each.path.is_absolute() else tmp_path / each.path) for each in found)
    assert (ap.spacing.row, lateral.spacing.row) == (0.2, 0.1)
    assert (ap.polarity.inverted, lateral.polarity.inverted) == (False, True)
    assert (bool(ap.lie.sideless), bool(lateral.lie.sideless)) == (False, True)
