"""Coarse to fine until two rounds agree: what both methods of the article do, on a volume of the working grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ..stopwatch import Stopwatch
from .networks import Networks, ViewNetworks
from .result import VolumeBox
from .rounds import SaliencyMap, saliency_map
from .views import VIEWS, along, bounding_box, dsc, largest_part, margin_px, stack, volume_windows, windows

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
    boxes : str
        ``"slice"``: each slice has the box of its own mask, as in the article. ``"volume"``: all slices that the mask
        shows in, and those within the margin of them, have the box of the whole mask; of few thick slices one that the
        coarse stage has missed is looked at so.
    """

    threshold: float = 0.95
    rounds: int = 10
    margin: float = 30 / ARTICLE_SIDE
    vote: str = "majority"
    largest: bool = False
    boxes: str = "slice"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> IterationSettings:
        """Of a manifest or a configuration file."""
        return cls(**content)

    def __post_init__(self) -> None:
        if self.vote not in ("majority", "mean") or self.boxes not in ("slice", "volume"):
            raise ValueError(f"vote is majority or mean, boxes are slice or volume, and not {self.vote}, {self.boxes}")


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


def fixed_point(
    volume: np.ndarray,
    networks: Networks,
    settings: IterationSettings,
    stopwatch: Stopwatch | None = None,
    device: str = "cpu",
    boxes_of: np.ndarray | None = None,
    start: np.ndarray | None = None,
) -> Outcome:
    """As :func:`fixed_points`, of networks for a single label."""
    (outcome,) = fixed_points(volume, networks, settings, stopwatch, device, boxes_of, start)
    return outcome


@torch.inference_mode()
def fixed_points(
    volume: np.ndarray,
    networks: Networks,
    settings: IterationSettings,
    stopwatch: Stopwatch | None = None,
    device: str = "cpu",
    boxes_of: np.ndarray | None = None,
    start: np.ndarray | None = None,
    started: int = 0,
) -> list[Outcome]:
    """The coarse stage, then rounds of the fine one in the boxes of the round before, until two agree.

    Networks for several labels look into the boxes around all of them, and end when each label agrees.

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
    started : int
        The label that the box is of. Of the others counts what the coarse stage finds up to the box's own size away.

    Returns
    -------
    list of Outcome
        One for each label.
    """
    stopwatch = stopwatch or Stopwatch()
    views = {view: _View(along(volume, view), each, device) for view, each in networks.items()}
    found: dict[str, np.ndarray] = {}
    if start is None or networks.config.labels > 1 or networks.config.saliency is not None:
        for view, each in views.items():
            with stopwatch(f"coarse, {view}"):
                found[view] = each.whole()
        likely, masks = together(found, settings)
    else:
        likely, masks = np.zeros((1, *volume.shape), np.float32), np.zeros((1, *volume.shape), bool)
    if start is not None:
        likely, masks = _given(likely, masks, start, started)
    outcomes = [Outcome([mask], [], one, False) for mask, one in zip(masks, likely)]
    rounds = settings.rounds if start is None else max(settings.rounds, 1)
    for number in range(1, rounds + 1):
        reference = _any([outcome.mask for outcome in outcomes]) if boxes_of is None else boxes_of
        if not reference.any():
            break
        before = _total([outcome.probability for outcome in outcomes])
        for view, each in views.items():
            boxes = each.boxes(along(reference, view), settings)
            with stopwatch(f"round {number}, {view}"):
                found[view] = each.fine(boxes, along(before, view))
        likely, masks = together(found, settings)
        for outcome, mask, one in zip(outcomes, masks, likely):
            outcome.probability = one
            outcome.similarities.append(dsc(outcome.mask, mask))
            outcome.masks.append(mask)
        agreed = all(outcome.similarities[-1] >= settings.threshold for outcome in outcomes)
        if agreed or number == rounds:
            for view, each in views.items():
                boxes = each.boxes(along(reference, view), settings)
                for outcome in outcomes:
                    if outcome.mask.any():
                        outcome.maps += each.maps(view, along(outcome.mask, view), boxes, along(before, view))
                    outcome.converged = agreed
        if agreed:
            break
    return outcomes


