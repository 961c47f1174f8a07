"""Coarse to fine on volumes: the fixed point, its boxes and votes, the recurrent weights, organs and their parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from GrayscaleDetSegLib.core.errors import DeviceError, MethodError, WeightsError
from GrayscaleDetSegLib.core.explanations.kinds import kind_of
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.methods.organ_then_part import OrganThenPart
from GrayscaleDetSegLib.core.methods.registry import methods_of
from GrayscaleDetSegLib.core.methods.step_wise import StepWise
from GrayscaleDetSegLib.core.methods.volumetric import Found, Part
from GrayscaleDetSegLib.core.volumes import iteration
from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings, Outcome, fixed_point
from GrayscaleDetSegLib.core.volumes.pipeline import VolumePipeline, VolumeSettings, settled
from GrayscaleDetSegLib.core.volumes.rounds import Rounds, SaliencyRounds
from GrayscaleDetSegLib.core.volumes.views import VIEWS, dsc, largest_part, margin_px, near, slice_boxes, windows
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.core.weights import Bundle, shipped_bundle
from GrayscaleDetSegLib.logic.models import read_model
from Testing.fakes import radiograph
from Testing.test_volume_grid import copies, oblique
from Testing.volume_models import block, bright_networks, write_model


def working() -> tuple[np.ndarray, np.ndarray]:
    voxels, mask, _ = block()
    return (voxels / 1000.0).astype(np.float32), mask


class Scripted(torch.nn.Module):
    """Stands for a network: logits by a function of the images; remembers the sizes that it has seen."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function, self.sizes = function, []

    def forward(self, images):
        self.sizes += [tuple(images.shape[-2:])] * len(images)
        return self.function(images)


def scripted(coarse, fine, views=VIEWS):
    networks = bright_networks()
    for view in views:
        networks[view].coarse, networks[view].fine = Scripted(coarse), Scripted(fine)
    return networks


def at_least(value: float):
    return lambda images: (images - value) * 1000.0


def test_rounds_end_where_two_agree():
    image, mask = working()
    outcome = fixed_point(image, scripted(at_least(0.5), at_least(0.5)), IterationSettings())
    assert outcome.similarities == [1.0] and outcome.converged and dsc(outcome.mask, mask) == 1.0


def test_rounds_end_at_the_limit_and_without_an_object():
    image, mask = working()
    calls = {"count": 0}

    def flickering(images):
        calls["count"] += 1
        return at_least(0.5 if calls["count"] % 2 else 0.95)(images)

    settings = IterationSettings(0.999, 3, 0.1)
    outcome = fixed_point(image + np.float32(0), scripted(at_least(0.5), flickering), settings)
    assert len(outcome.similarities) <= 3
    nothing = fixed_point(image, scripted(at_least(5.0), at_least(0.5)), settings)
    assert nothing.similarities == [] and not nothing.mask.any() and not nothing.converged
    lost = fixed_point(image, scripted(at_least(0.5), at_least(5.0)), settings)
    assert lost.similarities == [0.0] and len(lost.masks) == 2, "what was lost in a round stays lost"
    alone = fixed_point(image, scripted(at_least(0.5), at_least(5.0)), IterationSettings(rounds=0))
    assert dsc(alone.mask, mask) == 1.0 and alone.similarities == []


def test_fine_networks_see_the_boxes_of_the_slices_with_their_margin():
    image, mask = working()
    networks = scripted(at_least(0.5), at_least(0.5))
    fixed_point(image, networks, IterationSettings(rounds=1, margin=0.1))
    boxes = windows(np.moveaxis(mask, VIEWS["axial"], 0), margin_px(0.1, (26, 28)))
    wanted = sorted((int(b - t), int(r - c)) for t, c, b, r in boxes.tolist() if b > 0)
    assert sorted(networks["axial"].fine.sizes) == wanted and networks["axial"].coarse.sizes == [(26, 28)] * 24
    assert max(wanted) < (26, 28), "smaller than the slices"


def test_a_box_grows_until_the_whole_object_is_found():
    """The coarse stage finds a part of it; rounds recover the rest through the margins, as in the article's figure."""
    image, mask = working()
    part = np.zeros(image.shape, np.float32)
    part[7:9, 9:11, 11:13] = 1.0

    networks = bright_networks()
    for view, axis in VIEWS.items():
        slices = torch.from_numpy(np.moveaxis(part, axis, 0).copy())
        order = iter(range(0, 10**6))

        def coarse(images, slices=slices, order=order):
            found = []
            for _ in range(len(images)):
                index = next(order)
                chosen = np.clip([index - 1, index, index + 1], 0, len(slices) - 1)
                found.append((slices[chosen] - 0.5) * 100.0)
            return torch.stack(found)

        networks[view].coarse, networks[view].fine = Scripted(coarse), Scripted(at_least(0.5))
    outcome = fixed_point(image, networks, IterationSettings(0.999, 10, 0.1))
    sizes = [int(found.sum()) for found in outcome.masks]
    assert sizes == sorted(sizes) and sizes[0] == 8 and dsc(outcome.mask, mask) == 1.0 and len(sizes) > 3
    oracle = fixed_point(image, networks, IterationSettings(0.999, 10, 0.0), boxes_of=mask)
    assert dsc(oracle.mask, mask) == 1.0 and len(oracle.similarities) == 2, "the true boxes need no rounds"


