"""Training of segmentation by detection: the detector of slices first, then the 3D U-Net that gets its regions.

    python -m training.volumes.detection_attention --data ../shared/data
        --config training/configs/volumes/prostate_detection.toml --output runs/prostate --precision bf16

Both are trained apart, as in the article, in the stages of one run: those with ``trainable = "detector"`` teach the
detector, those with ``"segmentation"`` the 3D U-Net, by the attention that the detector gives the same (varied) volume.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.volumes.attention import box_of
from GrayscaleDetSegLib.core.volumes.cascade import (
    CascadeConfig,
    CascadeNetworks,
    CascadeSettings,
    detect,
    segment,
)
from GrayscaleDetSegLib.core.volumes.proposals import SliceRegions
from GrayscaleDetSegLib.core.volumes.rpn import Rpn, RpnConfig
from GrayscaleDetSegLib.core.volumes.unet3d import inputs_of
from GrayscaleDetSegLib.core.volumes.views import VIEWS, along, bounding_box, stack

from ..imagenet import load_encoder
from ..runs import RunError, StagedTraining, Validation, command
from ..runs.record import say
from ..runs.stages import stage_rate
from .data import Prepared
from .losses import dsc_loss
from .regions import (
    anchor_recall,
    detection_loss,
    fitted_shapes,
    matched,
    offsets_of,
    sampled,
    true_attention,
    true_boxes,
    true_regions,
)
from .run import VolumeRun
from .whole import Variation, VolumeDataset, VolumeSample

METHOD, STAGES = "detection_attention", ("detector", "segmentation")


class CascadeTraining(StagedTraining):
    """Both networks with their losses.

    Parameters
    ----------
    settings : CascadeSettings
        What the attention is made by.
    anchors : int
        Of objects, that a step of the detector learns from, of all its slices together.
    negatives : float
        Anchors of background that count for each of an object. The article takes none, by which no score could be
        learnt, and Faster R-CNN 1, by which whatever is an object with a chance of about 1 % gets a score of one half.
    dice : float
        Weight of the soft Dice loss beside the article's cross entropy.
    """

    def __init__(
        self,
        network: CascadeNetworks,
        stages: list,
        steps_per_epoch: int,
        settings: CascadeSettings,
        anchors: int = 256,
        negatives: float = 10.0,
        dice: float = 0.0,
    ) -> None:
        super().__init__(network, stages, steps_per_epoch, weight_decay=1e-4)
        self.settings, self.anchors, self.negatives, self.dice = settings, anchors, negatives, dice

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        """All modules of the detector, or of the segmentation."""
        return set(getattr(self.network, trainable).modules())

    def training_step(self, batch: list[VolumeSample], batch_idx: int) -> torch.Tensor:
        stage, _ = stage_rate(self.stages, self.global_step, self.steps_per_epoch)
        losses = self.detection(batch) if stage.trainable == "detector" else self.segmentation(batch)
        self.log_dict({f"train/{name}": value for name, value in losses.items()}, batch_size=len(batch))
        return torch.stack(list(losses.values())).sum()

    def detection(self, batch: list[VolumeSample]) -> dict[str, torch.Tensor]:
        """Log loss and smooth L1 of the anchors of some slices of each volume."""
        network: Rpn = self.network.detector
        said, kinds, wanted = [], [], []
        for sample in batch:
            image, truth = (self._slices(values) for values in (sample.image, sample.truth))
            images = np.stack([stack(image, index, network.config.slices) for index in sample.slices])
            said.append(network(network.seen(torch.from_numpy(images).to(self.device))))
            anchors = network.anchors(images.shape[-2:])
            size = network.seen_size(images.shape[-2:])
            factors = np.tile([size[1] / images.shape[-1], size[0] / images.shape[-2]], 2)
            for index in sample.slices:
                true = true_boxes(truth[index]) * factors
                kind, nearest = matched(anchors, true)
                kinds.append(kind)
                wanted.append(offsets_of(anchors, true[nearest]) if len(true) else np.zeros_like(anchors))
        logits, offsets = (torch.cat([each[part].flatten(0, 1) for each in said]) for part in (0, 1))
        random = np.random.default_rng([self.seed, batch[0].number, 1])
        objects, background = sampled(np.concatenate(kinds), self.anchors, random)
        of_objects = np.concatenate(wanted)[objects]
        scores, places = detection_loss(logits, offsets, objects, background, of_objects, self.negatives)
        return {"scores": scores, "places": places}

    def segmentation(self, batch: list[VolumeSample]) -> dict[str, torch.Tensor]:
        """Cross entropy of the voxels in the windows, and the soft Dice loss where it has a weight."""
        entropy, dice = [], []
        for sample in batch:
            attention = self.attention(sample)
            image, truth = sample.image[sample.window].to(self.device), sample.truth[sample.window].to(self.device)
            told = None if attention is None else torch.from_numpy(attention[sample.window].copy()).to(self.device)
            logits = self.network.segmentation(inputs_of(image, told))[0].float()
            entropy.append(functional.binary_cross_entropy_with_logits(logits, truth.float()))
            dice.append(dsc_loss(logits.sigmoid(), truth.float()))
        losses = {"entropy": torch.stack(entropy).mean()}
        return {**losses, "dice": self.dice * torch.stack(dice).mean()} if self.dice else losses

    def attention(self, sample: VolumeSample) -> np.ndarray | None:
        """What the segmentation is told of a volume; of the true regions where none are detected."""
        network: CascadeNetworks = self.network
        image, truth = sample.image.cpu().numpy(), sample.truth.cpu().numpy()
        if network.config.attention == "none":
            return None
        if network.config.attention == "box_3d":
            return true_box(truth, self.settings.margin)
        with torch.autocast(self.device.type, enabled=False):
            attention = detect(image, network, self.settings, str(self.device)).attention
        return attention if attention.any() else true_attention(truth, network.config.view)

    def _slices(self, values: torch.Tensor) -> np.ndarray:
        return along(values.cpu().numpy(), self.network.config.view)


def true_box(mask: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """The tight box of a mask in 3D as an attention volume, with a margin that is a share of the longest side."""
    box = bounding_box(mask)
    if box is None:
        return box_of(mask.shape, None)
    more = margin * max(mask.shape)
    return box_of(mask.shape, (*(low - more for low in box[:3]), *(high + more for high in box[3:])))


def iou_of(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks (bool); 1 where both are empty."""
    either = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / either if either else 1.0


