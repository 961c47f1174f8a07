"""A plain label map where the model lets objects overlap: the object of higher precedence keeps a pixel; it is said."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from GrayscaleDetSegLib.batch import arguments, report
from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.core.editing import _made
from GrayscaleDetSegLib.core.exclusive import made_exclusive
from GrayscaleDetSegLib.core.overlaps import EXCLUSIVE, Overlaps
from Testing.fakes import FakePipeline, fake_reader, found, radiograph
from Testing.fakes import result as fake_result
from Testing.test_overlaps import SHAPE, SKELETON, part, result_of


def overlapping(scores=(0.7, 0.9)):
    """Femur and hip bone that share 10 x 10 px, with these scores."""
    parts = [part("femur", 0, 0, 30, 20), part("hip bone", 20, 10, 50, 30)]
    parts = [replace(each, region=replace(each.region, score=score)) for each, score in zip(parts, scores)]
    return result_of(parts, SKELETON)


@pytest.mark.parametrize(("scores", "winner"), [((0.7, 0.9), "hip bone"), ((0.9, 0.7), "femur"), ((0.8, 0.8), "femur")])
def test_the_more_confident_object_keeps_what_two_share_and_a_note_says_so(scores, winner):
    before, after = overlapping(scores), made_exclusive(overlapping(scores))
    loser = "femur" if winner == "hip bone" else "hip bone"
    counts = {item.name: item.pixel_count for item in after.objects}
    assert counts == {winner: 600, loser: 500}
    (note,) = after.notes
    assert f"{winner} ({max(scores):.2f}) over {loser} ({min(scores):.2f}), 100 px" in note
    assert before.objects[0].pixel_count == before.objects[1].pixel_count == 600
    assert len(before.layers()) == 2 and len(after.layers()) == 1


def test_the_confidence_of_the_mask_counts_where_thresholds_say_one():
    mask = np.zeros(radiograph().shape, bool)
    mask[10:40, 10:40] = True
    sure = found(radiograph(), "a", "femur", mask, score=0.8)
    unsure = found(radiograph(), "b", "tibia", mask, score=0.9)
    unsure = replace(unsure, explanation=replace(unsure.explanation, confidence=0.5))
    assert (sure.precedence, unsure.precedence) == (pytest.approx(0.8 * 0.9), pytest.approx(0.45))
    first, second = made_exclusive(fake_result(objects=[unsure, sure])).objects
    assert (first.pixel_count, second.pixel_count) == (0, 900)


def test_an_object_that_loses_all_stays_and_is_named():
    parts = [part("femur", 0, 0, 30, 20), part("patella", 5, 5, 15, 15)]
    after = made_exclusive(result_of(parts, SKELETON))
    assert [item.pixel_count for item in after.objects] == [600, 0]
    assert after.notes[-1] == "Nothing is left of patella."


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["femur", "tibia", "fibula"]), st.integers(0, 30), st.integers(0, 20),
                          st.integers(2, 25), st.integers(2, 18), st.integers(1, 3)), max_size=7))  # fmt: skip
def test_no_pixel_is_lost_or_has_two_objects_and_no_more_confident_one_was_passed_over(boxes):
    parts = [part(label, x, y, x + width, y + height) for label, x, y, width, height, _ in boxes]
    parts = [replace(each, region=replace(each.region, score=box[-1] / 4)) for each, box in zip(parts, boxes)]
    before = result_of(parts, Overlaps(True))
    after = made_exclusive(before)
    masks = [item.mask for item in after.objects]
    whole = np.zeros(SHAPE, int) + sum(mask.astype(int) for mask in masks)
    held = np.zeros(SHAPE, bool)
    for item in before.objects:
        held |= item.mask
    np.testing.assert_array_equal(whole, held)
    for first, second in itertools.permutations(range(len(masks)), 2):
        lost = masks[first] & before.objects[second].mask
        assert not lost.any() or before.objects[first].precedence >= before.objects[second].precedence
    if any(item.windowed.meets(other.windowed) for item, other in itertools.combinations(before.objects, 2)):
        assert after.notes


def test_what_has_no_overlaps_stays_the_same_without_a_note():
    before = result_of([part("femur", 0, 0, 20, 20), part("femur", 30, 0, 50, 20)], SKELETON)
    after = made_exclusive(before)
    assert after.objects == before.objects and after.notes == () and after.overlaps == EXCLUSIVE


def test_later_edits_keep_objects_apart():
    after = made_exclusive(overlapping())
    new = _made(after, part("hip bone", 10, 0, 60, 20), "hip bone 2", after.objects, None)
    assert not any(new.windowed.meets(item.windowed) for item in after.objects)


def test_the_report_says_whether_and_who_won():
    whole, plain = report.report(overlapping()), report.report(made_exclusive(overlapping()))
    assert (whole["settings"]["exclusive"], plain["settings"]["exclusive"]) == (False, True)
    assert "hip bone (0.90) over femur (0.70), 100 px" in plain["notes"][0] and plain["notes"][0] in plain["message"]
    places = [tuple(item["segment"][key] for key in ("layer", "label_value")) for item in whole["objects"]]
    assert places == [(0, 1), (1, 1)]
    assert [item["segment"]["label_value"] for item in plain["objects"]] == [1, 2]


class OverlappingPipeline(FakePipeline):
    """Finds the two overlapping bones, and leaves them so or not as it is told."""

    def segment(self, image, **options):
        self.calls.append(options)
        result = overlapping()
        return made_exclusive(result) if options["exclusive"] else result


@pytest.mark.parametrize("option", [(), ("--exclusive",)])
def test_the_command_writes_one_layer_and_says_who_won(option, tmp_path, monkeypatch, capsys):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from Testing.scene_nodes import read_node

    monkeypatch.chdir(tmp_path)
    Path("a.dcm").touch()
    pipeline = OverlappingPipeline()
    assert command.main(["segment", "a.dcm", "-o", "out", *option], lambda *_: pipeline, fake_reader) == 0
    import slicer

    scene = slicer.vtkMRMLScene()
    segmentation = read_node(Path("out/a.seg.nrrd"), scene).GetSegmentation()
    document, printed = json.loads(Path("out/a.json").read_text()), capsys.readouterr().out
    assert segmentation.GetNumberOfSegments() == 2
    assert segmentation.GetNumberOfLayers() == (1 if option else 2)
    assert ("hip bone (0.90) over femur (0.70)" in printed) is bool(option)
    assert document["made_with"]["options"]["exclusive"] is bool(option)
    assert sum(item["pixel_count"] for item in document["objects"]) == (1100 if option else 1200)
    for item in document["objects"]:  # where the report says that its pixels are
        segment = segmentation.GetSegment(item["segment"]["id"])
        assert segment.GetLabelValue() == item["segment"]["label_value"]
        assert segmentation.GetLayerIndex(item["segment"]["id"]) == item["segment"]["layer"]


def test_both_command_lines_have_the_option():
    for parser, words in ((arguments.parser(), ["segment"]), (arguments.folder_parser(), [])):
        for option in ((), ("--exclusive",)):
            read = parser.parse_args([*words, "a.dcm", "-o", "out", *option])
            assert arguments.options_of(read).exclusive is bool(option)
