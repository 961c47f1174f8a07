"""Segmenting by one call, as a script does: every kind of input, where the result goes, and what is refused how."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError, RadiographError, WeightsError
from GrayscaleDetSegLib.core.options import SegmentOptions
from GrayscaleDetSegLib.logic.engine import LOADING, Engine
from GrayscaleDetSegLib.logic.segmenter import Segmenter
from GrayscaleDetSegLib.logic.workspace import Workspace
from GrayscaleDetSegLib.scene import masks, record, regions, segmentation, volumes
from Testing import standins
from Testing.fakes import GEOMETRIES, bar, letter_l, radiograph
from Testing.pipelines import PolarityFake
from Testing.rigged import box, change, film, rigged_engine
from Testing.scene_nodes import add_bending_transform, add_volume, ids
from Testing.segmenting import BOTH, mask, names

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

MODULE = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg"


def colours():
    """The film as PNG and JPEG files are loaded: RGB, 8 bit."""
    gray = (film() // 11).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize(
    "kind", ["whole numbers", "decimals", "signed", "one of n slices", "colours", "gray and opacity"]
)
def test_inputs(kind, name, scene, segmenter):
    pixels, options, node = film(), {}, "vtkMRMLScalarVolumeNode"
    if kind == "decimals":
        pixels = pixels / 1000.0
    elif kind == "signed":
        pixels = pixels.astype(np.int16) - 1024
    elif kind == "one of n slices":
        pixels, options = np.stack([pixels[::-1], pixels, pixels // 2]), {"slice_index": 1}
    elif kind in ("colours", "gray and opacity"):
        pixels, node = colours(), "vtkMRMLVectorVolumeNode"
        if kind == "gray and opacity":
            pixels = np.stack([pixels[..., 0], np.full_like(pixels[..., 0], 255)], axis=-1)
    volume = add_volume(scene, pixels, GEOMETRIES[name], kind=node)
    segmented = segmenter.segment(volume, **options)
    looked = "" if name != "flipped" else (
        " Looked at mirrored left to right, as the file's directions say; masks and boxes lie on the stored grid."
    )
    assert names(segmented) == BOTH and segmented.message == f"Found femur, femur 2.{looked}"
    index = options.get("slice_index", 0)
    assert (mask(segmented, "femur", index) == letter_l()).all()
    assert (mask(segmented, "femur_2", index) == bar()).all()
    assert segmented.outcome.volume is volume and segmented.table.GetNumberOfRows() >= 2
    assert record.kept_slice(segmented.segmentation) == index
    again = Workspace(scene).shown(segmented.segmentation).result  # by node and volume alone
    for one, other in zip(segmented.objects, again.objects):
        assert (one.mask == other.mask).all() and one.thresholds.interval_file == other.thresholds.interval_file
    assert (again.radiograph.gray() == segmented.result.radiograph.gray()).all()
    notes = volume.GetAttribute("GrayscaleDetSeg.Notes")
    assert ("slice 2 of 3 is used" in notes) == (kind == "one of n slices")
    assert volume.GetAttribute("GrayscaleDetSeg.Polarity") == "as is"


@pytest.mark.parametrize("axis", [1, 2])
def test_a_film_that_stands_in_the_volume(axis, scene, segmenter):
    volume = add_volume(scene, np.expand_dims(film(), axis), GEOMETRIES["sideways"])
    segmented = segmenter.segment(volume)
    assert names(segmented) == BOTH and (mask(segmented) == letter_l()).all()
    for identity, region in segmented.outcome.regions.items():
        item = dict(zip(("femur", "femur_2"), segmented.objects))[identity]
        grid = volumes.grid_of(volume)
        assert regions.region_of(region, volume, grid) == pytest.approx(item.region, abs=0.02)


def volume_of(kind, scene):
    pixels = film()
    if kind == "label map":
        return add_volume(scene, letter_l().astype(np.uint8), kind="vtkMRMLLabelMapVolumeNode")
    if kind == "nothing loaded":
        return scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "image")
    if kind == "colourful":
        pixels = colours()
        pixels[:40, :, 0] = 255
        return add_volume(scene, pixels, kind="vtkMRMLVectorVolumeNode")
    made = {
        "many slices": np.stack([pixels] * 3), "blank": np.full((90, 130), 7), "tiny": pixels[:3, :3],
        "five values a pixel": np.repeat(pixels[..., None], 5, axis=-1),
    }
    values = "vtkMRMLVectorVolumeNode" if kind == "five values a pixel" else "vtkMRMLScalarVolumeNode"
    return add_volume(scene, made[kind], kind=values)


@pytest.mark.parametrize(
    "kind, sentence",
    [
        ("label map", "image is a label map, not a radiograph; choose"),
        ("nothing loaded", "image holds no pixels; load the image again"),
        ("many slices", "image has 3 slices, and a radiograph is one; choose the slice"),
        ("blank", "image is blank"),
        ("five values a pixel", "image has 5 values a pixel"),
        ("colourful", "colour"),
        ("tiny", "image"),
    ],
)
def test_inputs_that_cannot_be_segmented(kind, sentence, scene, segmenter):
    volume = volume_of(kind, scene)
    before, attributes = ids(scene), volume.GetAttributeNames()
    with pytest.raises(RadiographError, match=sentence) as caught:
        segmenter.segment(volume)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    assert ids(scene) == before and volume.GetAttributeNames() == attributes


def test_what_is_no_volume_at_all(scene, segmenter):
    for thing in (None, "image", 7, scene, scene.AddNewNodeByClass("vtkMRMLModelNode")):
        with pytest.raises(RadiographError, match="no image volume; choose the volume node"):
            segmenter.segment(thing)
    volume = add_volume(scene, np.stack([film()] * 3))
    volume.SetName(None)
    assert segmenter.segment(volume, slice_index=1).segmentation.GetName() == "Image segmentation"
    scene.RemoveNode(scene.GetFirstNodeByClass("vtkMRMLSegmentationNode"))
    for index in (3, -1):
        with pytest.raises(RadiographError, match="has no slice"):
            segmenter.segment(volume, slice_index=index)
    with pytest.raises(ValueError, match="polarity"):
        segmenter.segment(volume, slice_index=0, polarity="upside-down")
    with pytest.raises(ValueError, match="no method"):
        segmenter.segment(volume, slice_index=0, method="magic")
    with pytest.raises(WeightsError):
        Segmenter(scene).segment(volume, slice_index=0, model="/nowhere/at/all")
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_proxy_that_shows_another_frame_of_its_sequence(scene, segmenter):
    volume = add_volume(scene, film())
    segmented = segmenter.segment(volume)
    change(volume.GetImageData())
    with pytest.raises(RadiographError, match="segment again"):
        segmenter.segment_region(volume, box(scene, volume), "tibia", segmentation=segmented.segmentation)
    again = segmenter.segment(volume, segmentation=segmented.segmentation)
    assert again.segmentation is segmented.segmentation and names(again)


def test_options_reach_the_method(scene):
    loaded, stages = [], []
    segmenter = Segmenter(scene, rigged_engine(loaded))
    volume = add_volume(scene, film())
    for device, engine in (("cpu", "auto"), ("cpu", "auto"), ("cuda", "auto"), ("cuda", "torch")):
        segmenter.segment(volume, device=device, engine=engine, model=Path("bundle"), progress=stages.append)
    assert loaded == [(Path("bundle"), *choice) for choice in (("cpu", "auto"), ("cuda", "auto"), ("cuda", "torch"))]
    assert segmenter.engine.computing == "cpu (numpy)"
    assert stages.count(LOADING) == 3 and stages[0] == LOADING and "regions" in stages
    sure = segmenter.segment(volume, score_threshold=0.85)
    assert sure.result.score_threshold == 0.85 and names(sure) == ("femur",)
    assert segmenter.segment(volume, clean_up=False).result.clean_up == ()
    assert {item.method for item in segmenter.segment(volume, method="box").objects} == {"box"}
    assert segmenter.engine.device == "cpu" and segmenter.engine.device_note is None
    assert Engine(lambda *_: None).device is None
    with pytest.raises(TypeError):
        segmenter.segment(volume, 0)  # options are named


@pytest.mark.parametrize("choice", ["auto", "as-is", "inverted"])
def test_polarity(choice, scene):
    """A picture that looks inverted is turned over, but not against the user's word."""
    probability = PolarityFake(0.9999)
    segmenter = Segmenter(scene, rigged_engine(polarity=probability))
    pixels = film() if choice == "as-is" else 4095 - film()
    volume = add_volume(scene, pixels)
    segmented = segmenter.segment(volume, polarity=choice)
    assert names(segmented) == BOTH and (mask(segmented) == letter_l()).all()
    assert len(probability.seen) == (1 if choice == "auto" else 0)
    said = volume.GetAttribute("GrayscaleDetSeg.Polarity")
    assert said == ("as is" if choice == "as-is" else "inverted")
    assert segmenter.undo(segmented.segmentation) is False


