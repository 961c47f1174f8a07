"""What a run keeps, how it goes on within an epoch, and how several processes share it."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("lightning", reason="training needs the extra 'training'")

from Testing.toy_run import Numbers, train  # noqa: E402
from training import box_detector, runs  # noqa: E402
from training.runs import Machine, Run, RunError, Validation, record  # noqa: E402
from training.runs.loop import Progress  # noqa: E402
from training.sampling import EpochSampler  # noqa: E402
from training.simulate.sets import write_set  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
OFTEN = Machine("cpu", save_minutes=0.0)
"""A checkpoint at every tenth step."""


def weights(folder):
    return torch.load(folder / "network.pt", weights_only=True)


def same(first, second):
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_goes_on_at_the_step_where_it_was_saved(workers, tmp_path):
    """With dropout, in the middle of an epoch: what it sees and what it learns are those of an unbroken run."""
    whole = train(tmp_path / "whole", OFTEN, 0.5, workers=workers)
    assert [step for step, *_ in whole.seen] == list(range(21)) and whole.steps_per_epoch == 7
    with pytest.raises(RuntimeError, match="power cut"):
        train(tmp_path / "cut", OFTEN, 0.5, stop=12, workers=workers)
    assert not (tmp_path / "cut" / "network.pt").exists()
    rest = train(tmp_path / "cut", OFTEN, 0.5, workers=workers)
    assert rest.seen == whole.seen[10:], "steps 10 to 13 are the rest of the second epoch"
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))
    sessions = json.loads((tmp_path / "cut" / "run.json").read_text())["sessions"]
    assert [(item["outcome"], item["step"]) for item in sessions] == [("cut off", 12), ("finished", 21)]
    assert "finished at step 21" in (tmp_path / "cut" / "log.txt").read_text()


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_cut_off_between_epochs_and_one_that_is_finished(workers, tmp_path):
    whole = train(tmp_path / "whole", Machine("cpu"), 0.5)
    with pytest.raises(RuntimeError, match="power cut"):
        train(tmp_path / "cut", Machine("cpu"), 0.5, stop=9, workers=workers)
    rest = train(tmp_path / "cut", Machine("cpu"), 0.5, workers=workers)
    assert rest.seen == whole.seen[7:], "saved at the end of an epoch alone"
    assert train(tmp_path / "cut", Machine("cpu"), 0.5).seen == []
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_run_that_is_told_to_end_saves_where_it_is(tmp_path, monkeypatch):
    whole = train(tmp_path / "whole", Machine("cpu"), 0.5)
    monkeypatch.setattr("Testing.toy_run.Toy.end", lambda self: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        train(tmp_path / "cut", Machine("cpu"), 0.5, stop=11)
    rest = train(tmp_path / "cut", Machine("cpu"), 0.5)
    assert rest.seen == whole.seen[12:]
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


BOX = """
width = 0.0625
context = true
side = 8
seed = 3
batch_size = 3
validate_every = 9
sets = ["simulated"]
[anchors]
bins = 32
scales = [10, 16, 24]
stride = 2
[[stages]]
trainable = "head"
learning_rate = 1e-3
epochs = 1
[[stages]]
trainable = "all"
learning_rate = 1e-3
epochs = 1
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "simulated", ["chest", "knee"], 6, 64, 0)
    return folder


def order(data, output, config=BOX, *more):
    path = output.parent / "config.toml"
    path.write_text(config)
    return ["--data", str(data), "--config", str(path), "--output", str(output), "--workers", "0", "--accelerator",
            "cpu", "--save-minutes", "0", *more]  # fmt: skip


