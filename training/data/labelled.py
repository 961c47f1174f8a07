"""Labelled radiographs as training and evaluation see them, and what can be wrong with them."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.radiograph import Radiograph

CLASSES = ("right lung", "left lung", "femur", "tibia", "teeth")

SETS = (
    "montgomery_lungs",
    "shenzhen_lungs",
    "jsrt_lungs",
    "knee_femur",
    "knee_tibia",
    "longleg_femur_tibia",
    "ufba425_teeth",
)

_NOT_IN_CHEST, _NOT_IN_LEGS = ("femur", "tibia", "teeth"), ("right lung", "left lung", "teeth")
_NOT_IN_JAWS = ("right lung", "left lung", "femur", "tibia")
ABSENT = {
    "montgomery_lungs": _NOT_IN_CHEST,
    "shenzhen_lungs": _NOT_IN_CHEST,
    "jsrt_lungs": _NOT_IN_CHEST,
    "knee_femur": _NOT_IN_LEGS,
    "knee_tibia": _NOT_IN_LEGS,
    "longleg_femur_tibia": _NOT_IN_LEGS,
    "ufba425_teeth": _NOT_IN_JAWS,
    "simulated_few_teeth": _NOT_IN_JAWS,
    "simulated_others": CLASSES,
}
"""Classes that the images of a set cannot show: there the detector may learn that they are absent. A class that is
neither here nor among a set's labels may show unmarked (the tibia in knee_femur) and stays out of its loss."""

SPLITS = ("train", "val")

# By the data's own README: bone is dark in these. They train the right way round, and are evaluated as they are.
KNOWN_INVERTED = {("knee_femur", "3"), ("knee_femur", "73"), ("knee_tibia", "50"), ("knee_tibia", "92")}

SEPARABLE = ("femur", "tibia")
"""Classes of which an image can show two objects, side by side (both legs)."""


CONTENT = ("pixels", "label_map", "parts")
"""What a case that was read from files leaves there until it is looked at, see ``stored``."""


@dataclass(frozen=True)
class Case:
    """One labelled radiograph.

    A case that was read from files holds no pixels: they are read again whenever they are asked for (a few that were
    looked at last are kept), and a set of any size can be held. ``dataclasses.replace`` makes cases that hold theirs.

    Parameters
    ----------
    set_name, name, split : str
        `split` is "train" or "val".
    pixels : ndarray of any depth, shape (rows, columns)
        As in the file; bone bright where the file says how (MONOCHROME1) or the case was saved in Slicer.
    label_map : ndarray of uint8, same shape
    labels : dict of str to int
        Class name to its value in the label map. Classes that are not in here are not marked, though they may show.
    inverted : bool
        Whether bone is dark in `pixels`.
    patient : str
        Whose image it is, where that is known: the images of one patient are on the same side of a split.
    """

    set_name: str
    name: str
    split: str
    pixels: np.ndarray
    label_map: np.ndarray
    labels: dict[str, int]
    inverted: bool = False
    patient: str = ""

    def __getattr__(self, name: str):
        # Python comes here only for what the instance itself lacks
        source = self.__dict__.get("source")
        if source is None or name not in CONTENT:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(source.content(), name)

    def radiograph(self) -> Radiograph:
        """Bone-bright radiograph, whatever the file's polarity."""
        return Radiograph.from_array(_turned_over(self.pixels) if self.inverted else self.pixels)

    def moved(self, split: str) -> Case:
        """The same case in another split."""
        case = copy.copy(self)
        object.__setattr__(case, "split", split)
        return case

    def is_settled(self, label: str) -> bool:
        """Whether the label map tells where a class is and where it is not: it is marked, or cannot be there."""
        return label in self.labels or label in ABSENT.get(self.set_name, ())

    def objects(self) -> list[tuple[str, np.ndarray]]:
        """(label, mask) of every object; two legs side by side are two objects."""
        found = []
        for label, value in self.labels.items():
            mask = self.label_map == value
            if mask.any():
                found += [(label, part) for part in (side_by_side(mask) if label in SEPARABLE else [mask])]
        return found

    def mask_of(self, label: str) -> np.ndarray:
        """All pixels of a class, bool (rows, columns), also those over which another object lies.

        Raises
        ------
        KeyError
            If the class is not marked.
        """
        return self.label_map == self.labels[label]

    def object_labels(self) -> list[str]:
        """The label of every object, as many as `objects` gives; files are read only if no check has noted them."""
        source = self.__dict__.get("source")
        if source is None:
            return [label for label, _ in self.objects()]
        return [label for label in source.object_labels() if label in self.labels]

    def fingerprint(self) -> str:
        """The same for two cases with the same pixels, and for hardly any others."""
        source = self.__dict__.get("source")
        if source is not None and source.look:
            return source.look["print"]
        digest = hashlib.blake2b(repr((self.pixels.shape, self.pixels.dtype.str)).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(self.pixels))
        return digest.hexdigest()


@dataclass(frozen=True)
class Problem:
    """What is wrong with a case, or with a set as a whole.

    Parameters
    ----------
    set_name, name : str
        Of the case; a file's name where the problem is of the whole set.
    text : str
        One sentence: what is wrong, and what to do where that is not plain.
    severity : str
        "error": a case is lost, or val would flatter; training asks first. "warning": to look at.
    """

    set_name: str
    name: str
    text: str
    severity: str = "error"

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


def _turned_over(pixels: np.ndarray) -> np.ndarray:
    """Bright for dark, in the same type."""
    if np.issubdtype(pixels.dtype, np.unsignedinteger):
        return np.iinfo(pixels.dtype).max - pixels
    return (pixels.max().astype(np.float64) + pixels.min() - pixels).astype(np.float32)


def side_by_side(mask: np.ndarray, share: float = 0.2, least: float = 0.0) -> list[np.ndarray]:
    """The mask's large parts if they lie side by side (no column in common), otherwise the mask as a whole.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    share : float
        A part is large if it has this share of the largest part's pixels,
    least : float
        and this share of the image's.
    """
    parts, count = ndimage.label(mask)
    if count < 2:
        return [mask]
    sizes = np.bincount(parts.ravel())[1:]
    large = np.flatnonzero((sizes >= share * sizes.max()) & (sizes >= least * mask.size)) + 1
    extents = sorted((boxes.of_mask(parts == part)[[0, 2]].tolist(), part) for part in large)
    if len(large) < 2 or any(left[0][1] > right[0][0] for left, right in zip(extents, extents[1:])):
        return [mask]
    return [parts == part for _, part in extents]
