"""From the points of a ROI to a bottom and a top per cell: pillars (PointPillars, Lang et al. 2019) and a small U-Net.

Each grid cell is a pillar of points. A PointNet that all pillars share (x and y in the ROI, x and y in the pillar, g,
g minus the pillar's mean) is max-pooled to one feature vector a pillar; 2D convolutions over the grid add the context;
a 1 x 1 convolution gives two numbers per class and cell.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..layers.parts import BatchNorm, Convolution, Linear, Part, Parts, Relu, Sequence
from ..single_box.description import SharedLayers


@dataclass(frozen=True)
class SurfaceConfig:
    """What defines the network.

    Parameters
    ----------
    classes : tuple of str
    grid : int
        Pillars along each axis of the ROI.
    per_cell : int
        Points along each axis of a pillar: a pillar holds their square.
    features : int
        Width of the PointNet and of its pooled features.
    channels : tuple of int
        Width of each level of the 2D network; from level to level the grid halves.
    fine : bool
        Whether the last layer works on quarter pillars: twice as many cells along each axis, at little cost.
    relative : bool
        Whether the head's numbers are added to the mean gray level of the cell's points: how far a bottom lies below
        what is there is easier to learn than where it lies.
    """

    classes: tuple[str, ...]
    grid: int = 32
    per_cell: int = 4
    features: int = 32
    channels: tuple[int, ...] = (32, 64, 96, 128)
    fine: bool = True
    relative: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))  # lists, in a configuration file
        object.__setattr__(self, "channels", tuple(self.channels))
        if self.grid % (2 ** (len(self.channels) - 1)):
            raise ValueError(f"A grid of {self.grid} pillars cannot be halved for {len(self.channels)} levels.")
        if self.fine and self.per_cell % 2:
            raise ValueError(f"A pillar of {self.per_cell} x {self.per_cell} points cannot be quartered.")

    @property
    def cells(self) -> int:
        """Cells of the answer along each axis of the ROI."""
        return self.grid * (2 if self.fine else 1)

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


class ConvolutionBlock(Sequence):
    """Convolution 3 x 3, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(Convolution(inputs, outputs, 3, stride, bias=False), BatchNorm(outputs), Relu())


class ResidualBlock(Part):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        self.first = ConvolutionBlock(channels, channels)
        self.second = ConvolutionBlock(channels, channels)

    def forward(self, maps):
        """Maps of the same shape."""
        return maps + self.second(self.first(maps))


class PillarFeatures(Part):
    """One PointNet for all pillars, max-pooled (Lang et al. 2019, section 2.1)."""

    def __init__(self, config: SurfaceConfig) -> None:
        self.grid, self.per_cell = config.grid, config.per_cell
        self.layers = SharedLayers(6, config.features, config.features)

    def forward(self, points):
        """Features (batch, features, side, side) of every point, in the order of its place.

        Parameters
        ----------
        points : ndarray or tensor (batch, side * side, 3)
            x, y and g each -1..1, row by row.
        """
        operations, grid, side = self.operations, self.grid, self.grid * self.per_cell
        raster = points.reshape(len(points), side, side, 3)
        middles = operations.counted(grid, points) * (2.0 / grid) + (1.0 / grid - 1.0)
        middles = operations.repeated(middles, self.per_cell)
        across = (raster[..., 0] - middles) * grid
        down = (raster[..., 1] - middles[:, None]) * grid
        gray = raster[..., 2]
        mean = operations.mean_pool(gray[:, None], self.per_cell)
        relative = gray - operations.enlarged(mean, self.per_cell)[:, 0]
        inputs = operations.stacked([raster[..., 0], raster[..., 1], gray, across, down, relative])
        return operations.permuted(self.layers(inputs), (0, 3, 1, 2))


class SurfaceNetwork(Part):
    """Pillars, an encoder and a decoder over their grid, and a head with two surfaces per class."""

    def __init__(self, config: SurfaceConfig) -> None:
        self.config = config
        self.pillars = PillarFeatures(config)
        widths = config.channels
        self.entry = ConvolutionBlock(config.features, widths[0])
        self.encoder = Parts(ResidualBlock(width) for width in widths)
        self.down = Parts(ConvolutionBlock(fine, coarse, 2) for fine, coarse in zip(widths, widths[1:]))
        self.across = Linear(widths[-1], widths[-1])
        self.up = Parts(Convolution(coarse, fine, 1) for fine, coarse in zip(widths, widths[1:]))
        self.decoder = Parts(ResidualBlock(width) for width in widths[:-1])
        if config.fine:
            self.skip = Convolution(config.features, widths[0], 1)
            self.fine = ResidualBlock(widths[0])
        self.head = Convolution(widths[0], 2 * len(config.classes), 1)

    def forward(self, points):
        """Bottom and top, in shares of the gray range 0..255, for points as in :class:`PillarFeatures`.

        Returns
        -------
        ndarray or tensor (batch, classes, 2, cells, cells)
            Not limited to 0..1: below 0 a bottom is open, and a bottom above its top closes the cell.
        """
        config, operations = self.config, self.operations
        features = operations.max_pool(self.pillars(points), config.side // config.cells)
        pillars = operations.max_pool(features, 2) if config.fine else features
        maps, skips = self.encoder[0](self.entry(pillars)), []
        for down, block in zip(self.down, self.encoder[1:]):
            skips.append(maps)
            maps = block(down(maps))
        maps = maps + self.across(maps.mean((2, 3)))[:, :, None, None]  # what the whole ROI looks like
        for up, block, skip in zip(reversed(self.up), reversed(self.decoder), reversed(skips)):
            maps = block(skip + operations.enlarged(up(maps), 2))
        if config.fine:
            maps = self.fine(self.skip(features) + operations.enlarged(maps, 2))
        raw = self.head(maps)
        surfaces = raw.reshape(len(raw), len(config.classes), 2, *raw.shape[2:])
        if not config.relative:
            return surfaces
        gray = points[..., 2].reshape(len(points), 1, config.side, config.side)
        mean = operations.mean_pool(gray, config.side // config.cells)
        return surfaces + 0.5 * (1.0 + mean[:, :, None])
