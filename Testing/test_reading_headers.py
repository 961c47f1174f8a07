"""Headers that make no sense: of NRRD and MetaImage, and of compressed streams: every branch."""

from __future__ import annotations

import bz2
import gzip
import struct
import zlib

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.reading import codestream
from GrayscaleDetSegLib.core.reading.common import Undecodable
from GrayscaleDetSegLib.core.reading.text_headers import read_metaimage_header, read_nrrd_header
from Testing.reading_files import phantom, pil_bytes

PIXELS = phantom()  # 24 x 32, uint8
DATA = PIXELS.tobytes()
NRRD = {"type": "uint8", "dimension": "2", "sizes": "32 24", "encoding": "raw"}
META = {"NDims": "2", "DimSize": "32 24", "ElementType": "MET_UCHAR", "ElementDataFile": "LOCAL"}
PLACED = {"space": "left-posterior-superior", "space directions": "(0.5,0,0) (0,0,0.25)", "space origin": "(1,2,3)"}


def nrrd(path, changed, data=DATA, end="\n\n"):
    fields = {name: value for name, value in {**NRRD, **changed}.items() if value is not None}
    head = "NRRD0004\n# written by a test\n" + "\n".join(f"{name}: {value}" for name, value in fields.items())
    path.write_bytes(head.encode() + end.encode() + data)
    return path


def meta(path, changed, data=DATA):
    fields = {name: value for name, value in {**META, **changed}.items() if value is not None}
    fields = dict(sorted(fields.items(), key=lambda field: field[0] == "ElementDataFile"))  # the pixels come behind it
    path.write_bytes("".join(f"{name} = {value}\n" for name, value in fields.items()).encode() + data)
    return path


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"dimension": "3"}, "dimensions"),
        ({"dimension": "6", "sizes": "1 1 1 1 32 24"}, "dimensions"),
        ({"sizes": "32 0"}, "dimensions"),
        ({"sizes": "32 many"}, "invalid literal"),
        ({"sizes": None}, "'sizes'"),
        ({"space directions": "(1,0,0)"}, "space directions or kinds"),
        ({"kinds": "domain"}, "space directions or kinds"),
        ({"space directions": "(1) (1)"}, "space directions"),
        ({"space directions": "(1,0,0,0,0) (0,1,0,0,0)"}, "space directions"),
        ({**PLACED, "space origin": "(1,2)"}, "space origin"),
        ({"space directions": "(1,0,0,0) (0,1,0,0)", "space origin": "(0,0,0,0)"}, "space dimension"),
        ({"encoding": "lzma"}, "'lzma'"),
        ({"type": "block"}, "'block'"),
        ({"type": "uint16"}, "'endian'"),
        ({"type": "uint16", "endian": "middle"}, "'middle'"),
        ({"spacings": "0.5"}, "index out of range"),
    ],
)
def test_nrrd_headers_that_make_no_sense(changed, reason, tmp_path):
    with pytest.raises(Undecodable, match=reason):
        read_nrrd_header(nrrd(tmp_path / "a.nrrd", changed))


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"dimension": "3", "sizes": "3 2 128", "kinds": "vector list domain"}, "2 axes that are no directions"),
        ({"line skip": "2"}, "skips lines before its pixels"),
        ({"data file": "LIST"}, "in several files"),
        ({"data file": "slice%03d.raw"}, "in several files"),
        ({"data file": "../a.raw"}, r"\(../a.raw\) outside its own folder"),
        ({"data file": r"C:\a.raw"}, "outside its own folder"),
        ({"data file": "gone.raw"}, r"\(gone.raw\) that does not exist"),
        ({"data file": "a" * 120}, r"\(unreadable\) that does not exist"),
    ],
)
def test_nrrd_files_that_are_not_read(changed, reason, tmp_path):
    with pytest.raises(RadiographError, match=reason):
        read_nrrd_header(nrrd(tmp_path / "a.nrrd", changed))


def test_a_nrrd_header_without_an_end_has_no_pixels(tmp_path):
    with pytest.raises(Undecodable, match="no data"):
        read_nrrd_header(nrrd(tmp_path / "a.nrrd", {}, b"", end=""))
    (tmp_path / "a.raw").write_bytes(PIXELS.tobytes())
    found = read_nrrd_header(nrrd(tmp_path / "a.nhdr", {"datafile": "a.raw"}, b"", end=""))
    assert np.array_equal(found.values(), PIXELS), "but a detached one may end with the file"


