"""Cases that know their objects one by one, which a label map cannot tell: several of a class, and overlaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from GrayscaleDetSegLib.core import boxes

from .labelled import SEPARABLE, Case, side_by_side


@dataclass(frozen=True)
class _Part:
    """One object: its class, and its mask from some row and column on."""

    label: str
    row: int
    column: int
    mask: np.ndarray

    def on(self, shape: tuple[int, int]) -> np.ndarray:
        whole = np.zeros(shape, bool)
        rows, columns = self.mask.shape
        whole[self.row : self.row + rows, self.column : self.column + columns] = self.mask
        return whole


@dataclass(frozen=True)
class ObjectsCase(Case):
    """A case whose objects may overlap, and may be several of a class.

    In the label map, later objects cover earlier ones. A copy with another label map (``dataclasses.replace``) has
    the objects of that.
    """

    parts: tuple[_Part, ...] = field(default_factory=tuple, init=False, compare=False)

    @classmethod
    def of(
        cls,
        set_name: str,
        name: str,
        split: str,
        pixels: np.ndarray,
        objects: list[tuple[str, np.ndarray]],
        marked: Iterable[str] = (),
        inverted: bool = False,
        patient: str = "",
    ) -> ObjectsCase:
        """A case of objects: (class, mask), none of them empty.

        Parameters
        ----------
        marked : iterable of str
            Classes that are marked wherever they show, and so are absent where no object has them.
        """
        names = dict.fromkeys([label for label, _ in objects] + list(marked))
        labels = {label: value for value, label in enumerate(names, start=1)}
        is_plain = len({label for label, _ in objects}) == len(objects)
        label_map = np.zeros(pixels.shape, np.uint8)
        for label, mask in objects:
            is_plain = is_plain and not label_map[mask].any()
            label_map[mask] = labels[label]
        case = cls(set_name, name, split, pixels, label_map, labels, inverted, patient)
        if not is_plain:  # the label map does not tell all
            parts = []
            for label, mask in objects:
                # cut out: a jaw has thirty teeth, and each mask would be as large as the image
                left, top, right, bottom = boxes.of_mask(mask).astype(int).tolist()
                parts.append(_Part(label, top, left, mask[top:bottom, left:right].copy()))
            object.__setattr__(case, "parts", tuple(parts))
        return case

    def objects(self) -> list[tuple[str, np.ndarray]]:
        """(label, mask) of every object."""
        if not self.parts:
            return super().objects()
        return [
            (part.label, mask)
            for part in self.parts
            if part.label in self.labels
            for mask in self._split(part.label, part.on(self.label_map.shape))
        ]

    def mask_of(self, label: str) -> np.ndarray:
        """All pixels of a class, see :meth:`Case.mask_of`."""
        if not self.parts:
            return super().mask_of(label)
        mask = np.zeros(self.label_map.shape, bool)
        self.labels[label]  # KeyError, as for any case
        for part in self.parts:
            if part.label == label:
                rows, columns = part.mask.shape
                mask[part.row : part.row + rows, part.column : part.column + columns] |= part.mask
        return mask

    @staticmethod
    def _split(label: str, mask: np.ndarray) -> list[np.ndarray]:
        return side_by_side(mask) if label in SEPARABLE else [mask]
