"""Objects over each other in labelled data: files in layers, both directions of COCO, samples, and measurement."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy", reason="training needs the extra 'training'")
pytest.importorskip("skimage", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core import boxes  # noqa: E402
from Testing.labelled_sets import SHAPE, picture, square  # noqa: E402
from training.data import read_set  # noqa: E402
from training.data.coco_export import write_coco  # noqa: E402
from training.data.objects import ObjectsCase  # noqa: E402
from training.detection_data import DetectionDataset  # noqa: E402

FEMUR, HIP, SMALL = square(10, 4, 30), square(20, 14, 30), square(25, 20, 6)
CLASSES = ("femur", "hip bone", "patella")
OBJECTS = [("femur", FEMUR), ("hip bone", HIP), ("patella", SMALL)]
"""The hip bone covers part of the femur, and both of them the patella."""


def layered(objects=OBJECTS, split="train", name="a") -> ObjectsCase:
    return ObjectsCase.of("set", name, split, picture(1), list(objects))


def told(case) -> list[tuple[str, list]]:
    return [(label, mask.tolist()) for label, mask in case.objects()]


def test_a_class_has_all_of_its_pixels_also_below_others():
    case = layered()
    for label, mask in OBJECTS:
        np.testing.assert_array_equal(case.mask_of(label), mask)
    assert (case.label_map == case.labels["femur"]).sum() < FEMUR.sum()
    with pytest.raises(KeyError):
        case.mask_of("ulna")


@pytest.mark.parametrize("order", [OBJECTS, OBJECTS[::-1]])
def test_the_2d_detector_is_taught_whole_boxes(order):
    """A box drawn around what a label map leaves of a covered object would be too small, or none."""
    sample = DetectionDataset([layered(order)], CLASSES, 120)[0]
    scale = 120 / max(SHAPE)
    wanted = {label: boxes.of_mask(mask) * scale for label, mask in OBJECTS}
    found = dict(zip((CLASSES[label] for label in sample.labels.tolist()), sample.boxes.numpy()))
    assert found.keys() == wanted.keys() and sample.marked.all()
    shift = (120 - SHAPE[1] * scale) / 2
    for label, box in wanted.items():
        np.testing.assert_allclose(found[label], box + [shift, 0, shift, 0], atol=2.0)


def test_the_surfaces_are_taught_whole_masks():
    from training.surface_data import SurfaceDataset

    samples = SurfaceDataset([layered()], CLASSES, 16)[0]
    assert [CLASSES[sample.label] for sample in samples] == [label for label, _ in OBJECTS]
    assert all(sample.inside.mean() == 1.0 for sample in samples)  # squares fill their regions


def test_a_file_in_layers_is_read_as_labels_of_one_image(tmp_path):
    """What the command or Slicer writes of overlapping objects trains every class on all of its pixels."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from dataclasses import replace

    from GrayscaleDetSegLib.core.radiograph import Radiograph
    from GrayscaleDetSegLib.scene.files import write_result
    from Testing.test_overlaps import SKELETON, part, result_of

    result = result_of([part("femur", 0, 0, 30, 20), part("hip bone", 20, 10, 50, 30), part("femur", 40, 0, 60, 9)],
                       SKELETON)  # fmt: skip
    pixels = picture(3, result.radiograph.shape)
    result = replace(result, radiograph=Radiograph.from_array(pixels))
    assert len(result.layers()) == 2
    Image.fromarray(pixels).save(tmp_path / "film.png")
    write_result(result, tmp_path / "film.seg.nrrd")
    (case,), problems = read_set(tmp_path)
    assert not problems
    assert told(case) == [(item.label, item.mask.tolist()) for item in result.objects]
    assert all(case.is_settled(label) for label in ("femur", "hip bone")) and not case.is_settled("tibia")
    sample = DetectionDataset([case], CLASSES, 60)[0]
    assert sample.marked.tolist() == [True, True, False] and len(sample.boxes) == 3