def region_figures(found: SliceRegions, true: SliceRegions) -> tuple[int, int, int, int]:
    """True boxes that a region meets with an IoU of at least 0.5, true boxes, regions that meet one, regions."""
    met = hits = 0
    for index in np.union1d(found.index, true.index):
        ours, theirs = found.boxes[found.index == index], true.boxes[true.index == index]
        if len(ours) and len(theirs):
            good = boxes.iou(ours[:, None], theirs[None]) >= 0.5
            met, hits = met + int(good.any(0).sum()), hits + int(good.any(1).sum())
    return met, len(true), hits, len(found)


class CascadeValidation(Validation):
    """On val: recall and precision of the regions, IoU of the attention with a perfect one; later IoU of the masks."""

    def __init__(self, cases: list[Prepared], settings: CascadeSettings, every: int) -> None:
        super().__init__(every)
        self.cases, self.settings = cases, settings

    def figures(self, module: StagedTraining) -> tuple[dict[str, float], list[str]]:
        network, device = module.network, str(module.device)
        stage, _ = stage_rate(module.stages, module.global_step - 1, module.steps_per_epoch)
        counts, attended, overlaps = np.zeros(4), [], []
        for case in self.cases:
            detection = detect(case.working, network, self.settings, device)
            if network.detector is not None:
                counts += region_figures(detection.regions, true_regions(case.mask, network.config.view))
                attended.append(iou_of(detection.attention, true_attention(case.mask, network.config.view)))
            if stage.trainable == "segmentation":
                is_box = network.config.attention == "box_3d"
                attention = true_box(case.mask, self.settings.margin) if is_box else detection.attention
                mask = np.zeros_like(case.mask)
                if attention is None or attention.any():
                    mask, _ = segment(case.working, network, self.settings, attention, device)
                overlaps.append(iou_of(mask, case.mask))
        found = {}
        if network.detector is not None:
            found = {"recall": counts[0] / max(counts[1], 1), "precision": counts[2] / max(counts[3], 1)}
            found["attention"] = float(np.mean(attended))
        return {**found, **({"iou": float(np.mean(overlaps))} if overlaps else {})}, []


def configured(run: VolumeRun, cases: list[Prepared]) -> CascadeConfig:
    """The networks that a configuration asks for, their anchors fitted to train where it says none.

    With ``--detector`` those of that run.
    """
    given = dict(run.settings.get("network", {}))
    detector, view = dict(given.get("detector", {})), given.get("view", "axial")
    if view not in VIEWS:
        raise RunError(f"There is no view {view!r}, but {', '.join(VIEWS)}; change it in the configuration.")
    if run.extra.detector is not None:
        kept = _described(run.extra.detector)["config"]
        if (kept["view"], kept["attention"]) != (view, "slices"):
            raise RunError(f"The detector of {run.extra.detector} looks at other slices, or is none; choose another.")
        detector = kept["detector"]
    elif not {"scales", "ratios"} <= set(detector) and given.get("attention", "slices") != "none":
        scales, ratios = fitted_shapes((case.mask for case in cases), view)
        detector = {"scales": scales, "ratios": ratios, **detector}
    try:
        return CascadeConfig.from_dict({**given, "detector": detector})
    except (TypeError, ValueError) as error:
        raise RunError(f"The configuration's table [network] cannot be used: {error}.") from error


