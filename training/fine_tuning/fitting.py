"""Fitting one network: epochs from measured steps, progress, the best state on val, and going on after a kill."""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import logging
import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities import move_data_to_device
from torch.utils.data import Dataset

from ..runs import CHECKPOINT, Run, StagedTraining, Validation
from ..runs.stages import Stage
from .context import Context, read_json, write_json
from .settings import NetworkSettings

_EPOCH_SECONDS = 0.4  # a checkpoint, and the start of the process that prepares samples
_SLACK = 0.93  # of the time that is planned with; the rest is for steps that take longer than the measured ones
_SHORTEST_EPOCH = 10  # steps
_TRIED, _MEASURING = 15, 0.05  # steps to measure with, and the share of the time that this may take

ROWS = {"detector": "output", "box": "classifier", "surfaces": "head"}
"""The layers that hold the rows of the classes."""


@dataclass(frozen=True)
class Plan:
    """What was settled before the first step.

    Parameters
    ----------
    epochs : list of int
        Of each stage.
    epoch_length : int
        Images or objects in an epoch.
    every : int
        Epochs from one look at val to the next.
    seconds : float
        How long it is to take; 0 if that was not asked for.
    before : float
        The figure on val at the start.
    """

    epochs: list[int]
    epoch_length: int
    every: int
    seconds: float = 0.0
    before: float = -1.0


