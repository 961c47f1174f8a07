"""What L-Net learns: heat maps of centres (the article's eq. 1) and distances to the edges of boxes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from GrayscaleDetSegLib.core.lsnet.settings import ARTICLE_SIDE

ARTICLE_PLACES = ARTICLE_SIDE // 4
"""Places along a side of the article's heat maps: its delta and beta are in these."""
LOCATED = 0.5
"""From this on a place of a true heat map has a box to learn."""


@dataclass(frozen=True)
class HeatMapSettings:
    """The form of a true heat map, in places of one with `ARTICLE_PLACES`; others have it in proportion.

    Parameters
    ----------
    delta : float
        The variance of the Gaussian function.
    beta : float
        So far from the centre it is still 1.
    """

    delta: float = 20.0
    beta: float = 2.0


def true_heat_map(centres: torch.Tensor, places: int, settings: HeatMapSettings | None = None) -> torch.Tensor:
    """K* of eq. 1: min(1, sum over all centres of exp(-(dx^2 + dy^2) / (2 delta))), dx = max(0, |x - xc| - beta).

    Parameters
    ----------
    centres : Tensor (k, 2)
        x and y, as shares of the image.
    places : int
        Rows and columns of the map.

    Returns
    -------
    Tensor (places, places)
        0 everywhere where there are no centres.
    """
    settings, scale = settings or HeatMapSettings(), places / ARTICLE_PLACES
    line = torch.arange(places, dtype=centres.dtype, device=centres.device)
    away = (line[None, None] - (centres[..., None] * places - 0.5)).abs() - settings.beta * scale
    x, y = (away.clamp_min(0.0) ** 2).unbind(1)
    total = torch.exp(-(x[:, None, :] + y[:, :, None]) / (2.0 * settings.delta * scale**2)).sum(0)
    return total.clamp_max(1.0)


def true_distances(boxes: torch.Tensor, places: int) -> torch.Tensor:
    """T*: l, r, t, b (4, places, places) from every place to the edges of the box whose centre is nearest, as shares.

    They are negative where a place lies outside of the box.

    Parameters
    ----------
    boxes : Tensor (k, 4)
        (x0, y0, x1, y1) as shares; one at least.
    """
    line = (torch.arange(places, dtype=boxes.dtype, device=boxes.device) + 0.5) / places
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    x, y = line[None, :], line[:, None]
    away = (x[None] - centres[:, 0, None, None]) ** 2 + (y[None] - centres[:, 1, None, None]) ** 2
    nearest = boxes[away.argmin(0)]
    x0, y0, x1, y1 = nearest.unbind(-1)
    return torch.stack([x - x0, x1 - x, y - y0, y1 - y])


def targets(
    boxes: list[torch.Tensor], classes: int, places: int, settings: HeatMapSettings | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a batch: heat maps (n, classes, places, places) and distances (n, classes, 4, places, places).

    Parameters
    ----------
    boxes : list of Tensor (k, 5)
        Of each image: class, x0, y0, x1, y1.
    """
    like = boxes[0]
    heat = like.new_zeros((len(boxes), classes, places, places))
    distances = like.new_zeros((len(boxes), classes, 4, places, places))
    for image, every in enumerate(boxes):
        for index in range(classes):
            own = every[every[:, 0] == index, 1:]
            if len(own):
                heat[image, index] = true_heat_map((own[:, :2] + own[:, 2:]) / 2.0, places, settings)
                distances[image, index] = true_distances(own, places)
    return heat, distances
