"""Training of the 2D detector by stages, as the article does it: first the output layers alone, then all.

    python -m training.detector --data ../shared/data --config training/configs/detector.toml --output runs/detector

Every run writes its configuration, curves (TensorBoard) and checkpoints below --output, and goes on from the last
checkpoint if it is started again.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import torch

from GrayscaleDetSegLib.core.yolo.blocks import OutputLayer
from GrayscaleDetSegLib.core.yolo.detector import RoiDetector

from .anchors import cluster_anchors
from .augmentation import AugmentationSettings
from .convert import CONVERSION
from .data import CLASSES, Case
from .detection_data import DetectionDataset, collate
from .detection_loss import LossWeights, detection_loss
from .detection_metrics import roi_overlaps, summarise
from .films.collection import outlined_films, sampling_weights
from .films.detection import FilmDetectionDataset
from .films.framing import Framing
from .films.knowledge import CLASSES as FILM_CLASSES
from .mask_head import MaskHead
from .networks import ANCHORS, YoloConfig, build_yolo
from .runs import Run, StagedTraining, Validation, command
from .runs.record import say
from .runs.run import CHECKPOINT
from .sampling import spread

DRAWS = 6000
"""Samples that the anchors are fitted to, at most."""


class DetectorTraining(StagedTraining):
    """A YOLOv3 network with its loss."""

    def __init__(self, config: YoloConfig, weights: LossWeights, stages: list, steps_per_epoch: int) -> None:
        network = build_yolo(config).to(memory_format=torch.channels_last)
        super().__init__(network, stages, steps_per_epoch, weight_decay=5e-4)
        self.weights = weights
        self.mask_head = MaskHead(network) if weights.masks else None

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        """``"output"``: the output layers, which are the last 3 layers of the article's network."""
        if trainable != "output":
            return super().learning_parts(trainable)
        return {module for module in self.network.modules() if isinstance(module, OutputLayer)}

    def training_step(self, batch: list, batch_idx: int) -> torch.Tensor:
        images = torch.stack([sample.image for sample in batch])
        images = images.expand(-1, self.network.config.channels, -1, -1).contiguous(memory_format=torch.channels_last)
        if self.mask_head is None:
            parts = detection_loss(self.network, self.network(images), batch, self.weights)
        else:
            features = self.network.features(images)
            outputs = [output.float() for output in self.network.outputs(features)]
            parts = detection_loss(self.network, outputs, batch, self.weights)
            parts["masks"] = self.weights.masks * self.mask_head.loss(features, batch)
            parts["total"] = parts["total"] + parts["masks"]
        self.log_dict({f"train/{name}": value for name, value in parts.items()}, batch_size=len(batch))
        return parts["total"]


class RoiValidation(Validation):
    """Recall and ROI IoU on val."""

    def __init__(self, cases: list[Case], every: int) -> None:
        super().__init__(every)
        self.cases = cases

    def figures(self, module: DetectorTraining) -> tuple[dict[str, float], list[str]]:
        if not self.cases:
            return {}, []
        rows = summarise(roi_overlaps(RoiDetector(module.network), self.cases))
        form = "{set:20s} {class:11s} n {objects:3d} recall {recall:.3f} IoU {iou:.3f} worst {worst:.3f}"
        means = {name: sum(row[key] for row in rows) / len(rows) for name, key in (("roi_iou", "iou"), ("recall",) * 2)}
        return means, [form.format(**row) for row in rows]


def training_anchors(dataset: DetectionDataset, count: int, passes: int = 3) -> list[tuple[float, float]]:
    """Anchors for the boxes as training sees them, after augmentation."""
    sizes = []
    for index in spread(passes * len(dataset), DRAWS):
        boxes = dataset[index].boxes
        sizes.append(boxes[:, 2:] - boxes[:, :2])
    anchors, fit = cluster_anchors(torch.cat(sizes).numpy(), count)
    say(f"anchors {anchors.round(1).tolist()}, mean IoU with the training boxes {fit:.3f}")
    return [(float(width), float(height)) for width, height in anchors.round(1)]


def film_dataset(run: Run) -> FilmDetectionDataset:
    """The simulated films of a run with the train parts of the labelled sets."""
    settings = run.settings
    films = outlined_films(run.films, run.data if run.sets else None, FILM_CLASSES, settings["seed"])
    names = [film.set_name for film in films]
    say(f"{len(films)} films, {sum(name.startswith('simulated') for name in names)} of them simulated")
    return FilmDetectionDataset(
        films, FILM_CLASSES, settings["input_size"], Framing(**settings.get("framing", {})), seed=settings["seed"],
        weights=sampling_weights(names, settings.get("simulated", 0.5), settings.get("often")),
        sizes=settings.get("sizes", ()), batch=settings["batch_size"],
        borrowed=settings.get("borrowed", 0.0),
    )  # fmt: skip


@command
def main(arguments: list[str] | None = None) -> int:
    run = Run.of("training.detector", __doc__, arguments)
    settings = run.settings
    if run.films:
        dataset = film_dataset(run)
        of_one_size = replace(dataset, sizes=())  # anchors are px of `input_size`
    else:
        augmentation = AugmentationSettings(**settings.get("augmentation", {}))
        dataset = DetectionDataset(
            run.training_cases(), CLASSES, settings["input_size"], augmentation, settings["seed"], folder=run.samples
        )
        of_one_size = dataset
    start = run.start_description()
    if run.start and (run.start / CONVERSION).exists():  # its output layers are fresh: the anchors may fit these data
        start = None
    count = ANCHORS[settings["variant"]]
    if (run.output / CHECKPOINT).exists():  # a run that goes on keeps its anchors, whatever films have come since
        start = json.loads((run.output / "network.json").read_text(encoding="utf-8"))
    anchors = YoloConfig.from_dict(start).anchors if start else tuple(training_anchors(of_one_size, count))
    config = YoloConfig(
        settings["variant"], tuple(dataset.classes), anchors, settings["input_size"], settings["channels"],
        settings["width"],
    )  # fmt: skip
    run.describe(config.to_dict())
    loader = run.loader(dataset, collate)
    module = DetectorTraining(config, LossWeights(**settings.get("loss", {})), run.stages, len(loader))
    validation = RoiValidation(run.validation_cases(), settings["validate_every"])
    run.fit(module, loader, validation, clip=10.0)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
