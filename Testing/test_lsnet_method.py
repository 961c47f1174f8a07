"""L-SNet as a method: on radiographs with regions of its own and of others, on volumes slice by slice, in files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.batch.volumes.located import draw_boxes
from GrayscaleDetSegLib.core import boxes, codec, engines, loading
from GrayscaleDetSegLib.core.errors import DependencyError, DeviceError, WeightsError
from GrayscaleDetSegLib.core.explanations.kinds import kind_of
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.lsnet.localisation import Localisation
from GrayscaleDetSegLib.core.lsnet.looking import look_through
from GrayscaleDetSegLib.core.lsnet.settings import LSNetSettings
from GrayscaleDetSegLib.core.methods.base import Method
from GrayscaleDetSegLib.core.methods.lsnet import LSNet
from GrayscaleDetSegLib.core.methods.registry import methods_of
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal, Regions
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.volumes.views import dsc
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.core.weights import Bundle
from GrayscaleDetSegLib.logic.models import read_model
from Testing.lsnet_models import bright_networks, write_model
from Testing.test_volume_grid import copies, oblique
from Testing.test_volume_reading import image_of
from Testing.volume_models import block

BLOCKS = ((20, 30, 50, 70), (80, 120, 120, 150))
"""Rows and columns (first, last) of two bright blocks."""
CLASS = {"classes": ["femur"], "side": 96}


def film(shape=(150, 190), blocks=BLOCKS) -> Radiograph:
    pixels = np.full(shape, 60, np.uint8)
    pixels[::7] = 40
    for top, left, bottom, right in blocks:
        pixels[top:bottom, left:right] = 220
    return Radiograph.from_array(pixels)


def truth(number: int, shape=(150, 190)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    top, left, bottom, right = BLOCKS[number]
    mask[top:bottom, left:right] = True
    return mask


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("films"), False, CLASS)


@pytest.fixture(scope="module")
def of_volumes(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("volumes"))


def test_its_own_regions_are_those_of_the_pipeline(model):
    pipeline = load_pipeline(model, "cpu")
    stages = []
    result = pipeline.segment(film(), progress=stages.append)
    assert pipeline.default_method == "lsnet" and pipeline.engine == "torch"
    assert [item.name for item in result.objects] == ["femur", "femur 2"]
    for item in result.objects:
        number = 0 if item.region[0] < 75 else 1
        assert dsc(item.mask, truth(number)) > 0.7
        explanation = item.explanation
        assert type(explanation) is Localisation and explanation.threshold == 0.5
        (box,), (heat,) = explanation.boxes, explanation.maps
        assert box.score == item.score > 0.9 and box.box[:2] == item.region[:2] and box.box[2::3] == (0.0, 1.0)
        top, left, bottom, right = BLOCKS[number]
        rows, columns = heat.values.shape
        row, column = int((top + bottom) / 2 / 150 * rows), int((left + right) / 2 / 190 * columns)
        assert heat.values[row, column] > 200 and heat.values[-1, 0] < 50
        assert codec.decode(Localisation, codec.encode(explanation)).boxes == explanation.boxes
    assert {"regions", "centres", "regions at one size"} <= set(stages) and kind_of("localisation") is Localisation


def test_where_nothing_is_activated_nothing_is_found_and_the_best_is_named(model):
    result = load_pipeline(model, "cpu").segment(film(blocks=((20, 30, 50, 70),)), score_threshold=0.9999999)
    assert not result.objects and result.best_candidate.label == "femur"
    assert result.best_candidate.score < 0.9999999 and result.score_threshold == 0.9999999


def test_drawn_regions_are_segmented_as_they_are(model):
    pipeline = load_pipeline(model, "cpu")
    drawn = RegionProposal("femur", 1.0, (110.0, 70.0, 160.0, 130.0), drawn=True)
    result = pipeline.segment_regions(film(), Regions((drawn,), None, Orientation()), clean_up=False)
    (item,) = result.objects
    assert dsc(item.mask, truth(1)) > 0.85 and item.explanation.boxes[0].score is None
    assert item.explanation.margin == 0.0 and not item.mask[:, :110].any()


@pytest.mark.parametrize("flips", [(True, False, False), (False, True, True), (True, True, False), (True, False, True)])
def test_turned_radiographs_have_turned_masks(flips):
    view = Orientation(*flips)
    method = LSNet([(bright_networks(CLASS), LSNetSettings())])
    upright = film()
    stored = Radiograph.from_array(np.ascontiguousarray(view.stored(upright.pixels)))
    roi = (24.0, 14.0, 77.0, 58.0)
    found = []
    for image, orientation in ((upright, Orientation()), (stored, view)):
        own = orientation.roi_to_stored(roi, image.shape)
        regions = Regions((RegionProposal("femur", 0.9, own),), None, orientation)
        (part,) = method.segment(image, regions, Stopwatch())
        whole = np.zeros(image.shape, bool)
        whole[part.window(image.shape)] = part.mask
        found.append(orientation.view(whole))
        assert part.explanation.maps[0].values.shape == (24, 24)
    assert np.array_equal(*found) and dsc(found[0], truth(0)) > 0.85


def test_regions_at_the_edge_and_outside_of_the_image():
    method = LSNet([(bright_networks(CLASS), LSNetSettings())])
    rois = ((-30.0, -20.0, 60.0, 60.0), (150.0, 100.0, 400.0, 300.0), (189.5, 149.5, 190.0, 150.0))
    parts = method.segment(
        film(), Regions(tuple(RegionProposal("femur", 0.9, roi) for roi in rois), None, Orientation()), Stopwatch()
    )
    for part in parts:
        assert part.mask.shape == tuple(each.stop - each.start for each in part.window((150, 190)))
        assert part.extent == tuple(boxes.clip(part.extent, (150, 190)))


def test_bundles_say_what_it_takes(model, of_volumes):
    for folder, dimensions in ((model, 2), (of_volumes, 3)):
        bundle = Bundle.open(folder)
        assert bundle.dimensions == dimensions and [each.name for each in methods_of(bundle)] == ["lsnet"]
    assert LSNet.takes(2) and LSNet.takes(3) and Method.takes(2) and not Method.takes(3)
    assert not LSNet.is_in(Bundle.open())
    listed = read_model(model)
    assert listed.problem == "" and listed.methods == ("lsnet",) and listed.classes == ("femur",)


def test_it_needs_pytorch(model, of_volumes, monkeypatch):
    with pytest.raises(DeviceError, match="numpy can't compute the method 'lsnet'"):
        load_pipeline(model, "cpu", "numpy")
    for module in (engines, loading):
        monkeypatch.setattr(module, "torch_is_there", lambda: False)
    with pytest.raises(DependencyError, match="The method 'lsnet' needs PyTorch, which is not installed: pip install"):
        load_pipeline(model, "cpu")


def test_a_model_with_a_2d_detector_gives_its_regions_to_s_net(tmp_path):
    shipped = Bundle.open()
    folder = write_model(tmp_path, False, CLASS)
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = shipped.network("roi_detector")
    (folder / entry["file"]).symlink_to(shipped.folder / entry["file"])
    manifest["networks"]["roi_detector"] = entry
    manifest["classes"] = list(shipped.classes)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    pipeline = load_pipeline(folder, "cpu")
    assert type(pipeline.roi_detector).__name__ == "RoiDetector" and not pipeline.methods["lsnet"].localises
    found = RegionProposal("femur", 0.8, (110.0, 70.0, 160.0, 130.0))
    (item,) = pipeline.segment_regions(film(), Regions((found,), None, Orientation())).objects
    assert item.explanation.boxes[0].score is None and dsc(item.mask, truth(1)) > 0.85


@pytest.mark.parametrize("change", [{"locator": "vgg"}, {"unheard": 1}, {"side": 33}])
def test_bundles_that_do_not_fit(change, tmp_path):
    folder = write_model(tmp_path, False, CLASS)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["networks"]["lsnet"]["config"].update(change)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match="incomplete or does not fit this version"):
        load_pipeline(folder, "cpu")


def test_volumes_are_looked_through_in_the_chosen_views():
    voxels, mask, _ = block()
    working = (voxels / 1000.0).astype(np.float32)
    networks = bright_networks()
    axial = look_through(working, networks, 0, LSNetSettings())
    assert dsc(axial.mask, mask) > 0.7 and list(axial.regions) == ["axial"]
    shown = [bool(regions) for regions in axial.regions["axial"]]
    assert shown == [bool(piece.any()) for piece in mask]
    every = look_through(working, networks, 0, LSNetSettings(views=("axial", "coronal", "sagittal"), vote="majority"))
    assert dsc(every.mask, mask) > 0.7 and not np.array_equal(every.mask, axial.mask)
    with_speck = working.copy()
    with_speck[20, 3:8, 3:8] = 0.95
    for largest in (False, True):
        found = look_through(with_speck, networks, 0, LSNetSettings(largest=largest)).mask
        assert found[20].any() != largest and dsc(found[:19], mask[:19]) > 0.7


def test_two_objects_in_a_slice_are_two_regions():
    slices = np.full((3, 96, 96), 0.2, np.float32)
    slices[1, 10:25, 10:25] = slices[1, 60:80, 50:70] = 0.9
    found = look_through(slices, bright_networks(reach=0.15), 0, LSNetSettings())
    assert [len(regions) for regions in found.regions["axial"]] == [0, 2, 0]
    assert found.mask[1, 14:24, 14:24].all() and found.mask[1, 65:77, 55:67].all() and not found.mask[1, 30:50].any()


def test_turned_and_oblique_volumes_have_the_same_mask(of_volumes):
    voxels, mask, geometry = block()
    pipeline = load_pipeline(of_volumes, "cpu")
    (known,) = pipeline.segment(Volume.from_array(voxels, geometry)).objects
    assert dsc(known.mask, mask) > 0.7
    for number, (copy, placed, turn) in enumerate(copies(voxels, geometry)):
        if number % 5 == 3:
            (item,) = pipeline.segment(Volume.from_array(np.ascontiguousarray(copy), placed)).objects
            assert np.array_equal(item.mask, turn(known.mask))
            for one, other in zip(item.explanation.boxes, known.explanation.boxes):
                content = [np.prod(np.subtract(each.box[3:], each.box[:3])) for each in (one, other)]
                assert content[0] == pytest.approx(content[1])
    (item,) = pipeline.segment(Volume.from_array(voxels, oblique(geometry))).objects
    assert np.array_equal(item.mask, known.mask)


def test_the_explanation_of_a_volume(of_volumes):
    voxels, mask, geometry = block()
    result = load_pipeline(of_volumes, "cpu").segment(Volume.from_array(voxels, geometry))
    (item,) = result.objects
    explanation = item.explanation
    assert [each.slice for each in explanation.boxes] == list(range(6, 14))
    assert all(each.box.z0 == each.slice and each.box.z1 == each.slice + 1 for each in explanation.boxes)
    (heat,) = explanation.maps
    assert heat.view == "axial" and 6 <= heat.slice < 10 and heat.values.max() > 200 and heat.values.shape == (16, 16)
    picture = Image.new("RGB", (280, 260))
    draw_boxes(picture, result, "axial", 7)
    seen = np.asarray(picture).any(-1)
    box = explanation.boxes[1].box
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert rows[[0, -1]].tolist() == pytest.approx([box.y0 * 10, box.y1 * 10 - 1], abs=1)
    assert columns[[0, -1]].tolist() == pytest.approx([box.x0 * 10, box.x1 * 10 - 1], abs=1)
    for view, index in (("axial", 3), ("coronal", 10)):
        empty = Image.new("RGB", (280, 260))
        draw_boxes(empty, result, view, index)
        assert not np.asarray(empty).any()


def test_without_an_object_it_is_said(of_volumes):
    voxels, mask, geometry = block()
    dark = np.where(mask, voxels // 4, voxels)
    dark[0] = np.linspace(0, 900, dark[0].size).reshape(dark[0].shape).astype(np.int16)
    pipeline = load_pipeline(of_volumes, "cpu")
    pipeline.methods["lsnet"].groups = [(bright_networks(), LSNetSettings(score=0.9999999))]
    result = pipeline.segment(Volume.from_array(dark, geometry))
    assert not result.objects and result.message == "Nothing was found. No block was found."


def test_the_command_writes_volumes_and_radiographs(model, of_volumes, tmp_path, capsys):
    voxels, mask, _ = block()
    sitk.WriteImage(image_of(voxels), str(tmp_path / "a.nii.gz"))
    Image.fromarray(film().pixels).save(tmp_path / "knee.png")
    for name, folder in (("a.nii.gz", of_volumes), ("knee.png", model)):
        assert command.main(["segment", str(tmp_path / name), "-o", str(tmp_path / "out"), "--model", str(folder)]) == 0
    assert "Found block." in capsys.readouterr().out
    found = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "a.seg.nrrd")))
    assert dsc(found == 1, mask) > 0.7
    document = json.loads((tmp_path / "out" / "a.json").read_text())
    explanation = document["objects"][0]["explanation"]
    assert explanation["kind"] == "localisation" and len(explanation["boxes"]) >= 8
    assert np.array(explanation["maps"][0]["values"]).shape == (16, 16)
    with Image.open(tmp_path / "out" / "a.png") as picture:
        assert picture.height > 650, "with heat maps below the slices"
    document = json.loads((tmp_path / "out" / "knee.json").read_text())
    assert {each["method"] for each in document["objects"]} == {"lsnet"} and len(document["objects"]) == 2
    assert document["objects"][0]["explanation"]["kind"] == "localisation"
    assert command.main(["segment", str(tmp_path / "a.nii.gz"), "-o", str(tmp_path / "b"), "--model", str(model)]) == 3
    assert "a radiograph is a single slice" in capsys.readouterr().err
