"""From the points of a ROI to a bottom and a top per cell: pillars (PointPillars, Lang et al. 2019) and a small U-Net.

Each grid cell is a pillar of points. A PointNet that all pillars share (x and y in the ROI, x and y in the pillar, g,
g minus the pillar's mean) is max-pooled to one feature vector a pillar; 2D convolutions over the grid add the context;
a 1 x 1 convolution gives two numbers per class and cell.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional

from ..pointnet import SharedLayers


@dataclass(frozen=True)
class SurfaceConfig:
    """What defines the network.

    Parameters
    ----------
    classes : tuple of str
    grid : int
        Cells along each axis of the ROI.
    per_cell : int
        Points along each axis of a cell: a cell holds their square.
    features : int
        Width of the PointNet and of its pooled features.
    channels : tuple of int
        Width of each level of the 2D network; from level to level the grid halves.
    coarse : bool
        Whether the 2D network's first level works on a grid of half the size, and only its last layer on the full
        one: a fine grid at a quarter of the cost.
    relative : bool
        Whether the head's numbers are added to the mean gray level of the cell's points: how far a bottom lies below
        what is there is easier to learn than where it lies.
    """

    classes: tuple[str, ...]
    grid: int = 64
    per_cell: int = 2
    features: int = 32
    channels: tuple[int, ...] = (48, 96, 144, 192)
    coarse: bool = True
    relative: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # lists, in a configuration file
        object.__setattr__(self, "channels", tuple(self.channels))
        if self.grid % (2 ** (len(self.channels) - 1 + self.coarse)):
            raise ValueError(f"A grid of {self.grid} cells cannot be halved for {len(self.channels)} levels.")

    @property
    def side(self) -> int:
        """Points along each axis of the ROI."""
        return self.grid * self.per_cell

    @classmethod
    def from_dict(cls, values: dict) -> SurfaceConfig:
        """The inverse of :meth:`to_dict`, from parsed JSON."""
        return cls(**values)

    def to_dict(self) -> dict:
        """The parameters for a JSON file."""
        return asdict(self)


class ConvolutionBlock(nn.Sequential):
    """Convolution 3 x 3, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvolutionBlock(channels, channels)
        self.second = ConvolutionBlock(channels, channels)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps + self.second(self.first(maps))


class PillarFeatures(nn.Module):
    """One PointNet for all pillars, max-pooled (Lang et al. 2019, section 2.1)."""

    def __init__(self, config: SurfaceConfig) -> None:
        super().__init__()
        self.grid, self.per_cell = config.grid, config.per_cell
        self.layers = SharedLayers(6, config.features, config.features)

    def forward(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (batch, features, grid, grid) and mean gray -1..1 (batch, grid, grid) of the pillars.

        Parameters
        ----------
        points : tensor (batch, side * side, 3)
            x, y and g each -1..1, row by row.
        """
        batch, grid, per_cell = len(points), self.grid, self.per_cell
        pillars = points.view(batch, grid, per_cell, grid, per_cell, 3).permute(0, 1, 3, 2, 4, 5)
        pillars = pillars.reshape(batch, grid, grid, per_cell * per_cell, 3)
        centres = torch.arange(grid, device=points.device, dtype=points.dtype) * (2.0 / grid) + (1.0 / grid - 1.0)
        across = (pillars[..., 0] - centres[None, None, :, None]) * grid
        down = (pillars[..., 1] - centres[None, :, None, None]) * grid
        gray = pillars[..., 2]
        mean = gray.mean(dim=-1, keepdim=True)
        relative = gray - mean
        inputs = torch.cat([pillars, torch.stack([across, down, relative], dim=-1)], dim=-1)
        features = self.layers(inputs).amax(dim=3)
        return features.permute(0, 3, 1, 2), mean[..., 0]


class SurfaceNetwork(nn.Module):
    """Pillars, an encoder and a decoder over their grid, and a head with two surfaces per class."""

    def __init__(self, config: SurfaceConfig) -> None:
        super().__init__()
        self.config = config
        self.pillars = PillarFeatures(config)
        widths = config.channels
        self.entry = ConvolutionBlock(config.features, widths[0], 2 if config.coarse else 1)
        self.encoder = nn.ModuleList(ResidualBlock(width) for width in widths)
        self.down = nn.ModuleList(ConvolutionBlock(fine, coarse, 2) for fine, coarse in zip(widths, widths[1:]))
        self.across = nn.Linear(widths[-1], widths[-1])
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in zip(widths, widths[1:]))
        self.decoder = nn.ModuleList(ResidualBlock(width) for width in widths[:-1])
        last = config.features if config.coarse else widths[0]
        self.exit = nn.Conv2d(widths[0], last, 1) if config.coarse else nn.Identity()
        self.fine = ConvolutionBlock(last, last) if config.coarse else nn.Identity()
        self.head = nn.Conv2d(last, 2 * len(config.classes), 1)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():  # at the start every interval is open
            self.head.bias.view(-1, 2).copy_(torch.tensor([-0.1, 0.1] if config.relative else [0.2, 0.8]))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """Bottom and top, in shares of the gray range 0..255, for points as in :class:`PillarFeatures`.

        Returns
        -------
        tensor (batch, classes, 2, grid, grid)
            Not limited to 0..1: below 0 a bottom is open, and a bottom above its top closes the cell.
        """
        pillars, mean = self.pillars(points)
        maps, skips = self.encoder[0](self.entry(pillars)), []
        for down, block in zip(self.down, self.encoder[1:]):
            skips.append(maps)
            maps = block(down(maps))
        maps = maps + self.across(maps.mean((2, 3)))[:, :, None, None]  # what the whole ROI looks like
        for up, block, skip in zip(reversed(self.up), reversed(self.decoder), reversed(skips)):
            maps = block(skip + functional.interpolate(up(maps), scale_factor=2.0, mode="nearest"))
        if self.config.coarse:
            maps = self.fine(pillars + functional.interpolate(self.exit(maps), scale_factor=2.0, mode="nearest"))
        surfaces = self.head(maps).unflatten(1, (len(self.config.classes), 2))
        return surfaces + 0.5 * (1.0 + mean[:, None, None]) if self.config.relative else surfaces


def surfaces_at(field: torch.Tensor, side: int) -> torch.Tensor:
    """Bottom and top (batch, 2, side, side) in the middles of a side x side raster over the ROI, by interpolation.

    Parameters
    ----------
    field : tensor (batch, 2, grid, grid)
        At the middles of the cells; outside of the outermost middles it goes on unchanged.
    """
    return functional.interpolate(field, (side, side), mode="bilinear", align_corners=False)


def soft_interval(gray: torch.Tensor, low: torch.Tensor, high: torch.Tensor, softness: float) -> torch.Tensor:
    """How far gray levels lie inside their interval, in units of `softness`: min((g - low) / s, (high - g) / s).

    Positive inside, negative outside (SPEC section 3); the logits of the training's loss.
    """
    return torch.minimum(gray - low, high - gray) / softness
