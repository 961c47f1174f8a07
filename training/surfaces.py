"""Training of the threshold surfaces.

    python -m training.surfaces --data ../shared/data --config training/configs/surfaces.toml --output runs/surfaces

The points that the network sees are also those that it is judged by: whether each lies between the two surfaces, made
soft, with cross-entropy and Dice. Half of the ROIs carry errors that the shipped 2D detector makes.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.loading import load_roi_detector
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.core.surfaces.detector import SurfaceDetector
from GrayscaleDetSegLib.core.weights import Bundle

from .data import CLASSES, Case
from .films.collection import all_films, sampling_weights
from .films.knowledge import CLASSES as FILM_CLASSES
from .films.surfaces import FilmSurfaceDataset
from .losses import soft_interval, surfaces_at
from .metrics import overlap, placed
from .networks import SurfaceConfig, SurfaceNetwork
from .runs import Run, StagedTraining, Validation, command
from .runs.record import say
from .surface_data import SurfaceAugmentation, SurfaceDataset, collate, detector_residuals


@dataclass(frozen=True)
class SurfaceLoss:
    """Softness of the interval as a share of the gray range, and the weights of the two parts."""

    softness: float = 0.08
    entropy: float = 1.0
    dice: float = 1.0


class SurfaceTraining(StagedTraining):
    """A surface network with its loss."""

    def __init__(
        self, network: SurfaceNetwork, stages: list, steps_per_epoch: int, loss: SurfaceLoss | None = None
    ) -> None:
        super().__init__(network.to(memory_format=torch.channels_last), stages, steps_per_epoch, weight_decay=1e-3)
        self.loss = loss or SurfaceLoss()

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        """``"head"``: the last layer, which holds two surfaces for each class."""
        if trainable != "head":
            return super().learning_parts(trainable)
        return {self.network.head}

    def training_step(self, batch: list, batch_idx: int) -> torch.Tensor:
        points, inside, labels = batch
        fields = self.network(points)[torch.arange(len(labels), device=labels.device), labels].float()
        low, high = surfaces_at(fields, self.network.config.side).flatten(2).unbind(1)
        logits = soft_interval((points[..., 2] + 1.0) / 2.0, low, high, self.loss.softness)
        entropy = functional.binary_cross_entropy_with_logits(logits, inside)
        likely = logits.sigmoid()
        both, either = (likely * inside).sum(1), likely.sum(1) + inside.sum(1)
        dice = (1.0 - (2.0 * both + 1.0) / (either + 1.0)).mean()
        self.log_dict({"train/entropy": entropy, "train/dice": dice}, batch_size=len(labels))
        return self.loss.entropy * entropy + self.loss.dice * dice


class SurfaceValidation(Validation):
    """Mask IoU on val in the true ROIs and in those that the 2D detector found."""

    def __init__(self, cases: list[Case], found: dict, every: int, margin: float) -> None:
        super().__init__(every)
        self.cases, self.found, self.margin = cases, found, margin

    def figures(self, module: SurfaceTraining) -> tuple[dict[str, float], list[str]]:
        if not self.cases:
            return {}, []
        rows = self.overlaps(SurfaceDetector(module.network))
        means = {key: np.mean(values, axis=0) for key, values in sorted(rows.items())}
        true, found = np.mean(list(means.values()), axis=0)
        lines = [f"{key[0]:20s} {key[1]:11s} true ROI {a:.4f} found ROI {b:.4f}" for key, (a, b) in means.items()]
        return {"iou_true": float(true), "iou_found": float(found)}, lines

    def overlaps(self, detector: SurfaceDetector) -> dict[tuple[str, str], list[list[float]]]:
        """(set, class) -> for every object the IoU in its true and in its found ROI."""
        rows = defaultdict(list)
        for case in self.cases:
            radiograph = case.radiograph()
            for number, (label, truth) in enumerate(case.objects()):
                ious = []
                for roi in (boxes.of_mask(truth), self.found.get((case.set_name, case.name, number))):
                    ious.append(0.0 if roi is None else self._iou(detector, radiograph, roi, label, truth))
                rows[case.set_name, label].append(ious)
        return rows

    def _iou(self, detector, radiograph, roi, label, truth) -> float:
        roi = tuple(boxes.grown(roi, self.margin, truth.shape))
        mask = field_mask(radiograph, detector.detect(radiograph.gray_image(), roi, label))
        return overlap(placed(mask, boxes.pixel_slices(roi, truth.shape), truth.shape), truth).iou


def found_rois(detector, cases: list[Case]) -> dict[tuple[str, str, int], np.ndarray]:
    """(set, name, number of the object) -> the ROI of its class that meets it best; objects not found are left out."""
    found = {}
    for case in cases:
        candidates = detector.candidates(case.radiograph().gray())
        for number, (label, mask) in enumerate(case.objects()):
            rois = [np.asarray(item.roi) for item in candidates if item.label == label and item.score >= 0.3]
            if rois:
                overlaps = [float(boxes.iou(roi, boxes.of_mask(mask))) for roi in rois]
                if max(overlaps) > 0.0:
                    found[case.set_name, case.name, number] = rois[int(np.argmax(overlaps))]
    return found


def film_dataset(run: Run, classes: tuple[str, ...], side: int) -> FilmSurfaceDataset:
    """The objects of the simulated films of a run, and of the train parts of the labelled sets."""
    settings = run.settings
    films = list(all_films(run.films, run.data if run.sets else None, settings["seed"]))
    weights = sampling_weights([film.set_name for film in films], settings.get("simulated", 0.5))
    say(f"{len(films)} films")
    return FilmSurfaceDataset(
        films, classes, side, SurfaceAugmentation(**settings.get("augmentation", {})), None, settings["seed"], weights,
        **settings.get("films", {}),
    )  # fmt: skip


@command
def main(arguments: list[str] | None = None) -> int:
    run = Run.of("training.surfaces", __doc__, arguments)
    settings = run.settings
    classes = FILM_CLASSES if run.films else CLASSES
    config = SurfaceConfig.from_dict({"classes": classes, **settings.get("network", {})})
    run.describe({"config": config.to_dict(), "margin": settings["margin"]})
    cases, validation = run.training_cases(), run.validation_cases()
    roi_detector = load_roi_detector(Bundle.open(engine="torch"))  # with threads as the others have
    if run.films:
        dataset = film_dataset(run, classes, config.side)
    else:
        dataset = SurfaceDataset(
            cases,
            classes,
            config.side,
            SurfaceAugmentation(**settings.get("augmentation", {})),
            detector_residuals(roi_detector, cases),
            settings["seed"],
            folder=run.samples,
        )
    loader = run.loader(dataset, collate)
    module = SurfaceTraining(
        SurfaceNetwork(config), run.stages, len(loader), SurfaceLoss(**settings.get("loss", {}))
    )
    found = found_rois(roi_detector, validation)
    run.fit(module, loader, SurfaceValidation(validation, found, settings["validate_every"], settings["margin"]), 1.0)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
