"""What must not be held: whole images beside the one that there is, and several times what is said of slices."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from GrayscaleDetSegLib.batch import overlay
from GrayscaleDetSegLib.core.devices import give_back
from GrayscaleDetSegLib.core.noise import smoothed
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.scene import seg_nrrd
from Testing import fakes

SIDE = 1500


def peak(task) -> int:
    """Bytes that numpy and Python held at most while a task ran, beside what they held before."""
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def held(value) -> int:
    """Bytes of all arrays in dicts and tuples."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    return sum(map(held, parts))


@pytest.fixture(scope="module")
def result():
    pixels = np.random.default_rng(0).integers(0, 4000, (SIDE, SIDE)).astype(np.uint16)
    mask = np.zeros(pixels.shape, bool)
    mask[100:1300, 200:1400] = True
    image = Radiograph.from_array(pixels)
    return fakes.result(image, (fakes.found(image, "femur", "femur", mask), fakes.found(image, "tibia", "tibia", mask)))


def test_a_segmentation_is_written_without_a_label_map_of_the_image(result):
    assert peak(lambda: seg_nrrd.write(result, io.BytesIO())) < 0.9 * SIDE**2, "less than a byte a pixel"


def test_an_overlay_is_drawn_without_gray_levels_of_the_image(result):
    overlay.draw_overlay(result)  # fonts are loaded
    assert peak(lambda: overlay.draw_overlay(result)) < 2.0 * SIDE**2, "less than a copy of the pixels"


@pytest.mark.parametrize("shape", [(1500, 1400), (700, 1800), (40, 33), (1100, 500)])
def test_pictures_made_a_few_rows_at_a_time_are_pillows_own(shape):
    values = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    size = (max(1, shape[1] * 1200 // max(shape)), max(1, shape[0] * 1200 // max(shape)))
    expected = Image.fromarray(values).resize(size, overlay._filter(shape, size))
    found = overlay._resized(lambda rows: values[rows], shape, size)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_smoothing_takes_no_other_copies_and_knows_no_seams():
    pixels = np.random.default_rng(2).integers(0, 4000, (SIDE, SIDE)).astype(np.uint16)
    assert peak(lambda: smoothed(pixels, 1.2)) < 6 * pixels.size, "float32, which it gives back, and little more"
    whole = smoothed(pixels, 1.2)
    for first in (0, 61, 250, 1400):  # parts with other seams, away from their own edges
        part = smoothed(pixels[first : first + 100], 1.2)
        np.testing.assert_array_equal(part[8:-8], whole[first + 8 : first + 92])


def test_a_view_holds_one_volume_and_slices_that_did_not_move_say_the_same():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from GrayscaleDetSegLib.core.volumes.iteration import _View
    from Testing.volume_models import bright_networks

    volume = np.full((64, 64, 64), 0.2, np.float32)
    volume[10:50, 12:54, 8:57] = 0.9
    networks = bright_networks()
    view = next(iter(networks.values()))
    first = np.tile([8, 8, 56, 56], (64, 1))
    first[:5] = -1
    second = first.copy()
    second[20:23] = [8, 0, 56, 48]
    second[40] = -1
    kept, fresh = _View(volume, view, "cpu"), _View(volume, view, "cpu")
    with torch.inference_mode():
        before, expected = kept.fine(first, volume), fresh.fine(second, volume)
        np.testing.assert_allclose(kept.fine(second, volume), expected, rtol=0, atol=1e-6)
        assert held({**vars(kept), "slices": None}) < 1.1 * volume.nbytes, "one probability a voxel"
    assert not np.allclose(before, expected), "or the windows would not matter"


def test_memory_is_given_back_without_a_word():
    give_back()
