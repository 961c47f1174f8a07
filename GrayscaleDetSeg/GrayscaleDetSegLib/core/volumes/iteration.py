"""Coarse to fine until two rounds agree: what both methods of the article do, on a volume of the working grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ..stopwatch import Stopwatch
from .networks import Networks, ViewNetworks
from .result import VolumeBox
from .rounds import SaliencyMap, saliency_map
from .views import VIEWS, along, dsc, largest_part, margin_px, stack, windows

ARTICLE_SIDE = 512
"""Px of the article's images: its margins, in px, are kept as shares of this."""


@dataclass(frozen=True)
class IterationSettings:
    """When the rounds end, and how far they look.

    Parameters
    ----------
    threshold : float
        DSC of two rounds that ends it.
    rounds : int
        After which it ends in any case; 0 leaves the coarse stage alone.
    margin : float
        Around the box of each slice, as a share of the image's side.
    vote : str
        How the views are put together: ``"majority"`` of their masks, or ``"mean"`` of their probabilities.
    largest : bool
        Whether only the largest connected part of each round's mask counts, which the article does not do: where there
        are look-alikes, rounds draw them in otherwise.
    """

    threshold: float = 0.95
    rounds: int = 10
    margin: float = 30 / ARTICLE_SIDE
    vote: str = "majority"
    largest: bool = False

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> IterationSettings:
        """Of a manifest or a configuration file."""
        return cls(**content)


@dataclass
class Outcome:
    """What became of a volume.

    Parameters
    ----------
    masks : list of ndarray of bool
        Of the coarse stage and of each round.
    similarities : list of float
        DSC of each round with the one before.
    probability : ndarray
        Mean of the views in the last round, float32 0..1.
    converged : bool
        Whether the last two rounds agreed.
    maps : list of SaliencyMap
    """

    masks: list[np.ndarray]
    similarities: list[float]
    probability: np.ndarray
    converged: bool
    maps: list[SaliencyMap] = field(default_factory=list)

    @property
    def mask(self) -> np.ndarray:
        """Of the last round."""
        return self.masks[-1]

    def placed(self, window: tuple[slice, ...], shape: tuple[int, ...]) -> Outcome:
        """The same of a part of a volume as one of the whole volume of `shape`."""

        def whole(values: np.ndarray) -> np.ndarray:
            result = np.zeros(shape, values.dtype)
            result[window] = values
            return result

        def moved_by(box: VolumeBox | None) -> VolumeBox | None:
            starts = [part.start or 0 for part in window[::-1]] * 2
            return None if box is None else VolumeBox(*(value + start for value, start in zip(box, starts)))

        return replace(
            self,
            masks=[whole(mask) for mask in self.masks],
            probability=whole(self.probability),
            maps=[
                replace(each, slice=each.slice + (window[VIEWS[each.view]].start or 0), box=moved_by(each.box))
                for each in self.maps
            ],
        )