def test_coco_there_and_back_with_objects_over_each_other(tmp_path):
    """And two of one class that touch stay two."""
    objects = [*OBJECTS, ("vertebra", square(2, 2, 5)), ("vertebra", square(7, 2, 5))]
    first, second = layered(objects), layered([], "val", "b")
    write_coco([first, second], tmp_path / "set")
    cases, problems = read_set(tmp_path / "set")
    assert not problems
    read = {case.name: case for case in cases}
    assert told(read["a"]) == told(first) and read["a"].split == "train"
    assert read["b"].objects() == [] and read["b"].split == "val"
    for name, case in (("a", first), ("b", second)):
        np.testing.assert_array_equal(read[name].pixels, case.pixels)
    # only what is marked everywhere is known to be absent from the second image
    assert read["b"].is_settled("femur") and not read["b"].is_settled("ulna")


def test_coco_keeps_bright_what_was_dark_in_the_file(tmp_path):
    case = ObjectsCase.of("set", "a", "train", picture(1).astype(np.uint16) * 16, OBJECTS, inverted=True)
    write_coco([case], tmp_path / "set")
    (read,), problems = read_set(tmp_path / "set")
    assert not problems and not read.inverted and read.pixels.dtype == np.uint16
    np.testing.assert_array_equal(read.radiograph().pixels, case.radiograph().pixels)


def test_coco_is_not_written_over_another_set(tmp_path):
    write_coco([layered()], tmp_path / "set")
    with pytest.raises(FileExistsError, match="exists already"):
        write_coco([layered()], tmp_path / "set")


def test_the_export_is_a_command(tmp_path, capsys):
    from training.data import coco_export

    write_coco([layered(), layered(name="b")], tmp_path / "set")
    assert coco_export.main([str(tmp_path / "set"), str(tmp_path / "again")]) == 0
    assert "2 images, 6 objects" in capsys.readouterr().out
    first, again = (read_set(tmp_path / name)[0] for name in ("set", "again"))
    assert [told(case) for case in first] == [told(case) for case in again]


def test_the_iou_is_of_whole_objects():
    """An object that is found whole has an IoU of 1 although another one lies over it in the label map."""
    from training.compare.accuracy import records_of

    case = layered()
    records = records_of("paint", lambda _: dict(OBJECTS), [case])
    assert [record["iou"] for record in records] == [1.0, 1.0, 1.0]
    hidden = {label: mask & (case.label_map == case.labels[label]) for label, mask in OBJECTS}
    assert records_of("paint", lambda _: hidden, [case])[0]["iou"] < 0.7


class Told:
    """A 2D detector that finds the true regions."""

    def __init__(self, objects) -> None:
        from GrayscaleDetSegLib.core.regions import RegionProposal
        from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings

        self.settings = DetectionSettings()
        self.found = [RegionProposal(label, 0.9, tuple(map(float, boxes.of_mask(mask)))) for label, mask in objects]

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        return self.found


@pytest.mark.parametrize(("allowed", "iou"), [(True, 1.0), (False, 0.8)])
def test_the_evaluation_measures_whole_objects(allowed, iou):
    """Two squares of one brightness: masks that may overlap are found whole, others lose what they share."""
    from GrayscaleDetSegLib.core.overlaps import Overlaps
    from Testing.pipelines import UNSMOOTHED, BoxFake, rigged
    from training.evaluate import evaluate_case

    objects = [("femur", FEMUR), ("tibia", HIP)]
    pixels = np.where(FEMUR | HIP, 200, 60) + np.random.default_rng(0).integers(0, 20, SHAPE)
    case = ObjectsCase.of("set", "a", "val", pixels.astype(np.uint8), objects)
    pipeline = rigged(Told(objects), BoxFake(), None, UNSMOOTHED, overlaps=Overlaps(allowed))
    records = evaluate_case(pipeline, case)
    assert [record["class"] for record in records] == ["femur", "tibia"]
    for record in records:
        assert record["recall"] == 1.0 and record["true_iou"] == 1.0
        assert (record["found_iou"] >= 0.999) if allowed else (record["found_iou"] < iou)
