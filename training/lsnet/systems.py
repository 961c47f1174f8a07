"""Trained systems at work on single images, and their figures case by case: what the article's tables are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.gray import GRAY_MAX
from GrayscaleDetSegLib.core.lsnet.looking import Region, heat_and_distances, regions_of, squared
from GrayscaleDetSegLib.core.lsnet.networks import Networks
from GrayscaleDetSegLib.core.lsnet.recalibration import of_boxes, recalibrated, restored
from GrayscaleDetSegLib.core.lsnet.settings import LSNetConfig, LSNetSettings
from GrayscaleDetSegLib.core.volumes.views import along

from ..runs import Run
from ..volumes.run import VolumeRun
from .data import boxes_of
from .peers import cropped
from .training import box_figure

Locate = Callable[[torch.Tensor], list[Region]]
"""An image (1, 1, source, source), 0..1 -> the regions of the object in it."""


class Look(NamedTuple):
    """What a system makes of an image: the mask (rows, columns), and the regions of its first stage if it has one."""

    mask: np.ndarray
    regions: list[Region] | None


@dataclass(frozen=True)
class JudgedCase:
    """A radiograph, or a volume as its slices, with the true masks.

    Parameters
    ----------
    images, truths : list of ndarray (rows, columns)
        Gray levels 0..255, and bool.
    """

    name: str
    patient: str
    images: list[np.ndarray]
    truths: list[np.ndarray]


def judged_cases(run: Run, config: LSNetConfig, settings: LSNetSettings, split: str) -> list[JudgedCase]:
    """The cases of a split that show the object; of volumes the slices of the first view."""
    if isinstance(run, VolumeRun):
        view = settings.views[0]
        cases = [case for case in run.volumes if case.split == split]
        found = [
            JudgedCase(
                case.name, f"{case.set_name}/{case.patient}", list(along(ready.gray, view)),
                list(along(ready.mask, view)),
            )
            for case, ready in zip(cases, run.prepared(split))
        ]  # fmt: skip
    else:
        (label,) = config.classes
        films = [case for case in run.cases if case.split == split and label in case.labels]
        found = [
            JudgedCase(
                case.name, f"{case.set_name}/{case.patient or case.name}", [case.radiograph().gray()],
                [case.mask_of(label)],
            )
            for case in films
        ]  # fmt: skip
    return [case for case in found if any(truth.any() for truth in case.truths)]


def source_of(gray: np.ndarray, side: int) -> torch.Tensor:
    """The square (1, 1, side, side), 0..1, of an image with gray levels 0..255."""
    return torch.from_numpy(squared(gray, side) / np.float32(GRAY_MAX))[None, None]


@torch.inference_mode()
def coarse_mask(network: torch.nn.Module, source: torch.Tensor, shape: tuple[int, int]) -> np.ndarray:
    """The mask of a network of one stage, (rows, columns)."""
    logits = network(source.contiguous(memory_format=torch.channels_last))[:, :1]
    return functional.interpolate(logits, shape, mode="bilinear", align_corners=False)[0, 0].numpy() >= 0.0


def by_heat_map(networks: Networks, settings: LSNetSettings) -> Locate:
    """L-Net as the first stage."""

    def locate(source: torch.Tensor) -> list[Region]:
        heat, distances = heat_and_distances(networks, source)
        return regions_of(heat[0, 0], distances[0, 0], settings.score)

    return locate


def by_coarse_mask(network: torch.nn.Module) -> Locate:
    """A coarse segmentation as the first stage: a region around each connected part that is not a mere speck."""

    def locate(source: torch.Tensor) -> list[Region]:
        mask = coarse_mask(network, source, (source.shape[-2], source.shape[-1]))
        return [Region(1.0, tuple(box[1:])) for box in boxes_of(mask[None]).tolist()]

    return locate


def of_one_stage(network: torch.nn.Module, side: int) -> Callable[[np.ndarray], Look]:
    """A network that sees the whole image."""
    return lambda gray: Look(coarse_mask(network, source_of(gray, side), gray.shape), None)


def of_two_stages(
    locate: Locate, fine: torch.nn.Module, config: LSNetConfig, settings: LSNetSettings, crop: bool
) -> Callable[[np.ndarray], Look]:
    """A network that sees the regions of a first stage, cut out hard or recalibrated."""

    @torch.inference_mode()
    def look(gray: np.ndarray) -> Look:
        source = source_of(gray, config.source)
        regions = locate(source)
        if not regions:
            return Look(np.zeros(gray.shape, bool), regions)
        found = of_boxes(torch.tensor([region.box for region in regions]), settings.margin)
        found = cropped(found, config.source) if crop else found
        seen = recalibrated(source.expand(len(regions), -1, -1, -1), found, config.side)
        likely = fine(seen.contiguous(memory_format=torch.channels_last))[:, :1].sigmoid()
        return Look(restored(likely, found, gray.shape).amax((0, 1)).numpy() >= 0.5, regions)

    return look


def overlap_figures(mask: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """DSC, precision, recall and IoU of a mask; the truth is not empty. An empty mask has a precision of 0."""
    both, taken, true = (int(np.count_nonzero(each)) for each in (mask & truth, mask, truth))
    return {
        "dsc": 2.0 * both / (taken + true), "precision": both / taken if taken else 0.0, "recall": both / true,
        "iou": both / (taken + true - both),
    }  # fmt: skip


def case_figures(case: JudgedCase, look: Callable[[np.ndarray], Look]) -> dict[str, float]:
    """Means over the images of a case that show the object, its DSC as a whole, ``"whole"``, and its ``"slices"``."""
    rows, both, all_px = [], 0, 0
    for gray, truth in zip(case.images, case.truths):
        found = look(gray)
        both += 2 * int(np.count_nonzero(found.mask & truth))
        all_px += int(np.count_nonzero(found.mask)) + int(np.count_nonzero(truth))
        if truth.any():
            row = overlap_figures(found.mask, truth)
            if found.regions is not None:
                row["box"] = box_figure(found.regions, boxes_of(truth[None])[:, 1:])
            rows.append(row)
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {"whole": both / all_px, "slices": len(case.images), **means}


def first_stage_figure(cases: Sequence[JudgedCase], locate: Locate, side: int) -> float:
    """The mean IoU of the true boxes with the best of a first stage's, over all images that show the object."""
    found = []
    for case in cases:
        for gray, truth in zip(case.images, case.truths):
            if truth.any():
                found.append(box_figure(locate(source_of(gray, side)), boxes_of(truth[None])[:, 1:]))
    return float(np.mean(found))