def _described(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "network.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{folder} is no finished run: its network.json cannot be read; choose another.") from error
    if content.get("method") != METHOD or not (folder / "network.pt").is_file():
        raise RunError(f"{folder} is no finished run of this method; choose another.")
    return content


def carry_out(run: VolumeRun) -> None:
    """Train both networks to the end of the schedule.

    Raises
    ------
    RunError
        If the configuration or the detector of another run cannot be used.
    WeightsError
        If the weights of a backbone cannot be.
    """
    own, extra = run.settings.get("training", {}), run.extra
    if run.target.within is not None:
        raise RunError("This method looks at whole volumes: a target within another is for step_wise and rstn.")
    wrong = [stage.trainable for stage in run.stages if stage.trainable not in STAGES]
    if wrong:
        raise RunError(f"A stage trains '{wrong[0]}'; here each trains {' or '.join(STAGES)}.")
    settings = CascadeSettings.from_dict(run.settings.get("regions", {}))
    train = run.prepared("train")
    config = configured(run, train)
    keep(run, config)
    networks = CascadeNetworks(config)
    stages = run.stages
    if networks.detector is None or extra.detector is not None:
        stages = [stage for stage in stages if stage.trainable == "segmentation"]
    if networks.detector is not None:
        _say_anchors(train, config, networks.detector)
    if extra.backbone is not None:
        if networks.detector is None:
            raise RunError("Without attention there is no detector, and no backbone to load.")
        if networks.detector.config.backbone != "vgg16":
            raise RunError(
                f"Weights of VGG-16 do not fit the backbone '{networks.detector.config.backbone}'; choose vgg16."
            )
        say(load_encoder(networks.detector.backbone.body, extra.backbone, "features.").text)
    if extra.detector is not None and networks.detector is not None:
        state = torch.load(extra.detector / "network.pt", weights_only=True)
        parts = {name.partition(".")[2]: values for name, values in state.items() if name.startswith("detector.")}
        networks.detector.load_state_dict(parts)
    dataset = VolumeDataset(
        train, run.settings["seed"], config.view, own.get("slices", 16), own.get("patch"),
        Variation(**own.get("variation", {})),
    )  # fmt: skip
    loader = run.loader(dataset, list)
    module = CascadeTraining(
        networks, stages, len(loader), settings, own.get("anchors", 256), own.get("negatives", 10.0),
        own.get("dice", 0.0),
    )  # fmt: skip
    cases = run.prepared("val", run.settings.get("validate_with"))
    validation = CascadeValidation(cases, settings, run.settings["validate_every"])
    run.fit(module, loader, validation, clip=run.settings.get("clip", 5.0), quiet=True)


def keep(run: VolumeRun, config: CascadeConfig) -> None:
    """Write ``network.json``: all that a bundle says of these networks."""
    parts = "3D U-Net" if config.attention == "none" else "detector of slices and 3D U-Net"
    run.describe(
        {
            "method": METHOD, "label": run.target.label, "what": parts, "config": config.to_dict(),
            "settings": run.settings.get("regions", {}), "volume": run.settings.get("volume", {}),
            "sets": run.settings["sets"],
        }
    )  # fmt: skip


def _say_anchors(cases: list[Prepared], config: CascadeConfig, network: Rpn) -> None:
    side = config.detector.side or max(along(cases[0].mask, config.view).shape[1:])
    shapes: RpnConfig = config.detector
    share = anchor_recall(
        (case.mask for case in cases), config.view, shapes.scales, shapes.ratios, network.backbone.stride / side
    )
    say(
        f"{shapes.anchors} anchors at each place, scales {shapes.scales}, ratios {shapes.ratios}: "
        f"{100 * share:.0f} % of the true boxes of train have one with an IoU above 0.7"
    )


def _options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--backbone", type=Path, help="ImageNet weights of VGG-16, .safetensors or .pth, as torchvision names them")
    add("--detector", type=Path, help="folder of a finished run whose detector is taken as it is")


@command
def main(arguments: list[str] | None = None) -> int:
    run = VolumeRun.of("training.volumes.detection_attention", __doc__, arguments, _options)
    if run.machine.precision == "16" and not run.machine.on_gpu():
        run = replace(run, machine=replace(run.machine, precision="bf16"))
    carry_out(run)
    run.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