def test_slices_whose_box_has_not_moved_are_not_looked_at_again():
    image, _ = working()
    networks = scripted(at_least(0.5), at_least(0.5))
    networks["coronal"].fine = Scripted(lambda images: at_least(0.5)(images))
    fixed_point(image, networks, IterationSettings(1.0, 1, 0.1))
    once = len(networks["axial"].fine.sizes)
    view = iteration._View(np.moveaxis(image, 0, 0), networks["axial"], "cpu")
    boxes = view.boxes(image > 0.5, IterationSettings(margin=0.1))
    first = view.fine(boxes, image)
    again = view.fine(boxes, image)
    assert np.array_equal(first, again) and len(networks["axial"].fine.sizes) == 2 * once


def test_two_of_three_views_are_a_majority_and_a_mean_is_none():
    image, mask = working()
    networks = scripted(at_least(0.5), at_least(0.5), ("coronal", "sagittal"))
    networks["axial"].coarse = networks["axial"].fine = Scripted(lambda images: torch.full_like(images, -50.0))
    voted = fixed_point(image, networks, IterationSettings(rounds=0))
    assert dsc(voted.mask, mask) == 1.0 and voted.probability.max() == pytest.approx(2 / 3, abs=1e-3)
    mean = fixed_point(image, networks, IterationSettings(rounds=0, vote="mean"))
    assert dsc(mean.mask, mask) == 1.0
    unsure = scripted(lambda images: at_least(0.5)(images).clamp(-9, 0.1), at_least(0.5), ("coronal", "sagittal"))
    unsure["axial"].coarse = networks["axial"].coarse
    assert fixed_point(image, unsure, IterationSettings(rounds=0)).mask.any()
    assert not fixed_point(image, unsure, IterationSettings(rounds=0, vote="mean")).mask.any()


def test_saliency_multiplies_the_image_by_the_map_of_the_round_before():
    image, mask = working()
    networks = bright_networks({"saliency": "3x3"}, weight=2.0)
    seen = {}
    for view in VIEWS:
        networks[view].coarse = Scripted(at_least(0.5))
        networks[view].fine = Scripted(lambda images: at_least(1.0)(seen.setdefault(images.shape, images)))
    outcome = fixed_point(image, networks, IterationSettings(0.95, 4, 0.1))
    assert max(float(images.max()) for images in seen.values()) > 2.5, "0.9 times 1 + 2 x probability"
    assert dsc(outcome.mask, mask) == 1.0
    assert len(outcome.maps) == 9 and {each.view for each in outcome.maps} == set(VIEWS)
    assert outcome.maps[0].highest == 1.0, "the slice before shows nothing of it"
    assert outcome.maps[1].highest == pytest.approx(3.0, abs=0.1) and outcome.maps[1].lowest == pytest.approx(1.0)


def test_boxes_and_windows_of_slices():
    mask = np.zeros((3, 40, 50), bool)
    mask[1, 10:14, 48:50] = True
    assert slice_boxes(mask).tolist() == [[-1] * 4, [10, 48, 14, 50], [-1] * 4]
    assert windows(mask, (2, 3)).tolist()[1] == [8, 42, 16, 50], "moved into the image, a multiple of 8 long"
    assert windows(mask, (100, 100)).tolist()[1] == [0, 0, 40, 50]
    assert margin_px(30 / 512, (512, 256)) == (30, 15) and margin_px(30 / 512, (20, 20)) == (2, 2)


def test_the_largest_part_alone_can_count():
    image, mask = working()
    image[20:22, 20:23, 2:5] = 0.95  # a look-alike far away
    networks = scripted(at_least(0.5), at_least(0.5))
    both = fixed_point(image, networks, IterationSettings(rounds=1))
    alone = fixed_point(image, networks, IterationSettings(rounds=1, largest=True))
    assert both.mask.sum() == mask.sum() + 18 and np.array_equal(alone.mask, mask)
    assert not largest_part(np.zeros((4, 4, 4), bool)).any()


def test_near_is_the_distance_to_the_mask():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    found = near(mask, 2.5)
    z, y, x = np.mgrid[:9, :9, :9] - 4
    assert np.array_equal(found, z**2 + y**2 + x**2 < 2.5**2) and not near(np.zeros((4, 4, 4), bool), 9.0).any()


