"""What former versions have written still opens: kept as files that those versions wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch.report import read_report
from GrayscaleDetSegLib.core import codec, old_formats

FORMER = Path(__file__).parent / "former"
"""By version 1 of the record and 2 of the report: an L by surfaces whose thresholds were moved, a bar by the box."""


def read(name: str) -> dict:
    return json.loads((FORMER / name).read_text(encoding="utf-8"))


def test_a_report_of_version_2():
    document = read("report_2.json")
    again = read_report(document)
    assert again.settings.exclusive and [item.segment.layer for item in again.objects] == [0, 0]
    assert again.schema_version == 3 and again.message == document["message"] and again.notes == ()
    for item, former in zip(again.objects, document["objects"]):
        assert tuple(item.region) == tuple(former["roi"].values()) and item.score == former["roi_score"]
        thresholds = item.explanation
        assert tuple(thresholds.box) == tuple(former["box"].values())
        assert tuple(thresholds.interval) == (former["interval_gray"]["bottom"], former["interval_gray"]["top"])
        assert codec.encode(thresholds.interval_file) == former["interval_file"]
        assert codec.encode(thresholds.stability, exact=False) == former["stability"]
        assert thresholds.rule.single is (former["method"] == "box")
    lung, bar = (item.explanation.field for item in again.objects)
    np.testing.assert_array_equal(lung.low, np.float32(document["objects"][0]["surfaces"]["low"]))
    assert bar.shape == (1, 1)


def test_a_scene_of_version_1(tmp_path):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from GrayscaleDetSegLib.scene import record, segmentation, volumes
    from Testing.fakes import GEOMETRIES, radiograph, result
    from Testing.scene_nodes import add_volume, scene_with_logics

    scene, document = scene_with_logics(), read("record_1.json")
    volume = add_volume(scene, np.array(radiograph().pixels), GEOMETRIES["turned"])
    grid = volumes.grid_of(volume)
    image = volumes.read_volume(volume)
    node = segmentation.add_segmentation_for(volume, grid, result(image), scene)
    record.set_document(node, json.dumps(document))
    again = record.kept_result(node, volume)
    assert record.kept_slice(node) == 0 and record.kept_segments(node) == ["right_lung", "femur_2"]
    lung, bar = again.objects
    assert not again.overlaps.allowed  # in former versions no pixel had two objects
    assert (lung.name, lung.method, bar.name, bar.method) == ("right lung", "surfaces", "femur 2", "box")
    assert tuple(lung.region) == tuple(document["objects"][0]["roi"]) and bar.score == 0.71
    field = lung.thresholds.field
    assert (field.bottom, field.top, field.reach) == (5.0, -2.5, (101.5, 220.25)) and field.shape == (3, 4)
    row, column = np.mgrid[:3, :4].astype(np.float32)
    np.testing.assert_array_equal(field.low, 140 + 3 * row - 2 * column)
    assert bar.thresholds.rule.single and bar.thresholds.interval_units.top == np.inf
    record.keep_result(node, again, grid)  # the next change writes the present form
    assert json.loads(record.kept_document(node))["version"] == record.VERSION
    assert codec.encode(record.kept_result(node, volume)) == codec.encode(again)
    scene.Clear(True)


def test_parameters_of_a_former_scene():
    assert [old_formats.method_of(text) for text in ("SURFACES", "BOX", "", "otsu")] == ["surfaces", "box", "", "otsu"]


@pytest.mark.parametrize("change", [
    lambda document: document["objects"][0].pop("field"),
    lambda document: document["objects"][0]["field"].update(low="AAAA"),
    lambda document: document.pop("objects"),
    lambda document: document.update(mapping=None),
])  # fmt: skip
def test_a_damaged_record_is_said_to_be_one(change):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from GrayscaleDetSegLib.core.errors import RadiographError
    from GrayscaleDetSegLib.scene import record, segmentation, volumes
    from Testing.fakes import GEOMETRIES, radiograph, result
    from Testing.scene_nodes import add_volume, scene_with_logics

    scene, document = scene_with_logics(), read("record_1.json")
    volume = add_volume(scene, np.array(radiograph().pixels), GEOMETRIES["turned"])
    node = segmentation.add_segmentation_for(
        volume, volumes.grid_of(volume), result(volumes.read_volume(volume)), scene
    )
    change(document)
    record.set_document(node, json.dumps(document))
    with pytest.raises(RadiographError, match="damaged; segment again"):
        record.kept_result(node, volume)
    scene.Clear(True)
