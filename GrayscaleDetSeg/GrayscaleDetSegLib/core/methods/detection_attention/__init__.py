"""Segmentation by detection: regions of every slice are the attention of a 3D U-Net (paper 003)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...errors import MethodError
from ...stopwatch import Stopwatch
from ...volumes.attention import AttentionBoxes
from ...weights import Bundle
from ..volumetric import Found, VolumeMethod, entries

if TYPE_CHECKING:
    from ...volumes.cascade import CascadeNetworks, CascadeSettings
    from ...volumes.given import WorkingBoxes


@dataclass(frozen=True)
class Cascade:
    """The networks of one label, in evaluation mode, and how they are used."""

    networks: CascadeNetworks
    settings: CascadeSettings


class DetectionAttention(VolumeMethod):
    """The method.

    Parameters
    ----------
    cascades : mapping of str to Cascade
        By label, in the order of the model's classes.
    device : str
    """

    name = "detection_attention"
    title = "Segmentation by detection"
    summary = "for volumes: regions found in every slice tell a 3D network where to look"
    stages = {"detection": "Looking for regions in all slices", "segmentation": "Segmenting in three dimensions"}
    networks = ("detection_attention",)
    explanation = AttentionBoxes
    takes_slice_boxes = True

    def __init__(self, cascades: Mapping[str, Cascade], device: str = "cpu") -> None:
        self.cascades, self.device = dict(cascades), device

    @property
    def classes(self) -> tuple[str, ...]:
        """Those that it has networks for."""
        return tuple(self.cascades)

    @classmethod
    def is_in(cls, bundle: Bundle) -> bool:
        """Whether it has networks of this method."""
        return any(True for _ in entries(bundle, cls.name, lambda entry: True))

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: str) -> DetectionAttention:
        """The method with all its networks."""
        from ...volumes.cascade import CascadeConfig, CascadeNetworks, CascadeSettings

        cascades = {}
        for name in entries(bundle, cls.name, lambda entry: True):
            entry = bundle.network(name)
            networks = CascadeNetworks(CascadeConfig.from_dict(entry["config"]))
            networks = bundle.load_into(networks, name).to(device).eval()
            cascades[entry["label"]] = Cascade(networks, CascadeSettings.from_dict(entry.get("settings", {})))
        return cls(cascades, device)

    def segment_volume(self, working: np.ndarray, stopwatch: Stopwatch) -> list[Found]:
        """Each label by itself."""
        return self.segment_given(working, stopwatch, {})

    def segment_given(
        self, working: np.ndarray, stopwatch: Stopwatch, given: Mapping[str, WorkingBoxes]
    ) -> list[Found]:
        """Each label by itself, those with boxes by these."""
        unknown = [label for label in given if label not in self.cascades]
        if unknown:
            raise MethodError(
                f"Boxes are given for {', '.join(unknown)}, and the model finds {', '.join(self.cascades)}; name one "
                "of these."
            )
        return [self._found(label, working, stopwatch, given.get(label)) for label in self.cascades]

    def segment_from_box(
        self, working: np.ndarray, label: str, box: np.ndarray, known: Mapping[str, np.ndarray], stopwatch: Stopwatch
    ) -> list[Found]:
        """One label, what is detected of it stretched to a box (its voxels, bool, in the working grid)."""
        from ...volumes.given import WorkingBoxes
        from ...volumes.views import bounding_box

        corners = bounding_box(box)
        if corners is None:
            raise MethodError(f"The box of {label} lies outside of the volume; draw it inside.")
        z0, y0, x0, z1, y1, x1 = map(float, corners)
        given = WorkingBoxes((z0, y0, x0, z1, y1, x1), (), "scale", True)
        return [self._found(label, working, stopwatch, given)]

    def segment_given_one(
        self, working: np.ndarray, label: str, given: WorkingBoxes, stopwatch: Stopwatch
    ) -> list[Found]:
        """One label by given boxes; see :meth:`segment_given`."""
        return [self._found(label, working, stopwatch, given)]

    def _found(self, label: str, working: np.ndarray, stopwatch: Stopwatch, given: WorkingBoxes | None) -> Found:
        from ...volumes.cascade import cascade, explained
        from ...volumes.iteration import Outcome

        networks, settings = self.cascades[label].networks, self.cascades[label].settings
        detection, found = cascade(working, networks, settings, stopwatch, self.device, given)
        if found is None:
            note = f"No slice shows a region of {label}, so it was not segmented."
            return Found(label, None, note=note)
        first = [] if detection.attention is None else [detection.attention]
        outcome = Outcome([*first, found[0]], [], found[1], True)
        return Found(
            label, outcome, drawn=given is not None,
            explain=lambda grid: explained(detection, networks.config, settings, grid),
        )  # fmt: skip
