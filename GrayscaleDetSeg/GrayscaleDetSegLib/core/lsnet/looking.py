"""The two networks at work: on a square image, on a radiograph, and slice by slice on a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from ..layers.resizing import block_means, reduced
from ..stopwatch import Stopwatch
from ..volumes.grid import Grid
from ..volumes.result import VolumeBox
from ..volumes.views import VIEWS, along, largest_part
from .heat_maps import KeyPoint, box_at, key_points, surest
from .localisation import Localisation, LocatedBox, heat_map
from .networks import Networks
from .recalibration import of_boxes, recalibrated, restored
from .settings import LSNetSettings

Box = tuple[float, float, float, float]
BATCH_PX = 2**18
"""Px of the images that are looked at together."""


@dataclass(frozen=True)
class Region:
    """An object that L-Net has found in an image.

    Parameters
    ----------
    score : float
    box : tuple of 4 float
        (x0, y0, x1, y1) as shares of the image, without margin.
    """

    score: float
    box: Box


def squared(image: np.ndarray, side: int) -> np.ndarray:
    """An image (rows, columns) stretched to (side, side), float32, without aliasing."""
    factors = [max(1, length // (2 * side)) for length in image.shape]
    return reduced(block_means(np.asarray(image, np.float32), *factors), (side, side))


@torch.inference_mode()
def heat_and_distances(networks: Networks, sources: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """What L-Net says of images: probabilities (n, classes, h, w) and l, r, t, b (n, classes, 4, h, w), as shares.

    Parameters
    ----------
    sources : Tensor (n, 1, source, source)
        0..1, at the resolution that regions are cut out of.
    """
    heat, distances = networks.locator(of_locator(sources, networks.config.detail))
    return heat.sigmoid().cpu().numpy(), distances.cpu().numpy()


def of_locator(sources: torch.Tensor, detail: int) -> torch.Tensor:
    """Images at the resolution that L-Net sees."""
    return functional.avg_pool2d(sources, detail) if detail > 1 else sources


@torch.inference_mode()
def segmented(networks: Networks, sources: torch.Tensor, transformations: torch.Tensor) -> torch.Tensor:
    """Probabilities (n, classes, side, side) of the recalibrated regions, by S-Net."""
    return networks.segmenter(recalibrated(sources, transformations, networks.config.side)).sigmoid()


def regions_of(heat: np.ndarray, distances: np.ndarray, threshold: float) -> list[Region]:
    """The objects of one class in one image, the surest first.

    Parameters
    ----------
    heat : ndarray (h, w)
    distances : ndarray (4, h, w)
    """
    return [_region(point, distances) for point in key_points(heat, threshold)]


def best_region(heat: np.ndarray, distances: np.ndarray) -> Region:
    """What lies at the surest place, activated or not."""
    return _region(surest(heat), distances)


def _region(point: KeyPoint, distances: np.ndarray) -> Region:
    return Region(point.score, box_at(point, distances))


@dataclass
class Slices:
    """What became of the slices of a volume; an outcome as those of other methods.

    Parameters
    ----------
    mask : ndarray of bool
        Of the working grid.
    probability : ndarray, float32 0..1
    regions : dict of str to list
        View -> for each slice its regions.
    heats : dict of str to ndarray
        View -> (slices, h, w), uint8: probabilities times 255.
    """

    mask: np.ndarray
    probability: np.ndarray
    regions: dict[str, list[list[Region]]] = field(default_factory=dict)
    heats: dict[str, np.ndarray] = field(default_factory=dict)

    def explanation(self, settings: LSNetSettings, grid: Grid) -> Localisation:
        """All boxes, and the heat map of each view's slice that shows most of the object."""
        boxes, maps = [], []
        for view, found in self.regions.items():
            for index, regions in enumerate(found):
                boxes += [
                    LocatedBox(view, index, _stored(view, index, region.box, grid), min(region.score, 1.0))
                    for region in regions
                ]
            middle = int(along(self.mask, view).sum((1, 2)).argmax())
            maps.append(heat_map(view, middle, self.heats[view][middle] / 255.0))
        return Localisation(settings.score, settings.margin, tuple(boxes), tuple(maps))