def plan(settings: NetworkSettings, count: int, validations: int, timing: Timing | None) -> Plan:
    """Epochs by the configuration, or as many as fit into the time.

    Parameters
    ----------
    count : int
        Images or objects to train on.
    timing : Timing or None
        None where the configuration fixes the epochs.
    """
    batch = settings.batch_size
    whole = -(-count // batch)
    if timing is None:
        epochs = [stage.epochs for stage in settings.stages]
        if settings.epoch_length:
            whole = -(-settings.epoch_length // batch)
        return Plan(epochs, whole * batch, max(1, sum(epochs) // validations))
    seconds = max(0.0, _SLACK * timing.allotted - validations * timing.validation)
    steps = max(len(settings.stages), int(seconds / timing.step))
    # a checkpoint at least every tenth of the time, and epochs that are worth their overhead
    length = max(1, min(max(whole, _SHORTEST_EPOCH), steps // 10))
    length = max(length, round(4.0 * _EPOCH_SECONDS / timing.step) if steps >= 100 else 1)
    total = max(len(settings.stages), int(seconds / (length * timing.step + _EPOCH_SECONDS)))
    shares = [stage.share / sum(stage.share for stage in settings.stages) for stage in settings.stages]
    epochs = [max(1, round(share * total)) for share in shares[:-1]]
    epochs.append(max(1, total - sum(epochs)))
    return Plan(epochs, length * batch, max(1, sum(epochs) // validations), timing.allotted)


@dataclass(frozen=True)
class Timing:
    """Seconds: `allotted` to the network, measured of a `step` and of a look at val (`validation`)."""

    allotted: float
    step: float
    validation: float


def seconds_per_step(module: StagedTraining, loader, limit: float, device: str = "cpu") -> float:
    """The time of a training step of the whole network, samples included: the median on a copy, once it has warmed up.

    Measured over the batches of `loader`, or as many as `limit` seconds allow.
    """
    trial = copy.deepcopy(module).to(device)
    trial.log_dict = lambda *_, **__: None
    trial.train()
    trial.freeze("all")
    optimizer = torch.optim.AdamW(trial.parameters(), 1e-4)
    times = [time.monotonic()]
    for index, batch in enumerate(loader):
        loss = trial.training_step(move_data_to_device(batch, torch.device(device)), index)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        float(loss.detach())  # wait for the device
        times.append(time.monotonic())
        if times[-1] - times[0] > limit:
            break
    steps = [after - before for before, after in itertools.pairwise(times)]
    return statistics.median(steps[len(steps) // 3 :])


class Progress(Validation):
    """Shows where a run is, judges it on val every few epochs, and keeps the best state of the network.

    Parameters
    ----------
    figures : callable (module) -> (dict, list of str)
        Those of the network's own ``Validation``.
    key : str
        The figure that counts, and what people call it.
    """

    def __init__(
        self, title: str, figures: Callable, key: str, what: str, plan: Plan, folder: Path, context: Context
    ) -> None:
        super().__init__(plan.every)
        self.title, self.figures_of, self.key, self.what = title, figures, key, what
        self.plan, self.folder, self.context = plan, folder, context
        self.best, self.best_epoch = plan.before, 0  # the start may be the best
        self._begun, self._first = time.monotonic(), None

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]

    def on_train_batch_end(self, trainer: lightning.Trainer, module: StagedTraining, *_: Any) -> None:
        """Draw the progress, with the time left."""
        total = sum(self.plan.epochs) * module.steps_per_epoch
        if self._first is None:
            self._first, self._begun = trainer.global_step, time.monotonic()
            return
        text = f"{self.title}, epoch {trainer.current_epoch + 1} of {sum(self.plan.epochs)}"
        left = self.seconds_left(trainer.global_step, total)
        self.context.reporter.draw(trainer.global_step, total, f"{text}, {duration(left)} left")

    def where(self) -> str:
        """When the network was best."""
        return f"epoch {self.best_epoch}" if self.best_epoch else "at the start"

    def seconds_left(self, step: int, total: int) -> float:
        """By the pace so far, with what is planned for the networks after this one."""
        pace = (time.monotonic() - self._begun) / max(1, step - (self._first or 0))
        name, budget = self.folder.name, self.context.budget
        return pace * (total - step) + (budget.after(name) if budget else 0.0)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: StagedTraining) -> None:
        """Judge the network, and keep it if none was better before."""
        epoch, total = trainer.current_epoch + 1, sum(self.plan.epochs)
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        module.eval()
        figures, lines = self.figures_of(module)
        module.train()
        module.log_dict({f"val/{name}": value for name, value in figures.items()}, batch_size=1)
        value = figures[self.key]
        if value >= self.best:
            self.best, self.best_epoch = value, epoch
            save(module.network.state_dict(), self.folder / "best.pt")
        left = self.seconds_left(trainer.global_step, total * module.steps_per_epoch)
        best = "" if self.best_epoch == epoch else f" (best {self.best:.3f}, {self.where()})"
        until = f", {duration(left)} left" if self.context.budget or epoch < total else ""
        self.context.reporter.say(
            f"{self.title}: epoch {epoch} of {total}, {self.what} on val {value:.3f}{best}{until}"
        )
        for line in lines:
            self.context.reporter.note(f"   {line}")


def fit(
    name: str,
    title: str,
    context: Context,
    module: StagedTraining,
    dataset: Dataset,
    figures: Callable,
    key: tuple[str, str],
    clip: float,
    collate: Callable | None = None,
    reserve: float = 0.0,
) -> None:
    """Train a network by the plan of its folder, which is made if it is not there; `module` ends with the best state.

    Parameters
    ----------
    name : str
        Of the network in the settings, and of its folder.
    key : tuple of 2 str
        The figure to choose by, and what people call it.
    reserve : float
        Seconds of the network's time that are needed afterwards.
    """
    settings: NetworkSettings = context.settings.networks[name]
    folder = context.work / name
    folder.mkdir(parents=True, exist_ok=True)
    values = {"seed": context.settings.seed, "batch_size": settings.batch_size, "balance": settings.balance}

    def run(length: int) -> Run:
        return Run(context.work, folder, None, {**values, "epoch_length": length}, context.workers)

    known = read_json(folder / "plan.json")
    if known is None:
        timing, started = None, time.monotonic()
        module.eval()
        before = figures(module)[0][key[0]]
        save(module.network.state_dict(), folder / "best.pt")
        look = time.monotonic() - started
        if context.budget and not settings.is_fixed:
            trial = run(settings.batch_size * _TRIED)
            limit = min(20.0, _MEASURING * context.budget.allotted(name))
            device = "cuda" if trial.machine.on_gpu() else "cpu"
            step = seconds_per_step(module, trial.loader(dataset, collate), limit, device)
            allotted = context.budget.allotted(name) - reserve - (time.monotonic() - started)
            timing = Timing(allotted, step, look)
            context.reporter.note(f"{title}: {step:.3f} s a step, {look:.1f} s for val, {allotted:.0f} s to train")
        chosen = plan(settings, len(dataset), context.settings.validations, timing)
        known = {**vars(chosen), "before": before}
        write_json(folder / "plan.json", known)
    chosen = Plan(**known)
    stages: list[Stage] = [stage.stage(epochs) for stage, epochs in zip(settings.stages, chosen.epochs)]
    if context.kept:  # what their rows work on must not move
        stages = [replace(stage, trainable=ROWS[name]) for stage in stages]
    ordered = run(chosen.epoch_length)
    loader = ordered.loader(dataset, collate)
    module.stages, module.steps_per_epoch = stages, len(loader)
    epochs = " + ".join(map(str, chosen.epochs))
    context.reporter.say(
        f"{title}: {key[1]} on val {chosen.before:.3f} at the start; {epochs} epochs of {chosen.epoch_length} samples"
    )
    progress = Progress(title, figures, *key, chosen, folder, context)
    if (folder / CHECKPOINT).exists():
        context.reporter.say(f"{title}: goes on from its last checkpoint")
    with quiet():
        try:
            ordered.fit(module, loader, progress, clip, quiet=True)
        except SystemExit as leaving:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from leaving
    best = torch.load(folder / "best.pt", weights_only=True, map_location="cpu")
    module.network.load_state_dict(best)
    module.network.eval()


@contextlib.contextmanager
def quiet():
    """What libraries and shared parts of the training print is left out; the network's own log has it."""
    logger = logging.getLogger("lightning.fabric")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Save tensors, aside first: a kill leaves the file as it was."""
    aside = path.with_name(path.name + ".part")
    torch.save(tensors, aside)
    os.replace(aside, path)


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    return f"{round(seconds / 60)} min"
