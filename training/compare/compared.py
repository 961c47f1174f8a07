"""Who takes part, and our surfaces trained like the baselines: same images, budget and choice of a learning rate."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

import GrayscaleDetSegLib
from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.batch_norm_folding import fold_batch_norms
from GrayscaleDetSegLib.core.methods.base import Method
from GrayscaleDetSegLib.core.methods.box import Box
from GrayscaleDetSegLib.core.methods.surfaces import Surfaces
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.surfaces.detector import SurfaceDetector

from .. import baselines, metrics
from ..baselines.experiment import Budget, Trained, finished, fit, predict_case, with_best_rate
from ..baselines.thresholds import ThresholdDetector, multi_otsu
from ..data import Case
from ..metrics import overlap
from ..networks import SurfaceConfig, SurfaceNetwork
from ..surface_data import SurfaceAugmentation, SurfaceDataset, collate, detector_residuals
from ..surfaces import SurfaceTraining, SurfaceValidation, found_rois
from .accuracy import Masks, pipeline_masks
from .records import code_digest, weights_digest

RATES = (4e-3, 2e-3, 1e-3, 5e-4)

OURS = ("surfaces", "shipped", "single box")
THRESHOLDS = ("Otsu", "multi-Otsu")

HERE, BASELINES = Path(__file__).parent, Path(baselines.__file__).parent
CODE = {
    "pipeline": (Path(GrayscaleDetSegLib.__file__).parent / "core", BASELINES / "thresholds.py"),
    "networks": (BASELINES / "networks.py", BASELINES / "training.py", BASELINES / "experiment.py"),
    "figures": (HERE / "accuracy.py", HERE.parent / "intervals.py", Path(metrics.__file__)),
}
"""What decides a method's masks, and the figures made of them: rows are computed again when it changes."""


@dataclass(frozen=True)
class ComparedMethod:
    """A method that is compared.

    Parameters
    ----------
    name : str
    masks : callable
        From a case to the mask of every class that it marks.
    depends : dict of str to str
        Digests and settings that decide its masks.
    parameters : int
        Numbers in its networks, all of them that take part.
    rate : float or None
        The learning rate chosen on val, where it was trained here.
    folder : Path or None
        Of that training.
    pipeline : Pipeline or None
        What makes its masks, if that is a pipeline, and by which of its methods.
    method : str or None
    """

    name: str
    masks: Masks
    depends: dict[str, str] = field(default_factory=dict)
    parameters: int = 0
    rate: float | None = None
    folder: Path | None = None
    pipeline: Pipeline | None = None
    method: str | None = None


class Regions:
    """What the 2D detector gives: its errors on the training images, its ROIs on val, and the margin added to them.

    Both are found when they are first asked for.
    """

    def __init__(self, detector, training: list[Case], validation: list[Case], margin: float) -> None:
        self._detector, self._training, self._validation = detector, training, validation
        self.margin = margin

    @cached_property
    def residuals(self) -> Mapping[str, np.ndarray]:
        """See `surface_data.detector_residuals`."""
        return detector_residuals(self._detector, self._training)

    @cached_property
    def found(self) -> dict:
        """See `surfaces.found_rois`."""
        return found_rois(self._detector, self._validation)


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
    done = finished(lambda: SurfaceNetwork(config), output, rates)
    if done is not None:
        return done
    augmentation = augmentation or SurfaceAugmentation()
    dataset = SurfaceDataset(cases, config.classes, config.side, augmentation, regions.residuals, budget.seed)

    def run(rate: float, images: int, folder: Path) -> SurfaceNetwork:
        return fit(lambda: SurfaceNetwork(config), SurfaceTraining, dataset, rate, images, budget, folder, collate)

    def score(network: SurfaceNetwork) -> float:
        rows = SurfaceValidation(validation, regions.found, 1, regions.margin).overlaps(SurfaceDetector(network))
        return float(np.mean([np.mean([found for _, found in values]) for values in rows.values()]))

    return with_best_rate(run, score, budget, output, rates)


def with_methods(pipeline: Pipeline, *methods: Method) -> Pipeline:
    """The same pipeline with other methods, its own first."""
    twin = copy.copy(pipeline)
    twin.methods = {method.name: method for method in methods}
    return twin