@torch.inference_mode()
def fixed_point(
    volume: np.ndarray,
    networks: Networks,
    settings: IterationSettings,
    stopwatch: Stopwatch | None = None,
    device: str = "cpu",
    boxes_of: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> Outcome:
    """The coarse stage, then rounds of the fine one in the boxes of the round before, until two agree.

    Parameters
    ----------
    volume : ndarray, float32, 0..1
        In the working grid, (superior, posterior, left).
    networks : Networks
        In evaluation mode.
    boxes_of : ndarray of bool, optional
        A mask that the boxes are taken of in every round, instead of those of the round before (an oracle).
    start : ndarray of bool, optional
        A box given by hand, which stands in the place of the coarse stage's mask; one round at least follows. A
        recurrent method first weighs the image by the coarse stage's probabilities in the box, or, where that finds
        nothing there, by the box.
    """
    stopwatch = stopwatch or Stopwatch()
    views = {view: _View(along(volume, view), networks[view], device) for view in VIEWS}
    found: dict[str, np.ndarray] = {}
    is_recurrent = any(networks[view].saliency is not None for view in VIEWS)
    if start is None or is_recurrent:
        for view, each in views.items():
            with stopwatch(f"coarse, {view}"):
                found[view] = each.whole()
        probability, mask = _together(found, settings)
    if start is not None:
        inside = probability * start if is_recurrent else start.astype(np.float32)
        probability, mask = (inside if (inside >= 0.5).any() else start.astype(np.float32)), start
    outcome = Outcome([mask], [], probability, False)
    rounds = settings.rounds if start is None else max(settings.rounds, 1)
    for number in range(1, rounds + 1):
        reference = outcome.mask if boxes_of is None else boxes_of
        if not reference.any():
            break
        for view, each in views.items():
            with stopwatch(f"round {number}, {view}"):
                found[view] = each.fine(along(reference, view), along(outcome.probability, view), settings.margin)
        before = outcome.probability
        outcome.probability, mask = _together(found, settings)
        outcome.similarities.append(dsc(outcome.mask, mask))
        outcome.masks.append(mask)
        last = number == rounds or outcome.similarities[-1] >= settings.threshold
        if last and mask.any():
            for view, each in views.items():
                seen = along(mask, view), along(reference, view), along(before, view)
                outcome.maps += each.maps(view, *seen, settings.margin)
        if outcome.similarities[-1] >= settings.threshold:
            outcome.converged = True
            break
    return outcome


def _together(found: Mapping[str, np.ndarray], settings: IterationSettings) -> tuple[np.ndarray, np.ndarray]:
    """Mean probability and mask of all views, whose arrays are views into the working grid."""
    # back from slices to the grid: the axis that came first goes to its place
    placed = [np.moveaxis(values, 0, VIEWS[view]) for view, values in found.items()]
    mean = (placed[0] + placed[1] + placed[2]) / np.float32(3.0)
    if settings.vote == "mean":
        mask = mean >= 0.5
    else:
        votes = np.zeros(mean.shape, np.uint8)
        for values in placed:
            votes += values >= 0.5
        mask = votes >= 2
    return mean, largest_part(mask) if settings.largest else mask


class _View:
    """The slices of one view, and what its networks say of them.

    A slice whose window has not moved is not looked at again where the networks would see the same.
    """

    BATCH_PX = 2**17
    """Px of the slices that are looked at together."""

    def __init__(self, slices: np.ndarray, networks: Any, device: str) -> None:
        self.networks: ViewNetworks = networks
        self.slices, self.device = slices, device
        self._kept: dict[int, tuple[tuple[int, ...], np.ndarray]] = {}

    def whole(self) -> np.ndarray:
        """Probabilities (n, rows, columns) by the coarse network."""
        count, rows, columns = self.slices.shape
        said: dict[int, np.ndarray] = {}
        many = max(1, self.BATCH_PX // (rows * columns))
        for start in range(0, count, many):
            indices = list(range(start, min(count, start + many)))
            images = self._tensor(np.stack([stack(self.slices, index, self.networks.slices) for index in indices]))
            said.update(zip(indices, self._likely(self.networks.coarse(images))))
        return self._averaged(said, np.tile([0, 0, rows, columns], (count, 1)))

    def fine(self, reference: np.ndarray, probability: np.ndarray, margin: float) -> np.ndarray:
        """Probabilities by the fine network in the windows around a reference mask; 0 beyond, and without a window."""
        boxes = windows(reference, margin_px(margin, self.slices.shape[1:]))
        recurrent = self.networks.saliency is not None
        said: dict[int, np.ndarray] = {}
        todo: dict[tuple[int, int], list[int]] = {}
        for index, box in enumerate(boxes):
            key = tuple(box.tolist())
            if box[2] <= 0:
                continue
            kept = self._kept.get(index)
            if kept is not None and kept[0] == key and not recurrent:
                said[index] = kept[1]
            else:
                todo.setdefault((key[2] - key[0], key[3] - key[1]), []).append(index)
        for (rows, columns), indices in todo.items():
            many = max(1, self.BATCH_PX // (rows * columns))
            for start in range(0, len(indices), many):
                chosen = indices[start : start + many]
                images = self._windows(self.slices, chosen, boxes)
                if recurrent:
                    images = self.networks.weighted(images, self._windows(probability, chosen, boxes))
                said.update(zip(chosen, self._likely(self.networks.fine(images))))
        if not recurrent:
            self._kept = {index: (tuple(boxes[index].tolist()), values) for index, values in said.items()}
        return self._averaged(said, boxes)

    def maps(
        self, view: str, mask: np.ndarray, reference: np.ndarray, probability: np.ndarray, margin: float
    ) -> list[SaliencyMap]:
        """The saliency of the slice that shows most of a mask; nothing where the method has none.

        `reference` and `probability` are of the round before, as :meth:`fine` has seen them.
        """
        index = int(mask.sum((1, 2)).argmax())
        boxes = windows(reference, margin_px(margin, self.slices.shape[1:]))
        if self.networks.saliency is None or boxes[index, 2] <= 0:
            return []
        weights = self.networks.saliency(self._windows(probability, [index], boxes))[0].cpu().numpy()
        top, left, bottom, right = boxes[index].tolist()
        low, high = [top, left], [bottom, right]
        low.insert(VIEWS[view], index)
        high.insert(VIEWS[view], index + 1)
        box = VolumeBox(*map(float, (*low[::-1], *high[::-1])))
        return [saliency_map(view, index, channel, each, box) for channel, each in enumerate(weights)]

    def _windows(self, slices: np.ndarray, indices: list[int], boxes: np.ndarray) -> torch.Tensor:
        count = self.networks.slices
        return self._tensor(np.stack([stack(slices, index, count, boxes[index]) for index in indices]))

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).to(self.device, torch.float32)

    def _likely(self, logits: torch.Tensor) -> np.ndarray:
        return logits.sigmoid().cpu().numpy()

    def _averaged(self, said: Mapping[int, np.ndarray], boxes: np.ndarray) -> np.ndarray:
        """Each slice's mean over the stacks that it is part of; a stack without a window there says 0."""
        total = np.zeros(self.slices.shape, np.float32)
        count, half = len(total), self.networks.slices // 2
        for index, values in said.items():
            top, left, bottom, right = boxes[index]
            for channel in range(self.networks.slices):
                target = index + channel - half
                if 0 <= target < count:
                    total[target, top:bottom, left:right] += values[channel]
        positions = np.arange(count)
        stacks = np.minimum(positions + half, count - 1) - np.maximum(positions - half, 0) + 1
        return total / stacks[:, None, None].astype(np.float32)
