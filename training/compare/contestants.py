"""Our surfaces, trained like the rivals: the same images, budget and choice of a learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.surfaces.detector import SurfaceDetector
from GrayscaleDetSegLib.core.surfaces.network import SurfaceConfig, SurfaceNetwork

from ..data import Case
from ..rivals.contest import Budget, Trained, fit, with_best_rate
from ..surface_data import SurfaceAugmentation, SurfaceDataset, collate
from ..surfaces import SurfaceTraining, SurfaceValidation

RATES = (4e-3, 2e-3, 1e-3)


@dataclass(frozen=True)
class Regions:
    """What the 2D detector gives: its errors on the training images, its ROIs on val, and the margin added to them."""

    residuals: Mapping[str, np.ndarray]
    found: dict
    margin: float


def train_surfaces(
    config: SurfaceConfig,
    cases: list[Case],
    validation: list[Case],
    regions: Regions,
    budget: Budget,
    output: Path,
    rates: tuple[float, ...] = RATES,
    augmentation: SurfaceAugmentation | None = None,
) -> Trained:
    """A surface network trained on `cases` from nothing, with the rate that was best in the found ROIs of val."""
    augmentation = augmentation or SurfaceAugmentation()
    dataset = SurfaceDataset(cases, config.classes, config.side, augmentation, regions.residuals, budget.seed)

    def run(rate: float, images: int, folder: Path) -> SurfaceNetwork:
        return fit(lambda: SurfaceNetwork(config), SurfaceTraining, dataset, rate, images, budget, folder, collate)

    def score(network: SurfaceNetwork) -> float:
        rows = SurfaceValidation(validation, regions.found, 1, regions.margin).overlaps(SurfaceDetector(network))
        return float(np.mean([np.mean([found for _, found in values]) for values in rows.values()]))

    return with_best_rate(run, score, budget, output, rates)
