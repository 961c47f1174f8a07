"""Reading of PNG, JPEG, TIFF, NRRD, MetaImage and NIfTI files, and the description of what was read."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.reading import describe, describe_text, read_radiograph
from reading_files import phantom, pil_bytes, write_dicom, write_itk

GRAY, DEEP = phantom(), phantom(top=4095, dtype=np.uint16)
TURNED = (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0)


def marked(gray: np.ndarray) -> np.ndarray:
    rgb = np.stack([gray] * 3, -1)
    rgb[:2, :6] = (255, 40, 0)
    return rgb


@pytest.mark.parametrize("kind", ("PNG", "TIFF"))
@pytest.mark.parametrize("mode", (None, "P", "LA", "RGB", "RGBA"))
def test_lossless_rasters(tmp_path, kind, mode):
    if (kind, mode) == ("TIFF", "LA"):  # ITK takes the alpha values for pixels
        with pytest.raises(RadiographError, match="2 x 8 bits a pixel.*transparency"):
            read_raster(tmp_path, GRAY, kind, mode)
    elif (kind, mode) == ("TIFF", "P"):
        pixels = read_raster(tmp_path, GRAY, kind, mode).pixels.astype(float)
        assert np.allclose(pixels / pixels.max(), GRAY / GRAY.max(), atol=0.01)  # ITK gives the palette's 16 bits
    else:
        assert np.array_equal(read_raster(tmp_path, GRAY, kind, mode).pixels, GRAY)


def read_raster(folder, pixels, kind, mode=None, **options):
    path = folder / "image.dat"  # the name says nothing
    path.write_bytes(pil_bytes(pixels, kind, mode, **options))
    return read_radiograph(path)


@pytest.mark.parametrize("kind", ("PNG", "TIFF"))
def test_deep_and_one_bit_rasters(tmp_path, kind):
    radiograph = read_raster(tmp_path, DEEP, kind)
    assert radiograph.pixels.dtype == np.uint16
    assert np.array_equal(radiograph.pixels, DEEP)
    bits = read_raster(tmp_path, (GRAY > 120).astype(np.uint8) * 255, kind, "1").pixels
    assert np.array_equal(bits > 0, GRAY > 120)
    assert len(np.unique(bits)) == 2


def test_png_with_transparency(tmp_path):
    """Gray with alpha of 8 and 16 bits, and gray with a transparent colour: SimpleITK alone reads none of them."""
    half = Image.merge("LA", [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)])
    half.save(tmp_path / "alpha.png")
    assert np.array_equal(read_radiograph(tmp_path / "alpha.png").pixels, GRAY)
    assert np.array_equal(read_raster(tmp_path, GRAY, "PNG", transparency=0).pixels, GRAY)
    from GrayscaleDetSegLib.core.reading.codestream import Png

    interleaved = np.stack([DEEP >> 8, DEEP & 255, DEEP >> 8, DEEP & 255], -1).astype(np.uint8)
    rgba = Png.parse(pil_bytes(interleaved, "PNG"))
    (tmp_path / "deep.png").write_bytes(rgba.relabelled(16, 4))
    assert np.array_equal(read_radiograph(tmp_path / "deep.png").pixels, DEEP)


def test_jpeg(tmp_path):
    large = phantom(96, 128)
    for mode, quality in (("L", 95), ("RGB", 60)):
        pixels = read_raster(tmp_path, large, "JPEG", mode, quality=quality).pixels
        assert pixels.dtype == np.uint8
        assert np.abs(pixels.astype(int) - large).mean() < 4


def test_polarity_of_rasters(tmp_path):
    path = tmp_path / "image.png"
    for pixels, top in ((GRAY, 255), (DEEP, 4095), (DEEP // 4, 1023)):
        path.write_bytes(pil_bytes(pixels, "PNG"))
        turned = read_radiograph(path, polarity="inverted")
        assert np.array_equal(turned.pixels, top - pixels)
        assert turned.polarity.inverted
        assert not read_radiograph(path).polarity.inverted


def test_white_is_zero(tmp_path):
    """Pillow turns WhiteIsZero over on loading; so do we, and say so."""
    plain = bytearray(pil_bytes(GRAY, "TIFF"))
    at = plain.find(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00")  # PhotometricInterpretation, SHORT, 1, BlackIsZero
    plain[at + 8] = 0
    path = tmp_path / "image.tif"
    path.write_bytes(plain)
    radiograph = read_radiograph(path)
    assert np.array_equal(radiograph.pixels, np.asarray(Image.open(path)))
    assert np.array_equal(radiograph.pixels, 255 - GRAY)
    assert "WhiteIsZero" in radiograph.polarity.reason
    assert np.array_equal(read_radiograph(path, polarity="as-is").pixels, GRAY)


@pytest.mark.parametrize("kind", ("PNG", "JPEG", "TIFF"))
def test_no_spacing_from_a_printing_resolution(tmp_path, kind):
    radiograph = read_raster(tmp_path, GRAY, kind, dpi=(254, 254))
    assert radiograph.spacing is None
    path = tmp_path / "image.dat"
    image = sitk.ReadImage(str(path), imageIO=f"{kind}ImageIO")
    assert np.allclose(radiograph.geometry.spacing[:2], image.GetSpacing())


def test_colour(tmp_path):
    """Markers in colour are no obstacle, a photograph is, however pale."""
    radiograph = read_raster(tmp_path, marked(phantom(96, 128)), "PNG")
    assert np.array_equal(radiograph.pixels[2:], phantom(96, 128)[2:])
    assert any("colour" in note for note in radiograph.notes)
    expected = round(0.299 * 255 + 0.587 * 40)
    assert radiograph.pixels[0, 0] == expected  # Rec. 601
    read_raster(tmp_path, marked(phantom(96, 128)), "JPEG", quality=40)
    noisy = np.clip(np.stack([phantom(96, 128)] * 3, -1) + np.random.default_rng(0).normal(0, 6, (96, 128, 3)), 0, 255)
    read_raster(tmp_path, noisy.astype(np.uint8), "PNG")
    photo = np.stack([phantom(96, 128), phantom(96, 128)[::-1], phantom(96, 128)[:, ::-1]], -1)
    pale = (128 + (photo.astype(int) - 128) // 3).astype(np.uint8)
    for picture in (photo, pale):
        with pytest.raises(RadiographError, match="image.dat is a colour picture .* grayscale"):
            read_raster(tmp_path, picture, "PNG")
    with pytest.raises(RadiographError, match="CMYK"):
        read_raster(tmp_path, photo, "JPEG", "CMYK")


def test_big_and_tiled_tiff(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "image.tif"
    for options in ({"bigtiff": True}, {"byteorder": ">"}, {"rowsperstrip": 5}, {"bigtiff": True, "byteorder": ">"}):
        tifffile.imwrite(path, DEEP, **options)
        assert np.array_equal(read_radiograph(path).pixels, DEEP), options
        tifffile.imwrite(path, DEEP, photometric="miniswhite", **options)
        assert np.array_equal(read_radiograph(path).pixels, 4095 - DEEP), options
    tifffile.imwrite(path, phantom(64, 80), tile=(16, 16))
    assert np.array_equal(read_radiograph(path).pixels, phantom(64, 80))
    tifffile.imwrite(path, phantom(64, 80, 4095, np.uint16), tile=(16, 16))
    with pytest.raises(RadiographError, match="16 bits a pixel in tiles"):  # ITK would give 8 of them
        read_radiograph(path)


SMALL = phantom(top=100, dtype=np.int64)


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"photometric": "miniswhite"}])
@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "f2", "f4"])
def test_a_tiff_file_says_what_kind_of_numbers_it_holds(kind, options, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    values = SMALL.astype(kind) - 40 if kind[0] == "i" else (SMALL / 7 - 4).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    image = read_radiograph(tmp_path / "a.tif", polarity="as-is")
    assert image.pixels.dtype == ("f4" if kind[0] == "f" else kind)
    np.testing.assert_array_equal(image.pixels, values.astype(image.pixels.dtype))
    assert any("half-precision" in note for note in image.notes) == (kind == "f2")


def test_half_precision_numbers_of_a_picture_that_is_turned(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    values = (SMALL / 7).astype(np.float16)
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(274, 3, 1, 3, True)])
    np.testing.assert_array_equal(read_radiograph(tmp_path / "a.tif").pixels, values[::-1, ::-1])


@pytest.mark.parametrize("kind, options, message", [
    ("i1", {"tile": (16, 16)}, "8 signed bits a pixel in tiles, .* save it without tiles"),
    ("f2", {"tile": (16, 16)}, "16 bits a pixel in tiles, .* save it without tiles"),
    ("f4", {"tile": (16, 16)}, "32 bits a pixel in tiles, .* save it without tiles"),
    ("u2", {"planarconfig": "separate", "photometric": "rgb"}, "a plane for each colour, .* save it in gray, or with"),
    ("f4", {"planarconfig": "separate", "photometric": "rgb"}, "a plane for each colour, .* save it in gray, or with"),
])  # fmt: skip
def test_what_of_a_tiff_file_is_not_read_and_why(kind, options, message, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    values = SMALL.astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([values] * 3) if "planarconfig" in options else values, **options)
    with pytest.raises(RadiographError, match=message):
        read_radiograph(tmp_path / "a.tif")


@pytest.mark.parametrize("bits, sample_format", [(32, 5), (32, 6), (8, 3)])
def test_numbers_of_other_kinds_are_refused(bits, sample_format, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", SMALL.astype(f"i{bits // 8}"))
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
        file.pages[0].tags["SampleFormat"].overwrite(sample_format)
    with pytest.raises(RadiographError, match="holds complex numbers, or numbers of another kind"):
        read_radiograph(tmp_path / "a.tif")


def test_refused_rasters(tmp_path):
    with pytest.raises(RadiographError, match="same value"):
        read_raster(tmp_path, np.full((20, 20), 9, np.uint8), "PNG")
    with pytest.raises(RadiographError, match="20 x 7 pixels"):
        read_raster(tmp_path, phantom(7, 20), "PNG")
    pages = [Image.fromarray(GRAY), Image.fromarray(GRAY[::-1])]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(RadiographError, match="2 pages"):
        read_radiograph(tmp_path / "pages.tif")


@pytest.mark.parametrize("ending", (".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz"))
@pytest.mark.parametrize("axis", (0, 1, 2))
@pytest.mark.parametrize("dtype", (np.uint8, np.int16, np.float32))
def test_one_slice_along_any_axis(tmp_path, ending, axis, dtype):
    """Every pixel keeps its place in the world when the thin axis is squeezed out."""
    flat = phantom().astype(dtype)
    path = write_itk(tmp_path / f"image{ending}", np.expand_dims(flat, axis), (0.2, 0.3, 0.5), (1.0, -2.0, 3.0), TURNED,
                     compressed=dtype is np.int16)
    radiograph = read_radiograph(path)
    assert np.array_equal(radiograph.pixels, flat)
    image, geometry = sitk.ReadImage(str(path)), radiograph.geometry
    direction = np.reshape(geometry.direction, (3, 3))
    for row, column in ((0, 0), (5, 3), (23, 31)):
        index = np.insert([row, column], axis, 0)[::-1]
        world = np.array(geometry.origin) + direction @ (np.array([column, row, 0]) * geometry.spacing)
        assert np.allclose(world, image.TransformIndexToPhysicalPoint(index.tolist()), atol=1e-4)
    assert np.isclose(abs(np.linalg.det(direction)), 1, atol=1e-5)
    assert radiograph.spacing.source == "header"
    assert np.allclose((radiograph.spacing.column, radiograph.spacing.row), geometry.spacing[:2])


@pytest.mark.parametrize("ending", (".nrrd", ".mha", ".nii"))
def test_flat_and_four_dimensional_files(tmp_path, ending):
    radiograph = read_radiograph(write_itk(tmp_path / f"flat{ending}", GRAY, (0.2, 0.3)))
    assert np.array_equal(radiograph.pixels, GRAY)
    assert np.allclose(radiograph.geometry.spacing, (0.2, 0.3, 1.0))
    assert np.array_equal(read_radiograph(write_itk(tmp_path / f"four{ending}", GRAY[None, None])).pixels, GRAY)
    for shape in ((2, 24, 32), (2, 1, 24, 32)):
        with pytest.raises(RadiographError, match="voxels; a radiograph is a single slice"):
            read_radiograph(write_itk(tmp_path / f"many{ending}", np.broadcast_to(GRAY, shape).copy()))


@pytest.mark.parametrize("ending", (".nrrd", ".mha", ".nii"))
def test_vectors(tmp_path, ending):
    path = write_itk(tmp_path / f"rgb{ending}", marked(phantom(96, 128))[None], vector=True)
    assert np.array_equal(read_radiograph(path).pixels[2:], phantom(96, 128)[2:])
    five = np.stack([GRAY] * 5, -1)[None]
    with pytest.raises(RadiographError, match="5 values a pixel|single slice"):
        read_radiograph(write_itk(tmp_path / f"five{ending}", five, vector=True))


def test_spacing_only_where_the_header_gives_it(tmp_path):
    nrrd = b"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 32 24\nencoding: raw\n"
    (tmp_path / "bare.nrrd").write_bytes(nrrd + b"\n" + GRAY.tobytes())
    assert read_radiograph(tmp_path / "bare.nrrd").spacing is None
    (tmp_path / "said.nrrd").write_bytes(nrrd + b"spacings: 0.5 0.25\n\n" + GRAY.tobytes())
    spacing = read_radiograph(tmp_path / "said.nrrd").spacing
    assert (spacing.row, spacing.column) == (0.25, 0.5)
    meta = b"ObjectType = Image\nNDims = 2\nDimSize = 32 24\nElementType = MET_UCHAR\n%sElementDataFile = LOCAL\n"
    (tmp_path / "bare.mha").write_bytes(meta % b"" + GRAY.tobytes())
    assert read_radiograph(tmp_path / "bare.mha").spacing is None
    (tmp_path / "zero.mha").write_bytes(meta % b"ElementSpacing = 0 0\n" + GRAY.tobytes())
    zero = read_radiograph(tmp_path / "zero.mha")
    assert zero.spacing is None
    assert zero.geometry.spacing == (1.0, 1.0, 1.0)
    assert any("ignored" in note for note in zero.notes)


def test_text_encoding_and_space(tmp_path):
    """NRRD as text, in RAS, its axes oblique: as ITK places it."""
    head = (b"NRRD0004\ntype: short\ndimension: 3\nspace: right-anterior-superior\nsizes: 32 24 1\n"
            b"space directions: (0.2,0.1,0) (-0.1,0.2,0) (0,0,2)\nspace origin: (1,2,3)\n# a remark\nkey:=value\n"
            b"encoding: ascii\n\n")
    path = tmp_path / "text.nrrd"
    path.write_bytes(head + " ".join(map(str, GRAY.reshape(-1))).encode())
    radiograph, image = read_radiograph(path), sitk.ReadImage(str(path))
    assert np.array_equal(radiograph.pixels, GRAY)
    assert np.allclose(radiograph.geometry.spacing, image.GetSpacing())
    assert np.allclose(radiograph.geometry.origin, image.GetOrigin())
    assert np.allclose(radiograph.geometry.direction, image.GetDirection())


def test_pixels_in_other_files(tmp_path):
    write_itk(tmp_path / "image.mhd", GRAY)
    text = (tmp_path / "image.mhd").read_text()
    for name, message in (("gone.raw", "gone.raw"), ("image%03d.raw 1 2 1", "several files"), ("LIST", "several files"),
                          ("%n%n", "several files")):
        (tmp_path / "image.mhd").write_text(text.replace("image.raw", name))
        with pytest.raises(RadiographError, match=message):
            read_radiograph(tmp_path / "image.mhd")


def test_values_that_are_no_numbers(tmp_path):
    values = DEEP.astype(np.float64) - 500
    lowest = values.min()
    values[0, :3] = np.nan, np.inf, -np.inf
    radiograph = read_radiograph(write_itk(tmp_path / "image.mha", values))
    assert radiograph.pixels.dtype == np.float32
    assert radiograph.pixels[0, :3].tolist() == [values[np.isfinite(values)].min()] * 3
    assert radiograph.pixels.min() >= lowest
    assert any("3 pixels" in note for note in radiograph.notes)
    with pytest.raises(RadiographError, match="finite"):
        read_radiograph(write_itk(tmp_path / "image.mha", np.full((20, 20), np.nan)))


def test_mapping_turned_over():
    mapping = GrayMapping((100.0, 200.0, 500.0), (0.0, 200.0, 255.0), "VOI LUT")
    values = np.array([50.0, 120.0, 300.0, 900.0])
    assert np.allclose(mapping.turned_over(1000).to_gray(1000 - values), 255 - mapping.to_gray(values))


def test_description(tmp_path):
    path = write_dicom(tmp_path / "image.dcm", DEEP, bits=12, PhotometricInterpretation="MONOCHROME1",
                       ImagerPixelSpacing=[0.3, 0.2])
    radiograph = read_radiograph(path)
    facts = json.loads(json.dumps(describe(radiograph), allow_nan=False))
    assert facts["file"] == str(path)
    assert facts["size"] == {"rows": 24, "columns": 32}
    assert facts["polarity"] == {"inverted": True, "pivot": 4095.0, "reason": "MONOCHROME1 in the file"}
    assert facts["spacing"] == {"row_mm": 0.3, "column_mm": 0.2, "source": "ImagerPixelSpacing",
                                "plane": "at the detector", "magnification": None}
    assert facts["value_range"] == [0, 4095]
    assert facts["dtype"] == "uint16"
    assert facts["gray_mapping"]["gray"] == [0.0, 255.0]
    assert facts["geometry"]["spacing"] == [0.2, 0.3, 1.0]
    lines = describe_text(radiograph).splitlines()
    assert "Spacing      0.3 x 0.2 mm (row x column, ImagerPixelSpacing, at the detector)" in lines
    assert len({line[12] for line in lines}) == 1  # aligned
    plain = read_raster(tmp_path, GRAY, "PNG")
    assert describe(plain)["spacing"] is None
    assert "Spacing      none" in describe_text(plain)
