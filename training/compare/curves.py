"""Learning curves: how good each method gets with few training images of one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import lightning
import numpy as np
import torch

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.mask import field_mask, rule_mask
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.single_box.detector import BoxDetector, BoxSettings
from GrayscaleDetSegLib.core.surfaces.detector import SurfaceDetector

from .. import refinement
from ..baselines.experiment import Budget, fit
from ..baselines.networks import build
from ..baselines.training import AUGMENTATION, BaselineTraining, WholeImageDataset, predict
from ..box_data import BoxAugmentation, BoxDataset
from ..box_detector import BoxLoss, BoxTraining
from ..data import Case
from ..markdown_table import markdown_table as table
from ..metrics import placed
from ..networks import PointNet, PointNetConfig, SurfaceConfig
from ..surface_data import SurfaceAugmentation
from .accuracy import records_of
from .compared import Regions, train_surfaces
from .statistics import Bootstrap

ANCHORS = AnchorConfig(64, (26, 38, 50), 2)
IN_ROI, MARGIN = " in the ROI", 0.15
BASELINES = ("FCN", "U-Net")
"""On whole images and, beside that, in the ROI with a margin: what the 2D detector alone would give them."""
METHODS = ("surfaces", "single box", *(name + place for name in BASELINES for place in ("", IN_ROI)))
InRoi = Callable[[Case, "np.ndarray | None"], np.ndarray]
"""From a case and the ROI that was found to the mask of the class."""


def of_one_class(cases: list[Case], label: str) -> list[Case]:
    """The cases with only one of their labels left."""
    kept = [replace(case, labels={label: case.labels[label]}) for case in cases if label in case.labels]
    return [case for case in kept if (case.label_map == case.labels[label]).any()]


def chosen(cases: list[Case], count: int, seed: int = 0) -> list[Case]:
    """So many of the cases, by lot; a smaller choice is part of every larger one."""
    order = np.random.default_rng(seed).permutation(len(cases))
    return [cases[index] for index in order[:count]]


def cropped(case: Case, roi: np.ndarray, margin: float) -> tuple[Case, tuple[slice, slice]]:
    """The part of a case in a ROI with a margin, and its window in the image."""
    window = boxes.pixel_slices(boxes.grown(roi, margin, case.pixels.shape), case.pixels.shape)
    return replace(case, pixels=case.pixels[window], label_map=case.label_map[window]), window


def curve(
    label: str,
    training: list[Case],
    validation: list[Case],
    regions: Regions,
    surface: SurfaceConfig,
    budget: Budget,
    counts: list[int],
    output: Path,
    rates: Mapping[str, float],
) -> list[dict]:
    """Records on val of all methods, each trained on `counts` images of one class; the field `images` says how many.

    All but the networks on whole images work in the ROIs of the 2D detector, which has seen all training images.

    Parameters
    ----------
    rates : mapping of str to float
        The learning rates of the surfaces and of each of `BASELINES`.
    """
    training, validation = of_one_class(training, label), of_one_class(validation, label)
    found = {case.name: regions.found.get((case.set_name, case.name, 0)) for case in validation}
    records = []
    for count in counts:
        cases = chosen(training, count)
        folders = {name: output / f"{count}" / f"{name}, rate {rate:g}" for name, rate in rates.items()}
        config = replace(surface, classes=(label,))
        flat = SurfaceAugmentation(flip=0.0)  # the mirror image would be of another class
        rate, folder = (rates["surfaces"],), folders["surfaces"]
        network = train_surfaces(config, cases, [], regions, budget, folder, rate, flat).network
        methods: dict[str, InRoi] = {
            "surfaces": _by_surfaces(SurfaceDetector(network), label, regions.margin),
            "single box": _by_box(_single_box(label, cases, budget, output / f"{count}" / "box"), label),
        }
        parts = [cropped(case, boxes.of_mask(case.label_map == case.labels[label]), MARGIN)[0] for case in cases]
        for name in BASELINES:
            folder, rate = folders[name], rates[name]
            methods[name] = _by_whole(_baseline(name, cases, label, budget, folder / "whole", rate))
            methods[name + IN_ROI] = _by_part(_baseline(name, parts, label, budget, folder / "in the ROI", rate))
        for name, method in methods.items():

            def masks(case, name=name, method=method):
                roi = found[case.name]
                is_blind = roi is None and name not in BASELINES
                return {label: np.zeros(case.pixels.shape, bool) if is_blind else method(case, roi)}

            records += [{**record, "images": count} for record in records_of(name, masks, validation)]
    return records


def _by_surfaces(detector: SurfaceDetector, label: str, margin: float) -> InRoi:
    def mask(case: Case, roi: np.ndarray) -> np.ndarray:
        wide, radiograph = tuple(boxes.grown(roi, margin, case.pixels.shape)), case.radiograph()
        found = field_mask(radiograph, detector.detect(radiograph.gray_image(), wide, label))
        return placed(found, boxes.pixel_slices(wide, case.pixels.shape), case.pixels.shape)

    return mask


def _by_box(detector: BoxDetector, label: str) -> InRoi:
    def mask(case: Case, roi: np.ndarray) -> np.ndarray:
        radiograph = case.radiograph()
        low, high = np.array(detector.detect(radiograph.gray_image(), tuple(roi), label).box)[[2, 5]]
        found = rule_mask(radiograph, tuple(roi), low, high)
        return placed(found, boxes.pixel_slices(roi, case.pixels.shape), case.pixels.shape)

    return mask


def _by_whole(network: torch.nn.Module) -> InRoi:
    return lambda case, roi: predict(network, case.radiograph().gray())[0]


def _by_part(network: torch.nn.Module) -> InRoi:
    def mask(case: Case, roi: np.ndarray) -> np.ndarray:
        crop, window = cropped(case, roi, MARGIN)
        return placed(predict(network, crop.radiograph().gray())[0], window, case.pixels.shape)

    return mask


def _baseline(name: str, cases: list[Case], label: str, budget: Budget, folder: Path, rate: float) -> torch.nn.Module:
    dataset = WholeImageDataset(cases, (label,), replace(AUGMENTATION, flip=0.0), budget.seed)
    return fit(lambda: build(name, 1), BaselineTraining, dataset, rate, budget.images, budget, folder)


def _single_box(label: str, cases: list[Case], budget: Budget, folder: Path) -> BoxDetector:
    """The article's detector, from nothing, on the objects of a few images."""
    config, side = PointNetConfig((label,), 0.375, True), 28
    dataset = BoxDataset(cases, (label,), side, BoxAugmentation(flip=0.0), budget.seed)

    def training(network, stages, steps):
        module = BoxTraining(config, ANCHORS, BoxLoss(), stages, steps)
        module.network = network
        return module

    network = fit(lambda: PointNet(config), training, dataset, 2e-3, budget.images, budget, folder)
    lightning.seed_everything(budget.seed, verbose=False)
    weights = refinement.fit(network, ANCHORS, dataset, BoxDataset(cases, (label,), side))
    return BoxDetector(network, ANCHORS, weights, BoxSettings(side))


def summary(records: list[dict]) -> str:
    """Mean IoU with its 95 % interval by number of training images as Markdown."""
    counts = sorted({record["images"] for record in records})
    statistics = Bootstrap([{**record, "method": (record["images"], record["method"])} for record in records])
    rows = [
        [method, *(statistics.estimate((count, method), statistics.groups).text() for count in counts)]
        for method in METHODS
    ]
    return table(["method", *(f"{count} images" for count in counts)], rows)
