"""Test-time augmentation: the detector sees a picture and its mirror image, and the mean of both answers counts.

What an asymmetric network says by chance differs between the two and falls; what it knows stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..engines import answer
from ..labels import swapped_sides
from .description import Yolo


def both_ways(network: Yolo, image: np.ndarray) -> list[np.ndarray]:
    """Raw outputs for an input, the mean of those for it and for its mirror image.

    Parameters
    ----------
    network : Yolo
    image : ndarray of float32 (1, channels, size, size)

    Returns
    -------
    list of ndarray (1, anchors, rows, columns, 5 + classes)
        Of each scale, in the input's own places.
    """
    outputs = answer(network, np.concatenate([image, image[..., ::-1]]))
    swapped = swapped_sides(network.config.classes)
    return [(raw[:1] + mirrored_back(raw[1:], swapped)) * np.float32(0.5) for raw in outputs]


def mirrored_back(raw: np.ndarray, swapped: Sequence[int]) -> np.ndarray:
    """What was said of a mirror image as it would be said of the picture.

    Parameters
    ----------
    raw : ndarray (batch, anchors, rows, columns, 5 + classes)
        t_x, t_y, t_w, t_h, objectness, classes, before the sigmoid: 1 - sigmoid(t) is sigmoid(-t), so t_x changes its
        sign.
    swapped : sequence of int
        See ``labels.swapped_sides``.
    """
    back = raw[:, :, :, ::-1][..., [*range(5), *(5 + number for number in swapped)]]
    back[..., 0] *= -1
    return back
