"""Training of the 2D detector by stages, as the article does it: first the output layers alone, then all.

    python -m training.detector --data ../shared/data --config training/configs/detector.toml --output runs/detector

Every run writes its configuration, curves (TensorBoard) and checkpoints below --output, and goes on from the last
checkpoint if it is started again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import lightning
import tomllib
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from GrayscaleDetSegLib.core.yolo.blocks import OutputLayer
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings, RoiDetector
from GrayscaleDetSegLib.core.yolo.networks import YoloConfig, build_yolo

from .anchors import cluster_anchors
from .augmentation import AugmentationSettings
from .data import CLASSES, load_sets
from .detection_data import DetectionDataset, collate
from .detection_loss import LossWeights, detection_loss
from .detection_metrics import roi_overlaps, summarise
from .sampling import EpochSampler
from .stages import Stage, stage_rate


class DetectorTraining(lightning.LightningModule):
    """A YOLOv3 network, its loss, and the stages of its schedule on one clock of steps."""

    def __init__(self, config: YoloConfig, stages: list[Stage], steps_per_epoch: int, weights: LossWeights) -> None:
        super().__init__()
        self.network = build_yolo(config).to(memory_format=torch.channels_last)
        self.stages, self.steps_per_epoch, self.weights = stages, steps_per_epoch, weights

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.stages[0].learning_rate, weight_decay=5e-4)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        stage, rate = stage_rate(self.stages, self.global_step, self.steps_per_epoch)
        for group in self.optimizers().param_groups:
            group["lr"] = rate
        freeze(self.network, stage.trainable)

    def training_step(self, batch: list, batch_idx: int) -> torch.Tensor:
        images = torch.stack([sample.image for sample in batch]).to(self.device)
        images = images.expand(-1, self.network.config.channels, -1, -1).contiguous(memory_format=torch.channels_last)
        parts = detection_loss(self.network, self.network(images), batch, self.weights)
        self.log_dict({f"train/{name}": value for name, value in parts.items()}, batch_size=len(batch))
        return parts["total"]


def freeze(network: torch.nn.Module, trainable: str) -> None:
    """Let only the output layers learn (``"output"``), or everything (``"all"``); frozen norms stay as they are."""
    for module in network.modules():
        learns = trainable == "all" or isinstance(module, OutputLayer)
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(learns)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.train(learns)


class Validation(Callback):
    """After every few epochs: recall and ROI IoU on val, printed, logged, and the mean as the score to choose by."""

    def __init__(self, cases: list, every: int) -> None:
        self.cases, self.every = cases, every

    def on_train_epoch_end(self, trainer: lightning.Trainer, module: DetectorTraining) -> None:
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if (trainer.current_epoch + 1) % self.every and not last:
            return
        rows = summarise(roi_overlaps(RoiDetector(module.network, DetectionSettings()), self.cases))
        score = sum(row["iou"] for row in rows) / len(rows)
        module.network.train()
        module.log("val/roi_iou", score, batch_size=1)
        module.log("val/recall", sum(row["recall"] for row in rows) / len(rows), batch_size=1)
        print(f"epoch {trainer.current_epoch + 1}: mean ROI IoU {score:.4f}", flush=True)
        for row in rows:
            print(
                "   {set:20s} {class:11s} n {objects:3d} recall {recall:.3f} IoU {iou:.3f} worst {worst:.3f}".format(
                    **row
                )
            )
        sys.stdout.flush()


def training_anchors(dataset: DetectionDataset, count: int, passes: int = 3) -> list[tuple[float, float]]:
    """Anchors for the boxes as training sees them, after augmentation."""
    sizes = []
    for index in range(passes * len(dataset)):
        boxes = dataset[index].boxes
        sizes.append(boxes[:, 2:] - boxes[:, :2])
    anchors, fit = cluster_anchors(torch.cat(sizes).numpy(), count)
    print(f"anchors {anchors.round(1).tolist()}, mean IoU with the training boxes {fit:.3f}", flush=True)
    return [(float(width), float(height)) for width, height in anchors.round(1)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--validation", type=Path, help="folder with the sets to validate on (default: --data)")
    parser.add_argument("--config", type=Path, required=True, help="experiment, a TOML file")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--from", dest="start", type=Path, help="folder of a finished run whose weights to start from")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare images (default 1)")
    options = parser.parse_args(arguments)

    torch.set_num_threads(options.threads)
    settings = tomllib.loads(options.config.read_text())
    lightning.seed_everything(settings["seed"], workers=True, verbose=False)
    augmentation = AugmentationSettings(
        **{
            key: tuple(value) if isinstance(value, list) else value
            for key, value in settings.get("augmentation", {}).items()
        }
    )
    stages = [Stage(**stage) for stage in settings["stages"]]
    sets = tuple(settings["sets"])
    dataset = DetectionDataset(
        load_sets(options.data, "train", sets), CLASSES, settings["input_size"], augmentation, settings["seed"]
    )
    start = options.start and YoloConfig.from_dict(json.loads((options.start / "network.json").read_text()))
    anchors = start.anchors if start else training_anchors(dataset, {"tiny": 6, "darknet53": 9}[settings["variant"]])
    config = YoloConfig(
        settings["variant"], CLASSES, tuple(anchors), settings["input_size"], settings["channels"], settings["width"]
    )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "network.json").write_text(json.dumps(config.to_dict(), indent=1))
    (options.output / "config.toml").write_text(options.config.read_text())

    loader = DataLoader(
        dataset,
        settings["batch_size"],
        sampler=EpochSampler(dataset.set_names, settings.get("balance", 1.0), settings["seed"]),
        drop_last=True,
        collate_fn=collate,
        num_workers=options.workers,
    )
    weights = LossWeights(**settings.get("loss", {}))
    module = DetectorTraining(config, stages, len(loader), weights)
    if options.start:
        module.network.load_state_dict(torch.load(options.start / "network.pt", weights_only=True))
    validation_sets = tuple(settings.get("validation_sets", sets))
    cases = load_sets(options.validation or options.data, "val", validation_sets)
    trainer = lightning.Trainer(
        max_epochs=sum(stage.epochs for stage in stages),
        accelerator="cpu" if not torch.cuda.is_available() else "auto",
        logger=TensorBoardLogger(options.output, name="", version=""),
        callbacks=[
            Validation(cases, settings.get("validate_every", 5)),
            ModelCheckpoint(options.output / "checkpoints", save_last=True, every_n_epochs=1),
        ],
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
        gradient_clip_val=10.0,
        log_every_n_steps=10,
    )
    last = options.output / "checkpoints" / "last.ckpt"
    trainer.fit(module, loader, ckpt_path=str(last) if last.exists() else None)
    torch.save(module.network.state_dict(), options.output / "network.pt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
