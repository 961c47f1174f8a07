"""L-SNet in ``training.compare``: trained like the baselines there, and beside the surfaces in the same report."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.lsnet.networks import Networks
from GrayscaleDetSegLib.core.lsnet.settings import LSNetConfig, LSNetSettings

from ..baselines.experiment import Budget, Trained, finished, fit, mean_iou, with_best_rate
from ..baselines.training import AUGMENTATION, SIZE, WholeImageDataset
from ..compare.compared import CODE, ComparedMethod
from ..compare.records import code_digest, weights_digest
from ..data import Case
from .data import LocatedDataset, collate
from .training import LSNetTraining, StepSettings, masks_of

NAME = "L-SNet"
RATES = (4e-3, 2e-3, 1e-3, 5e-4)
STEPS = StepSettings(true_boxes=0.5)


def config_of(classes: tuple[str, ...]) -> LSNetConfig:
    """Small networks; regions are cut out of an image of the size that the baselines see."""
    return LSNetConfig(classes, "small", "small", "unet", SIZE // 2, 2)


def train_lsnet(
    cases: list[Case],
    validation: list[Case],
    classes: tuple[str, ...],
    budget: Budget,
    output: Path,
    rates: tuple[float, ...] = RATES,
) -> Trained:
    """An L-SNet trained on `cases`, with the learning rate that was best on `validation`."""
    config = config_of(classes)
    done = finished_lsnet(classes, output, rates)
    if done is not None:
        return done
    dataset = LocatedDataset(WholeImageDataset(cases, classes, AUGMENTATION, budget.seed, config.source))

    def run(rate: float, images: int, folder: Path) -> Networks:
        training = partial(LSNetTraining, steps=STEPS)
        return fit(lambda: Networks(config), training, dataset, rate, images, budget, folder, collate)

    return with_best_rate(
        run, lambda network: mean_iou(lambda case: case_masks(network, case), validation), budget, output, rates
    )


def finished_lsnet(classes: tuple[str, ...], output: Path, rates: tuple[float, ...] = RATES) -> Trained | None:
    """What is kept of a training that has come to its end; None if it has not."""
    return finished(lambda: Networks(config_of(classes)), output, rates)


def case_masks(networks: Networks, case: Case) -> dict[str, np.ndarray]:
    """The mask of every class that the case marks."""
    wanted = [name for name in case.labels if name in networks.config.classes]
    found = masks_of(networks, LSNetSettings(), case.radiograph().gray(), wanted)
    return {name: mask for name, (mask, _) in found.items()}


def of_lsnet(trained: Trained, folder: Path) -> ComparedMethod:
    """It, as one that is compared."""
    here = sorted(Path(__file__).parent.glob("*.py"))
    depends = {
        "weights": weights_digest(trained.network),
        "code": code_digest(*here, *CODE["pipeline"], *CODE["networks"], *CODE["figures"]),
    }
    count = sum(parameter.numel() for parameter in trained.network.parameters())
    return ComparedMethod(
        NAME, lambda case: case_masks(trained.network, case), depends, count, trained.rate, folder
    )  # fmt: skip