def _stored(view: str, index: int, box: Box, grid: Grid) -> VolumeBox:
    """A box of a slice, one voxel thick, in voxels of the stored grid; cut off at its edges."""
    axis = VIEWS[view]
    rows, columns = (size for other, size in enumerate(grid.size) if other != axis)
    x0, y0, x1, y1 = (min(max(each, 0.0), 1.0) for each in box)
    low, high = [y0 * rows, x0 * columns], [y1 * rows, x1 * columns]
    low.insert(axis, float(index))
    high.insert(axis, float(index + 1))
    return VolumeBox(*grid.box_to_stored((low[0], low[1], low[2], high[0], high[1], high[2])))


def look_through(
    working: np.ndarray,
    networks: Networks,
    index: int,
    settings: LSNetSettings,
    stopwatch: Stopwatch | None = None,
    device: str = "cpu",
) -> Slices:
    """A class in a volume: every slice of the chosen views located and segmented, then put together.

    A voxel in the regions of several objects of a slice has the largest of their probabilities, and 0 where no region
    reaches.

    Parameters
    ----------
    working : ndarray, float32, 0..1
        In the working grid, (superior, posterior, left).
    networks : Networks
        In evaluation mode.
    index : int
        Of the class.
    """
    stopwatch = stopwatch or Stopwatch()
    found = Slices(np.zeros(working.shape, bool), np.zeros(working.shape, np.float32))
    votes = np.zeros(working.shape, np.uint8)
    for view in settings.views:
        likely = np.zeros(working.shape, np.float32)
        with stopwatch(f"slices, {view}"):
            found.regions[view], found.heats[view] = look_along(
                along(working, view), networks, index, settings, along(likely, view), device
            )
        found.probability += likely / np.float32(len(settings.views))
        votes += likely >= 0.5
    by_mean = settings.vote == "mean"
    found.mask = found.probability >= 0.5 if by_mean else votes > len(settings.views) / 2
    if settings.largest:
        found.mask = largest_part(found.mask)
    return found


def look_along(
    slices: np.ndarray, networks: Networks, index: int, settings: LSNetSettings, likely: np.ndarray, device: str
) -> tuple[list[list[Region]], np.ndarray]:
    """The regions and the heat maps (n, h, w), uint8, of slices (n, rows, columns); `likely` is filled in."""
    source, side = networks.config.source, networks.config.side
    many, places = max(1, BATCH_PX // source**2), side // 4
    regions: list[list[Region]] = []
    heats = np.zeros((len(slices), places, places), np.uint8)
    for start in range(0, len(slices), many):
        images = np.stack([squared(each, source) for each in slices[start : start + many]])
        sources = torch.from_numpy(images[:, None]).to(device)
        heat, distances = heat_and_distances(networks, sources)
        heats[start : start + many] = np.rint(heat[:, index] * 255.0)
        new = [regions_of(heat[each, index], distances[each, index], settings.score) for each in range(len(images))]
        regions += new
        for number, those in enumerate(new):
            if those:
                chosen = sources[number : number + 1].expand(len(those), -1, -1, -1)
                boxes = [region.box for region in those]
                part = probabilities(networks, chosen, boxes, index, settings.margin, slices.shape[1:])
                likely[start + number] = part.max(0)
    return regions, heats


def probabilities(
    networks: Networks, sources: torch.Tensor, boxes: Sequence[Box], index: int, margin: float, shape: tuple[int, int]
) -> np.ndarray:
    """Of a class, (n, rows, columns) of images of `shape`, each within its box and 0 beyond.

    Parameters
    ----------
    sources : Tensor (n, 1, source, source)
    boxes : sequence of 4 float
        As shares of the images.
    """
    transformations = of_boxes(torch.tensor(boxes, dtype=sources.dtype, device=sources.device), margin)
    likely = segmented(networks, sources, transformations)[:, index : index + 1]
    return restored(likely, transformations, shape)[:, 0].cpu().numpy()