def with_surfaces(pipeline: Pipeline, network: SurfaceNetwork) -> Pipeline:
    """The same pipeline with other surfaces, as they would be in a bundle."""
    box, detector = pipeline.methods["box"], SurfaceDetector(fold_batch_norms(copy.deepcopy(network)))
    return with_methods(pipeline, Surfaces(detector, box, _margin(pipeline)), box)


def _margin(pipeline: Pipeline) -> float:
    """What the pipeline's surfaces look at beyond a found region, as a share of its size; 0 without any."""
    return pipeline.methods["surfaces"].margin if "surfaces" in pipeline.methods else 0.0


def of_surfaces(
    name: str, pipeline: Pipeline, trained: Trained | None = None, folder: Path | None = None
) -> ComparedMethod:
    """The whole pipeline with threshold surfaces: its own, or those that were trained here."""
    if trained is not None:
        pipeline = with_surfaces(pipeline, trained.network)
    return _of_pipeline(name, pipeline, "surfaces", trained.rate if trained else None, folder)


def of_single_box(pipeline: Pipeline) -> ComparedMethod:
    """The whole pipeline with the article's single box."""
    return _of_pipeline("single box", with_methods(pipeline, pipeline.methods["box"]), "box")


def of_thresholds(name: str, pipeline: Pipeline, parts: Mapping[str, int] | None = None) -> ComparedMethod:
    """The whole pipeline with Otsu's thresholds in the place of the 3D detector."""
    detector = ThresholdDetector(parts, pipeline.methods["box"].classes)
    return _of_pipeline(name, with_methods(pipeline, Box(detector)), "box")


def of_baseline(name: str, trained: Trained, classes: tuple[str, ...], folder: Path) -> ComparedMethod:
    """A network that labels every pixel."""
    return ComparedMethod(
        name,
        lambda case: predict_case(trained.network, case, classes),
        {"weights": weights_digest(trained.network), "code": code_digest(*CODE["networks"], *CODE["figures"])},
        _count(trained.network),
        trained.rate,
        folder,
    )


def _of_pipeline(name: str, pipeline: Pipeline, method: str, rate=None, folder: Path | None = None) -> ComparedMethod:
    networks = [pipeline.roi_detector.network]
    surfaces = pipeline.methods["surfaces"].detector if "surfaces" in pipeline.methods else None
    networks += [part.network for part in (pipeline.polarity_check, surfaces) if part is not None]
    box, refinement = pipeline.methods["box"].detector, None
    settings = {"method": method, "margin": _margin(pipeline)}
    if surfaces is not None:
        settings["surfaces"] = surfaces.network.config
    if isinstance(box, ThresholdDetector):
        settings["parts"] = dict(box.parts or {})
    else:
        networks.append(box.network)
        refinement, settings["box"] = box.refinement, (box.anchors, box.settings)
    settings["regions"], settings["post-processing"] = pipeline.roi_detector.settings, pipeline.clean_up
    depends = {
        "weights": weights_digest(*networks, refinement),
        "settings": str(settings),
        "code": code_digest(*CODE["pipeline"], *CODE["figures"]),
    }
    count = sum(map(_count, networks))
    return ComparedMethod(name, pipeline_masks(pipeline, method), depends, count, rate, folder, pipeline, method)


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def best_parts(cases: list[Case]) -> list[dict]:
    """For every class and both choices of :func:`multi_otsu` the mean IoU in the true ROIs of training images."""
    found: dict = defaultdict(list)
    for case in cases:
        gray = case.radiograph().gray()
        for label, truth in case.objects():
            window = boxes.pixel_slices(boxes.of_mask(truth), truth.shape)
            for parts in (1, 2):
                found[label, parts].append(overlap(multi_otsu(gray[window], label, parts), truth[window]).iou)
    return [{"class": label, "parts": parts, "iou": float(np.mean(ious))} for (label, parts), ious in found.items()]


def chosen_parts(rows: list[dict]) -> dict[str, int]:
    """Class -> the number of gray classes that was best."""
    best: dict[str, dict] = {}
    for row in rows:
        if row["class"] not in best or row["iou"] > best[row["class"]]["iou"]:
            best[row["class"]] = row
    return {label: int(row["parts"]) for label, row in best.items()}