def part(label: str, within: str | None = None, reach: float = 0.1, **networks) -> Part:
    made = scripted(at_least(networks["least"]), at_least(networks["least"]))
    return Part(label, made, IterationSettings(rounds=1), Rounds, within, reach)


def test_a_part_is_looked_for_near_its_organ_alone():
    image, mask = working()
    image[20:22, 20:23, 2:5] = 0.97  # looks like the part, and lies far away
    image[8:10, 9:11, 12:14] = 0.96
    method = OrganThenPart(
        {"organ": part("organ", least=0.5)},
        {"part": part("part", "organ", 0.05, least=0.95)},
    )
    image[20:22, 20:23, 2:5] = 0.97
    organ = method.organs["organ"].networks
    for view, axis in VIEWS.items():  # an organ stage that knows its organ
        truth = torch.from_numpy(np.moveaxis(mask, axis, 0).astype(np.float32))
        organ[view].coarse = Scripted(_by_place(truth))
        organ[view].fine = Scripted(at_least(0.5))
    found = method.segment_volume(image, _stopwatch())
    assert [item.label for item in found] == ["organ", "part"] and method.classes == ("organ", "part")
    inner = found[1].outcome.mask
    assert inner.shape == image.shape and inner.sum() == 8 and inner[8:10, 9:11, 12:14].all()


def _by_place(truth):
    order = iter(range(10**6))

    def coarse(images):
        rows = []
        for _ in range(len(images)):
            index = next(order)
            rows.append(truth[np.clip([index - 1, index, index + 1], 0, len(truth) - 1)] * 100.0 - 50.0)
        return torch.stack(rows)

    return coarse


def _stopwatch():
    from GrayscaleDetSegLib.core.stopwatch import Stopwatch

    return Stopwatch()


def test_without_an_organ_later_stages_are_skipped_and_it_is_said():
    voxels, _, geometry = block()
    method = OrganThenPart({"organ": part("organ", least=5.0)}, {"part": part("part", "organ", least=0.5)})
    result = VolumePipeline([method]).segment(Volume.from_array(voxels, geometry))
    assert result.objects == ()
    assert result.message == (
        "Nothing was found. No organ was found. No organ was found, so part was not looked for."
    )
    with pytest.raises(MethodError, match="no networks for organ, which others lie in"):
        OrganThenPart({}, {"part": part("part", "organ", least=0.5)})


def test_a_voxel_claimed_twice_goes_to_the_larger_probability():
    first, second = (np.zeros((4, 4, 4), bool) for _ in range(2))
    first[:3], second[1:] = True, True
    low, high = (np.full((4, 4, 4), value, np.float32) for value in (0.6, 0.9))
    def item(label, mask, likely, within=None):
        return Found(label, Outcome([mask], [], likely, False), IterationSettings(), within)

    masks = settled([item("a", first, low), item("b", second, high)])
    assert np.array_equal(masks["b"], second) and masks["a"].sum() == 16
    kept = settled([item("a", first, low), item("b", second, high, within="a")])
    assert np.array_equal(kept["a"], first) and np.array_equal(kept["b"], second)


@pytest.mark.parametrize("spacing", [None, 2.0])
@pytest.mark.parametrize("method", ["step_wise", "rstn"])
def test_turned_and_oblique_copies_get_the_same_mask(method, spacing, tmp_path):
    write_model(tmp_path, [{"method": method, "label": "block"}], {"spacing": spacing})
    pipeline = load_pipeline(tmp_path, "cpu")
    voxels, mask, geometry = block((13, 26, 28), (1.0, 1.0, 2.0))
    (first,) = pipeline.segment(Volume.from_array(voxels, geometry)).objects
    assert first.method == method and dsc(first.mask, mask) > 0.8
    for number, (values, placed, turn) in enumerate(copies(voxels, geometry)):
        if number % 7:
            continue
        for each in (placed, oblique(placed)):
            (other,) = pipeline.segment(Volume.from_array(values, each)).objects
            assert dsc(other.mask, turn(first.mask)) == 1.0
            assert other.volume_mm3 == pytest.approx(first.volume_mm3)


def test_what_the_rounds_were_is_told_with_the_object(tmp_path):
    write_model(tmp_path, [{"method": "rstn", "label": "block"}])
    voxels, mask, geometry = block()
    stages = []
    result = load_pipeline(tmp_path, "cpu").segment(Volume.from_array(voxels, geometry), progress=stages.append)
    (item,) = result.objects
    assert isinstance(item.explanation, SaliencyRounds) and item.explanation.converged
    assert [each.number for each in item.explanation.rounds] == [0, 1]
    assert item.explanation.rounds[-1].box == item.box == (10, 8, 6, 23, 15, 14)
    assert item.volume_mm3 == item.voxel_count == mask.sum() and 0.5 < item.confidence <= 1.0
    assert stages[:2] == ["grid", "coarse, coronal"] and "round 1, axial" in stages and stages[-1] == "masks"
    assert kind_of("rounds") is Rounds and kind_of("saliency") is SaliencyRounds
    assert result.message == "Found block." and result.working_size == (24, 26, 28)


