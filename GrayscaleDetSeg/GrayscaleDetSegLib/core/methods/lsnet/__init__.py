"""L-SNet: regions by a heat map of centres, each segmented at one size; for radiographs and for slices of volumes.

Its first network, L-Net, finds regions as a 2D detector does. So where a model has no 2D detector, L-Net is it, and the
pipeline works with its regions as with any others: they can be drawn, moved and deleted by hand, and its second
network, S-Net, segments what is in them. In a model with a 2D detector, S-Net segments that one's regions. On volumes
both work slice by slice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...boxes import clip
from ...lsnet.localisation import RADIOGRAPH, Localisation, LocatedBox, heat_map
from ...lsnet.settings import VIEWS, LSNetConfig, LSNetSettings
from ...orientation import Orientation
from ...radiograph import Radiograph
from ...regions import RegionMask, RegionProposal, Regions
from ...stopwatch import Stopwatch
from ...types import Box2D
from ...volumes.result import VolumeBox
from ...weights import Bundle
from ..volumetric import Found, VolumeMethod

if TYPE_CHECKING:
    from ...lsnet.networks import Networks


class LSNet(VolumeMethod):
    """L-SNet.

    Parameters
    ----------
    groups : sequence of (Networks, LSNetSettings)
        In evaluation mode; no class is in two of them.
    device : str
    localises : bool
        Whether L-Net has found the regions of radiographs: only then their scores are its own.
    """

    name = "lsnet"
    title = "L-SNet"
    summary = "a heat map of centres finds regions, and each is segmented at one size"
    stages = {
        "centres": "Finding centres",
        "regions at one size": "Segmenting regions at one size",
        **{f"slices, {view}": f"Locating and segmenting, {view} slices" for view in VIEWS},
    }
    networks = ("lsnet",)
    also_takes = (2,)
    finds_regions = True
    explanation = Localisation

    def __init__(
        self, groups: Sequence[tuple[Networks, LSNetSettings]], device: str = "cpu", localises: bool = True
    ) -> None:
        self.groups, self.device, self.localises = list(groups), device, localises
        self._places = {
            label: (number, index)
            for number, (networks, _) in enumerate(self.groups)
            for index, label in enumerate(networks.config.classes)
        }

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that it has networks for."""
        return tuple(self._places)

    @classmethod
    def is_in(cls, bundle: Bundle) -> bool:
        """Whether it has networks of this method."""
        return any(True for _ in _entries(bundle))

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str) -> LSNet:
        """The method with all its networks."""
        groups = [_loaded(bundle, name, device) for name in _entries(bundle)]
        return cls(groups, device, "roi_detector" not in bundle.manifest["networks"])

    def localiser(self) -> Any:
        """L-Net, as a 2D detector."""
        from ...lsnet.localiser import Localiser

        return Localiser(self.groups, self.device)

    def segment(self, radiograph: Radiograph, regions: Regions, stopwatch: Stopwatch) -> list[RegionMask]:
        """S-Net's mask of every region; regions that were drawn by hand are taken without a margin.

        L-Net looks at the image as well: its heat map explains the mask, whoever has found the region.
        """
        from ...lsnet.localiser import source_of
        from ...lsnet.looking import heat_and_distances

        gray = regions.orientation.view_of(radiograph.gray_image()).thinned()[0]
        wanted = [self._places[region.label] for region in regions.found]
        with stopwatch("centres"):
            sources, heats = {}, {}
            for number in dict.fromkeys(number for number, _ in wanted):
                networks, _ = self.groups[number]
                sources[number] = source_of(gray, networks, self.device)
                heats[number] = heat_and_distances(networks, sources[number])[0][0]
        found = []
        with stopwatch("regions at one size"):
            for region, (number, index) in zip(regions.found, wanted):
                heat = regions.orientation.stored(heats[number][index])
                extent, mask = self._mask(
                    region, (number, index), sources[number], radiograph.shape, regions.orientation
                )
                found.append(RegionMask(region, extent, mask, self._explained(region, number, heat)))
        return found

    def _mask(
        self,
        region: RegionProposal,
        place: tuple[int, int],
        source: Any,
        shape: tuple[int, int],
        orientation: Orientation,
    ) -> tuple[Box2D, np.ndarray]:
        """Where S-Net has looked, whole px of the stored grid of `shape`, and its mask there."""
        import torch

        from ...lsnet.looking import segmented
        from ...lsnet.recalibration import of_boxes, restored

        networks, settings = self.groups[place[0]]
        margin = 0.0 if region.drawn else settings.margin
        rows, columns = seen = shape[::-1] if orientation.transpose else shape
        sides = np.array([columns, rows, columns, rows], np.float64)
        box = np.asarray(orientation.roi_to_view(region.roi, shape)) / sides
        with torch.inference_mode():
            transformations = of_boxes(torch.tensor(box[None], dtype=source.dtype, device=source.device), margin)
            likely = segmented(networks, source, transformations)[:, place[1] : place[1] + 1]
            wide, high, across, down = transformations[0].cpu().numpy().astype(np.float64)
            around = np.array([across - wide, down - high, across + wide, down + high]) / 2.0 + 0.5
            extent = clip(np.concatenate([np.floor(around[:2] * sides[:2]), np.ceil(around[2:] * sides[2:])]), seen)
            x0, y0, x1, y1 = _not_empty(extent, seen)
            window = slice(y0, y1), slice(x0, x1)
            mask = (restored(likely, transformations, seen, window)[0, 0] >= 0.5).cpu().numpy()
        stored = orientation.roi_to_stored((float(x0), float(y0), float(x1), float(y1)), shape)
        return Box2D(*stored), np.ascontiguousarray(orientation.stored(mask))

    def _explained(self, region: RegionProposal, number: int, heat: np.ndarray) -> Localisation:
        settings = self.groups[number][1]
        x0, y0, x1, y1 = region.roi
        score = region.score if self.localises and not region.drawn else None
        box = LocatedBox(RADIOGRAPH, 0, VolumeBox(x0, y0, 0.0, x1, y1, 1.0), score)
        margin = 0.0 if region.drawn else settings.margin
        return Localisation(settings.score, margin, (box,), (heat_map(RADIOGRAPH, 0, heat),))

    def segment_volume(self, working: np.ndarray, stopwatch: Stopwatch) -> list[Found]:
        """Each class by itself, slice by slice in the views of the model's settings."""
        from ...lsnet.looking import look_through

        found = []
        for label, (number, index) in self._places.items():
            networks, settings = self.groups[number]
            outcome = look_through(working, networks, index, settings, stopwatch, self.device)
            found.append(Found(label, outcome, explain=_explaining(outcome, settings)))
        return found


def _explaining(outcome: Any, settings: LSNetSettings) -> Any:
    return lambda grid: outcome.explanation(settings, grid)


def _not_empty(extent: np.ndarray, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box (x0, y0, x1, y1) of whole px, of one px at least."""
    x0, y0 = min(int(extent[0]), shape[1] - 1), min(int(extent[1]), shape[0] - 1)
    return x0, y0, max(int(extent[2]), x0 + 1), max(int(extent[3]), y0 + 1)


def _entries(bundle: Bundle) -> Iterator[str]:
    for name, entry in bundle.manifest["networks"].items():
        if isinstance(entry, dict) and entry.get("method") == LSNet.name:
            yield name


def _loaded(bundle: Bundle, name: str, device: str) -> tuple[Networks, LSNetSettings]:
    from ...lsnet.networks import Networks

    entry = bundle.network(name)
    networks = bundle.once(
        (name, device),
        lambda: bundle.load_into(Networks(LSNetConfig.from_dict(entry["config"])), name).to(device).eval(),
    )
    return networks, LSNetSettings.from_dict(entry.get("settings", {}))
