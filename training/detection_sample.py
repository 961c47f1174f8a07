"""One training sample of the 2D detector, whatever it was drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from GrayscaleDetSegLib.core.labels import mirrored


class DetectionSample(NamedTuple):
    """An input image with its boxes.

    Parameters
    ----------
    image : tensor (1, size, size), 0..1
    boxes : tensor (n, 4)
        x0, y0, x1, y1 in px of the input.
    labels : tensor (n,) of int64
        Class indices.
    marked : tensor (classes,) of bool
        The classes of which all objects are labelled in this image; the others stay out of the loss.
    masks : tensor (size / 4, size / 4) of int64, or None
        Bit n where class n shows; bit ``films.outlined.IGNORE`` where nothing is known.
    ignored_boxes : tensor (m, 4) or None
        Boxes of which too little is left after the crop to ask for them: no loss for what is found there.
    """

    image: torch.Tensor
    boxes: torch.Tensor
    labels: torch.Tensor
    marked: torch.Tensor
    masks: torch.Tensor | None = None
    ignored_boxes: torch.Tensor | None = None


def is_weak(labels: np.ndarray | torch.Tensor, marked: np.ndarray | torch.Tensor) -> bool:
    """Whether a film or sample marks nothing and only says what cannot be in it (a film of a hand shows no femur).

    Such films must not teach the objectness: as none of them ever holds an object, the network would learn that films
    of their look hold none.
    """
    return not len(labels) and not bool(marked.all())


def swapped_sides(classes: Sequence[str]) -> list[int]:
    """For each class the number of what it is in a mirror image: right and left change places where both are known."""
    names = list(classes)
    return [names.index(mirrored(name)) if mirrored(name) in names else number for number, name in enumerate(names)]
