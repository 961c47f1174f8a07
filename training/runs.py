"""What all trainings share: their command line, their folder, and a loop that goes on where it was cut off."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import tomllib
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from .data import Case, load_set, load_sets
from .sampling import EpochSampler
from .stages import Stage, stage_rate


@dataclass(frozen=True)
class Run:
    """A training as it was ordered.

    Parameters
    ----------
    data, output : Path
        Folder with the sets, folder of the run.
    start : Path or None
        Folder of a finished run whose weights to start from.
    settings : dict
        The experiment's configuration file.
    workers : int
        Processes that prepare samples.
    also : tuple of Path
        Folders of further sets to train on.
    """

    data: Path
    output: Path
    start: Path | None
    settings: dict[str, Any]
    workers: int
    also: tuple[Path, ...] = ()

    @classmethod
    def of(cls, module: str, description: str, arguments: list[str] | None) -> Run:
        """Read the command line of ``python -m MODULE``, seed everything and make the run's folder."""
        parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description.split("\n\n")[0])
        parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
        parser.add_argument("--config", type=Path, required=True, help="experiment, a TOML file")
        parser.add_argument("--output", type=Path, required=True, help="folder of the run")
        parser.add_argument("--from", dest="start", type=Path, help="folder of a finished run to start from")
        parser.add_argument("--also", type=Path, nargs="*", default=[], help="folders of further sets to train on")
        parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
        parser.add_argument("--workers", type=int, default=1, help="processes that prepare samples (default 1)")
        options = parser.parse_args(arguments)
        torch.set_num_threads(options.threads)
        text = options.config.read_text()
        settings = tomllib.loads(text)
        lightning.seed_everything(settings["seed"], workers=True, verbose=False)
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "config.toml").write_text(text)
        return cls(options.data, options.output, options.start, settings, options.workers, tuple(options.also))

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets."""
        return tuple(self.settings["sets"])

    def training_cases(self) -> list[Case]:
        """The train part of the sets, and of further ones."""
        further = [case for folder in self.also for case in load_set(folder, "train")]
        return load_sets(self.data, "train", self.sets) + further

    @property
    def stages(self) -> list[Stage]:
        """The schedule."""
        return [Stage(**stage) for stage in self.settings["stages"]]

    def describe(self, network: dict[str, Any]) -> None:
        """Keep what is needed to build the network again: ``network.json``."""
        (self.output / "network.json").write_text(json.dumps(network, indent=1))

    def start_description(self) -> dict[str, Any] | None:
        """The ``network.json`` of the run to start from."""
        return json.loads((self.start / "network.json").read_text()) if self.start else None

    def loader(self, dataset: Dataset, collate=None) -> DataLoader:
        """Batches of a data set that has `set_names`, drawn by `EpochSampler`."""
        return DataLoader(
            dataset,
            self.settings["batch_size"],
            sampler=EpochSampler(
                dataset.set_names,
                self.settings.get("balance", 1.0),
                self.settings["seed"],
                self.settings.get("epoch_length"),
            ),
            drop_last=True,
            collate_fn=collate,
            num_workers=self.workers,
        )

    def fit(
        self, module: StagedTraining, loader: DataLoader, validation: Callback, clip: float, quiet: bool = False
    ) -> None:
        """Train to the end of the schedule, from the last checkpoint if there is one; writes ``network.pt``.

        `quiet` leaves out the progress bar, for callers that show progress themselves.
        """
        if self.start:
            module.network.load_state_dict(torch.load(self.start / "network.pt", weights_only=True))
        trainer = lightning.Trainer(
            max_epochs=sum(stage.epochs for stage in module.stages),
            accelerator="auto" if torch.cuda.is_available() else "cpu",
            logger=TensorBoardLogger(self.output, name="", version=""),
            callbacks=[validation, ModelCheckpoint(self.output / "checkpoints", save_last=True, every_n_epochs=1)],
            enable_progress_bar=sys.stderr.isatty() and not quiet,
            enable_model_summary=False,
            gradient_clip_val=clip,
            log_every_n_steps=10,
        )
        last = self.output / "checkpoints" / "last.ckpt"
        trainer.fit(module, loader, ckpt_path=str(last) if last.exists() else None)
        module.network.cpu().eval()
        torch.save(module.network.state_dict(), self.output / "network.pt")


class StagedTraining(lightning.LightningModule):
    """A network trained by stages: before every step the stage's learning rate is set and its freeze rule applied.

    Parameters
    ----------
    network : torch module
    stages : list of Stage
    steps_per_epoch : int
    weight_decay : float
    """

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
            if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
                module.train(module in learning)


class Validation(Callback):
    """Every few epochs, and at the end: the subclass's figures on val, printed and logged."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: StagedTraining) -> None:
        epoch = trainer.current_epoch + 1
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        module.eval()
        figures, lines = self.figures(module)
        module.train()
        module.log_dict({f"val/{name}": value for name, value in figures.items()}, batch_size=1)
        print(f"epoch {epoch}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
        print("\n".join(f"   {line}" for line in lines), flush=True)

    def figures(self, module: StagedTraining) -> tuple[dict[str, float], list[str]]:
        """Figures to log, and lines to print below them; for subclasses to say."""
        return {}, []
