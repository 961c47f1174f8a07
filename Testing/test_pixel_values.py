"""Values of any size, offset and type: the gray levels that they have, or a sentence; never others in silence."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.pixel_values import tidy
from GrayscaleDetSegLib.core.radiograph import Radiograph, Spacing
from GrayscaleDetSegLib.core.reading.spacings import believed
from GrayscaleDetSegLib.core.reading.text_headers import read_nrrd_header
from Testing.reading_files import phantom

DEEP = phantom(top=4095, dtype=np.uint16).astype(np.float64)
GRAY = GrayMapping.from_percentiles(DEEP).to_gray(DEEP)


EXPONENTS = st.one_of(st.integers(-50, -25), st.integers(25, 45), st.integers(-320, 300))


@given(exponent=EXPONENTS, offset=st.floats(-1e9, 1e9), sign=st.sampled_from([1, -1]))
@settings(deadline=None, max_examples=300)
def test_gray_levels_are_those_of_the_values_or_they_are_refused(exponent, offset, sign):
    """`offset` is in steps of a gray value, `exponent` says how large these are."""
    with np.errstate(over="ignore"):
        values = (sign * DEEP + offset) * float(f"1e{exponent}")
    assume(values.min() < values.max() and not 1e38 < np.abs(values).max() < 1e39)
    try:
        image = Radiograph.from_array(values)
    except RadiographError as error:
        assert "lost in single precision" in str(error)
        assert abs(offset) > 1e6 or not -38 <= exponent <= 33, "that can be held"
        return
    np.testing.assert_allclose(image.mapping.to_gray(image.pixels), GRAY if sign > 0 else 255 - GRAY, atol=1.1)


@given(whole=st.integers(-(2**31), 2**31 - 4096), kind=st.sampled_from(["f8", "i8"]))
@settings(deadline=None)
def test_whole_numbers_are_never_blurred(whole, kind):
    found, notes = tidy((DEEP + whole).astype(kind), "a")
    assert not notes and np.array_equal(found.astype(np.float64) - whole, DEEP) or found.dtype == np.float32
    np.testing.assert_allclose(GrayMapping.from_percentiles(found).to_gray(found), GRAY, atol=1.1)


@given(places=st.lists(st.integers(0, DEEP.size - 1), min_size=1, max_size=40, unique=True),
       dirt=st.sampled_from([np.nan, np.inf, -np.inf]), is_inverted=st.booleans())  # fmt: skip
@settings(deadline=None)
def test_what_is_no_number_becomes_the_least_and_changes_nothing_else(places, dirt, is_inverted):
    values = DEEP.copy()
    values.flat[places] = dirt
    image = Radiograph.from_array(values)
    image = image.inverted("a test") if is_inverted else image
    assert f"{len(places)} pixels were NaN" in image.notes[0] and np.isfinite(image.pixels).all()
    kept = np.isfinite(values)
    least = values[kept].min()
    np.testing.assert_array_equal(image.polarity.apply(image.pixels)[kept], values[kept])
    assert (image.polarity.apply(image.pixels)[~kept] == least).all()


@given(row=st.floats(1e-6, 1e6), aspect=st.floats(0.01, 100))
def test_a_spacing_is_believed_or_a_sentence_says_why_not(row, aspect):
    notes: list[str] = []
    found = believed(Spacing(row, row * aspect, "PixelSpacing"), notes)
    sides = row, row * aspect
    is_real = 0.001 <= min(sides) and max(sides) <= 20.0 and max(sides) <= 5.0 * min(sides)
    assert (found is not None) == is_real and len(notes) == (not is_real)


@given(cuts=st.lists(st.integers(1, 767), max_size=9, unique=True).map(sorted), pack=st.sampled_from([gzip, bz2]),
       trailer=st.binary(max_size=9))  # fmt: skip
@settings(deadline=None)
def test_packed_pixels_are_whole_however_many_members_they_have(cuts, pack, trailer, tmp_path_factory):
    data = phantom().tobytes()
    members = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)])]
    encoding = "gzip" if pack is gzip else "bzip2"
    head = f"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 32 24\nencoding: {encoding}\n\n".encode()
    path = tmp_path_factory.getbasetemp() / "members.nrrd"
    path.write_bytes(head + b"".join(map(pack.compress, members)) + trailer)
    np.testing.assert_array_equal(read_nrrd_header(path).values(), phantom())
    path.write_bytes(head + b"".join(map(pack.compress, members[:-1])))
    with pytest.raises(RadiographError, match=f"holds {100 * sum(map(len, members[:-1])) // 768}% of its pixels"):
        read_nrrd_header(path).values()
