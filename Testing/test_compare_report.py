"""What the comparison's report is made of: kept rows, intervals, thresholds as baselines, pictures, one page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("lightning", reason="training needs the extra 'training'")
pytest.importorskip("monai", reason="training needs the extra 'training'")

from GrayscaleDetSegLib.core import boxes  # noqa: E402
from GrayscaleDetSegLib.core.loading import load_pipeline  # noqa: E402
from GrayscaleDetSegLib.core.mask import rule_mask  # noqa: E402
from GrayscaleDetSegLib.core.radiograph import Radiograph  # noqa: E402
from Testing.fakes import letter_l  # noqa: E402
from training.baselines.experiment import Trained, finished, images_seen  # noqa: E402
from training.baselines.networks import build  # noqa: E402
from training.baselines.thresholds import ThresholdDetector, multi_otsu, otsu  # noqa: E402
from training.compare import __main__ as compare  # noqa: E402
from training.compare import html, pictures, report, robustness  # noqa: E402
from training.compare.compared import chosen_parts, of_baseline, of_single_box, of_thresholds  # noqa: E402
from training.compare.cross import in_boxes  # noqa: E402
from training.compare.records import Store, cases_digest, code_digest, weights_digest  # noqa: E402
from training.compare.session import spread  # noqa: E402
from training.compare.statistics import Bootstrap  # noqa: E402
from training.data import CLASSES, Case  # noqa: E402
from training.simulate import simulate  # noqa: E402
from training.simulate.sets import write_set  # noqa: E402

ROW = {"method": "m", "set": "s", "class": "c", "name": "1", "iou": 0.1 + 0.2, "dsc": 1.0, "fn": 1e-17, "fp": 0.0}


def rows_of(method: str, values: list[float], label: str = "c", set_name: str = "s") -> list[dict]:
    return [
        {"method": method, "set": set_name, "class": label, "name": f"{i}", "iou": v} for i, v in enumerate(values)
    ]


def a_case(name: str = "1", set_name: str = "knee_femur") -> Case:
    mask = letter_l((64, 80))
    return Case(set_name, name, "val", np.where(mask, 200, 60).astype(np.uint8), mask.astype(np.uint8), {"femur": 1})


# Kept rows


def test_rows_are_computed_once_and_come_back_to_the_last_bit(tmp_path):
    store, calls = Store(tmp_path), []
    for _ in range(2):
        assert store.rows("a/b", {"weights": "1"}, lambda: calls.append(1) or [ROW]) == [ROW]
    assert len(calls) == 1


@pytest.mark.parametrize("depends", [{"weights": "2"}, {"weights": "1", "code": "1"}, {}])
def test_rows_are_computed_again_when_what_they_depend_on_changes(tmp_path, depends, capsys):
    store = Store(tmp_path)
    store.rows("a", {"weights": "1"}, lambda: [ROW])
    assert store.rows("a", depends, lambda: [{**ROW, "iou": 0.5}])[0]["iou"] == 0.5
    assert "a: done again" in capsys.readouterr().err


def test_half_written_rows_do_not_count(tmp_path):
    (tmp_path / "a.csv").write_text("method,set\nm,")
    assert Store(tmp_path).rows("a", {}, lambda: [ROW]) == [ROW]


def test_code_counts_and_what_is_said_about_it_does_not(tmp_path):
    texts = {
        "a": 'def f(x):\n    """One."""\n    return x + 1\n',
        "b": '"""A module."""\n\n\ndef f(x):\n    """Two."""\n    # why\n    return (x + 1)\n',
        "c": 'def f(x):\n    """One."""\n    return x + 2\n',
    }
    found = {}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text(text)
        found[name] = code_digest(tmp_path / name)
    assert found["a"] == found["b"] != found["c"]


def test_digests_of_weights_and_images_change_with_one_value():
    network = torch.nn.Linear(3, 2)
    before = weights_digest(network, {"t": np.zeros(3)})
    assert before == weights_digest(network, None, {"t": np.zeros(3)})
    assert before != weights_digest(network, {"t": np.zeros((3, 1))})
    with torch.no_grad():
        network.bias[1] += 1.0
    assert before != weights_digest(network, {"t": np.zeros(3)})
    case, other = a_case(), a_case()
    other.pixels[3, 3] += 1
    assert cases_digest([case]) == cases_digest([a_case()])
    assert len({cases_digest([case]), cases_digest([other]), cases_digest([replace(case, inverted=True)])}) == 3


# Intervals


def test_an_interval_covers_the_mean_of_what_was_drawn_from():
    generator, hits = np.random.default_rng(0), 0
    for _ in range(200):
        statistics = Bootstrap(rows_of("m", list(generator.normal(0.8, 0.1, 30))), draws=400)
        estimate = statistics.estimate("m", statistics.groups)
        hits += estimate.low <= 0.8 <= estimate.high
    assert 0.88 <= hits / 200 <= 0.98


def test_the_image_is_the_unit_two_lungs_alike_are_no_more_certain_than_one():
    values = list(np.linspace(0.5, 1.0, 20))
    one = Bootstrap(rows_of("m", values))
    two = Bootstrap(rows_of("m", values, "left") + rows_of("m", values, "right"))
    assert two.estimate("m", two.groups) == pytest.approx(one.estimate("m", one.groups))


def test_differences_are_those_on_the_same_images():
    values = list(np.linspace(0.2, 0.9, 15))
    rows = rows_of("a", values) + rows_of("b", [value - 0.1 for value in values])
    statistics = Bootstrap(rows[::-1])
    found = statistics.difference("a", "b", statistics.groups)
    assert found == pytest.approx((0.1, 0.1, 0.1)) and found.text(True) == "+0.100 (+0.100 to +0.100)"
    alone = statistics.estimate("a", statistics.groups)
    assert alone.high - alone.low > 0.1
    assert alone == Bootstrap(rows_of("a", values)).estimate("a", [("s", "c")]), "others change nothing"


def test_sets_count_alike_however_many_images_they_have():
    rows = rows_of("m", [1.0] * 30) + rows_of("m", [0.0] * 2, set_name="t")
    statistics = Bootstrap(rows)
    assert statistics.estimate("m", statistics.groups).mean == 0.5 == statistics.mean("m", statistics.groups)
    assert statistics.number_of_images(statistics.groups) == 32


def test_one_image_gives_no_interval():
    statistics = Bootstrap(rows_of("m", [0.7]))
    assert statistics.estimate("m", statistics.groups).text() == "0.700"


# Who takes part


@pytest.mark.parametrize("label", ["femur", "right lung"])
def test_thresholds_in_the_place_of_the_detector_take_the_same_pixels(label):
    gray = np.clip(np.random.default_rng(0).normal(90, 20, (60, 70)) + 80 * letter_l((60, 70)), 0, 255).round()
    radiograph, roi = Radiograph.from_array(gray.astype(np.uint8)), (5.0, 4.0, 66.0, 57.0)
    levels = radiograph.gray()[boxes.pixel_slices(roi, gray.shape)]
    wanted = {None: otsu(levels, label), 1: multi_otsu(levels, label, 1), 2: multi_otsu(levels, label, 2)}
    for parts, mask in wanted.items():
        box = ThresholdDetector(parts and {label: parts}).detect(radiograph.gray_image(), roi, label).box
        np.testing.assert_array_equal(rule_mask(radiograph, roi, box[2], box[5]), mask)
    assert wanted[1].sum() < wanted[2].sum()


def test_the_choice_between_gray_classes_is_the_better_one():
    rows = [{"class": "a", "parts": 1.0, "iou": 0.4}, {"class": "a", "parts": 2.0, "iou": 0.6}]
    assert chosen_parts(rows + [{"class": "b", "parts": 1.0, "iou": 0.3}]) == {"a": 2, "b": 1}


def test_what_decides_masks_is_in_the_digests():
    pipeline = load_pipeline(None, "cpu", "torch")
    box, otsus = of_single_box(pipeline), of_thresholds("Otsu", pipeline)
    assert box.depends["weights"] != otsus.depends["weights"] and box.parameters > otsus.parameters
    two = of_thresholds("multi-Otsu", pipeline, {"teeth": 2})
    assert two.depends["settings"] != of_thresholds("multi-Otsu", pipeline, {"teeth": 1}).depends["settings"]
    network = build("FCN", len(CLASSES))
    baseline = of_baseline("FCN", Trained(network, 1e-3, {}), CLASSES, Path())
    assert baseline.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_a_training_counts_as_finished_with_all_rates_and_final_weights(tmp_path):
    def make() -> torch.nn.Module:
        return torch.nn.Linear(2, 1)

    rates = (1e-2, 1e-3)
    assert finished(make, tmp_path, rates) is None
    (tmp_path / "final" / "checkpoints").mkdir(parents=True)
    network = make()
    torch.save(network.state_dict(), tmp_path / "final" / "network.pt")
    (tmp_path / "rates.json").write_text(json.dumps({"0.01": 0.4}))
    assert finished(make, tmp_path, rates) is None
    (tmp_path / "rates.json").write_text(json.dumps({"0.01": 0.4, "0.001": 0.7}))
    found = finished(make, tmp_path, rates)
    assert found.rate == 1e-3 and torch.equal(found.network.weight, network.weight)
    assert images_seen(tmp_path / "final", 4) is None
    torch.save({"global_step": 240}, tmp_path / "final" / "checkpoints" / "last.ckpt")
    assert images_seen(tmp_path / "final", 4) == 960


def test_surfaces_work_in_the_box_of_the_largest_part_of_other_masks():
    picture = simulate("knee", 3, (160, 160))
    case = Case("s", "1", "val", picture.gray8(), picture.label_map, {"femur": picture.labels["femur"]})
    truth = case.label_map == case.labels["femur"]
    guide = truth.copy()
    guide[-3:, -3:] = True  # far away
    masks = in_boxes(load_pipeline(None, "cpu"), lambda _: {"femur": guide})(case)
    x0, y0, x1, y1 = boxes.of_mask(masks["femur"])
    assert (masks["femur"] & truth).sum() > 0.8 * truth.sum()
    assert y1 < boxes.of_mask(guide)[3] - 3
    nothing = in_boxes(load_pipeline(None, "cpu"), lambda _: {"femur": np.zeros_like(truth)})(case)
    assert not nothing["femur"].any()


def test_every_set_gives_as_many_images():
    cases = [a_case(str(i), name) for name, count in (("a", 20), ("b", 3)) for i in range(count)]
    chosen = spread(cases, 4)
    assert [case.set_name for case in chosen] == ["a"] * 4 + ["b"] * 3 and chosen[1].name == "5"


@pytest.mark.parametrize("name", list(robustness.ALTERATIONS))
def test_alterations_change_what_they_say(name):
    case = a_case()
    case.label_map[:, :2] = 1  # at the edge, where collimation hides it
    altered = robustness.ALTERATIONS[name](case)
    assert altered.pixels.dtype == np.uint8 and altered.pixels.shape == altered.label_map.shape
    assert np.array_equal(altered.pixels, case.pixels) == (name == "as it is")
    moved = not np.array_equal(altered.label_map, case.label_map)
    assert moved == name.startswith(("turned", "collimated", "3 x"))


def test_squeezed_long_legs_stay_in_the_picture_when_turned():
    bar = np.zeros((1000, 125), np.uint8)
    bar[50:950, 60:65] = 1
    altered = robustness.ALTERATIONS["turned by 8 degrees"](Case("s", "1", "val", bar * 200, bar, {"femur": 1}))
    assert 0.98 < altered.label_map.sum() / bar.sum() < 1.02
    rows, columns = np.nonzero(altered.label_map)
    lean = np.polyfit(rows, columns, 1)[0] * 1000 / 125 / 2.5  # in pixels as high as wide
    assert abs(np.degrees(np.arctan(lean))) == pytest.approx(8.0, abs=0.2)
    np.testing.assert_array_equal(altered.pixels[altered.label_map == 1] > 0, True)


# Pictures


def test_the_best_the_median_and_the_worst_are_shown():
    cases = [a_case(str(i)) for i in range(5)]
    rows = rows_of("m", [0.5, 0.9, 0.1, 0.7, 0.6])
    assert {rank: case.name for rank, case in pictures.ranked(rows, cases).items()} == {
        "best": "1", "median": "4", "worst": "2",
    }  # fmt: skip
    assert list(pictures.ranked(rows, cases[:1])) == ["best"]


def test_colours_tell_right_missed_and_wrong():
    truth, mask = np.zeros((2, 2), bool), np.zeros((2, 2), bool)
    truth[0], mask[:, 0] = True, True
    picture = pictures.coloured(np.full((2, 2), 100.0), {"c": mask}, {"c": truth})
    nearest = [
        min((np.abs(np.array(colour) - picture[place]).sum(), name) for name, colour in COLOURS.items())[1]
        for place in ((0, 0), (0, 1), (1, 0))
    ]
    assert nearest == ["right", "missed", "wrong"]
    np.testing.assert_allclose(picture[1, 1], 100 / 255)


COLOURS = {"right": pictures.RIGHT, "missed": pictures.MISSED, "wrong": pictures.WRONG}


# The page


def test_the_page_holds_everything_and_loads_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not looked at")
    text = "# Title\n\n## Part <1>\n\n**bold** and `--code` & 0.5 (0.4 to 0.6)\n\n| a | b |\n|---|---|\n| x | 0.51 |\n"
    page = html.page(text + "\n- one\n- two\n\n![A caption](a.png)\n", "A & B", tmp_path).replace("\n", "")
    assert "<h2>Part &lt;1&gt;</h2>" in page and "<title>A &amp; B</title>" in page
    assert '<strong>bold</strong> and <code>--code</code> &amp; 0.5 <small>(0.4 to 0.6)</small>' in page
    assert '<tr><th>a</th><th>b</th></tr>' in page and '<tr><td>x</td><td class="n">0.51</td></tr>' in page
    assert "<li>one</li><li>two</li>" in page and "bm90IGxvb2tlZCBhdA==" in page and "A caption</figcaption>" in page
    assert 'alt="A caption"' in page and "<figure><img" in page
    assert "http" not in page and "<script" not in page and "<link" not in page and "@media print" in page


def test_html_in_a_report_is_text_and_names_keep_their_underscores(tmp_path):
    text = "<b>x</b> of knee_femur_left\n\n<script>go()</script>\n\n| a |\n|---|\n| <i>y</i> |\n"
    page = html.page(text, "T", tmp_path)
    assert "&lt;b&gt;x&lt;/b&gt; of knee_femur_left" in page and "&lt;script&gt;" in page and "&lt;i&gt;y" in page
    assert "<script" not in page and "<i>" not in page and "<em>" not in page


def test_a_picture_that_somebody_removed_does_not_take_the_tables_along(tmp_path):
    page = html.page("## Part\n\n![A caption](gone.png)\n\n| a |\n|---|\n| 0.5 |\n", "T", tmp_path)
    assert "<strong>Missing:</strong> A caption (gone.png)" in page and "0.5</td>" in page and "<img" not in page


def test_missing_parts_are_named_with_their_command(tmp_path):
    facts = {
        "command": "python -m training.compare x", "finished": "now", "seconds": 3.0, "machine": "one",
        "versions": {"GrayscaleDetSeg": "1"}, "data digest": "abc",
    }  # fmt: skip
    report.keep(tmp_path, "accuracy", "found it", facts)
    text = report.write(tmp_path, ["--data", "a folder", "--parts", "accuracy", "time", "--images", "8"])
    assert "found it" in text and text.count("**Missing.**") == len(report.PARTS) - 1
    assert "`python -m training.compare --data 'a folder' --images 8 --parts cross`" in text
    assert "same data" not in text
    report.keep(tmp_path, "cross", "that as well", {**facts, "data digest": "other"})
    assert "**Not all parts saw the same data**" in report.write(tmp_path, [])
    assert "that as well" in (tmp_path / "report.html").read_text()


def test_sets_that_are_not_there_are_named(tmp_path, capsys):
    arguments = ["--data", str(tmp_path), "--output", str(tmp_path / "out"), "--sets", "knees", "--parts", "accuracy"]
    assert compare.main(arguments) == 2
    said = capsys.readouterr().err
    assert "There is no folder" in said and "error: The data have 1 error, see the list" in said
    write_set(tmp_path / "knees", ["knee"], 1, 64)
    assert compare.main(arguments) == 2
    assert "No image for val in knees" in capsys.readouterr().err
    write_set(tmp_path / "knees", ["knee"], 5, 64)
    write_set(tmp_path / "jaws", ["teeth"], 5, 64)
    arguments = [*arguments[:-2], "jaws", "--parts", "cross", "--cross-sets", "knees", "jaws"]
    assert compare.main(arguments) == 2
    assert "No class of 'knees' is marked in the other sets" in capsys.readouterr().err


def test_pictures_of_data_stay_out_of_the_repository(capsys):
    root = Path(compare.__file__).resolve().parents[2]
    for place in (root, root / "training" / "report"):
        with pytest.raises(SystemExit):
            compare.main(["--data", "x", "--output", str(place), "--parts"])
    assert "outside the repository" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main(["--data", "x", "--output", str(root / "runs" / "x"), "--parts", "cross", "--cross-sets", "teeth"])
    assert "--cross-sets" in capsys.readouterr().err and not (root / "runs" / "x").exists()
