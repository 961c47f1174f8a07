"""Segmentation by detection (paper 003): a detector on every slice, its regions as an attention volume, a 3D U-Net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import MethodError
from ..stopwatch import Stopwatch
from .attention import KINDS, AttentionBoxes, ProposedBox, around, attention_of, box_of, corners_of, stored_box
from .given import WorkingBoxes, fitted
from .grid import Corners, Grid
from .proposals import SliceRegions
from .rpn import Rpn, RpnConfig, proposed
from .unet3d import UNet3D, likely
from .views import VIEWS, along, bounding_box, largest_part


@dataclass(frozen=True)
class CascadeConfig:
    """How both networks are built.

    Parameters
    ----------
    attention : str
        One of `KINDS`: ``"slices"`` is the article's method; ``"box_3d"`` and ``"none"`` are what it compares with.
    view : str
        Whose slices the detector looks at.
    channels : tuple of int
        Of the levels of the 3D U-Net.
    detector : RpnConfig
        Without attention there is none.
    """

    attention: str = "slices"
    view: str = "axial"
    channels: tuple[int, ...] = (8, 16, 32, 64)
    detector: RpnConfig = field(default_factory=RpnConfig)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        for name, value, known in (("attention", self.attention, KINDS), ("view", self.view, tuple(VIEWS))):
            if value not in known:
                raise ValueError(f"there is no {name} {value!r}, but {', '.join(known)}")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CascadeConfig:
        """Of a manifest or a configuration file."""
        return cls(**{**content, "detector": RpnConfig.from_dict(content.get("detector", {}))})

    def to_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


@dataclass(frozen=True)
class CascadeSettings:
    """Which regions count, and what becomes of the mask.

    Parameters
    ----------
    score : float
        That a region has at least.
    suppression : float
        IoU with a better region of its slice above which one is left out.
    most : int
        Regions of a slice at most.
    margin : float
        That detected regions grow by, as a share of the slice's longest side; the article has none.
    largest : bool
        Whether only the largest connected part of the mask counts, which the article does not do.
    tile : int
        Voxels of a side that the 3D U-Net looks at together at most.
    """

    score: float = 0.5
    suppression: float = 0.3
    most: int = 4
    margin: float = 0.0
    largest: bool = False
    tile: int = 128

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CascadeSettings:
        """Of a manifest or a configuration file."""
        return cls(**content)


class CascadeNetworks(nn.Module):
    """The detector, where there is one, and the 3D U-Net."""

    def __init__(self, config: CascadeConfig) -> None:
        super().__init__()
        self.config = config
        has_attention = config.attention != "none"
        self.detector = Rpn(config.detector) if has_attention else None
        self.segmentation = UNet3D(2 if has_attention else 1, config.channels)


@dataclass
class Detection:
    """Where the segmentation is told to look.

    Parameters
    ----------
    regions : SliceRegions
        After what was given.
    attention : ndarray of bool, or None
        In the working grid; None for a network that takes none.
    given : bool
        Whether somebody gave boxes.
    """

    regions: SliceRegions
    attention: np.ndarray | None
    given: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether there is nowhere to look."""
        return self.attention is not None and not self.attention.any()


def detect(
    working: np.ndarray,
    networks: CascadeNetworks,
    settings: CascadeSettings,
    device: str = "cpu",
    given: WorkingBoxes | None = None,
) -> Detection:
    """The attention of a volume.

    Parameters
    ----------
    working : ndarray, float32, 0..1
        In the working grid, (superior, posterior, left).
    networks : CascadeNetworks
        In evaluation mode.
    given : WorkingBoxes, optional
        What a human knows of it.

    Raises
    ------
    MethodError
        If boxes are given to networks without attention.
    """
    config, nothing = networks.config, SliceRegions.of([])
    if networks.detector is None:
        if given is not None:
            raise MethodError("This model looks at whole volumes and takes no boxes; choose another one, or give none.")
        return Detection(nothing, None)
    regions = nothing
    if given is None or given.detect:
        slices = along(working, config.view)
        regions = proposed(networks.detector, slices, settings.score, settings.suppression, settings.most, device)
        regions = regions.grown(settings.margin, slices.shape[1:])
    if given is not None:
        regions = fitted(regions, given, config.view, working.shape)
    roi = given.roi if given is not None else None
    return Detection(regions, attended(working.shape, config, regions, roi), given is not None)


def attended(
    shape: tuple[int, ...], config: CascadeConfig, regions: SliceRegions, roi: Corners | None = None
) -> np.ndarray:
    """The attention volume (bool, of `shape`) of regions; of the kind ``"box_3d"`` one box around all, or `roi`."""
    if config.attention == "box_3d":
        return box_of(shape, around(config.view, regions) if roi is None else roi)
    return attention_of(shape, config.view, regions)


def segment(
    working: np.ndarray,
    networks: CascadeNetworks,
    settings: CascadeSettings,
    attention: np.ndarray | None,
    device: str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """The mask (bool) of a volume with its attention, and the probabilities (float32, 0..1)."""
    probability = likely(networks.segmentation, working, attention, settings.tile, device)
    mask = probability >= 0.5
    return (largest_part(mask) if settings.largest else mask), probability


def explained(detection: Detection, config: CascadeConfig, settings: CascadeSettings, grid: Grid) -> AttentionBoxes:
    """How the attention came about, in the grid of the file."""
    attention = detection.attention
    box = None if attention is None else bounding_box(attention)
    regions = tuple(
        ProposedBox(index, stored_box(grid, corners_of(config.view, index, corners)), None if score != score else score)
        for index, corners, score in detection.regions.rows()
    )
    voxels = 0 if attention is None else int(np.count_nonzero(attention))
    return AttentionBoxes(
        config.attention, config.view, settings.score, settings.margin, detection.given,
        None if box is None else stored_box(grid, box), voxels * float(np.prod(grid.spacing)), regions,
    )  # fmt: skip


@torch.inference_mode()
def cascade(
    working: np.ndarray,
    networks: CascadeNetworks,
    settings: CascadeSettings,
    stopwatch: Stopwatch,
    device: str = "cpu",
    given: WorkingBoxes | None = None,
) -> tuple[Detection, tuple[np.ndarray, np.ndarray] | None]:
    """Both stages: where to look, and mask and probabilities; no mask where there is nowhere to look.

    Parameters are those of :func:`detect`; the stopwatch hears of ``"detection"`` and ``"segmentation"``.
    """
    with stopwatch("detection"):
        detection = detect(working, networks, settings, device, given)
    if detection.is_empty:
        return detection, None
    with stopwatch("segmentation"):
        return detection, segment(working, networks, settings, detection.attention, device)
