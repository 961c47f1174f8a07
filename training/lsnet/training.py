"""The training steps of L-SNet: L-Net by its own loss, then both by that of S-Net; and the figures on val."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from GrayscaleDetSegLib.core import boxes as geometry
from GrayscaleDetSegLib.core.lsnet.localiser import source_of
from GrayscaleDetSegLib.core.lsnet.looking import (
    heat_and_distances,
    look_through,
    of_locator,
    probabilities,
    regions_of,
)
from GrayscaleDetSegLib.core.lsnet.networks import Networks
from GrayscaleDetSegLib.core.lsnet.recalibration import of_boxes, recalibrated, transformation
from GrayscaleDetSegLib.core.lsnet.settings import MARGIN, LSNetSettings
from GrayscaleDetSegLib.core.volumes.views import along, dsc

from ..data import Case
from ..metrics import overlap
from ..runs import StagedTraining, Validation
from ..volumes.data import Prepared
from .data import Batch, boxes_of
from .losses import KINDS, LAMBDA, localisation
from .targets import HeatMapSettings, targets

TOP, DECAY, CLIP = 3, 0.1, 5.0
"""How many of the surest places one is drawn from, the article's gamma, and the largest norm of a gradient."""


@dataclass(frozen=True)
class StepSettings:
    """How a step is made.

    Parameters
    ----------
    decay : float
        The article's gamma: what the gradient from S-Net to L-Net is multiplied by. 0 cuts it off.
    weight : float
        The article's lambda: weight of boxes in the loss of L-Net.
    true_boxes : float
        Share of images whose region is the true box, shifted at random, in the place of a predicted one. The article
        has none; a short training wastes S-Net's first steps without.
    shift : float
        How far each edge of such a box is shifted at most, as a share of its size.
    delta, beta : float
        Of the heat maps, see `HeatMapSettings`.
    loss : str
        L_cls of both networks: the article's ``"focal"`` (with 0.2 Dice), or plain cross-``"entropy"``.
    alternate : bool
        Whether L-Net is moved by its own loss first, as in the article; else both losses are added up to one step.
    """

    decay: float = DECAY
    weight: float = LAMBDA
    true_boxes: float = 0.0
    shift: float = 0.15
    delta: float = 20.0
    beta: float = 2.0
    loss: str = "focal"
    alternate: bool = True

    def __post_init__(self) -> None:
        if self.loss not in KINDS:
            raise ValueError(f"there is no loss {self.loss!r}, but {', '.join(KINDS)}")

    @property
    def heat(self) -> HeatMapSettings:
        """The form of the heat maps."""
        return HeatMapSettings(self.delta, self.beta)


class LSNetTraining(StagedTraining):
    """Both networks with their losses.

    Each step is two: L-Net is moved by its own loss; then it looks again, a region is taken and recalibrated, and both
    are moved by the loss of S-Net. One Adam does both, because with one of its own for the second, which divides by the
    size of the gradients, gamma would have no effect.

    Parameters
    ----------
    margin : float
        alpha, as a share of the image's side.
    """

    def __init__(
        self,
        network: Networks,
        stages: list,
        steps_per_epoch: int,
        steps: StepSettings | None = None,
        margin: float = MARGIN,
    ) -> None:
        super().__init__(network.to(memory_format=torch.channels_last), stages, steps_per_epoch, weight_decay=1e-4)
        self.steps, self.margin = steps or StepSettings(), margin

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        """``"locator"``: L-Net alone; ``"segmenter"``: S-Net alone."""
        if trainable not in ("locator", "segmenter"):
            return super().learning_parts(trainable)
        return set(getattr(self.network, trainable).modules())

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        images = batch.images.contiguous(memory_format=torch.channels_last)
        small = of_locator(images, self.network.config.detail)
        of_locating = self.localisation_loss(batch, small)
        if self.steps.alternate:
            self.step(of_locating)
        loss = self.segmentation_loss(batch, images, small)
        self.log_dict({"train/locator": of_locating.detach(), "train/segmenter": loss.detach()}, batch_size=len(images))
        loss = loss if self.steps.alternate else loss + of_locating
        return loss if loss.requires_grad else loss.requires_grad_()  # what learns has had its step

    def localisation_loss(self, batch: Batch, small: torch.Tensor) -> torch.Tensor:
        """Eq. 5."""
        logits, distances = self.network.locator(small)
        heat, true = targets(batch.boxes, logits.shape[1], logits.shape[-1], self.steps.heat)
        how = self.steps.weight, self.steps.loss
        return localisation(logits.float(), distances.float(), heat, true, batch.settled, *how)

    def step(self, loss: torch.Tensor) -> None:
        """Move L-Net, inside of the step that the loop makes; what has no gradient stays."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        optimizer.zero_grad(set_to_none=True)
        if not loss.requires_grad:  # a stage in which S-Net alone learns
            return
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.locator.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def segmentation_loss(self, batch: Batch, images: torch.Tensor, small: torch.Tensor) -> torch.Tensor:
        """Eq. 6, of one region of each image; the true mask moves with the region, so that its gradient does, too."""
        with torch.set_grad_enabled(self.steps.decay > 0.0 and torch.is_grad_enabled()):
            logits, distances = self.network.locator(small)
            found = self.transformations(logits.detach(), distances.float(), batch)
        decay = self.steps.decay
        found = decay * found + (1.0 - decay) * found.detach()
        side = self.network.config.side
        regions = recalibrated(images, found, side).contiguous(memory_format=torch.channels_last)
        truth = recalibrated(batch.masks, found, side)
        return KINDS[self.steps.loss](self.network.segmenter(regions).float(), truth, batch.settled)

    def transformations(self, logits: torch.Tensor, distances: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The recalibration (n, 4) of one region of each image.

        It is that of a place drawn from the three with the largest probability, of a class that shows (of any settled
        one where none does); or of a true box.
        """
        places, chosen = logits.shape[-1], []
        for image, boxes in enumerate(batch.boxes):
            shown = boxes[:, 0].long().unique() if len(boxes) else batch.settled[image].nonzero()[:, 0]
            index = int(shown[int(torch.randint(len(shown), ()))]) if len(shown) else 0
            own = boxes[boxes[:, 0] == index, 1:]
            if len(own) and float(torch.rand(())) < self.steps.true_boxes:
                box = own[int(torch.randint(len(own), ()))]
                size = (box[2:] - box[:2]).repeat(2)
                moved = box + self.steps.shift * size * (2.0 * torch.rand(4).to(box) - 1.0)
                chosen.append(of_boxes(moved[None], self.margin)[0])
                continue
            best = logits[image, index].flatten().topk(TOP).indices
            place = int(best[int(torch.randint(TOP, ()))])
            row, column = divmod(place, places)
            point = distances.new_tensor([(column + 0.5) / places, (row + 0.5) / places])
            chosen.append(transformation(point, distances[image, index, :, row, column], self.margin))
        return torch.stack(chosen)