def test_nothing_found(scene):
    """No empty segmentation, no trace; a result that is there already stays."""
    segmenter = Segmenter(scene, rigged_engine())
    volume = add_volume(scene, film())
    shown = segmenter.segment(volume)
    before, said = ids(scene), volume.GetAttribute("GrayscaleDetSeg.Polarity")
    empty = Segmenter(scene, rigged_engine(labels=()))
    for into in (None, shown.segmentation):
        segmented = empty.segment(volume, segmentation=into)
        assert segmented.objects == () and segmented.message.startswith("Nothing was found")
        assert segmented.segmentation is None and segmented.table is None and segmented.outcome is None
    assert ids(scene) == before and volume.GetAttribute("GrayscaleDetSeg.Polarity") == said
    assert segmenter.workspace.shown(shown.segmentation).identities == ("femur", "femur_2")


def test_edits_by_hand_are_not_replaced_unasked(scene, segmenter):
    volume = add_volume(scene, film())
    first = segmenter.segment(volume)
    assert segmenter.segment(volume, segmentation=first.segmentation).segmentation is first.segmentation
    grid = volumes.grid_of(volume)
    painted = letter_l()
    painted[:4, 60:70] = True
    masks.write_mask(first.segmentation, "femur", volume, grid, painted)
    before = ids(scene)
    with pytest.raises(GrayscaleDetSegError, match=r"image segmentation was edited by hand; .*replace_edits=True"):
        segmenter.segment(volume, segmentation=first.segmentation)
    assert ids(scene) == before and (mask(first) == painted).all()
    assert segmenter.segment(volume).segmentation is not first.segmentation and (mask(first) == painted).all()
    again = segmenter.segment(volume, segmentation=first.segmentation, replace_edits=True)
    assert (mask(again) == letter_l()).all()
    assert segmenter.undo(first.segmentation) and (mask(first) == painted).all()
    assert segmentation.edits_of(first.segmentation, volume, grid).changed == ("femur",)


