"""The tables of article 002: what is trained once, what rows they have, and what their figures are of."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tomllib
import torch

from GrayscaleDetSegLib.core.volumes.iteration import fixed_points
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from GrayscaleDetSegLib.core.volumes.views import dsc
from training.simulate.volumes import LABELS, phantom, write_set
from training.volumes.cases import VolumeDataError, folded, read_volume_set
from training.volumes.coarse_to_fine import __main__ as command
from training.volumes.coarse_to_fine import measure, plan, tables
from training.volumes.coarse_to_fine.tables import Row, agreement, duel, pair, table
from training.volumes.data import prepared
from training.volumes.table import Judged

STRUCTURES, TOGETHER, FOLDS = tables.STRUCTURES, tables.TOGETHER, tables.FOLDS
PLAN = """
[base.heart]
seed = 3
sets = ["phantoms"]
batch_size = 2
epoch_length = 4
validate_every = 5
validate_with = 1
[base.heart.target]
labels = ["organ", "lesion"]
[base.heart.iteration]
rounds = 2
vote = "mean"
[base.heart.training]
loss = "dsc+ce"
[base.heart.augmentation]
[base.heart.network]
channels = [4, 8]
[[base.heart.stages]]
trainable = "all"
learning_rate = 5e-3
epochs = 1
[method.step_wise]
[method.rstn.network]
saliency = "3x3"
[[run]]
name = "heart_step_wise"
base = "heart"
method = "step_wise"
[[run]]
name = "heart_rstn"
base = "heart"
method = "rstn"
[[run]]
name = "heart_1x1"
base = "heart"
method = "rstn"
network.saliency = "1x1"
training.predictions_from = 1.0
[[run]]
name = "organ_step_wise"
base = "heart"
method = "step_wise"
start = "heart_step_wise"
target = { label = "organ", of = ["organ", "lesion"] }
[[run]]
name = "lesion_step_wise"
base = "heart"
method = "step_wise"
target = { label = "lesion" }
[[run]]
name = "lesion_in_organ_step_wise"
base = "heart"
method = "step_wise"
target = { label = "lesion", within = "organ", within_of = ["organ", "lesion"], reach = 0.1 }
[base.anew]
base = "heart"
start = ""
[base.anew.network]
channels = [4]
views = ["axial"]
"""
RUNS = {
    "alone_organ": 'target = { label = "organ" }', "alone_lesion": 'target = { label = "lesion" }', "together": "",
    "fold_1": "fold = [1, 2]", "fold_2": "fold = [2, 2]",
}  # fmt: skip
PLAN += "".join(
    f'[[run]]\nname = "{name}_{method}"\nbase = "anew"\nmethod = "{method}"\n{own}\n'
    for name, own in RUNS.items()
    for method in ("step_wise", "rstn")
    if (name, method) != ("together", "rstn")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coarse_to_fine")
    write_set(folder / "data" / "phantoms", 5, size=24, decoys=True)
    (folder / "plan.toml").write_text(PLAN)
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(tables, "STRUCTURES", ("alone_organ", "alone_lesion"))
    monkeypatch.setattr(tables, "TOGETHER", "together")
    monkeypatch.setattr(tables, "FOLDS", 2)


def run(folder, *more: str) -> int:
    return command.main([
        "--data", str(folder / "data"), "--output", str(folder / "out"), "--plan", str(folder / "plan.toml"),
        "--precision", "32", *more,
    ])  # fmt: skip


def test_all_tables_are_made_and_the_same_command_trains_and_judges_nothing_again(folder, capsys, monkeypatch):
    assert run(folder, "--finished") == 0 and not capsys.readouterr().out.strip(), "nothing is trained yet"
    assert run(folder) == 0
    text = (folder / "out" / "tables.md").read_text()
    assert capsys.readouterr().out.rstrip().endswith(text.rstrip())
    for part in (
        "(Table 3.2)", "True boxes", "(Tables 3.3, 3.4)", "parts exchanged", "by rounds", "rounds agree", "(Table 3.5)",
        "Seconds a volume", "| coarse: step-wise, fine: recurrent |", "| coarse, axial alone |", "| 1 x 1 |",
        "| lesion in the true organ |", "| after 10 rounds |", "| lesion |", "each structure alone, step-wise and",
        "step-wise, each alone and all together (Table 3.4)", "in 2 folds", "by majority and by mean (3.3, 3.4)",
    ):  # fmt: skip
        assert part in text, part
    assert "Phantoms' organ: step-wise and" not in text, "its recurrent run is not in the plan"

    for method in plan.TRAININGS:
        monkeypatch.setitem(plan.TRAININGS, method, lambda arguments: pytest.fail("it is trained already"))
    monkeypatch.setattr(measure, "fixed_points", lambda *a, **k: pytest.fail("it is judged already"))
    kept = [part for part in command.PARTS if part != "time"]
    assert run(folder, "--only", *kept) == 0
    again = (folder / "out" / "tables.md").read_text()
    assert again.rstrip() == text[: text.index("### Seconds")].rstrip()


def test_finished_runs_of_other_sets_take_part_by_their_folders(folder, capsys):
    out = folder / "out"
    assert run(folder, "--only", "pairs", "--pair", "other", str(out / "heart_step_wise"), str(out / "heart_1x1")) == 0
    assert "### other: step-wise and recurrent" in capsys.readouterr().out
    assert run(folder, "--pair", "other", str(out), str(out / "heart_1x1")) == 2
    assert "is no finished run" in capsys.readouterr().err


def test_a_run_has_the_settings_of_its_base_its_method_and_its_own_over_them(folder):
    planned = plan.read_plan(folder / "plan.toml")
    own = planned["heart_1x1"].settings
    assert own["network"] == {"channels": [4, 8], "saliency": "1x1"}
    assert planned["heart_rstn"].settings["network"]["saliency"] == "3x3"
    assert "saliency" not in planned["heart_step_wise"].settings["network"]
    assert planned["organ_step_wise"].settings["target"] == {"label": "organ", "of": ["organ", "lesion"]}
    assert tomllib.loads(plan.toml(own)) == own, "as text and back"
    assert planned["heart_1x1"].slices == 4
    assert planned["organ_step_wise"].start is planned["heart_step_wise"] and planned["heart_rstn"].start is None
    assert plan.read_plan()["heart_rstn"].start.settings["stages"][0]["epochs"] == 24, "of a file beside the plan"


def test_the_plan_of_the_article_fits_its_tables():
    planned = plan.read_plan()
    slices: dict[str, set] = {}
    for each in planned.values():
        if each.name not in ("heart", "hippocampus_both", "prostate"):  # which others begin with
            start = each.start and each.start.name
            slices.setdefault((each.settings["sets"][0], start), set()).add(each.slices)
    assert len(slices) == 4 and all(len(counts) == 1 for counts in slices.values()), "alike begun, all see as many"
    wanted = {*tables.SALIENCY, *(name for both in command.PAIRS.values() for name in both)}
    organs = [name for *names, _ in command.ORGANS.values() for name in names]
    apart = [*STRUCTURES, TOGETHER, *(f"fold_{number}" for number in range(1, FOLDS + 1))]
    wanted |= {f"{name}_{method}" for name in (*organs, *apart) for method in plan.TRAININGS}
    assert wanted <= set(planned)
    for number in range(1, FOLDS + 1):
        assert planned[f"fold_{number}_rstn"].settings["fold"] == [number, FOLDS]
    kinds = {(planned[n].settings["network"]["saliency"], planned[n].settings["training"]["predictions_from"] < 1)
             for n in tables.SALIENCY}  # fmt: skip
    assert kinds == {
        ("3x3", False), ("1x1", False), ("5x5", False), ("3x3 3x3", False), ("3x3", True), ("3x3 3x3", True)
    }  # fmt: skip


def test_exchanged_networks_have_one_runs_coarse_and_the_others_fine_and_saliency():
    torch.manual_seed(0)
    own, joint = Networks(NetworkConfig(channels=(4,))), Networks(NetworkConfig(channels=(4,), saliency="3x3"))
    mixed = measure.exchanged(own, joint)["axial"]
    assert torch.equal(mixed.coarse.head.weight, own["axial"].coarse.head.weight)
    assert torch.equal(mixed.fine.head.weight, joint["axial"].fine.head.weight)
    assert torch.equal(mixed.saliency.layers[0].weight, joint["axial"].saliency.layers[0].weight)
    assert measure.exchanged(joint, own)["axial"].saliency is None


def test_a_coarse_look_is_taken_once_however_many_rows_begin_with_it():
    asked = []

    class Counting(torch.nn.Module):
        def forward(self, images):
            asked.append(images)
            return images + 1.0

    network = measure.Remembered(Counting())
    images = torch.rand(1, 3, 4, 4)
    assert torch.equal(network(images), network(images.clone())) and len(asked) == 1
    assert torch.equal(network(images * 0.5), images * 0.5 + 1.0) and len(asked) == 2


def test_four_stages_are_judged_on_the_whole_volume(folder):
    out = folder / "out"
    planned = plan.read_plan(folder / "plan.toml")
    runs = [planned[f"{name}_step_wise"].train(folder / "data", out, "32") for name in ("organ", "lesion_in_organ")]
    judged = measure.within(*runs, folder / "data")
    assert judged.labels == ("lesion",) and len(judged.cases) == 1
    (kept,) = out.glob("lesion_in_organ_step_wise/within_*.json")
    organ, rounds = judged.cases[0]["organ"]
    assert json.loads(kept.read_text())["cases"][0]["organ"] == [list(organ), rounds]
    values = {name: row[0][0] for name, row in judged.cases[0].items()}
    assert set(values) == {"organ, coarse", "organ", "coarse", "as shipped", "in the true organ"}
    assert all(0.0 <= value <= 1.0 for value in values.values())


def test_folds_hold_every_patient_once_and_are_drawn_alike(folder):
    cases = read_volume_set(folder / "data" / "phantoms")
    doubled = [*cases, *(replace(case, name=f"{case.name}_again") for case in cases)]
    vals = [{c.patient for c in folded(doubled, n, 2) if c.split == "val"} for n in (1, 2)]
    assert not vals[0] & vals[1] and vals[0] | vals[1] == {c.patient for c in cases}
    assert sorted(map(len, vals)) == [2, 3] and folded(doubled, 1, 2) == folded(doubled, 1, 2)
    again = folded(doubled, 2, 2)
    assert {c.patient for c in again if c.split == "train"} == vals[0], "a patient's volumes stay together"
    for wrong in ((0, 2), (3, 2), (1, 1), (1, 6)):
        with pytest.raises(VolumeDataError, match="fold"):
            folded(cases, *wrong)


def test_what_networks_of_one_label_each_claim_twice_goes_to_the_surer_one(folder):
    planned = plan.read_plan(folder / "plan.toml")
    data, out = folder / "data", folder / "out"
    runs = [planned[f"{name}_step_wise"].train(data, out, "32") for name in tables.STRUCTURES]
    judged = measure.separate(runs, data, out)
    assert judged.labels == ("organ", "lesion")
    each = [measure.Finished.of(run, folder / "data") for run in runs]
    ready = [prepared(one.cases[0], one.target, one.seen) for one in each]
    (first,), (second,) = (fixed_points(of.working, one.networks, one.settings) for of, one in zip(ready, each))
    both, surer = first.mask & second.mask, first.probability >= second.probability
    assert both.any(), "or it would show nothing"
    masks = first.mask & ~(both & ~surer), second.mask & ~(both & surer)
    assert judged.cases[0][measure.END][0] == [dsc(mask, of.mask) for mask, of in zip(masks, ready)]
    shares = [float(both.sum() / each.mask.sum()) for each in (first, second)]
    np.testing.assert_allclose(judged.cases[0][measure.CLAIMED][0], shares)


def test_a_majority_of_the_views_is_measured_beside_their_mean(folder, monkeypatch):
    planned = plan.read_plan(folder / "plan.toml")
    run = planned["organ_step_wise"].train(folder / "data", folder / "out", "32")
    finished = measure.Finished.of(run, folder / "data")
    case, coarse = prepared(finished.cases[0], finished.target, finished.seen), replace(finished.settings, rounds=0)
    alone = [measure.one_view(finished.networks, view) for view in finished.networks]
    masks = [fixed_points(case.working, each, coarse)[0].mask for each in alone]
    assert measure.voted(run, folder / "data").cases[0]["coarse"][0] == [dsc(np.sum(masks, axis=0) >= 2, case.mask)]

    monkeypatch.setattr(measure.Finished, "of", lambda run, data: replace(finished, networks=alone[0]))
    assert measure.voted(run, folder / "data") is None, "one view has no majority"


def judged_of(values: list[float], d: list[list[float]]) -> Judged:
    cases = tuple(
        {"coarse": ([value - 0.1], 0.0), "as shipped": ([value], 2.0), "d": (each, 0.0)}
        for value, each in zip(values, d)
    )
    return Judged(("x",), tuple("ab"[: len(values)]), cases, 1, 0.1)


def test_differences_are_of_the_same_volumes():
    first, second = Row("a", np.array([0.5, 0.7]), "pq"), Row("b", np.array([0.6, 0.9]), "pq")
    assert duel(second, first) == ("+15.0 (+10.0 to +20.0)", "2 : 0")
    assert duel(first, first) == ("+0.0 (+0.0 to +0.0)", "0 : 0")
    one, *_ = table([Row("o", first.scores, "pq", other=True), first], first)[2:]
    assert one.endswith("|  |  |  |"), "something else is compared with nothing"
    lines = table([first, Row("c", np.array([0.0, 0.7]), "pq")], first, missed=True)
    assert lines[2].endswith("| 0 of 2 |  |  |") and "1 of 2" in lines[3] and lines[3].endswith("0 : 1 |")


def test_pairs_and_agreement_read_ends_and_rounds():
    rounds = [[0.8, 0.96], [0.9, 0.92]]
    first, second = judged_of([0.5, 0.6], rounds), judged_of([0.6, 0.55], [[0.99] * 10, [0.95]])
    (line,) = pair(first, second)[2:]
    assert "| +2.5 (-5.0 to +10.0) | 1 : 1 | +10.0, -5.0 | 2.0, 2.0 |" in line
    text = agreement({"one": first, "two": second})
    assert "| one | 0.8500 | 0.9400 |" in text[2] and text[2].endswith("| 2 of 2 | 1 of 2 | 0 of 2 |")
    assert "| two | 0.9700 |" in text[3] and text[3].endswith("| 2 of 2 | 2 of 2 | 1 of 2 |")


def test_with_decoys_look_alikes_of_the_organ_hold_such_of_the_lesion():
    plain, made = phantom(1, 40, noise=0.0), phantom(1, 40, noise=0.0, decoys=True)
    lesion = made.labels == LABELS["lesion"]
    bright = made.voxels == made.voxels[lesion][0]
    assert (bright & ~lesion).sum() > (plain.voxels == made.voxels[lesion][0]).sum() - (plain.labels == 2).sum()
    assert (made.labels > 0).mean() < 0.015
