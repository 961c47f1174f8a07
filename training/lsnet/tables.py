"""The article's Tables 1 to 4 by one command: every network is trained on as many images, and all are judged on val.

    python -m training.lsnet.tables --data ../shared/data --config training/configs/lsnet/heart_tables.toml
        --output runs/heart_tables --precision bf16 [--tables 1 2 3 4] [--fcn] [--shipped]

The configuration is one of ``training.lsnet`` with one class. Each network is trained in a folder of its own, goes on
where it was cut off, and is not trained again once it is finished; the tables are of what is wanted and finished.
Coarse-to-fine has the U-Net of Table 1 as its first stage, and a second network that learns from hard crops of true
boxes; "L-Net, then hard crops" has the L-Net of gamma = 0, which learns by its own loss alone, as its first stage, and
the same second one. ``--shipped`` adds the threshold surfaces of the shipped model, on radiographs. Figures are means
over the cases, radiographs or volumes, and of a volume over its slices that show the object; intervals (95 %) are drawn
by patient.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.lsnet.networks import Networks, SNet

from ..compare.accuracy import pipeline_masks
from ..compare.records import weights_digest
from ..files import write_aside
from ..runs import Run, RunError, Validation, command
from ..runs.record import say
from ..volumes.run import VolumeRun
from . import systems
from .__main__ import config_of, images_of, run_of, settings_of, understood
from .compare import timed
from .data import LocatedDataset, collate
from .peers import AttentionUNet, FineTraining, WholeTraining
from .systems import JudgedCase
from .table_texts import text_of
from .training import CLIP, LSNetTraining, StepSettings

DESCRIPTION = "training.json"


@dataclass(frozen=True)
class Training:
    """A network, or L-SNet's two together, as it is trained.

    Parameters
    ----------
    kind : str
        ``"both"``, ``"whole"``, ``"attention"`` or ``"fine"``.
    structure : str
        Of the networks, ``"unet"`` or ``"fcn"``.
    steps : dict
        What is other than in the configuration's table ``[training]``.
    """

    kind: str
    structure: str = "unet"
    steps: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class System:
    """What has a row: the training of its last stage, and of its first if that is another.

    Parameters
    ----------
    last : str
        Key of `TRAININGS`.
    first : str or None
        Key of `TRAININGS`; None for networks of one stage, and for L-SNet, whose two stages are one training.
    tables : tuple of int
    """

    last: str
    first: str | None
    tables: tuple[int, ...]


TRAININGS = {
    "lsnet": Training("both"),
    "unet": Training("whole"),
    "fine": Training("fine"),
    "gamma 0": Training("both", steps={"decay": 0.0}),
    "unet, entropy": Training("whole", steps={"loss": "entropy"}),
    "gamma 1": Training("both", steps={"decay": 1.0}),
    "attention": Training("attention"),
    "gamma 0.01": Training("both", steps={"decay": 0.01}),
    "together": Training("both", steps={"alternate": False}),
    "lsnet, entropy": Training("both", steps={"loss": "entropy"}),
    "fcn": Training("whole", "fcn"),
    "fcn fine": Training("fine", "fcn"),
    "lsnet fcn": Training("both", "fcn"),
}
"""All trainings, the most telling first."""

SYSTEMS = {
    "U-Net": System("unet", None, (1, 2)),
    "Attention U-Net": System("attention", None, (1,)),
    "Coarse-to-fine U-Net": System("fine", "unet", (1, 3)),
    "L-SNet (U-Net)": System("lsnet", None, (1, 2, 4)),
    "FCN": System("fcn", None, (5,)),
    "Coarse-to-fine FCN": System("fcn fine", "fcn", (5,)),
    "L-SNet (FCN)": System("lsnet fcn", None, (5,)),
    "U-Net, cross-entropy": System("unet, entropy", None, (2,)),
    "L-Net, then hard crops": System("fine", "gamma 0", (2, 3)),
    "L-SNet, cross-entropy": System("lsnet, entropy", None, (2,)),
    "L-SNet, both losses in one step": System("together", None, (2,)),
    "L-SNet, gamma 0": System("gamma 0", None, (2, 4)),
    "L-SNet, gamma 0.01": System("gamma 0.01", None, (4,)),
    "L-SNet, gamma 1": System("gamma 1", None, (4,)),
}
"""Name -> what has a row; 5 stands for the rows with FCN of Table 1."""
SHIPPED = "threshold surfaces, as shipped"
TABLES = {**{name: system.tables for name, system in SYSTEMS.items()}, SHIPPED: (1,)}


class Workshop:
    """Trains what is wanted, each in its folder, and hands out systems.

    Parameters
    ----------
    run : Run
        As `training.lsnet` was ordered; its folder holds all others.
    """

    def __init__(self, run: Run) -> None:
        self.run, self.config, self.settings = run, config_of(run), settings_of(run)
        if len(self.config.classes) != 1:
            raise RunError("The tables are of one class; name it in [network], classes = [...].")
        own = {key: value for key, value in run.settings.get("training", {}).items() if key not in ("least", "empty")}
        self.steps = understood(StepSettings, "training", own)
        self.dataset = LocatedDataset(images_of(run, self.config, self.settings, self.config.source))
        self.networks: dict[str, torch.nn.Module] = {}
        self.minutes: dict[str, float] = {}

    @property
    def images(self) -> int:
        """That every network sees."""
        size = self.run.batch_size
        length = self.run.settings.get("epoch_length") or len(self.dataset)
        return sum(stage.epochs for stage in self.run.stages) * (length // size) * size

    def folder(self, name: str) -> Path:
        """Of a training."""
        return self.run.output / name.replace(", ", "_").replace(" ", "_")

    def trained(self, name: str) -> torch.nn.Module:
        """A network of `TRAININGS`, trained now or before.

        Raises
        ------
        RunError
            If the folder holds one of another configuration.
        """
        if name not in self.networks:
            folder = self.folder(name)
            description = json.dumps({**asdict(TRAININGS[name]), "settings": self.run.settings}, sort_keys=True)
            path = folder / DESCRIPTION
            if path.exists() and path.read_text(encoding="utf-8") != description:
                raise RunError(f"{folder} holds a training of another configuration; choose another --output.")
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(description, encoding="utf-8")
            self.networks[name], self.minutes[name] = timed(folder, lambda: self._train(TRAININGS[name], folder))
        return self.networks[name]

    def _train(self, training: Training, folder: Path) -> torch.nn.Module:
        lightning.seed_everything(self.run.settings["seed"], workers=True, verbose=False)
        config = replace(self.config, structure=training.structure)
        kinds: dict[str, Callable] = {"both": Networks, "attention": AttentionUNet}
        network = kinds.get(training.kind, SNet)(config)
        if (folder / "network.pt").exists():
            network.load_state_dict(torch.load(folder / "network.pt", weights_only=True))
            return network.eval()
        say(f"{folder.name}: {self.images} images")
        run = replace(self.run, output=folder)
        loader = run.loader(self.dataset, collate)
        steps = replace(self.steps, **training.steps)
        if training.kind == "both":
            module: Any = LSNetTraining(network, run.stages, len(loader), steps, self.settings.margin)
        elif training.kind == "fine":
            module = FineTraining(
                network, run.stages, len(loader), config.side, self.settings.margin, steps.shift
            )  # fmt: skip
        else:
            module = WholeTraining(network, run.stages, len(loader), steps.loss)
        run.fit(module, loader, Validation(10**9), CLIP, quiet=True)
        return module.network

    def first_stage(self, system: System) -> systems.Locate | None:
        """What locates, if anything does."""
        network = self.trained(system.first or system.last)
        if isinstance(network, Networks):
            return systems.by_heat_map(network, self.settings)
        return systems.by_coarse_mask(network) if system.first else None

    def look(self, system: System) -> Callable[[np.ndarray], systems.Look]:
        """The system at work on an image."""
        locate, last = self.first_stage(system), self.trained(system.last)
        if locate is None:
            return systems.of_one_stage(last, self.config.source)
        fine = last.segmenter if isinstance(last, Networks) else last
        return systems.of_two_stages(locate, fine, self.config, self.settings, crop=system.first is not None)

    def facts(self, system: System) -> dict[str, float]:
        """Parameters of all its networks and of its first stage, and core minutes."""
        first, last = self.trained(system.first or system.last), self.trained(system.last)
        located = first.locator if isinstance(first, Networks) else first
        two = isinstance(last, Networks) or system.first is not None
        fine = last.segmenter if isinstance(last, Networks) else last
        counts = [sum(each.numel() for each in part.parameters()) for part in (located, fine)]
        names = {system.first or system.last, system.last}
        return {
            "parameters": counts[1] + (counts[0] if two else 0), "first": counts[0] if two else 0,
            "minutes": sum(self.minutes[name] for name in names), "images": self.images,
        }  # fmt: skip


def judged(workshop: Workshop, name: str, val: list[JudgedCase], train: list[JudgedCase]) -> dict[str, Any]:
    """The row of a system: its figures case by case, of its first stage on train, and facts. It is kept."""
    system = SYSTEMS[name]
    look, locate = workshop.look(system), workshop.first_stage(system)
    weights = [weights_digest(workshop.trained(each)) for each in (system.first, system.last) if each]
    path = workshop.run.output / "judged" / f"{name}.json"
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if kept["weights"] == weights:
            return kept
    row = {"cases": rows_of(val, look), "weights": weights, **workshop.facts(system)}
    if locate is not None:
        row["box_in_training"] = systems.first_stage_figure(train, locate, workshop.config.source)
    path.parent.mkdir(exist_ok=True)
    write_aside(path, json.dumps(row, indent=1).encode())
    return row


def rows_of(cases: list[JudgedCase], look: Callable[[np.ndarray], systems.Look]) -> list[dict[str, Any]]:
    """A row of figures for every case."""
    return [
        {"name": case.name, "patient": case.patient, **systems.case_figures(case, look)} for case in cases
    ]  # fmt: skip


def shipped(run: Run, label: str) -> dict[str, Any]:
    """The row of the shipped model's threshold surfaces, of all objects of the class that its detector finds."""
    pipeline = load_pipeline(device="cpu")
    masks = pipeline_masks(pipeline, "surfaces")
    cases = []
    for case in run.validation_cases():
        truth = case.mask_of(label) if label in case.labels else np.zeros(0, bool)
        if truth.any():
            figures = systems.overlap_figures(masks(case)[label], truth)
            names = {"name": case.name, "patient": f"{case.set_name}/{case.patient or case.name}", "slices": 1}
            cases.append({**names, **figures, "whole": figures["dsc"]})
    return {"cases": cases, "parameters": 0, "first": 0, "minutes": 0.0, "images": 0}


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.lsnet.tables", description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of all trainings and of the tables")
    parser.add_argument("--tables", type=int, nargs="*", choices=(1, 2, 3, 4), default=[1, 2, 3, 4])
    parser.add_argument("--fcn", action="store_true", help="Table 1's rows with FCN as well")
    parser.add_argument("--shipped", action="store_true", help="the shipped model's threshold surfaces beside them")
    options, rest = parser.parse_known_args(arguments)
    run = run_of(__doc__, [*rest, "--output", str(options.output)])
    if options.shipped and isinstance(run, VolumeRun):
        raise RunError("The shipped surfaces are for radiographs; leave out --shipped.")
    workshop = Workshop(run)
    wanted = {*options.tables, *([5] if options.fcn else [])}
    chosen = {name: system for name, system in SYSTEMS.items() if wanted & set(system.tables)}
    needed = {each for system in chosen.values() for each in (system.last, system.first) if each}
    val, train = (
        systems.judged_cases(run, workshop.config, workshop.settings, split) for split in ("val", "train")
    )  # fmt: skip
    rows: dict[str, Any] = {}
    if options.shipped:
        rows[SHIPPED] = shipped(run, workshop.config.classes[0])
    text = ""
    for training in (each for each in TRAININGS if each in needed):
        workshop.trained(training)
        for name, system in chosen.items():
            if name not in rows and {system.last, system.first or system.last} <= set(workshop.networks):
                rows[name] = judged(workshop, name, val, train)
        if rows:
            shown = {name: wanted & {*numbers} for name, numbers in TABLES.items()}
            text = text_of({name: rows[name] for name in TABLES if name in rows}, shown)
            write_aside(options.output / "tables.md", (text + "\n").encode())
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
