"""Training all baselines alike: the learning rate of each chosen on val in short runs, then the whole budget.

Finished parts are kept in the output folder and not done again; a part that was cut off goes on from its checkpoint.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import torch

from ..data import Case
from ..metrics import overlap
from ..runs import CHECKPOINT, Machine, Run, Validation
from .networks import build
from .training import AUGMENTATION, BaselineTraining, WholeImageDataset, predict

RATES = (3e-3, 1e-3, 3e-4, 1e-4)
RATES_FILE = "rates.json"


@dataclass(frozen=True)
class Budget:
    """How much every method may see.

    Parameters
    ----------
    images : int
        Images of the final run, counted each time they are seen.
    search_images : int
        Images of every short run that a learning rate is chosen by.
    batch_size : int
    seed : int
    precision : str
        Of the trainings, see ``runs.machine``.
    """

    images: int
    search_images: int
    batch_size: int = 4
    seed: int = 1
    precision: str = "32"


@dataclass(frozen=True)
class Trained:
    """A trained network, the learning rate chosen for it, and the val IoU of every rate tried."""

    network: torch.nn.Module
    rate: float
    tried: dict[float, float]


def train(
    name: str,
    cases: list[Case],
    validation: list[Case],
    classes: tuple[str, ...],
    budget: Budget,
    output: Path,
    rates: tuple[float, ...] = RATES,
) -> Trained:
    """A baseline, trained on `cases`, with the learning rate that was best on `validation`."""
    done = finished(lambda: build(name, len(classes)), output, rates)
    if done is not None:
        return done
    dataset = WholeImageDataset(cases, classes, AUGMENTATION, budget.seed)

    def run(rate: float, images: int, folder: Path) -> torch.nn.Module:
        return fit(lambda: build(name, len(classes)), BaselineTraining, dataset, rate, images, budget, folder)

    def score(network: torch.nn.Module) -> float:
        return mean_iou(lambda case: predict_case(network, case, classes), validation)

    return with_best_rate(run, score, budget, output, rates)


def finished(make: Callable[[], torch.nn.Module], output: Path, rates: tuple[float, ...]) -> Trained | None:
    """What is kept in the folder of a training that has come to its end; None if it has not."""
    tried = scores_of_rates(output) if len(rates) > 1 else {}
    if len(rates) > 1 and any(rate not in tried for rate in rates):
        return None
    weights = output / "final" / "network.pt"
    if not weights.exists():
        return None
    network = make()
    network.load_state_dict(torch.load(weights, weights_only=True))
    return Trained(network.eval(), best_rate(rates, tried), tried)


def scores_of_rates(output: Path) -> dict[float, float]:
    """Learning rate -> mean IoU on val after its short run, as far as they were tried in the folder of a training."""
    path = output / RATES_FILE
    return {float(key): value for key, value in json.loads(path.read_text()).items()} if path.exists() else {}


def best_rate(rates: tuple[float, ...], tried: dict[float, float]) -> float:
    """The one with the best score; the first where none was tried."""
    return max(rates, key=lambda rate: tried.get(rate, 0.0))


def images_seen(folder: Path, batch_size: int) -> int | None:
    """How many images a finished run has seen, by its last checkpoint; None if there is none."""
    path = folder / CHECKPOINT
    return batch_size * torch.load(path, weights_only=True)["global_step"] if path.exists() else None


def with_best_rate(
    run: Callable[[float, int, Path], torch.nn.Module],
    score: Callable[[torch.nn.Module], float],
    budget: Budget,
    output: Path,
    rates: tuple[float, ...],
) -> Trained:
    """Short runs for every rate, the whole budget for the one with the best score; ``rates.json`` keeps the scores."""
    path, tried = output / RATES_FILE, scores_of_rates(output)
    if len(rates) > 1:
        for rate in rates:
            if rate not in tried:
                tried[rate] = score(run(rate, budget.search_images, output / f"rate_{rate:g}"))
                path.write_text(json.dumps(tried))
                print(f"{output.name}: rate {rate:g} has {tried[rate]:.4f} on val", flush=True)
    best = best_rate(rates, tried)
    return Trained(run(best, budget.images, output / "final"), best, tried)


def fit(
    make: Callable, training: type, dataset, rate: float, images: int, budget: Budget, folder: Path, collate=None
):
    """One run over `images` images with a cosine schedule; a finished one is loaded instead."""
    lightning.seed_everything(budget.seed, workers=True, verbose=False)
    network, done = make(), folder / "network.pt"
    if done.exists():
        network.load_state_dict(torch.load(done, weights_only=True))
        return network.eval()
    epochs = max(1, round(images / 500))
    length = max(budget.batch_size, images // epochs)
    stage = {"trainable": "all", "learning_rate": rate, "epochs": epochs, "decay": "cosine"}
    settings = {
        "seed": budget.seed, "batch_size": budget.batch_size, "balance": 0.6, "epoch_length": length, "stages": [stage],
    }
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(Path(), folder, None, settings, 0, machine=Machine(precision=budget.precision))
    loader = run.loader(dataset, collate)
    module = training(network, run.stages, len(loader))
    run.fit(module, loader, Validation(10**9), clip=1.0)
    return module.network


def predict_case(network: torch.nn.Module, case: Case, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The mask of every class that the case marks."""
    wanted = [name for name in case.labels if name in classes]
    masks = predict(network, case.radiograph().gray(), [classes.index(name) for name in wanted])
    return dict(zip(wanted, masks))


def mean_iou(predict_masks: Callable[[Case], dict[str, np.ndarray]], cases: list[Case]) -> float:
    """IoU of the marked classes: the mean over the images of a set and class, then over these."""
    groups = defaultdict(list)
    for case in cases:
        for name, mask in predict_masks(case).items():
            truth = case.mask_of(name)
            if truth.any():
                groups[case.set_name, name].append(overlap(mask, truth).iou)
    return float(np.mean([np.mean(values) for values in groups.values()]))
