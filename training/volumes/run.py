"""A run on volumes: its command line and folder; the loop, the record and the resuming are those of all trainings."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import tomllib
import torch

from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings, fixed_points
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings
from GrayscaleDetSegLib.core.volumes.views import dsc

from ..runs import CHECKPOINT, Machine, Run, RunError, StagedTraining, Validation, is_first
from ..runs.record import Record, open_log, say
from .augmentation import Augmentation
from .cases import VolumeCase, VolumeDataError, cases_of, fingerprint_of, label_values
from .data import LEAST, MARGIN, Prepared, Sample, SliceDataset, Target, prepared
from .losses import KINDS

CONFIG = "config.toml"


@dataclass(frozen=True)
class VolumeRun(Run):
    """A run whose cases are volumes.

    Parameters
    ----------
    volumes : tuple of VolumeCase
        Of both splits.
    target : Target or None
    extra : Namespace
        The whole command line.
    """

    volumes: tuple[VolumeCase, ...] = ()
    target: Target | None = field(default=None)
    extra: argparse.Namespace = field(default_factory=argparse.Namespace)

    @classmethod
    def of(
        cls, module: str, description: str, arguments: list[str] | None,
        more: Callable[[argparse.ArgumentParser], None] | None = None,
    ) -> VolumeRun:  # fmt: skip
        """Read the command line of ``python -m MODULE``, look for the data, seed everything and make the folder.

        `more` adds options of a training's own to the parser; their values are in :attr:`extra`.

        Raises
        ------
        VolumeDataError
            If the data cannot be used.
        RunError
            If the folder holds a run of another configuration or of other data.
        """
        parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description.split("\n\n")[0])
        parser.add_argument("--data", type=Path, required=True, help="folder with the sets of volumes")
        parser.add_argument("--config", type=Path, required=True, help="experiment, a TOML file")
        parser.add_argument("--output", type=Path, required=True, help="folder of the run")
        parser.add_argument("--from", dest="start", type=Path, help="folder of a finished run to start from")
        parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
        parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples (default 0)")
        Machine.add_to(parser)
        if more is not None:
            more(parser)
        options = parser.parse_args(arguments)
        torch.set_num_threads(options.threads)
        text = options.config.read_text(encoding="utf-8")
        settings = tomllib.loads(text)
        cases = cases_of(settings, options.data)
        if {case.split for case in cases} != {"train", "val"}:
            raise VolumeDataError(f"The sets {', '.join(settings['sets'])} need volumes for train and for val.")
        run = cls(
            options.data, options.output, options.start, settings, options.workers, machine=Machine.of(options),
            volumes=tuple(cases), target=target_of(settings, options.data / settings["sets"][0]), extra=options,
        )  # fmt: skip
        run._begin(text)
        lightning.seed_everything(settings["seed"], workers=True, verbose=False)
        return run

    def _begin(self, text: str) -> None:
        record, kept, data = Record(self.output), self.output / CONFIG, fingerprint_of(self.volumes)
        if (self.output / CHECKPOINT).exists():
            if kept.exists() and kept.read_text(encoding="utf-8") != text:
                raise RunError(f"{self.output} holds a run of another configuration; choose another --output.")
            if record.content.get("data", {}).get("print", data) != data:
                raise RunError(f"{self.output} holds a run that was begun with other data; choose another --output.")
        if not is_first():
            return
        self.output.mkdir(parents=True, exist_ok=True)
        open_log(self.output)
        kept.write_text(text, encoding="utf-8")
        counts = {split: sum(case.split == split for case in self.volumes) for split in ("train", "val")}
        start = str(self.start) if self.start else None
        record.begin({"seed": self.settings["seed"], "start": start, "data": {"print": data, "volumes": counts}})

    def prepared(self, split: str, most: int | None = None) -> list[Prepared]:
        """The cases of a split in the working grid, or an even choice of so many."""
        cases = [case for case in self.volumes if case.split == split]
        if most is not None and len(cases) > most:
            cases = [cases[index] for index in np.linspace(0, len(cases) - 1, most).astype(int)]
        return [prepared(case, self.target, self.volume_settings) for case in cases]

    @property
    def volume_settings(self) -> VolumeSettings:
        """The working grid and the window."""
        return VolumeSettings.from_dict(self.settings.get("volume", {}))

    @property
    def iteration(self) -> IterationSettings:
        """How the method will iterate."""
        return IterationSettings.from_dict(self.settings.get("iteration", {}))

    @property
    def network_settings(self) -> dict[str, Any]:
        """The table ``[network]``, with the number of labels."""
        return {**self.settings.get("network", {}), "labels": len(self.target.parts)}

    @property
    def loss(self) -> str:
        """One of ``losses.KINDS``."""
        kind = self.settings.get("training", {}).get("loss", KINDS[0])
        if kind not in KINDS:
            raise VolumeDataError(f"There is no loss '{kind}': choose one of {', '.join(KINDS)}.")
        return kind

    def dataset(self, config: NetworkConfig) -> SliceDataset:
        """The train part."""
        own, change = self.settings.get("training", {}), self.settings.get("augmentation")
        return SliceDataset(
            self.prepared("train"), config.slices, self.settings["seed"], own.get("margin", MARGIN),
            own.get("least", LEAST), own.get("contrast", 0.2 if change is None else 0.0),
            None if change is None else Augmentation.from_dict(change), config.views, config.labels,
            self.iteration.boxes,
        )  # fmt: skip

    def keep(self, method: str, config: dict[str, Any]) -> None:
        """Write ``network.json``: all that a bundle says of these networks."""
        target, given = self.target, self.settings.get("iteration", {})
        content: dict[str, Any] = {
            "method": method, "config": config, "settings": given,
            "volume": self.settings.get("volume", {}), "sets": self.settings["sets"],
        }  # fmt: skip
        names = [name for name, _ in target.parts]
        content |= {"labels": names} if target.several else {"label": names[0]}
        if target.within is not None:
            content |= {"within": target.within, "reach": target.reach}
        self.describe(content)


def target_of(settings: dict[str, Any], folder: Path) -> Target:
    """What a configuration wants to be learnt: its table ``[target]``.

    ``label`` is its name, ``of`` the labels of the set that make it up (the one of its name by default); ``labels`` are
    several that are learnt together; ``within`` and ``within_of`` are the same of what it lies in, and ``reach`` how
    far around that it is looked for.
    """
    given, values = settings["target"], label_values(folder, settings.get("labels"))

    def chosen(names: list[str]) -> tuple[int, ...]:
        unknown = [name for name in names if name not in values]
        if unknown:
            raise VolumeDataError(f"{folder} has no label {', '.join(unknown)}, but {', '.join(values)}.")
        return tuple(values[name] for name in names)

    within = given.get("within")
    more = {} if within is None else {
        "within": within, "within_values": chosen(given.get("within_of", [within])),
    }  # fmt: skip
    if "reach" in given:
        more["reach"] = given["reach"]
    if len(given.get("labels", ())) > 1:
        several = tuple((name, chosen([name])) for name in given["labels"])
        return Target(", ".join(given["labels"]), chosen(given["labels"]), **more, several=several)
    return Target(given["label"], chosen(given.get("of", [given["label"]])), **more)


class VolumeValidation(Validation):
    """DSC of the coarse stage and of the whole method on val."""

    def __init__(self, cases: list[Prepared], settings: IterationSettings, every: int) -> None:
        super().__init__(every)
        self.cases, self.settings = cases, settings

    def figures(self, module: StagedTraining) -> tuple[dict[str, float], list[str]]:
        rows = [case_figures(case, module.network, self.settings, str(module.device)) for case in self.cases]
        coarse, final = (np.mean([row[name] for row in rows], axis=0) for name in ("coarse", "final"))
        figures = {"dsc_coarse": float(np.mean(coarse)), "dsc": float(np.mean(final))}
        figures["rounds"] = float(np.mean([row["rounds"] for row in rows]))
        each = ", ".join(f"{one:.4f} -> {other:.4f}" for one, other in zip(coarse, final))
        return figures, [each] if len(coarse) > 1 else []


def case_figures(
    case: Prepared, networks: Networks, settings: IterationSettings, device: str = "cpu"
) -> dict[str, Any]:
    """DSC of each label by the coarse stage (``coarse``) and at the end (``final``), and the ``rounds`` used."""
    outcomes = fixed_points(case.working, networks, settings, device=device)
    truths = [case.mask_of(number) for number in range(len(outcomes))]
    return {
        "coarse": [dsc(outcome.masks[0], truth) for outcome, truth in zip(outcomes, truths)],
        "final": [dsc(outcome.mask, truth) for outcome, truth in zip(outcomes, truths)],
        "rounds": len(outcomes[0].similarities),
    }


def train(
    run: VolumeRun, method: str, module_of: Callable[[Networks, list, int], StagedTraining], config: NetworkConfig
) -> None:
    """Train the networks of a method to the end of the schedule."""
    run.keep(method, config.to_dict())
    dataset = run.dataset(config)
    say(f"{len(dataset)} slices of {len(dataset.cases)} volumes show {run.target.label}")
    loader = run.loader(dataset, as_list)
    network = Networks(config)
    if run.start is not None:
        names = label_values(run.data / run.settings["sets"][0], run.settings.get("labels"))
        wanted = [name for name, value in names.items() if value in run.target.values]
        begin_from(network, run.start, () if run.target.several else wanted)
        run = replace(run, start=None)
    module = module_of(network, run.stages, len(loader))
    validation = VolumeValidation(
        run.prepared("val", run.settings.get("validate_with")), run.iteration, run.settings["validate_every"]
    )
    run.fit(module, loader, validation, clip=run.settings.get("clip", 5.0), quiet=True)


def begin_from(network: Networks, folder: Path, wanted: Sequence[str] = ()) -> None:
    """Load the weights of a finished run; a recurrent network may begin with those of a step-wise one.

    Heads for another number of labels begin anew, except that of a target which is made up of some of the run's labels
    (`wanted`): it begins with what they say.

    Raises
    ------
    VolumeDataError
        If the run has networks of another kind.
    """
    own = network.state_dict()
    try:
        state = torch.load(folder / "network.pt", weights_only=True)
        described = json.loads((folder / "network.json").read_text(encoding="utf-8")) if wanted else {}
        said = described.get("labels", [])
        chosen = [said.index(name) + 1 for name in wanted if name in said]
        anew = [key for key in state if ".head." in key and key in own and own[key].shape != state[key].shape]
        if chosen and len(chosen) == len(wanted) and network.config.labels == 1:
            state |= {key: _taken_together(state[key], len(said), chosen) for key in anew}
            anew = []
        missing, unknown = network.load_state_dict(
            {key: values for key, values in state.items() if key not in anew}, strict=False
        )
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise VolumeDataError(f"{folder} is no finished run with such networks ({reason}).") from error
    other = [*unknown, *(key for key in missing if ".saliency." not in key and key not in anew)]
    if other:
        raise VolumeDataError(f"{folder} has networks of another kind: {', '.join(other[:3])} do not fit.")


def _taken_together(head: torch.Tensor, labels: int, chosen: list[int]) -> torch.Tensor:
    """A head's weights or biases for some of its labels (counted from 1) as one: their mean over that of all others."""
    each = head.unflatten(0, (labels + 1, -1))
    others = [number for number in range(labels + 1) if number not in chosen]
    return each[chosen].mean(0) - each[others].mean(0)


def as_list(samples: list[Sample]) -> list[Sample]:
    """A batch is a list: slices differ in view and size."""
    return samples
