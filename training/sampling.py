"""Which cases an epoch shows, decided by seed and epoch alone: a resumed run repeats an unbroken one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import distributed
from torch.utils.data import Sampler

PLACES = 1000003
"""Indices of an epoch lie so many places before those of the next one; an epoch has fewer draws."""


def seeded_generator(*numbers: int) -> torch.Generator:
    """A random generator decided by these numbers alone, whatever process it runs in."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


def place(index: int, cases: int) -> tuple[int, int]:
    """The epoch, and the place in it, of an index that `EpochSampler` has drawn from so many cases."""
    return divmod(index // cases, PLACES)


def spread(count: int, most: int) -> range:
    """All of `count` indices, or so many that are evenly spread over them: figures need not look at 20,000 images."""
    return range(0, count, max(1, -(-count // most)))


class EpochSampler(Sampler):
    """Draws an epoch's cases with replacement, small sets more often than their share.

    Everything follows from the seed and the epoch, so that a run which was cut off goes on as if it had not been, and
    several processes share out between them what one alone would draw: of B images in a batch, each of n processes
    takes every n-th.

    Parameters
    ----------
    set_names : list of str
        The set of every case.
    balance : float
        A set's share of an epoch is proportional to its number of cases to this power: 1 as it is, 0 all equal.
    seed : int
    length : int or None
        Cases in an epoch; as many as there are by default.
    processes : int
        How many share an epoch; which of them this is, torch.distributed knows when the epoch begins.
    weights : ndarray, optional
        How often each case is drawn, instead of what `balance` gives.
    """

    def __init__(
        self,
        set_names: list[str],
        balance: float,
        seed: int,
        length: int | None = None,
        processes: int = 1,
        weights: np.ndarray | None = None,
    ) -> None:
        names, counts = np.unique(set_names, return_counts=True)
        weight = dict(zip(names, counts ** (balance - 1.0)))
        self.weights = torch.tensor([weight[name] for name in set_names])
        if weights is not None:
            self.weights = torch.as_tensor(weights, dtype=torch.float64)
        self.seed, self.epoch, self.length, self.processes = seed, 0, length or len(set_names), processes
        self._seen = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Called by the training loop before each epoch."""
        self.epoch = epoch

    def resume(self, epoch: int, seen: int) -> None:
        """Begin in this epoch, without the first `seen` draws of this process: a run before this one has used them."""
        self.epoch = epoch  # with workers the loop asks for the first samples before it has told the epoch
        self._seen = (epoch, seen)

    def __len__(self) -> int:
        return self.length // self.processes

    def __iter__(self) -> Iterator[int]:
        generator = seeded_generator(self.seed, self.epoch)
        drawn = torch.multinomial(self.weights, self.length, replacement=True, generator=generator)
        # the position makes two draws of one case in an epoch differ
        indices = [
            (self.epoch * PLACES + position) * len(self.weights) + int(case)
            for position, case in enumerate(drawn)
        ]
        rank = distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0
        own = indices[rank :: self.processes][: len(self)]
        return iter(own[self._seen[1] :] if self.epoch == self._seen[0] else own)
