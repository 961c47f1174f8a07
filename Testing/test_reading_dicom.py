"""Reading of DICOM files that are made here: values, polarity, windows, spacing, placement, refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.reading import read_radiograph
from reading_files import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    J2K,
    J2K_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS,
    JPEG_LOSSLESS_SV1,
    RLE,
    dataset,
    dicom_bytes,
    encapsulated,
    lossless_stream,
    phantom,
    pil_bytes,
    write_dicom,
)

DEEP = phantom(top=4095, dtype=np.uint16)


def item(**tags) -> Sequence:
    part = Dataset()
    for keyword, value in tags.items():
        setattr(part, keyword, value)
    return Sequence([part])


def slicer_values(path) -> np.ndarray:
    """What Slicer shows: the file through GDCM."""
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]


@pytest.mark.parametrize("syntax", (IMPLICIT, EXPLICIT, BIG, DEFLATED, RLE))
@pytest.mark.parametrize("dtype, bits", ((np.uint8, 8), (np.uint16, 10), (np.uint16, 16), (np.int16, 12),
                                         (np.int16, 16)))
def test_transfer_syntaxes_and_depths(tmp_path, syntax, dtype, bits):
    top = 2**bits - 1
    stored = phantom(top=top, dtype=np.int64)
    if dtype == np.int16:
        stored -= 2 ** (bits - 1)
    stored = stored.astype(dtype)
    path = write_dicom(tmp_path / "image.dcm", stored, syntax, bits)
    radiograph = read_radiograph(path)
    assert np.array_equal(radiograph.pixels, stored)
    assert not radiograph.polarity.inverted
    turned = read_radiograph(write_dicom(path, stored, syntax, bits, PhotometricInterpretation="MONOCHROME1"))
    assert turned.polarity.inverted
    assert turned.polarity.pivot == (top if dtype != np.int16 else -1)
    assert np.array_equal(turned.pixels.astype(int), turned.polarity.pivot - stored.astype(int))


@pytest.mark.parametrize("syntax, compressor", ((JPEG_LOSSLESS, "JPEG"), (JPEG_LOSSLESS_SV1, "JPEG"),
                                                (J2K_LOSSLESS, "JPEG2000"), (J2K, "JPEG2000")))
@pytest.mark.parametrize("photometric", ("MONOCHROME1", "MONOCHROME2"))
def test_lossless_compression(tmp_path, syntax, compressor, photometric):
    stream = lossless_stream(DEEP, tmp_path, compressor)
    path = tmp_path / "image.dcm"
    path.write_bytes(dicom_bytes(encapsulated(DEEP, syntax, stream, PhotometricInterpretation=photometric,
                                              RescaleSlope=2, RescaleIntercept=-7)))
    expected = DEEP.astype(int) * 2 - 7
    if photometric == "MONOCHROME1":
        expected = 2 * 65535 - 14 - expected
    assert np.array_equal(read_radiograph(path).pixels, expected)


def test_jpeg_baseline_equals_pydicom(tmp_path):
    stream = pil_bytes(phantom(64, 80), "JPEG", quality=95)
    path = tmp_path / "image.dcm"
    path.write_bytes(dicom_bytes(encapsulated(phantom(64, 80), JPEG_BASELINE, stream)))
    decoded = pydicom.dcmread(path).pixel_array
    assert np.abs(read_radiograph(path).pixels.astype(int) - decoded).max() <= 1


@pytest.mark.parametrize("name, syntax", (
        ("JPGExtended.dcm", "4.51"), ("JPEG-lossy.dcm", "4.51"), ("JPEGLSNearLossless_08.dcm", "4.81"),
        ("MR_small_jpeg_ls_lossless.dcm", "4.80"), ("MR_small_RLE.dcm", ".5"), ("MR_small_bigendian.dcm", "2.2"),
        ("image_dfl.dcm", "1.99"), ("693_J2KI.dcm", "4.91"), ("CT_small.dcm", "2.1")))
def test_files_that_come_with_pydicom(name, syntax):
    """Every further compression, against GDCM."""
    found = sorted((Path(pydicom.__file__).parent / "data" / "test_files").glob(name))
    if not found:
        pytest.skip(f"this pydicom comes without {name}")
    path = found[0]
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.endswith(syntax)
    pixels = read_radiograph(path).pixels
    assert np.allclose(pixels, slicer_values(path))


def test_bits_elsewhere_are_cut_out(tmp_path):
    """Overlays in the unused bits, and stored bits at the top of the word."""
    plain = write_dicom(tmp_path / "plain.dcm", DEEP | 0x8000, bits=12)
    assert np.array_equal(read_radiograph(plain).pixels, DEEP)
    high = write_dicom(tmp_path / "high.dcm", DEEP << 4, bits=12, HighBit=15)
    assert np.array_equal(read_radiograph(high).pixels, DEEP)
    wrong = write_dicom(tmp_path / "wrong.dcm", DEEP, bits=12, HighBit=3)
    assert np.array_equal(read_radiograph(wrong).pixels, DEEP)


@pytest.mark.parametrize("slope, intercept", ((1, 0), (2, -100), (0.5, 1), (-1, 4095), (1, -1024)))
def test_monochrome1_equals_slicer(tmp_path, slope, intercept):
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, PhotometricInterpretation="MONOCHROME1",
                       RescaleSlope=slope, RescaleIntercept=intercept)
    radiograph = read_radiograph(path)
    assert np.allclose(radiograph.pixels, slicer_values(path))
    assert np.allclose(radiograph.polarity.apply(radiograph.pixels), DEEP.astype(float) * slope + intercept)


def test_polarity_on_request(tmp_path):
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, PhotometricInterpretation="MONOCHROME1")
    kept = read_radiograph(path, polarity="as-is")
    assert np.array_equal(kept.pixels, DEEP)
    assert "MONOCHROME1" in kept.polarity.reason
    assert any("MONOCHROME1" in note for note in kept.notes)
    plain = write_dicom(tmp_path / "plain.dcm", DEEP, bits=12)
    turned = read_radiograph(plain, polarity="inverted")
    assert np.array_equal(turned.pixels, 4095 - DEEP)
    assert np.array_equal(turned.inverted("mistake").pixels, DEEP)


def test_presentation_lut_shape(tmp_path):
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, PresentationLUTShape="INVERSE")
    radiograph = read_radiograph(path)
    assert np.array_equal(radiograph.pixels, 4095 - DEEP)
    assert "INVERSE" in radiograph.polarity.reason
    assert any("Slicer" in note for note in radiograph.notes)
    both = write_dicom(path, DEEP, bits=12, PresentationLUTShape="INVERSE", PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(read_radiograph(both).pixels, 4095 - DEEP)  # not inverted twice


def test_modality_lut(tmp_path):
    table = (np.arange(200, dtype=np.uint16) ** 2 // 8 + 5).astype(np.uint16)
    lut = item(LUTDescriptor=[200, 20, 16], LUTData=table.tobytes(), ModalityLUTType="US")
    path = write_dicom(tmp_path / "image.dcm", phantom(), ModalityLUTSequence=lut)
    expected = table[np.clip(phantom().astype(int) - 20, 0, 199)]
    radiograph = read_radiograph(path)
    assert np.array_equal(radiograph.pixels, expected)
    assert any("modality LUT" in note for note in radiograph.notes)
    turned = read_radiograph(write_dicom(path, phantom(), ModalityLUTSequence=lut,
                                         PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(turned.pixels.astype(int), int(table[0]) + int(table[-1]) - expected.astype(int))


def test_rescale_slope_zero_is_ignored(tmp_path):
    radiograph = read_radiograph(write_dicom(tmp_path / "image.dcm", DEEP, bits=12, RescaleSlope=0, RescaleIntercept=0))
    assert np.array_equal(radiograph.pixels, DEEP)
    assert any("slope" in note for note in radiograph.notes)


@pytest.mark.parametrize("photometric", ("MONOCHROME1", "MONOCHROME2"))
@pytest.mark.parametrize("function, low, high", ((None, 1000, 2999), ("LINEAR", 1000, 2999),
                                                 ("LINEAR_EXACT", 1000, 3000)))
def test_window(tmp_path, photometric, function, low, high):
    tags = {"VOILUTFunction": function} if function else {}
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, PhotometricInterpretation=photometric,
                       WindowCenter=[2000, 10], WindowWidth=[2000, 5], **tags)
    radiograph = read_radiograph(path, window="voi")
    assert radiograph.mapping.source == "VOI window"
    expected = np.clip((DEEP.astype(float) - low) / (high - low), 0, 1) * 255
    if photometric == "MONOCHROME1":  # shown inverted after the window
        expected = 255 - expected
    assert np.allclose(radiograph.gray(), expected, atol=1e-2)
    assert read_radiograph(path).mapping.source == "percentile"


def test_sigmoid_window(tmp_path):
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, WindowCenter=2000, WindowWidth=1000,
                       VOILUTFunction="SIGMOID")
    radiograph = read_radiograph(path, window="voi")
    assert np.allclose(radiograph.gray(), 255 / (1 + np.exp(-4 * (DEEP - 2000.0) / 1000)), atol=1.0)
    units = radiograph.mapping.to_units(np.linspace(0, 255, 50))
    assert np.allclose(radiograph.mapping.to_gray(units), np.linspace(0, 255, 50), atol=1e-3)


def test_voi_lut_before_window(tmp_path):
    table = np.rint(1023 * (np.arange(4096) / 4095) ** 2).astype(np.uint16)
    lut = item(LUTDescriptor=[4096, 0, 10], LUTData=table.tobytes())
    tags = dict(VOILUTSequence=lut, WindowCenter=2000, WindowWidth=2000)
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, **tags)
    radiograph = read_radiograph(path, window="voi")
    assert radiograph.mapping.source == "VOI LUT"
    expected = table[DEEP] / 1023 * 255
    assert np.allclose(radiograph.gray(), expected, atol=1.1)
    turned = read_radiograph(write_dicom(path, DEEP, bits=12, PhotometricInterpretation="MONOCHROME1", **tags),
                             window="voi")
    assert np.allclose(turned.gray(), 255 - expected, atol=1.1)


@pytest.mark.parametrize("tags", (
        {}, {"WindowCenter": 2000, "WindowWidth": 0}, {"WindowCenter": 2000, "WindowWidth": -5}, {"WindowCenter": 2000},
        {"WindowCenter": 60000, "WindowWidth": 100}, {"WindowCenter": "", "WindowWidth": ""},
        {"VOILUTSequence": item(LUTDescriptor=[4096, 0, 10], LUTData=b"\0\0")}))
def test_unusable_windows_fall_back(tmp_path, tags):
    radiograph = read_radiograph(write_dicom(tmp_path / "image.dcm", DEEP, bits=12, **tags), window="voi")
    assert radiograph.mapping.source == "percentile"
    assert any("percentiles" in note for note in radiograph.notes)


@pytest.mark.parametrize("photometric", ("MONOCHROME1", "MONOCHROME2"))
def test_padding_is_left_out(tmp_path, photometric):
    padded = DEEP // 4 + 500
    padded[:, :16] = 7
    padded[:2, :16] = 9
    tags = dict(bits=12, PhotometricInterpretation=photometric, PixelPaddingValue=7, PixelPaddingRangeLimit=9)
    radiograph = read_radiograph(write_dicom(tmp_path / "image.dcm", padded, **tags))
    inner = radiograph.pixels[:, 16:]
    assert inner.min() <= radiograph.mapping.units[0] < radiograph.mapping.units[-1] <= inner.max()
    assert any("padding" in note for note in radiograph.notes)


@pytest.mark.parametrize("tags, expected", (
        ({}, None),
        ({"PixelSpacing": [0.3, 0.2]}, (0.3, 0.2, "PixelSpacing")),
        ({"ImagerPixelSpacing": [0.3, 0.2]}, (0.3, 0.2, "ImagerPixelSpacing")),
        ({"NominalScannedPixelSpacing": [0.3, 0.2]}, (0.3, 0.2, "NominalScannedPixelSpacing")),
        ({"PixelSpacing": [0.3, 0.2], "ImagerPixelSpacing": [0.4, 0.25]}, (0.3, 0.2, "PixelSpacing")),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.4, 0.25]}, (0.4, 0.25, "ImagerPixelSpacing")),
        ({"PixelSpacing": [-0.1, 0.1]}, None),
        ({"PixelSpacing": 0.1}, None),
        ({"PixelSpacing": [0.1, 0.1, 0.1]}, None)))
def test_spacing(tmp_path, tags, expected):
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, **tags)
    radiograph = read_radiograph(path)
    spacing = radiograph.spacing
    assert (None if spacing is None else (spacing.row, spacing.column, spacing.source)) == expected
    unusable = bool(tags) and (expected is None or expected[2] not in list(tags)[0])
    assert any("is ignored" in note for note in radiograph.notes) == unusable
    image = sitk.ReadImage(str(path))  # Slicer's placement, whatever DICOM means by the tags
    shown = tuple(value if value > 0 else 1.0 for value in image.GetSpacing())
    assert np.allclose(radiograph.geometry.spacing, shown)
    differs = expected is not None and not np.allclose(shown[:2], expected[1::-1])
    assert any("Slicer places" in note for note in radiograph.notes) == differs


def test_malformed_spacing(tmp_path):
    data = dicom_bytes(dataset(DEEP, bits=12, PixelSpacing=[0.125, 0.125]))
    for text in (b"abcde\\0.125", b"nan  \\0.125", b"inf  \\0.125", b"0,125\\0,125"):
        (tmp_path / "image.dcm").write_bytes(data.replace(b"0.125\\0.125", text))
        radiograph = read_radiograph(tmp_path / "image.dcm")
        assert radiograph.spacing is None
        assert any("PixelSpacing" in note for note in radiograph.notes)


def test_calibration_and_magnification_are_said(tmp_path):
    radiograph = read_radiograph(write_dicom(
        tmp_path / "image.dcm", DEEP, bits=12, PixelSpacing=[0.1, 0.1], ImagerPixelSpacing=[0.15, 0.15],
        PixelSpacingCalibrationType="FIDUCIAL", EstimatedRadiographicMagnificationFactor=1.5))
    assert any("fiducial" in note for note in radiograph.notes)
    assert any("1.5" in note for note in radiograph.notes)


def test_placement_is_that_of_itk(tmp_path):
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, SOPClassUID="1.2.840.10008.5.1.4.1.1.4", Modality="MR",
                       ImagePositionPatient=[1, 2, 3], ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
                       PixelSpacing=[0.3, 0.2])
    image, geometry = sitk.ReadImage(str(path)), read_radiograph(path).geometry
    assert np.allclose(geometry.spacing, image.GetSpacing())
    assert np.allclose(geometry.origin, image.GetOrigin())
    assert np.allclose(geometry.direction, image.GetDirection())


def test_found_by_content(tmp_path):
    """Without preamble, in each byte order, and under a wrong name."""
    for syntax in (IMPLICIT, EXPLICIT, BIG):
        data = dicom_bytes(dataset(DEEP, syntax, bits=12))
        start = 144 + int.from_bytes(data[140:144], "little")  # behind preamble and meta information
        for name, content in (("photo.png", data), ("bare", data[start:]), ("meta.jpg", data[132:])):
            (tmp_path / name).write_bytes(content)
            assert np.array_equal(read_radiograph(tmp_path / name).pixels, DEEP), (syntax, name)


def test_colour_that_is_gray(tmp_path):
    gray = phantom()
    rgb = np.stack([gray] * 3, -1)
    rgb[:2, :6] = (255, 255, 0)  # a marker
    radiograph = read_radiograph(write_dicom(tmp_path / "rgb.dcm", rgb))
    assert np.array_equal(radiograph.pixels[2:], gray[2:])
    assert any("colour" in note for note in radiograph.notes)
    planar = dataset(rgb, PlanarConfiguration=1)
    planar.PixelData = np.moveaxis(rgb, -1, 0).tobytes()
    (tmp_path / "planar.dcm").write_bytes(dicom_bytes(planar))
    assert np.array_equal(read_radiograph(tmp_path / "planar.dcm").pixels, radiograph.pixels)
    ybr = np.stack([gray, np.full_like(gray, 128), np.full_like(gray, 128)], -1)
    path = write_dicom(tmp_path / "ybr.dcm", ybr, PhotometricInterpretation="YBR_FULL")
    assert np.array_equal(read_radiograph(path).pixels, gray)
    palette = {f"{colour}PaletteColorLookupTable{part}": value for colour in ("Red", "Green", "Blue")
               for part, value in (("Descriptor", [256, 0, 16]),
                                   ("Data", (np.arange(256, dtype=np.uint16) * 257).tobytes()))}
    path = write_dicom(tmp_path / "palette.dcm", gray, PhotometricInterpretation="PALETTE COLOR", **palette)
    assert np.array_equal(read_radiograph(path).pixels, gray.astype(np.uint16) * 257)


def test_other_modalities_are_noted(tmp_path):
    radiograph = read_radiograph(write_dicom(tmp_path / "image.dcm", DEEP, bits=12, Modality="CT"))
    assert radiograph.modality == "CT"
    assert any("CT" in note for note in radiograph.notes)
    assert read_radiograph(write_dicom(tmp_path / "image.dcm", DEEP, bits=12)).notes == ()


@pytest.mark.parametrize("tags, message", (
        ({"NumberOfFrames": 3}, "3 frames"), ({"PixelData": None}, "no whole pixel data"),
        ({"PixelData": None, "FloatPixelData": bytes(4 * DEEP.size)}, "floating-point pixels"),
        ({"PixelData": None, "DoubleFloatPixelData": bytes(8 * DEEP.size)}, "floating-point pixels"),
        ({"PixelData": None, "Rows": None, "Columns": None}, "without an image"), ({"Rows": None}, "Rows"),
        ({"PhotometricInterpretation": "HSV"}, "HSV"), ({"SamplesPerPixel": 4}, "4 samples"),
        ({"BitsAllocated": 1, "BitsStored": 1}, "1 of 1 bits"), ({"BitsStored": 17}, "17 of 16 bits"),
        ({"Rows": 4}, "32 x 4 pixels"), ({"Rows": 40000}, "40000"), ({"Rows": 25}, "cut short")))
def test_refusals(tmp_path, tags, message):
    path = write_dicom(tmp_path / "image.dcm", DEEP, **tags)
    with pytest.raises(RadiographError, match=message) as caught:
        read_radiograph(path)
    assert "image.dcm" in str(caught.value)


def test_blank_and_colourful_images_are_refused(tmp_path):
    with pytest.raises(RadiographError, match="same value"):
        read_radiograph(write_dicom(tmp_path / "blank.dcm", np.full_like(DEEP, 5), bits=12))
    photo = np.stack([phantom(), phantom()[::-1], phantom()[:, ::-1]], -1)
    with pytest.raises(RadiographError, match="colour picture"):
        read_radiograph(write_dicom(tmp_path / "photo.dcm", photo))