def test_a_command_that_is_killed_in_an_epoch_ends_as_an_unbroken_one(data, tmp_path):
    """PointNet, with its dropout and batch norms, by the command itself and a signal that nobody can catch."""
    assert box_detector.main(order(data, tmp_path / "whole")) == 0
    script = (
        "import os, signal, sys\n"
        "from training import box_detector\n"
        "class Killed(box_detector.BoxTraining):\n"
        "    def training_step(self, batch, batch_idx):\n"
        "        if self.global_step == 11:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().training_step(batch, batch_idx)\n"
        "box_detector.BoxTraining = Killed\n"
        "box_detector.main(sys.argv[1:])\n"
    )
    arguments = order(data, tmp_path / "cut")
    done = subprocess.run([sys.executable, "-c", script, *arguments], env=environment(), capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    saved = torch.load(tmp_path / "cut" / runs.CHECKPOINT, weights_only=True)
    steps = json.loads((tmp_path / "whole" / "run.json").read_text())["sessions"][0]["step"]
    assert saved["global_step"] == 10 and 10 % (steps // 2), "not at the end of one of the two epochs"
    assert box_detector.main(arguments) == 0
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def environment():
    path = os.pathsep.join([str(ROOT), str(ROOT / "GrayscaleDetSeg")])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def as_torchrun(rank, port, output, stop):
    """What one of two processes does that torchrun starts: its environment says which it is."""
    os.environ |= {
        "TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "RANK": str(rank),
        "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0",
    }  # fmt: skip
    machine = Machine.of(parsed("--accelerator", "cpu", "--save-minutes", "0"))
    module = train(output, machine, stop=stop)
    torch.save({"seen": module.seen, "weights": module.network.state_dict()}, output / f"rank{rank}.pt")


def parsed(*arguments):
    parser = argparse.ArgumentParser()
    Machine.add_to(parser)
    return parser.parse_args(arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="the two processes are forked")
@pytest.mark.parametrize("begun_by", [1, 2])
def test_two_processes_share_what_one_would_do(begun_by, tmp_path):
    """On the CPU: the same images in every step, and after it the same weights but for rounding; also if cut off,
    and if one process began what two go on with."""
    alone = train(tmp_path / "alone", Machine("cpu"))
    context = multiprocessing.get_context("fork")  # a fresh process takes its time to import torch
    if begun_by == 1:
        with pytest.raises(RuntimeError, match="power cut"):
            train(tmp_path / "two", OFTEN, stop=12)
    for stop in (12, None)[2 - begun_by :]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        pair = [context.Process(target=as_torchrun, args=(rank, port, tmp_path / "two", stop)) for rank in (0, 1)]
        for process in pair:
            process.start()
        for process in pair:
            process.join(60)
        assert [process.exitcode for process in pair] == ([0, 0] if stop is None else [1, 1])
    first, second = (torch.load(tmp_path / "two" / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert [step for step, *_ in first["seen"]] == list(range(10, 21)), "resumed at the step it was saved at"
    for whole, ours, theirs in zip(alone.seen[10:], first["seen"], second["seen"]):
        assert len(ours) == len(theirs) == 3 and ours[0] == theirs[0] == whole[0]
        assert sorted(whole[1:]) == sorted(ours[1:] + theirs[1:])
    assert same(first["weights"], second["weights"]) and same(first["weights"], weights(tmp_path / "two"))
    for name, tensor in weights(tmp_path / "alone").items():
        torch.testing.assert_close(tensor, first["weights"][name], rtol=1e-4, atol=1e-5)
    sessions = json.loads((tmp_path / "two" / "run.json").read_text())["sessions"]
    assert [item["step"] for item in sessions] == [12, 21], "one of them writes"


def test_all_processes_judge_the_network_and_the_first_says_it(capsys):
    """Those that went on alone would wait for the first, and give up where judging takes longer than they wait."""
    judged = []

    class Judging(Validation):
        def figures(self, module):
            judged.append(module)
            return {"iou": 0.5}, ["a line"]

    module = SimpleNamespace(eval=lambda: None, train=lambda: None, log_dict=lambda *_, **__: None)
    for is_first in (True, False):
        trainer = SimpleNamespace(is_global_zero=is_first, current_epoch=1, max_epochs=9)
        Judging(2).on_train_epoch_end(trainer, module)
        Judging(3).on_train_epoch_end(trainer, module)
    assert len(judged) == 2 and capsys.readouterr().out.count("iou 0.5") == 1


def test_processes_take_turns_at_the_draws(monkeypatch):
    names = Numbers.set_names
    monkeypatch.setattr("training.sampling.distributed.is_initialized", lambda: True)

    def draws(rank, processes, seen=0):
        monkeypatch.setattr("training.sampling.distributed.get_rank", lambda: rank)
        sampler = EpochSampler(names, 0.5, 1, 27, processes)
        sampler.set_epoch(2)
        sampler.resume(2, seen)
        assert len(sampler) == 27 // processes
        return list(sampler)

    whole = draws(0, 1)
    shares = [draws(rank, 3) for rank in range(3)]
    assert whole == [index for group in zip(*shares) for index in group]
    assert draws(1, 3, seen=4) == shares[1][4:]
    assert draws(1, 2) == whole[1::2][:13] and len(draws(0, 2)) == 13


def test_a_batch_that_cannot_be_shared_and_machines_that_contradict(tmp_path, monkeypatch, capsys):
    with pytest.raises(RunError, match="batch of 4 cannot be shared by 3 processes"):
        Run(Path(), tmp_path, None, {"batch_size": 4}, 0, machine=Machine(devices=3)).batch_size  # noqa: B018
    assert Run(Path(), tmp_path, None, {"batch_size": 4}, 0, machine=Machine(devices=2, nodes=2)).batch_size == 1
    for key, value in {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "6"}.items():
        monkeypatch.setenv(key, value)
    machine = Machine.of(parsed())
    assert (machine.devices, machine.nodes, machine.processes) == (2, 3, 6)
    with pytest.raises(RunError, match="2 processes on each of 3 machines"):
        Machine.of(parsed("--devices", "4"))


def test_a_folder_with_another_run_is_refused(data, tmp_path, capsys):
    output = tmp_path / "run"
    assert box_detector.main(order(data, output)) == 0
    kept = json.loads((output / "run.json").read_text())
    assert kept["seed"] == 3 and kept["data"]["images"]["train"] > 0
    assert set(kept["sessions"][0]) >= {"started", "ended", "code", "command", "software", "machine"}
    assert "objects for training" in (output / "data.txt").read_text()
    before = weights(output)
    assert box_detector.main(order(data, output, BOX.replace("1e-3", "2e-3"))) == 2
    assert "another configuration" in capsys.readouterr().err
    images = sorted((data / "simulated" / "images").iterdir())
    content = images[0].read_bytes()
    images[0].write_bytes(images[1].read_bytes())
    try:
        assert box_detector.main(order(data, output, BOX, "--skip-bad")) == 2
        assert "other data" in capsys.readouterr().err
    finally:
        images[0].write_bytes(content)
    assert same(before, weights(output))


def test_bad_data_stop_a_training_before_it_starts(data, tmp_path, capsys):
    label = sorted((data / "simulated" / "labels").iterdir())[0]
    content = label.read_bytes()
    label.unlink()
    try:
        assert box_detector.main(order(data, tmp_path / "run")) == 2
        said = capsys.readouterr()
        assert f"{label.stem}: an image without label map" in said.out and said.err.count("\n") == 1
        assert "--skip-bad" in said.err and not (tmp_path / "run").exists()
    finally:
        label.write_bytes(content)
    table = data / "simulated" / "split.csv"
    content = table.read_text()
    table.write_text(content.replace(",val", ",train"))
    try:
        assert box_detector.main(order(data, tmp_path / "run")) == 2
        assert "No image of simulated is for validation" in capsys.readouterr().err
    finally:
        table.write_text(content)
    assert box_detector.main(order(data, tmp_path / "run", BOX.replace("batch_size = 3", "batch_size = 99"))) == 2
    assert "fewer than a batch of 99" in capsys.readouterr().err


def test_mixed_precision_learns_as_well(tmp_path):
    plain, mixed = (train(tmp_path / kind, Machine("cpu", precision=kind)) for kind in ("32", "bf16"))
    assert plain.seen == mixed.seen
    for name, tensor in weights(tmp_path / "32").items():
        other = weights(tmp_path / "bf16")[name]
        assert other.dtype == torch.float32 and not torch.equal(tensor, other)
        torch.testing.assert_close(tensor, other, rtol=0.1, atol=0.1)


def test_the_version_of_the_code(tmp_path):
    def git(*arguments):
        subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
                       check=True, capture_output=True)  # fmt: skip

    assert record.code_version(tmp_path)["commit"] is None
    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "a")
    clean = record.code_version(tmp_path)
    assert len(clean["commit"]) == 40 and clean["dirty"] is False
    (tmp_path / "a").write_text("2")
    assert record.code_version(tmp_path) == {**clean, "dirty": True}
    (tmp_path / "below").mkdir()
    assert record.code_version(tmp_path / "below")["commit"] is None, "somebody else's repository"


def test_progress_tells_where_a_run_is(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("training.runs.run.Progress", lambda: Progress(0.0))
    train(tmp_path / "run", Machine("cpu"))
    said = capsys.readouterr().out
    assert "step 21 of 21 (epoch 3 of 3): loss " in said and "0 min left" in said
    assert said.splitlines()[0] in (tmp_path / "run" / "log.txt").read_text()