def test_a_data_file_by_a_link_out_of_the_folder(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.raw").write_bytes(PIXELS.tobytes())
    (tmp_path / "inner" / "a.raw").symlink_to(tmp_path / "secret.raw")
    with pytest.raises(RadiographError, match="outside its own folder"):
        read_nrrd_header(nrrd(tmp_path / "inner" / "a.nhdr", {"data file": "a.raw"}))


def test_bytes_are_skipped_from_the_start_or_taken_from_the_end(tmp_path):
    for skipped in ("5", "-1"):
        found = read_nrrd_header(nrrd(tmp_path / "a.nrrd", {"byte skip": skipped}, b"12345" + PIXELS.tobytes()))
        assert np.array_equal(found.values(), PIXELS), skipped


def test_a_plane_in_space_gets_a_third_axis_and_its_units(tmp_path):
    said = {**PLACED, "space": "right-anterior-superior", "space units": '"cm" "cm" "cm"'}
    found = read_nrrd_header(nrrd(tmp_path / "a.nrrd", said))
    assert found.header.spacing == (0.5, 0.25, 1.0) and found.header.size == (32, 24, 1)
    assert found.header.origin == (-1.0, -2.0, 3.0) and found.millimetres == 10.0 and found.says_spacing
    plain = read_nrrd_header(nrrd(tmp_path / "b.nrrd", {"spacings": "0.5 0.25", "units": '"mm" "um"'}))
    assert plain.header.spacing == (0.5, 0.25) and plain.millimetres is None, "two units are none"
    one = read_nrrd_header(nrrd(tmp_path / "c.nrrd", {"units": '"mm"'}))
    assert one.units == () and one.millimetres == 1.0, "units for one axis of two"


@pytest.mark.parametrize("encoding, damaged", [("gzip", b"\x1f\x8bnothing"), ("bzip2", b"BZh9nothing here")])
def test_compressed_pixels_that_are_damaged(encoding, damaged, tmp_path):
    with pytest.raises(Undecodable):
        read_nrrd_header(nrrd(tmp_path / "a.nrrd", {"encoding": encoding}, damaged)).values()


def test_text_that_is_cut_short_or_no_numbers(tmp_path):
    half = " ".join(map(str, PIXELS.ravel()[: PIXELS.size // 2]))
    with pytest.raises(RadiographError, match="cut short: it holds 50% of its pixels"):
        read_nrrd_header(nrrd(tmp_path / "a.nrrd", {"encoding": "text"}, half.encode())).values()
    with pytest.raises(Undecodable):
        read_nrrd_header(nrrd(tmp_path / "a.nrrd", {"encoding": "text"}, b"one two " * 400)).values()


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"NDims": "5"}, "dimensions"),
        ({"NDims": "3"}, "dimensions"),
        ({"DimSize": "32 -24"}, "dimensions"),
        ({"ElementSpacing": "1"}, "ElementSpacing"),
        ({"TransformMatrix": "1 0 0"}, "TransformMatrix"),
        ({"Offset": "here there"}, "could not convert"),
        ({"ElementType": "MET_STRING"}, "'MET_STRING'"),
        ({"ElementType": None}, "'ElementType'"),
        ({"HeaderSize": "some", "ElementDataFile": "a.raw"}, "invalid literal"),
    ],
)
def test_metaimage_headers_that_make_no_sense(changed, reason, tmp_path):
    (tmp_path / "a.raw").write_bytes(PIXELS.tobytes())
    with pytest.raises(Undecodable, match=reason):
        read_metaimage_header(meta(tmp_path / "a.mha", changed))


def test_metaimage_files_of_every_layout(tmp_path):
    with pytest.raises(RadiographError, match="without ElementDataFile"):
        read_metaimage_header(meta(tmp_path / "a.mha", {"ElementDataFile": None}))
    words = PIXELS.astype(">u2")
    said = {"ElementType": "MET_USHORT_ARRAY", "BinaryDataByteOrderMSB": "True"}
    found = read_metaimage_header(meta(tmp_path / "b.mha", said, words.tobytes()))
    assert np.array_equal(found.values(), PIXELS) and not found.says_spacing
    text = " ".join(map(str, PIXELS.ravel())).encode()
    said = {"BinaryData": "False", "DistanceUnits": "um", "ElementSize": "100 100"}
    found = read_metaimage_header(meta(tmp_path / "c.mha", said, text))
    assert np.array_equal(found.values(), PIXELS) and found.says_spacing and found.millimetres == 1e-3


# Streams


def marker(kind: int, content: bytes) -> bytes:
    return bytes((0xFF, kind)) + (2 + len(content)).to_bytes(2, "big") + content