def _given(
    likely: np.ndarray, masks: np.ndarray, start: np.ndarray, started: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the coarse stage says of all labels (the first axis), with a box (bool) in the place of one's mask."""
    z0, y0, x0, z1, y1, x1 = bounding_box(start) or (0,) * 6
    region = np.zeros(start.shape, bool)
    region[tuple(slice(max(0, 2 * low - high), 2 * high - low) for low, high in ((z0, z1), (y0, y1), (x0, x1)))] = True
    likely, masks = likely * region, masks & region
    inside = likely[started] * start
    likely[started] = inside if (inside >= 0.5).any() else start
    masks[started] = start
    return likely, masks


def _any(masks: list[np.ndarray]) -> np.ndarray:
    return masks[0] if len(masks) == 1 else np.logical_or.reduce(masks)


def _total(likely: list[np.ndarray]) -> np.ndarray:
    """The probability of any label: those of several add up to 1 at most."""
    return likely[0] if len(likely) == 1 else np.add.reduce(likely)


def together(found: Mapping[str, np.ndarray], settings: IterationSettings) -> tuple[np.ndarray, np.ndarray]:
    """Mean probabilities and masks of all labels, (labels, superior, posterior, left), of what each view has found."""
    # back from slices to the grid: the axis that came first goes to its place behind the labels
    placed = [np.moveaxis(values, 1, VIEWS[view] + 1) for view, values in found.items()]
    mean = sum(placed[1:], placed[0]) / np.float32(len(placed))
    if settings.vote == "mean":
        masks = _chosen(mean)
    else:
        votes = np.zeros(mean.shape, np.uint8)
        for values in placed:
            votes += _chosen(values)
        masks = votes >= len(placed) // 2 + 1
    if settings.largest:
        masks = np.stack([largest_part(mask) for mask in masks])
    return mean, masks


def _chosen(likely: np.ndarray) -> np.ndarray:
    """Where each label (the first axis) is more likely than not; of several, than any other and than none."""
    if len(likely) == 1:
        return likely >= 0.5
    best = likely.argmax(0)
    top = np.take_along_axis(likely, best[None], 0)[0]
    some = top > 1.0 - likely.sum(0)
    return np.stack([(best == label) & some for label in range(len(likely))])


class _View:
    """The slices of one view, and what its networks say of them.

    Slices whose windows have not moved, nor those of the slices around them, are not looked at again where the networks
    would see the same. Nothing is kept but what was said of each slice: what stacks say of theirs is added up at once.
    """

    BATCH_PX = 2**17
    """Px of the slices that are looked at together."""

    def __init__(self, slices: np.ndarray, networks: Any, device: str) -> None:
        self.networks: ViewNetworks = networks
        self.slices, self.device = slices, device
        self._said: tuple[np.ndarray, np.ndarray] | None = None  # windows, and what was said by them

    def whole(self) -> np.ndarray:
        """Probabilities (labels, n, rows, columns) by the coarse network."""
        count, rows, columns = self.slices.shape
        total = np.zeros((self.networks.labels, *self.slices.shape), np.float32)
        many = max(1, self.BATCH_PX // (rows * columns))
        for start in range(0, count, many):
            indices = list(range(start, min(count, start + many)))
            images = self._tensor(np.stack([stack(self.slices, index, self.networks.slices) for index in indices]))
            self._add(total, indices, self._likely(self.networks.coarse(images)), (0, 0, rows, columns))
        return self._averaged(total)

    def boxes(self, reference: np.ndarray, settings: IterationSettings) -> np.ndarray:
        """The windows (top, left, bottom, right) of all slices around a reference mask; -1 where there is none."""
        margin = margin_px(settings.margin, self.slices.shape[1:])
        if settings.boxes == "slice":
            return windows(reference, margin)
        return volume_windows(reference, margin, settings.margin)

    def fine(self, boxes: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Probabilities (labels, n, rows, columns) by the fine network; 0 beyond the windows, and without one."""
        recurrent, half = self.networks.saliency is not None, self.networks.slices // 2
        total = np.zeros((self.networks.labels, *self.slices.shape), np.float32)
        moved = np.ones(len(boxes), bool)
        if self._said is not None and not recurrent:
            moved = _beside((boxes != self._said[0]).any(1), half)
            total[:, ~moved] = self._said[1][:, ~moved]
        todo: dict[tuple[int, int], list[int]] = {}
        for index in np.flatnonzero(_beside(moved, half) & (boxes[:, 2] > 0)).tolist():
            top, left, bottom, right = boxes[index].tolist()
            todo.setdefault((bottom - top, right - left), []).append(index)
        for (rows, columns), indices in todo.items():
            many = max(1, self.BATCH_PX // (rows * columns))
            for start in range(0, len(indices), many):
                chosen = indices[start : start + many]
                images = self._windows(self.slices, chosen, boxes)
                if recurrent:
                    images = self.networks.weighted(images, self._windows(probability, chosen, boxes))
                likely = self._likely(self.networks.fine(images))
                for index, values in zip(chosen, likely):
                    self._add(total, [index], values[None], boxes[index].tolist(), moved)
        found = self._averaged(total, moved)
        self._said = None if recurrent else (boxes, found)
        return found

    def maps(self, view: str, mask: np.ndarray, boxes: np.ndarray, probability: np.ndarray) -> list[SaliencyMap]:
        """The saliency of the slice that shows most of a mask; nothing where the method has none.

        `boxes` and `probability` are of the round before, as :meth:`fine` has seen them.
        """
        index = int(mask.sum((1, 2)).argmax())
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
        return self.networks.likely(logits).cpu().numpy()

    def _add(
        self,
        total: np.ndarray,
        indices: list[int],
        said: np.ndarray,
        window: Sequence[int],
        wanted: np.ndarray | None = None,
    ) -> None:
        """Add what stacks say in their window (n, labels, slices, rows, columns) to the slices that are `wanted`."""
        top, left, bottom, right = window
        half = self.networks.slices // 2
        for index, values in zip(indices, said):
            for channel in range(self.networks.slices):
                target = index + channel - half
                if 0 <= target < total.shape[1] and (wanted is None or wanted[target]):
                    total[:, target, top:bottom, left:right] += values[:, channel]

    def _averaged(self, total: np.ndarray, wanted: np.ndarray | None = None) -> np.ndarray:
        """Each slice's mean over the stacks that it is part of, in place; a stack without a window there says 0."""
        count, half = len(self.slices), self.networks.slices // 2
        positions = np.arange(count)
        stacks = np.minimum(positions + half, count - 1) - np.maximum(positions - half, 0) + 1
        for index in positions if wanted is None else np.flatnonzero(wanted):
            total[:, index] /= np.float32(stacks[index])
        return total


def _beside(chosen: np.ndarray, reach: int) -> np.ndarray:
    """The slices (bool, one each) that are chosen or at most so many away from one that is."""
    found = chosen.copy()
    for step in range(1, reach + 1):
        found[step:] |= chosen[:-step]
        found[:-step] |= chosen[step:]
    return found
