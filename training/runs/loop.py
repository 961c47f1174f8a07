"""The training loop over Lightning: stages, what happens on val, checkpoints within an epoch, and progress."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch.nn.modules.batchnorm import _BatchNorm

from ..sampling import EpochSampler
from .record import say
from .stages import Stage, stage_rate


class StagedTraining(lightning.LightningModule):
    """A network trained by stages: before every step the stage's learning rate is set and its freeze rule applied.

    Parameters
    ----------
    network : torch module
    stages : list of Stage
    steps_per_epoch : int
    weight_decay : float
    """

    seed = 0
    """With the step it decides every random number of the loop (dropout); ``Run.fit`` sets it."""

    def __init__(
        self, network: torch.nn.Module, stages: list[Stage], steps_per_epoch: int, weight_decay: float
    ) -> None:
        super().__init__()
        self.network, self.stages = network, stages
        self.steps_per_epoch, self.weight_decay = steps_per_epoch, weight_decay

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        """The modules of the network that learn in a stage with this `trainable` other than ``"all"``."""
        raise ValueError(f"{type(self).__name__} has no part called {trainable!r} that could learn alone.")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), self.stages[0].learning_rate, weight_decay=self.weight_decay)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        # so that a resumed run repeats an unbroken one without keeping the states of the generators
        state = np.random.SeedSequence([self.seed, self.global_step, self.global_rank]).generate_state(1)
        torch.manual_seed(int(state[0]))
        stage, rate = stage_rate(self.stages, self.global_step, self.steps_per_epoch)
        for group in self.optimizers().param_groups:
            group["lr"] = rate
        self.freeze(stage.trainable)

    def freeze(self, trainable: str) -> None:
        """Let everything learn (``"all"``) or one part alone; frozen norms keep their statistics."""
        learning = set(self.network.modules()) if trainable == "all" else self.learning_parts(trainable)
        for module in self.network.modules():
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(module in learning)
            if isinstance(module, _BatchNorm):
                module.train(module in learning)


class Validation(Callback):
    """Every few epochs, and at the end: the subclass's figures on val, printed and logged by the first process.

    All processes compute them: those that went on alone would wait for the first in their next exchange, and give up
    (after half an hour, by default) where it takes long.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: StagedTraining) -> None:
        epoch = trainer.current_epoch + 1
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        module.eval()
        figures, lines = self.figures(module)
        module.train()
        if not figures or not trainer.is_global_zero:
            return
        module.log_dict(
            {f"val/{name}": value for name, value in figures.items()}, batch_size=1, rank_zero_only=True
        )
        say(f"epoch {epoch}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        for line in lines:
            say(f"   {line}")

    def figures(self, module: StagedTraining) -> tuple[dict[str, float], list[str]]:
        """Figures to log, and lines to print below them; for subclasses to say."""
        return {}, []


class Checkpoints(Callback):
    """``last.ckpt`` at the end of every epoch and every few minutes within it, from which a run goes on at that step.

    A single process that is told to end (SIGTERM, as schedulers send it) saves after the step it is at.

    Parameters
    ----------
    path : Path
    sampler : EpochSampler
        Is told on resuming which of its draws have been used.
    batch_size : int
        Draws of a step, of this process.
    minutes : float
    """

    LOOK_EVERY = 10
    """Steps after which the clock is looked at: with several processes that costs a word between them."""

    def __init__(self, path: Path, sampler: EpochSampler, batch_size: int, minutes: float) -> None:
        self.path, self.sampler, self.batch_size, self.minutes = path, sampler, batch_size, minutes
        self._saved = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, module: StagedTraining, *_: Any) -> None:
        if trainer.is_last_batch:
            return  # the end of the epoch saves
        if trainer.received_sigterm and trainer.world_size == 1:  # Lightning stops after this step
            self._save(trainer)
        if trainer.global_step % self.LOOK_EVERY:
            return
        # the clocks of several processes differ, and all must save together
        if trainer.strategy.broadcast(time.monotonic() - self._saved >= 60.0 * self.minutes):
            self._save(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: StagedTraining) -> None:
        self._save(trainer)

    def on_load_checkpoint(
        self, trainer: lightning.Trainer, module: StagedTraining, checkpoint: dict[str, Any]
    ) -> None:
        epoch, step = divmod(checkpoint["global_step"], module.steps_per_epoch)
        self.sampler.resume(epoch, step * self.batch_size)

    def _save(self, trainer: lightning.Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved = time.monotonic()


class Progress(Callback):
    """A line about once a minute: where the run is, its loss, its speed, and how long it will take."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds

    def on_train_start(self, trainer: lightning.Trainer, module: StagedTraining) -> None:
        self._said, self._since, self._first = time.monotonic(), time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, module: StagedTraining, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if not trainer.is_global_zero or now - self._said < self.seconds:
            return
        self._said, step = now, trainer.global_step
        steps, pace = trainer.max_epochs * module.steps_per_epoch, (now - self._since) / (step - self._first)
        say(
            f"step {step} of {steps} (epoch {trainer.current_epoch + 1} of {trainer.max_epochs}): "
            f"loss {float(outputs['loss']):.4f}, {1.0 / pace:.2f} steps a second, "
            f"{pace * (steps - step) / 60.0:.0f} min left"
        )