def test_models_of_volumes_and_of_radiographs_have_methods_of_their_own(tmp_path):
    parts = [
        {"method": "step_wise", "label": "heart"},
        {"method": "rstn", "label": "ventricle", "within": "heart"},
    ]
    bundle = Bundle.open(write_model(tmp_path, parts, method="organ_then_part"))
    assert bundle.dimensions == 3 and Bundle.open().dimensions == 2
    assert [method.name for method in methods_of(bundle)] == ["organ_then_part", "step_wise"]
    assert all(method.dimensions == 2 for method in methods_of(Bundle.open()))
    pipeline = load_pipeline(tmp_path, "cpu")
    assert pipeline.default_method == "organ_then_part" and pipeline.methods["organ_then_part"].classes == (
        "heart", "ventricle",
    )  # fmt: skip
    with pytest.raises(MethodError, match="has no method 'rstn': choose one of organ_then_part, step_wise"):
        pipeline.check_method("rstn")
    for call in (pipeline.segment, pipeline.find_regions):
        with pytest.raises(MethodError, match="takes volumes, not radiographs"):
            call(radiograph())
    listed = read_model(tmp_path)
    assert listed.dimensions == 3 and not listed.problem and listed.classes == ("heart", "ventricle")
    assert listed.methods == ("organ_then_part", "step_wise") and read_model(shipped_bundle()).dimensions == 2
    with pytest.raises(MethodError, match="takes volumes, not radiographs"):
        StepWise({}).segment(radiograph(), None, None)


def test_a_bundle_that_is_damaged_or_fits_nothing(tmp_path):
    write_model(tmp_path / "a", [{"method": "step_wise", "label": "block", "config": {"layout": "unheard of"}}],
                networks=bright_networks())
    with pytest.raises(WeightsError, match="incomplete or does not fit this version"):
        load_pipeline(tmp_path / "a", "cpu")
    write_model(tmp_path / "b")
    (tmp_path / "b" / "networks_0.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="is damaged"):
        load_pipeline(tmp_path / "b", "cpu")
    for engine, device, reason in (("numpy", "cpu", "numpy can't compute models of vol"), ("torch", "abc", "device")):
        with pytest.raises(DeviceError, match=reason):
            load_pipeline(write_model(tmp_path / "d"), device, engine)
    write_model(tmp_path / "c", volume={"unheard": 1})
    with pytest.raises(WeightsError, match="does not fit this version"):
        load_pipeline(tmp_path / "c", "cpu")


def test_a_volume_of_another_kind_than_the_model_has_learnt_from():
    voxels, _, geometry = block()
    pipeline = VolumePipeline([StepWise({})], VolumeSettings(modality="MR"))
    assert pipeline.segment(Volume.from_array(voxels, geometry)).notes == ()
    air = voxels.copy()
    air[0, 0] = -1000
    (note,) = pipeline.segment(Volume.from_array(air, geometry)).notes
    assert "learnt from MR and the volume is CT (it holds the values of air" in note
    fixed = VolumePipeline([StepWise({})], VolumeSettings(window=(0.0, 500.0)))
    assert fixed.segment(Volume.from_array(voxels, geometry)).volume.mapping.source == "the model's window"


def test_what_the_networks_see_is_made_once_for_boxes_of_the_same_volume(tmp_path, monkeypatch):
    from GrayscaleDetSegLib.core.volumes.grid import Grid

    calls, plain = [], Grid.working
    monkeypatch.setattr(Grid, "working", lambda self, volume: (calls.append(volume.shape), plain(self, volume))[1])
    voxels, mask, geometry = block()
    for number, window in enumerate((None, [0.0, 1000.0])):
        pipeline = load_pipeline(write_model(tmp_path / str(number), volume={"window": window}), "cpu")
        volume = Volume.from_array(voxels, geometry)
        pipeline.segment(volume)
        assert pipeline.segment(volume).objects and len(calls) == 2, "nobody has asked for a fingerprint"
        _ = volume.fingerprint
        result = pipeline.segment(volume)
        box = pipeline.segment_from_box(result.volume, "block", (9, 7, 5, 24, 16, 15))
        assert box.objects[0].voxel_count == mask.sum() and len(calls) == 3
        other = Volume.from_array(voxels + 1, geometry)
        _ = other.fingerprint
        pipeline.segment(other)
        assert len(calls) == 4
        calls.clear()