def test_a_wrong_place_is_refused_before_the_method_runs(scene):
    loaded = []
    segmenter = Segmenter(scene, rigged_engine(loaded))
    volume, other = add_volume(scene, np.stack([film()] * 3)), add_volume(scene, film(), name="other")
    shown = segmenter.segment(volume, slice_index=1).segmentation
    segmenter.engine._kept = None
    del loaded[:]
    region = box(scene, other)
    for target, options in ((other, {}), (volume, {"slice_index": 2})):
        with pytest.raises(GrayscaleDetSegError, match="belongs to another image or slice"):
            segmenter.segment(target, segmentation=shown, **options)
        with pytest.raises(GrayscaleDetSegError, match="belongs to another image or slice"):
            segmenter.segment_region(target, region, "femur", segmentation=shown, **options)
    for wrong in (other, region):
        with pytest.raises(GrayscaleDetSegError, match="is no segmentation of this scene"):
            segmenter.segment(other, segmentation=wrong)
    assert loaded == [] and len(segmenter.workspace.shown(shown).identities) == 2


def test_under_a_transform_that_bends_space(scene, segmenter):
    volume = add_volume(scene, film())
    volume.SetAndObserveTransformNodeID(add_bending_transform(scene).GetID())
    segmented = segmenter.segment(volume)
    assert (mask(segmented) == letter_l()).all() and not segmenter.workspace.would_lose_edits(segmented.segmentation)


def test_a_failing_method_leaves_the_scene(scene):
    segmenter, volume = Segmenter(scene, Engine(lambda *_: 1 / 0)), add_volume(scene, film())
    before = ids(scene)
    with pytest.raises(ZeroDivisionError):
        segmenter.segment(volume)
    assert ids(scene) == before and volume.GetAttributeNames() == () and segmenter.engine.device is None


def test_the_engine_alone():
    """What a thread does: it knows no scene."""
    image, engine = replace(radiograph(), pixels=film()), rigged_engine()
    regioned = engine.segment_region(image, (60.0, 50.0, 125.0, 85.0), "femur", SegmentOptions())
    joined = engine.add_region(regioned, (5.0, 5.0, 70.0, 50.0), "femur", SegmentOptions())
    moved = engine.replace_region(joined, "femur 2", (5.0, 5.0, 40.0, 50.0), SegmentOptions())
    assert [item.name for item in moved.objects] == list(BOTH) and moved.objects[0] is joined.objects[0]
    assert moved.objects[1].region == (5.0, 5.0, 40.0, 50.0)
    with pytest.raises(KeyError):
        engine.replace_region(joined, "tibia", (5.0, 5.0, 40.0, 50.0), SegmentOptions())


def test_the_module_without_a_main_window():
    """The shipped model on the module's own sample, through the logic class, as a script has it."""
    if standins.missing():
        pytest.skip(standins.missing())
    with standins.Session(main_window=False) as session:
        session.load(MODULE / "GrayscaleDetSeg.py")
        assert slicer.app.layoutManager() is None and slicer.util.mainWindow() is None
        import SimpleITK as sitk

        import GrayscaleDetSeg

        logic = GrayscaleDetSeg.GrayscaleDetSegLogic()
        image = sitk.ReadImage(str(MODULE / "Resources" / "Samples" / "knee.nrrd"))
        volume = add_volume(slicer.mrmlScene, sitk.GetArrayFromImage(image)[0], name="knee")
        volume.SetSpacing(image.GetSpacing())
        segmented = logic.segment(volume, device="cpu")
        assert {item.label for item in segmented.objects} >= {"femur", "tibia"} and "Found" in segmented.message
        assert segmented.segmentation.GetName() == "knee segmentation" and segmented.table.GetNumberOfRows() >= 2
        grid = volumes.grid_of(volume)
        joined = logic.segmentRegion(
            volume, segmented.outcome.regions["femur"], "femur", segmentation=segmented.segmentation
        )
        assert [item.label for item in joined.objects].count("femur") == 2
        assert logic.undo(segmented.segmentation) and not logic.undo(segmented.segmentation)
        for item in segmented.objects:
            identity = segmentation.segment_id(item.name)
            assert (masks.mask_of(segmented.segmentation, identity, volume, grid) == item.mask).all()
            assert item.mask.mean() > 0.02
        assert session.dialogs.shown == [] and session.errors == []