def masks_of(
    networks: Networks, settings: LSNetSettings, gray: np.ndarray, labels: list[str], device: str = "cpu"
) -> dict[str, tuple[np.ndarray, list]]:
    """Of each class the mask (rows, columns) of all its objects, and their regions.

    Parameters
    ----------
    gray : ndarray (rows, columns)
        Gray levels 0..255.
    """
    source = source_of(gray, networks, device)
    heat, distances = heat_and_distances(networks, source)
    found = {}
    for label in labels:
        index = networks.config.classes.index(label)
        regions = regions_of(heat[0, index], distances[0, index], settings.score)
        mask = np.zeros(gray.shape, bool)
        if regions:
            sources = source.expand(len(regions), -1, -1, -1)
            boxes = [region.box for region in regions]
            mask = probabilities(networks, sources, boxes, index, settings.margin, gray.shape).max(0) >= 0.5
        found[label] = mask, regions
    return found


def box_figure(regions: list, truth: torch.Tensor) -> float:
    """The mean IoU of true boxes (k, 4), shares, with the best of the regions found; 0 for what was not found."""
    if not regions:
        return 0.0
    found = np.array([region.box for region in regions])
    return float(geometry.iou(truth.numpy()[:, None], found[None]).max(1).mean())


class RadiographValidation(Validation):
    """IoU of masks, and of boxes, on val; the mean over images of each set and class, then over these."""

    def __init__(self, cases: list[Case], settings: LSNetSettings, every: int) -> None:
        super().__init__(every)
        self.cases, self.settings = cases, settings

    def figures(self, module: LSNetTraining) -> tuple[dict[str, float], list[str]]:
        groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for case in self.cases:
            for label, pair in radiograph_figures(case, module.network, self.settings, str(module.device)).items():
                groups.setdefault((case.set_name, label), []).append(pair)
        means = {key: np.mean(pairs, axis=0) for key, pairs in groups.items()}
        iou, box = np.mean(list(means.values()), axis=0)
        lines = [f"{set_name}, {label}: IoU {own[0]:.4f}, box {own[1]:.4f}" for (set_name, label), own in means.items()]
        return {"iou": float(iou), "box_iou": float(box)}, lines


def radiograph_figures(
    case: Case, networks: Networks, settings: LSNetSettings, device: str = "cpu"
) -> dict[str, tuple[float, float]]:
    """Of each class that a case shows: IoU of the mask, IoU of the box."""
    truths = {label: case.mask_of(label) for label in case.labels if label in networks.config.classes}
    truths = {label: truth for label, truth in truths.items() if truth.any()}
    found = masks_of(networks, settings, case.radiograph().gray(), list(truths), device)
    return {
        label: (overlap(found[label][0], truth).iou, box_figure(found[label][1], boxes_of(truth[None])[:, 1:]))
        for label, truth in truths.items()
    }


class SlicesValidation(Validation):
    """DSC of val's volumes, and IoU of the boxes in slices."""

    def __init__(self, cases: list[Prepared], settings: LSNetSettings, every: int) -> None:
        super().__init__(every)
        self.cases, self.settings = cases, settings

    def figures(self, module: LSNetTraining) -> tuple[dict[str, float], list[str]]:
        rows = [volume_figures(case, module.network, self.settings, str(module.device)) for case in self.cases]
        score, box = np.mean(rows, axis=0)
        return {"dsc": float(score), "box_iou": float(box)}, []


def volume_figures(
    case: Prepared, networks: Networks, settings: LSNetSettings, device: str = "cpu"
) -> tuple[float, float]:
    """DSC of a volume, and the mean IoU of the true boxes of its slices with the best found (the first stage)."""
    outcome = look_through(case.working, networks, 0, settings, device=device)
    boxes = []
    for view, found in outcome.regions.items():
        for mask, regions in zip(along(case.mask, view), found):
            if mask.any():
                boxes.append(box_figure(regions, boxes_of(mask[None])[:, 1:]))
    return dsc(outcome.mask, case.mask), float(np.mean(boxes))
