"""A run small enough to be followed to the last bit, for the tests of runs."""

from __future__ import annotations

from pathlib import Path

import lightning
import torch
from torch.utils.data import Dataset

from training.runs import Machine, Run, StagedTraining, Validation

SETTINGS = {
    "seed": 5,
    "batch_size": 4,
    "balance": 0.5,
    "stages": [
        {"trainable": "last", "learning_rate": 1e-2, "epochs": 1},
        {"trainable": "all", "learning_rate": 1e-2, "epochs": 2, "decay": "cosine"},
    ],
}


class Numbers(Dataset):
    """Index -> features and the number to be guessed, both decided by the index."""

    set_names = ["many"] * 22 + ["few"] * 6

    def __len__(self) -> int:
        return len(self.set_names)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, int]:
        generator = torch.Generator().manual_seed(index)
        features = torch.randn(6, generator=generator)
        return features, features.sum() + index % len(self), index


class Toy(StagedTraining):
    """Two layers, with dropout between them if wanted; stops dead before a step if told to."""

    def __init__(self, steps_per_epoch: int, stages: list, dropout: float, stop: int | None) -> None:
        network = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Dropout(dropout), torch.nn.Linear(8, 1))
        super().__init__(network, stages, steps_per_epoch, 1e-3)
        self.seen: list[list[int]] = []
        self.stop = stop

    def end(self) -> None:
        raise RuntimeError("power cut")

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        return {self.network[-1]}

    def training_step(self, batch: list, batch_idx: int) -> torch.Tensor:
        if self.global_step == self.stop:
            self.end()
        features, wanted, indices = batch
        self.seen.append([self.global_step, *indices.tolist()])
        return ((self.network(features)[:, 0] - wanted) ** 2).mean()


def train(output: Path, machine: Machine, dropout: float = 0.0, stop: int | None = None, workers: int = 0) -> Toy:
    """One run, from its last checkpoint where there is one."""
    lightning.seed_everything(SETTINGS["seed"], verbose=False)
    output.mkdir(parents=True, exist_ok=True)
    run = Run(Path(), output, None, SETTINGS, workers, machine=machine)
    loader = run.loader(Numbers())
    module = Toy(len(loader), run.stages, dropout, stop)
    run.fit(module, loader, Validation(10**9), clip=1e9)
    return module