FRAME = marker(0xC0, struct.pack(">BHHB", 8, 24, 32, 1) + b"\x01\x11\x00")
SCAN = marker(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"pixels"
START, END = b"\xff\xd8", b"\xff\xd9"


def test_a_jpeg_header_is_read_over_fill_bytes_and_tells_whether_the_end_is_there():
    found = codestream.jpeg(START + b"\xff" + FRAME + SCAN + END)
    assert (found.rows, found.columns, found.components, found.bits, found.complete) == (24, 32, 1, 8, True)
    assert not codestream.jpeg(START + FRAME + SCAN).complete


@pytest.mark.parametrize(
    "stream",
    [
        b"GIF89a" + FRAME + SCAN,
        START + b"\x00" + FRAME + SCAN,
        START + FRAME + FRAME + SCAN,  # hierarchical
        START + FRAME[:8],
        START + SCAN,
        START + FRAME,
        START,
    ],
)
def test_what_is_no_jpeg_header(stream):
    assert codestream.jpeg(stream) is None


def test_what_is_no_jpeg_2000_header():
    assert codestream.jpeg2000(b"nothing") is None and codestream.jpeg2000(b"\xff\x4f\xff\x51" + bytes(20)) is None


def exif(order: str, value: int, kind: int = 3, tag: int = 274, count: int = 1) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    held = struct.pack(order + "HH", value, 0)
    return mark + struct.pack(order + "HIHHHI", 42, 8, 1, tag, kind, count) + held + bytes(4)


@pytest.mark.parametrize(
    "tiff, orientation",
    [
        (exif("<", 6), 6),
        (exif(">", 3), 3),
        (exif("<", 9), None),
        (exif("<", 6, tag=271), None),
        (exif("<", 6, kind=2), None),
        (b"II*\0\0\0\0\0", None),  # no directory
        (b"II*\0\xff\0\0\0", None),  # one beyond the end
        (exif("<", 6)[:14], None),
        (b"", None),
    ],
)
def test_the_orientation_of_exif_data(tiff, orientation):
    assert codestream.exif_orientation(tiff) == orientation
    stream = START + marker(0xE0, b"JFIF\0") + b"\xff" + marker(0xE1, b"Exif\0\0" + tiff) + SCAN
    assert codestream.jpeg_orientation(stream) == orientation
    assert codestream.jpeg_orientation(START + marker(0xE1, b"http://ns.adobe.com/xap") + SCAN) is None


@pytest.mark.parametrize("part", [slice(None, 20), slice(None, -6)])
def test_a_png_that_is_cut_short(part):
    with pytest.raises(ValueError, match="cut short"):
        codestream.Png.parse(pil_bytes(PIXELS, "PNG")[part])


def test_a_png_that_is_changed():
    whole = pil_bytes(PIXELS, "PNG")
    with pytest.raises(ValueError, match="checksum"):
        codestream.Png.parse(whole[:-20] + bytes((whole[-20] ^ 1,)) + whole[-19:])
    with pytest.raises(ValueError, match="no header"):
        codestream.Png.parse(whole[:8] + whole[-12:])


MEMBERS = {"gzip": gzip.compress, "bzip2": bz2.compress}


@pytest.mark.parametrize("size", [1, 50, 300, 767, 768])
@pytest.mark.parametrize("encoding", MEMBERS)
def test_all_members_of_packed_pixels_are_read(encoding, size, tmp_path):
    """As pigz and pbzip2 write them, and as bytes that are appended do."""
    data = b"".join(MEMBERS[encoding](DATA[start:start + size]) for start in range(0, len(DATA), size))
    for more in (b"", MEMBERS[encoding](b"more"), b"\0\0\0", b"no member"):
        header = read_nrrd_header(nrrd(tmp_path / "a.nrrd", {"encoding": encoding}, data + more))
        np.testing.assert_array_equal(header.values(), PIXELS)


@pytest.mark.parametrize("encoding", MEMBERS)
def test_a_packed_file_that_lacks_members_is_cut_short(encoding, tmp_path):
    data = MEMBERS[encoding](DATA[:192]) + MEMBERS[encoding](DATA[192:384])
    for more in (b"", b"\0\0\0", b"no member"):
        with pytest.raises(RadiographError, match="holds 50% of its pixels"):
            read_nrrd_header(nrrd(tmp_path / "a.nrrd", {"encoding": encoding}, data + more)).values()


def test_members_larger_than_what_is_read_at_once(tmp_path):
    noise = np.random.default_rng(2).integers(0, 256, (600, 500), np.uint8)
    halves = [noise.tobytes()[:170_000], noise.tobytes()[170_000:]]
    changed = {"encoding": "gzip", "sizes": "500 600"}
    path = nrrd(tmp_path / "a.nrrd", changed, b"".join(map(gzip.compress, halves)))
    np.testing.assert_array_equal(read_nrrd_header(path).values(), noise)
    path = meta(tmp_path / "a.mha", {"CompressedData": "True", "DimSize": "500 600"}, zlib.compress(noise.tobytes()))
    np.testing.assert_array_equal(read_metaimage_header(path).values(), noise)
