"""What is in front of the detector: bodies with materials, their labels, and the view under which they are seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from . import materials
from .bodies import Body, Placed, Union
from .curves import Curve
from .profile import Profile

Grade = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Part:
    """A body of one material that takes the place of another (`host`), 1/mm; the sums of the differences add up.

    `mu` may be a function of x and y (mm). `texture` is the relative strength of the trabecular pattern in it.
    """

    body: Body
    mu: float | Grade
    host: float = materials.MUSCLE
    texture: float = 0.0


@dataclass(frozen=True)
class View:
    """The map from pixels to mm: `center` (x, y) mm in the image's middle, `spacing` (row, column) mm, turned.

    `degrees` turns what is seen clockwise on the image; `mirror` shows its mirror image.
    """

    shape: tuple[int, int]
    center: tuple[float, float]
    spacing: tuple[float, float]
    degrees: float = 0.0
    mirror: bool = False

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """x and y in mm of all pixel centres, float32, shape (rows, columns)."""
        rows, columns = self.shape
        v = ((np.arange(rows) - (rows - 1) / 2) * self.spacing[0])[:, None]
        u = ((np.arange(columns) - (columns - 1) / 2) * self.spacing[1])[None]
        cosine, sine = np.cos(np.radians(self.degrees)), np.sin(np.radians(self.degrees))
        dx, dy = u * cosine + v * sine, v * cosine - u * sine
        if self.mirror:
            dx = -dx
        return (dx + self.center[0]).astype(np.float32), (dy + self.center[1]).astype(np.float32)

    def window(self, bounds: tuple[float, float, float, float]) -> tuple[slice, slice] | None:
        """The (row, column) slices of the pixels that can lie in `bounds` (x0, y0, x1, y1) mm; None where none does."""
        x0, y0, x1, y1 = bounds
        dx = np.array([x0, x1, x0, x1]) - self.center[0]
        dy = np.array([y0, y0, y1, y1]) - self.center[1]
        if self.mirror:
            dx = -dx
        cosine, sine = np.cos(np.radians(self.degrees)), np.sin(np.radians(self.degrees))
        u, v = dx * cosine - dy * sine, dx * sine + dy * cosine
        slices = []
        for position, spacing, size in ((v, self.spacing[0], self.shape[0]), (u, self.spacing[1], self.shape[1])):
            index = position / spacing + (size - 1) / 2
            first, last = int(np.floor(index.min())), int(np.ceil(index.max())) + 1
            first, last = max(first, 0), min(last, size)
            if first >= last:
                return None
            slices.append(slice(first, last))
        return slices[0], slices[1]


@dataclass
class Scene:
    """Parts from the outside in, and the bodies that carry labels.

    Parameters
    ----------
    labels : dict of str to list of Body
        The silhouettes of each label, in ascending order of precedence.
    extras : dict of str to Body
        Further silhouettes worth knowing, which may overlap the labels.
    """

    parts: list[Part] = field(default_factory=list)
    labels: dict[str, list[Body]] = field(default_factory=dict)
    extras: dict[str, Body] = field(default_factory=dict)
    metadata: dict[str, object] = field(default_factory=dict)

    def add(self, body: Body, mu: float | Grade, host: float = materials.MUSCLE, texture: float = 0.0) -> None:
        """Add a :class:`Part`."""
        self.parts.append(Part(body, mu, host, texture))

    def add_bone(
        self,
        body: Body,
        wall: float | Curve,
        filling: float | Curve,
        end_wall: float | None = None,
        texture: float = 0.12,
        host: float = materials.MUSCLE,
        cortex: float = materials.CORTEX,
    ) -> None:
        """Add a shell of cortical bone, `wall` mm thick, around marrow with the bone fraction `filling`.

        `wall` and `filling` may be curves over s of a :class:`Profile`.
        """
        self.add(body, cortex, host)
        inner = body.inset(wall, end_wall) if isinstance(body, Profile) else body.inset(wall)
        if np.isscalar(filling):
            mu: float | Grade = materials.spongiosa(float(filling))
        else:
            curve = [(s, materials.spongiosa(fraction)) for s, fraction in filling]

            def mu(x: np.ndarray, y: np.ndarray) -> np.ndarray:
                return body.along(x, y, curve)

        self.add(inner, mu, cortex, texture)


    def include(self, other: Scene, shift: float, mirror: bool = False) -> None:
        """Add another scene, moved by `shift` mm to the right and perhaps mirrored before."""

        def place(body: Body) -> Placed:
            return Placed(body, shift, mirror)

        def graded(mu: Grade, placed: Placed) -> Grade:
            return lambda x, y: mu(placed.local(x), y)

        for part in other.parts:
            placed = place(part.body)
            mu = graded(part.mu, placed) if callable(part.mu) else part.mu
            self.parts.append(Part(placed, mu, part.host, part.texture))
        for name, bodies in other.labels.items():
            self.labels.setdefault(name, []).extend(place(body) for body in bodies)
        for name, body in other.extras.items():
            known = self.extras.get(name)
            self.extras[name] = place(body) if known is None else Union((known, place(body)))


def trabeculae(view: View, rng: np.random.Generator) -> np.ndarray:
    """A pattern of mean 0 and standard deviation 1 like trabecular bone: fine streaks along y over soft patches."""
    shape = view.shape
    fine = rng.standard_normal(shape, dtype=np.float32)
    sigma = (1.0 / view.spacing[0], 0.25 / view.spacing[1])
    fine = gaussian_filter(fine, [max(value, 0.3) for value in sigma], truncate=3.0)
    coarse = smooth_noise(view, 6.0, rng)
    return 0.7 * fine / fine.std() + 0.6 * coarse


def smooth_noise(view: View, length: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and standard deviation about 1 with a correlation length in mm, float32 (rows, columns)."""
    rows, columns = view.shape
    coarse = [max(4, int(np.ceil(size * step / length)) + 3) for size, step in zip(view.shape, view.spacing)]
    coarse = [min(n, size) for n, size in zip(coarse, view.shape)]
    noise = rng.standard_normal(coarse, dtype=np.float32)
    factors = (rows / coarse[0], columns / coarse[1])
    smooth = zoom(noise, factors, order=1, mode="nearest", grid_mode=True)[:rows, :columns]
    return smooth / max(float(smooth.std()), 1e-6)


def line_integral(
    parts: Sequence[Part], view: View, grid: tuple[np.ndarray, np.ndarray], texture: np.ndarray | None = None
) -> np.ndarray:
    """The sum of mu times path length over all parts, without unit, float32 (rows, columns).

    Parameters
    ----------
    grid : tuple of 2 ndarray
        :meth:`View.grid`.
    texture : ndarray or None, shape (rows, columns)
        Pattern of mean 0 that parts with a texture are modulated by.
    """
    total = np.zeros(view.shape, np.float32)
    for part in parts:
        window = view.window(part.body.bounds)
        if window is None:
            continue
        x, y = grid[0][window], grid[1][window]
        length = part.body.thickness(x, y)
        mu = part.mu(x, y) if callable(part.mu) else np.float32(part.mu)
        if part.texture and texture is not None:
            mu = mu * (1 + np.float32(part.texture) * texture[window])
        total[window] += length * (mu - np.float32(part.host))
    return np.maximum(total, 0, out=total)


def silhouette(bodies: Sequence[Body], view: View, grid: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The pixels whose ray passes through any of `bodies`: bool, shape (rows, columns)."""
    mask = np.zeros(view.shape, bool)
    for body in bodies:
        window = view.window(body.bounds)
        if window is not None:
            mask[window] |= body.thickness(grid[0][window], grid[1][window]) > 0
    return mask
