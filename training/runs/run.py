"""What all trainings share: their command line, the check of their data, their folder, and how they are carried out.

The ``batch_size`` of the configuration is that of all processes together, so that the same images are seen in the same
steps whatever the machine.
"""

from __future__ import annotations

import argparse
import functools
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import tomllib
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError

from ..data import Case
from ..data.checking import DataError, Report, announce, check
from ..prepared import SAMPLES, remove_samples
from ..sampling import EpochSampler
from .loop import Checkpoints, Progress, StagedTraining
from .machine import Machine, RunError, is_first
from .record import Record, open_log, say
from .stages import Stage

CONFIG, CHECKPOINT = "config.toml", Path("checkpoints") / "last.ckpt"


def command(main: Callable[[list[str] | None], int]) -> Callable[[list[str] | None], int]:
    """A training's `main` that says what is wrong with its data or its order in one sentence, and returns 2."""

    @functools.wraps(main)
    def wrapped(arguments: list[str] | None = None) -> int:
        try:
            return main(arguments)
        except GrayscaleDetSegError as error:
            if is_first():
                print(error, file=sys.stderr)
            return 2

    return wrapped


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
    machine : Machine
    cases : tuple of Case
        Of both splits.
    films : tuple of Path
        Folders of films. With ``sets = []`` in the settings nothing else is seen, and nothing is validated on.
    """

    data: Path
    output: Path
    start: Path | None
    settings: dict[str, Any]
    workers: int
    also: tuple[Path, ...] = ()
    machine: Machine = field(default_factory=Machine)
    cases: tuple[Case, ...] = ()
    films: tuple[Path, ...] = ()

    @classmethod
    def of(cls, module: str, description: str, arguments: list[str] | None) -> Run:
        """Read the command line of ``python -m MODULE``, check the data, seed everything and make the run's folder.

        Raises
        ------
        DataError
            If the data have errors and ``--skip-bad`` was not given.
        RunError
            If the folder holds a run of another configuration or of other data.
        """
        parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description.split("\n\n")[0])
        parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
        parser.add_argument("--config", type=Path, required=True, help="experiment, a TOML file")
        parser.add_argument("--output", type=Path, required=True, help="folder of the run")
        parser.add_argument("--from", dest="start", type=Path, help="folder of a finished run to start from")
        parser.add_argument("--also", type=Path, nargs="*", default=[], help="folders of further sets to train on")
        parser.add_argument("--films", type=Path, nargs="*", default=[], help="folders of simulated films")
        parser.add_argument("--skip-bad", action="store_true", help="train without what the check of the data rejects")
        parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
        parser.add_argument("--workers", type=int, default=1, help="processes that prepare samples (default 1)")
        Machine.add_to(parser)
        options = parser.parse_args(arguments)
        torch.set_num_threads(options.threads)
        machine = Machine.of(options)
        text = options.config.read_text(encoding="utf-8")
        settings = tomllib.loads(text)
        folders = [options.data / name for name in settings["sets"]] + options.also
        report = check(folders, is_first(), options.output)
        run = cls(options.data, options.output, options.start, settings, options.workers, tuple(options.also), machine,
                  report.cases, tuple(options.films))  # fmt: skip
        run._open(text, report, options.skip_bad)
        lightning.seed_everything(settings["seed"], workers=True, verbose=False)
        return run

    def _open(self, text: str, report: Report, skip_bad: bool) -> None:
        """Make the folder, if nothing speaks against it; the first process writes what made the run."""
        if self.sets or not self.films:
            if is_first():
                announce(report, skip_bad)
            report.stop_if_bad(skip_bad)
            if not self.validation_cases():
                raise DataError(f"No image of {', '.join(self.sets)} is for validation: set some aside in split.csv.")
        record, kept = Record(self.output), self.output / CONFIG
        if (self.output / CHECKPOINT).exists():
            if kept.exists() and kept.read_text(encoding="utf-8") != text:
                raise RunError(f"{self.output} holds a run of another configuration; choose another --output.")
            if record.content.get("data", {}).get("print", report.fingerprint) != report.fingerprint:
                raise RunError(
                    f"{self.output} holds a run that was begun with other data; choose another --output, or bring "
                    "back the data."
                )
        if not is_first():
            return
        self.output.mkdir(parents=True, exist_ok=True)
        open_log(self.output)
        kept.write_text(text, encoding="utf-8")
        (self.output / "data.txt").write_text(report.text(None) + "\n", encoding="utf-8")
        report.keep(self.output)
        images = {split: len(report.of(split)) for split in ("train", "val")}
        record.begin(
            {
                "seed": self.settings["seed"],
                "start": str(self.start) if self.start else None,
                "data": {"print": report.fingerprint, "images": images},
            }
        )

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets."""
        return tuple(self.settings["sets"])

    def training_cases(self) -> list[Case]:
        """The train part of the sets, and of further ones."""
        return [case for case in self.cases if case.split == "train"]

    @property
    def samples(self) -> Path:
        """Folder for prepared images, see ``Prepared``; `end` removes it."""
        return self.output / SAMPLES

    def end(self) -> None:
        """Remove what only a run that is not finished needs."""
        if is_first():
            remove_samples(self.output)

    def validation_cases(self) -> list[Case]:
        """The val part of the sets, without further ones."""
        return [case for case in self.cases if case.split == "val" and case.set_name in self.sets]

    @property
    def stages(self) -> list[Stage]:
        """The schedule."""
        return [Stage(**stage) for stage in self.settings["stages"]]

    def describe(self, network: dict[str, Any]) -> None:
        """Keep what is needed to build the network again: ``network.json``."""
        if is_first():
            (self.output / "network.json").write_text(json.dumps(network, indent=1))

    def start_description(self) -> dict[str, Any] | None:
        """The ``network.json`` of the run to start from."""
        return json.loads((self.start / "network.json").read_text()) if self.start else None

    @property
    def batch_size(self) -> int:
        """Images of a step that one process sees."""
        size, rest = divmod(self.settings["batch_size"], self.machine.processes)
        if rest or not size:
            raise RunError(
                f"A batch of {self.settings['batch_size']} cannot be shared by {self.machine.processes} processes; "
                "change batch_size or --devices."
            )
        return size

    def loader(self, dataset: Dataset, collate=None) -> DataLoader:
        """Batches of a data set that has `set_names`, drawn by `EpochSampler`.

        Raises
        ------
        DataError
            If an epoch has fewer images than a batch.
        """
        sampler = EpochSampler(
            dataset.set_names,
            self.settings.get("balance", 1.0),
            self.settings["seed"],
            self.settings.get("epoch_length"),
            self.machine.processes,
            getattr(dataset, "weights", None),
        )
        if sampler.length < self.settings["batch_size"]:
            raise DataError(
                f"An epoch has {sampler.length} images, fewer than a batch of {self.settings['batch_size']}; give "
                "more images, a smaller batch_size or a longer epoch_length."
            )
        return DataLoader(
            dataset,
            self.batch_size,
            sampler=sampler,
            drop_last=True,
            collate_fn=collate,
            num_workers=self.workers,
        )

    def fit(
        self, module: StagedTraining, loader: DataLoader, validation: Callback, clip: float, quiet: bool = False
    ) -> None:
        """Train to the end of the schedule, from the last checkpoint if there is one; writes ``network.pt``.

        With several processes all of them return, with the same weights; see :func:`is_first`. `quiet` leaves out the
        progress bar, for callers that show progress themselves.
        """
        if self.start:
            module.network.load_state_dict(torch.load(self.start / "network.pt", weights_only=True))
        module.seed = self.settings["seed"]
        last, record = self.output / CHECKPOINT, Record(self.output)
        checkpoints = Checkpoints(last, loader.sampler, self.batch_size, self.machine.save_minutes)
        trainer = self.machine.trainer(
            max_epochs=sum(stage.epochs for stage in module.stages),
            logger=TensorBoardLogger(self.output, name="", version=""),
            callbacks=[validation, Progress(), checkpoints],
            enable_progress_bar=sys.stderr.isatty() and not quiet,
            enable_model_summary=False,
            gradient_clip_val=clip,
            log_every_n_steps=min(10, len(loader)),
        )
        options = {"ckpt_path": str(last) if last.exists() else None}
        if "weights_only" in inspect.signature(trainer.fit).parameters:  # since Lightning 2.6
            options["weights_only"] = True
        if is_first() and "ended" in record.content.get("sessions", [{"ended": None}])[-1]:  # not begun by `of`
            open_log(self.output)
            record.begin({"seed": module.seed})
        outcome = "cut off"
        try:
            trainer.fit(module, loader, **options)
            outcome = "finished" if trainer.state.finished else "cut off"
        finally:
            if is_first():
                record.end(outcome, trainer.global_step)
                say(f"{outcome} at step {trainer.global_step}")
        module.network.cpu().eval()
        if is_first():
            torch.save(module.network.state_dict(), self.output / "network.pt")
