"""Which cases an epoch shows, decided by seed and epoch alone: a resumed run repeats an unbroken one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import Sampler


def seeded_generator(*numbers: int) -> torch.Generator:
    """A random generator decided by these numbers alone, whatever process it runs in."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


class EpochSampler(Sampler):
    """Draws an epoch's cases with replacement, small sets more often than their share.

    Everything follows from the seed and the epoch, so that a run which was cut off goes on as if it had not been.

    Parameters
    ----------
    set_names : list of str
        The set of every case.
    balance : float
        A set's share of an epoch is proportional to its number of cases to this power: 1 as it is, 0 all equal.
    seed : int
    length : int or None
        Cases in an epoch; as many as there are by default.
    """

    def __init__(self, set_names: list[str], balance: float, seed: int, length: int | None = None) -> None:
        names, counts = np.unique(set_names, return_counts=True)
        weight = dict(zip(names, counts ** (balance - 1.0)))
        self.weights = torch.tensor([weight[name] for name in set_names])
        self.seed, self.epoch, self.length = seed, 0, length or len(set_names)

    def set_epoch(self, epoch: int) -> None:
        """Called by the training loop before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        generator = seeded_generator(self.seed, self.epoch)
        drawn = torch.multinomial(self.weights, self.length, replacement=True, generator=generator)
        # the position makes two draws of one case in an epoch differ
        return iter(
            [
                self.epoch * 1000003 * len(self.weights) + position * len(self.weights) + int(case)
                for position, case in enumerate(drawn)
            ]
        )
