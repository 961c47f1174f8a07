"""What all parts of a fine-tuning need to know, and the time they have."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from GrayscaleDetSegLib.core.labels import mirrored
from GrayscaleDetSegLib.core.weights import Bundle

from ..data import Case
from .heads import HeadTransfer, head_transfer
from .settings import Settings


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file, aside first: it is there completely or not at all."""
    aside = path.with_name(path.name + ".part")
    aside.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    os.replace(aside, path)


def read_json(path: Path) -> Any:
    """The content of a JSON file, None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


class Reporter:
    """Lines for the user, kept in ``log.txt`` as well, and a line of progress on a terminal.

    Parameters
    ----------
    log : Path
        Lines are added at its end.
    say : callable (str)
        Shows a line.
    draw : callable (int, int, str)
        Shows how much is done of how much, and a text.
    """

    def __init__(self, log: Path, say: Callable[[str], None], draw: Callable[[int, int, str], None]) -> None:
        self._log, self._say, self._draw = log, say, draw

    def say(self, text: str) -> None:
        """A line that stays."""
        self._say(text)
        self.note(text)

    def note(self, text: str) -> None:
        """Lines for the log alone."""
        if text.strip():
            with open(self._log, "a", encoding="utf-8") as stream:
                stream.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")

    def draw(self, done: int, total: int, text: str) -> None:
        """Progress."""
        self._draw(done, total, text)


@dataclass
class Budget:
    """The time for all networks, split by their shares.

    What a finished network left or overdrew goes to those after it. A network that was cut off goes on by the plan it
    had, so that it ends as it would have; only those after it have less time.

    Parameters
    ----------
    seconds : float
        For everything.
    reserve : float
        Of them, for reading before and measuring after.
    shares : dict of str to float
        Networks in the order in which they are trained.
    spent : dict of str to float
        Seconds that finished networks took.
    """

    seconds: float
    reserve: float
    shares: dict[str, float]
    spent: dict[str, float] = field(default_factory=dict)

    def allotted(self, name: str) -> float:
        """Seconds for a network that is to be trained now."""
        waiting = sum(share for other, share in self.shares.items() if other not in self.spent)
        left = self.seconds - self.reserve - sum(self.spent.values())
        return max(0.0, left) * self.shares[name] / waiting

    def after(self, name: str) -> float:
        """Seconds that the networks after this one, and measuring, will have."""
        names = list(self.shares)
        later = sum(self.shares[other] for other in names[names.index(name) + 1 :])
        return self.reserve + self.allotted(name) * later / self.shares[name]


@dataclass
class Context:
    """A fine-tuning as it was ordered, after the data were read.

    Parameters
    ----------
    start : Bundle
        Whose networks to start from.
    classes : tuple of str
        Of the new bundle: those of the data, then those that are kept without data.
    kept : tuple of str
        Classes of the start that the data do not show: only the last layers learn, if there are any.
    forgotten : tuple of str
        Classes of the start whose rows are not used.
    training, validation : list of Case
    settings : Settings
    work : Path
        Folder of the run.
    reporter : Reporter
    budget : Budget or None
        None where the configuration fixes the epochs.
    workers : int
        Processes that prepare samples.
    """

    start: Bundle
    classes: tuple[str, ...]
    kept: tuple[str, ...]
    forgotten: tuple[str, ...]
    training: list[Case]
    validation: list[Case]
    settings: Settings
    work: Path
    reporter: Reporter
    budget: Budget | None
    workers: int = 1

    def head_transfer(self, network: str) -> HeadTransfer:
        """How rows of a network (its name in the bundle) become those of `classes`.

        The 2D detector asks of each class by itself whether it is there. Known classes deny what is none of them, and
        so would their mean; fresh rows are undecided, which is nearer to the truth.
        """
        old = tuple(self.start.network(network)["config"]["classes"])
        is_mean = self.settings.new_classes == "mean" and network != "roi_detector"
        return head_transfer(old, self.classes, self.forgotten, is_mean)

    def without_flip(self, augmentation: dict[str, Any]) -> dict[str, Any]:
        """Settings of an augmentation; images are not mirrored where a side has no class for the other one."""
        if all(mirrored(label) in self.classes for label in self.classes):
            return augmentation
        return {**augmentation, "flip": 0.0}
