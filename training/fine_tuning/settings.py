"""The configuration of a fine-tuning: a TOML file, checked when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import tomllib

from ..runs.stages import Stage
from .errors import FineTuningError

DEFAULTS = Path(__file__).resolve().parents[1] / "configs" / "fine_tuning.toml"
LAST_LAYERS = {"detector": "output", "box": "head", "surfaces": "head"}
"""What each network calls its last layers, see ``learning_parts`` of its training."""


@dataclass(frozen=True)
class StageSettings:
    """One stage of a network: as ``stages.Stage``, with a `share` of the network's time or a number of `epochs`."""

    trainable: str
    learning_rate: float
    share: float = 0.0
    epochs: int = 0
    decay: str = "constant"

    def stage(self, epochs: int) -> Stage:
        """The stage with this many epochs."""
        return Stage(self.trainable, self.learning_rate, epochs, self.decay)


@dataclass(frozen=True)
class NetworkSettings:
    """How one network is trained; `augmentation` and `loss` are those of its own module.

    `epoch_length`: samples in an epoch where epochs are fixed; 0 for as many as there are.
    """

    stages: tuple[StageSettings, ...]
    share: float
    batch_size: int
    balance: float = 0.5
    epoch_length: int = 0
    augmentation: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)

    @property
    def is_fixed(self) -> bool:
        """Whether the numbers of epochs are given, rather than the time."""
        return all(stage.epochs for stage in self.stages)


@dataclass(frozen=True)
class Settings:
    """A whole configuration; the file's comments say what the values mean."""

    networks: Mapping[str, NetworkSettings]
    """By the names of the steps that train them; those of methods of other packages may have sections, too."""
    seed: int = 1
    minutes: float = 25.0
    validation_share: float = 0.2
    new_classes: str = "mean"
    anchor_fit: float = 0.5
    validations: int = 6

    @property
    def is_fixed(self) -> bool:
        """Whether no network is trained by the time."""
        return all(network.is_fixed for network in self.networks.values())


def read_settings(path: Path | None = None, **changes: Any) -> Settings:
    """The settings of a file, by default the shipped one, with some values changed (those that are not None).

    Raises
    ------
    FineTuningError
        If the file cannot be read, or holds something unknown or impossible.
    """
    path = path or DEFAULTS
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FineTuningError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FineTuningError(f"The configuration {path} is no TOML file: {error}.") from error
    values.update({name: value for name, value in changes.items() if value is not None})
    try:
        networks = {}
        for name in (*LAST_LAYERS, *(name for name, value in values.items() if isinstance(value, dict))):
            if name not in networks:
                network = dict(values.pop(name))
                stages = tuple(_known(StageSettings, stage, f"[[{name}.stages]]") for stage in network.pop("stages"))
                networks[name] = _known(NetworkSettings, {**network, "stages": stages}, f"[{name}]")
        values["networks"] = networks
        settings = _known(Settings, values, "the top level")
        problem = _impossible(settings)
    except KeyError as error:
        missing = error.args[0]
        raise FineTuningError(f"The configuration {path} lacks {missing}; {DEFAULTS.name} has all of it.") from error
    except TypeError as error:
        raise FineTuningError(f"The configuration {path} does not fit: {error}.") from error
    if problem:
        raise FineTuningError(f"In the configuration {path}, {problem}.")
    return settings


def _known(kind: type, values: dict[str, Any], where: str) -> Any:
    names = [item.name for item in fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise TypeError(f"{where} has no {unknown[0]}, only {', '.join(names)}")
    for item in fields(kind):
        if item.name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise KeyError(f"{item.name} of {where}")
    return kind(**values)


def _impossible(settings: Settings) -> str | None:
    """What is wrong with the values, as a part of a sentence."""
    if not settings.minutes > 0:
        return "minutes must be above 0"
    if not 0.0 < settings.validation_share < 1.0:
        return "validation_share must lie between 0 and 1"
    if settings.new_classes not in ("mean", "fresh"):
        return 'new_classes must be "mean" or "fresh"'
    if settings.validations < 1:
        return "validations must be 1 or more"
    for name, network in settings.networks.items():
        last = LAST_LAYERS.get(name)
        if not network.stages or network.batch_size < 2:
            return f"[{name}] needs a stage, and a batch_size of 2 or more"
        if any(stage.epochs for stage in network.stages) and not network.is_fixed:
            return f"some stages of {name} have epochs and others do not; give epochs to all or to none"
        if not network.is_fixed and not (network.share > 0 and sum(stage.share for stage in network.stages) > 0):
            return f"the shares of {name} must be above 0"
        if last and any(stage.trainable not in ("all", last) for stage in network.stages):
            return f'trainable of {name} must be "all" or "{last}"'
        if any(stage.decay not in ("constant", "cosine") for stage in network.stages):
            return f'decay of {name} must be "constant" or "cosine"'
    return None
