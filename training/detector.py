"""Training of the 2D detector by stages, as the article does it: first the output layers alone, then all.

    python -m training.detector --data ../shared/data --config training/configs/detector.toml --output runs/detector

Every run writes its configuration, curves (TensorBoard) and checkpoints below --output, and goes on from the last
checkpoint if it is started again.
"""

from __future__ import annotations

import sys

import torch

from GrayscaleDetSegLib.core.yolo.blocks import OutputLayer
from GrayscaleDetSegLib.core.yolo.detector import RoiDetector
from GrayscaleDetSegLib.core.yolo.networks import YoloConfig, build_yolo

from .anchors import cluster_anchors
from .augmentation import AugmentationSettings
from .convert import CONVERSION
from .data import CLASSES, Case
from .detection_data import DetectionDataset, collate
from .detection_loss import LossWeights, detection_loss
from .detection_metrics import roi_overlaps, summarise
from .runs import Run, StagedTraining, Validation, command
from .runs.record import say
from .sampling import spread

DRAWS = 6000
"""Samples that the anchors are fitted to, at most."""


class DetectorTraining(StagedTraining):
    """A YOLOv3 network with its loss."""

    def __init__(self, config: YoloConfig, weights: LossWeights, stages: list, steps_per_epoch: int) -> None:
        network = build_yolo(config).to(memory_format=torch.channels_last)
        super().__init__(network, stages, steps_per_epoch, weight_decay=5e-4)
        self.weights = weights

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        """``"output"``: the output layers, which are the last 3 layers of the article's network."""
        if trainable != "output":
            return super().learning_parts(trainable)
        return {module for module in self.network.modules() if isinstance(module, OutputLayer)}

    def training_step(self, batch: list, batch_idx: int) -> torch.Tensor:
        images = torch.stack([sample.image for sample in batch])
        images = images.expand(-1, self.network.config.channels, -1, -1).contiguous(memory_format=torch.channels_last)
        parts = detection_loss(self.network, self.network(images), batch, self.weights)
        self.log_dict({f"train/{name}": value for name, value in parts.items()}, batch_size=len(batch))
        return parts["total"]


class RoiValidation(Validation):
    """Recall and ROI IoU on val."""

    def __init__(self, cases: list[Case], every: int) -> None:
        super().__init__(every)
        self.cases = cases

    def figures(self, module: DetectorTraining) -> tuple[dict[str, float], list[str]]:
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


@command
def main(arguments: list[str] | None = None) -> int:
    run = Run.of("training.detector", __doc__, arguments)
    settings = run.settings
    augmentation = AugmentationSettings(**settings.get("augmentation", {}))
    dataset = DetectionDataset(
        run.training_cases(), CLASSES, settings["input_size"], augmentation, settings["seed"], folder=run.samples
    )
    start = run.start_description()
    if run.start and (run.start / CONVERSION).exists():  # its output layers are fresh: the anchors may fit these data
        start = None
    count = {"tiny": 6, "darknet53": 9}[settings["variant"]]
    anchors = YoloConfig.from_dict(start).anchors if start else tuple(training_anchors(dataset, count))
    config = YoloConfig(
        settings["variant"], CLASSES, anchors, settings["input_size"], settings["channels"], settings["width"]
    )
    run.describe(config.to_dict())
    loader = run.loader(dataset, collate)
    module = DetectorTraining(config, LossWeights(**settings.get("loss", {})), run.stages, len(loader))
    validation = RoiValidation(run.validation_cases(), settings["validate_every"])
    run.fit(module, loader, validation, clip=10.0)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
