"""Simulated volumes with a small organ among look-alikes, and a lesion in it.

    python -m training.simulate.volumes --output DIR --count 20 --size 48 [--decoys]

The organ fills less than 1.5 % of the volume. Blobs of the same gray level and size lie elsewhere; only the organ has
a bright vessel at its side. Blobs like the lesion lie outside of the organ, and with decoys in its look-alikes too:
then nothing tells the lesion but the organ that it lies in, and nothing tells that but its vessel. Both labels are
exact.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LABELS = {"organ": 1, "lesion": 2}
"""The lesion's voxels are not among those of value 1: the whole organ has both values."""
BODY, ORGAN, LESION, VESSEL = 0.35, 0.55, 0.8, 1.0
"""Gray levels before the noise; air is 0."""


@dataclass(frozen=True)
class Phantom:
    """One simulated volume.

    Parameters
    ----------
    voxels : ndarray of int16, (superior, posterior, left)
        0 to about 1000.
    labels : ndarray of uint8
        0, or the values of `LABELS`.
    """

    voxels: np.ndarray
    labels: np.ndarray


def phantom(
    seed: int, size: int = 48, look_alikes: int = 5, noise: float = 0.04, decoys: bool = False
) -> Phantom:
    """The phantom of a seed.

    Parameters
    ----------
    size : int
        Voxels along each axis.
    look_alikes : int
        Blobs like the organ, and as many like the lesion.
    noise : float
        Standard deviation, as a share of the gray range.
    decoys : bool
        Whether each look-alike of the organ holds one of the lesion.
    """
    random = np.random.default_rng([size, seed])
    axis = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    place = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1)

    def blob(centre: np.ndarray, radii: np.ndarray) -> np.ndarray:
        return (((place - centre) / radii) ** 2).sum(-1) <= 1.0

    image = np.zeros((size,) * 3, np.float32)
    image[blob(np.zeros(3), np.array([0.97, 0.85, 0.93]))] = BODY
    organ_radii = np.array([0.3, 0.22, 0.2]) * random.uniform(0.85, 1.1, 3)
    centre = np.array([-0.15, 0.2, 0.35]) + random.uniform(-0.12, 0.12, 3)
    taken = [(centre, float(organ_radii.max()) + 0.16)]
    for radii, gray in [(organ_radii, ORGAN)] * look_alikes + [(np.full(3, 0.12), LESION)] * look_alikes:
        size_of = radii * random.uniform(0.8, 1.15, 3)
        where = _free(random, taken, float(size_of.max()))
        if where is not None:
            taken.append((where, float(size_of.max())))
            like = blob(where, size_of)
            image[like] = gray
            if decoys and gray == ORGAN:
                within = where + size_of * random.uniform(-0.3, 0.3, 3)
                image[blob(within, np.full(3, random.uniform(0.09, 0.13))) & like] = LESION
    organ = blob(centre, organ_radii)
    image[organ] = ORGAN
    vessel = blob(centre + organ_radii * np.array([0.0, 0.0, 1.0]), np.array([0.3, 0.07, 0.07])) & ~organ
    image[vessel] = VESSEL
    inside = centre + organ_radii * random.uniform(-0.3, 0.3, 3)
    lesion = blob(inside, np.full(3, random.uniform(0.09, 0.13))) & organ
    image[lesion] = LESION
    image += random.normal(0.0, noise, image.shape).astype(np.float32)
    labels = np.where(lesion, LABELS["lesion"], np.where(organ, LABELS["organ"], 0)).astype(np.uint8)
    return Phantom(np.rint(image * 1000.0).astype(np.int16), labels)


def _free(random: np.random.Generator, taken: list[tuple[np.ndarray, float]], radius: float) -> np.ndarray | None:
    """Somewhere in the body where nothing else lies; None where nothing is free."""
    for _ in range(60):
        where = random.uniform(-0.6, 0.6, 3)
        if all(np.linalg.norm(where - other) > radius + own for other, own in taken):
            return where
    return None


def write_set(
    folder: Path, count: int, size: int = 48, seed: int = 0, spacing: float = 1.0, decoys: bool = False,
    noise: float = 0.04,
) -> None:  # fmt: skip
    """Write a set: ``images/``, ``labels/``, ``labels.json`` and ``split.csv``; every fifth volume is for val."""
    import SimpleITK as sitk

    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(count):
        name, made = f"phantom{number:04d}", phantom(seed + number, size, noise=noise, decoys=decoys)
        for part, values in (("images", made.voxels), ("labels", made.labels)):
            image = sitk.GetImageFromArray(values)
            image.SetSpacing((spacing,) * 3)
            sitk.WriteImage(image, str(folder / part / f"{name}.nrrd"), True)
        rows.append((name, "val" if number % 5 == 4 else "train"))
    (folder / "labels.json").write_text(json.dumps(LABELS), encoding="utf-8")
    with open(folder / "split.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("name", "split"), *rows])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.simulate.volumes", description=__doc__.split("\n\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of the set")
    parser.add_argument("--count", type=int, default=20, help="volumes (default 20)")
    parser.add_argument("--size", type=int, default=48, help="voxels along each axis (default 48)")
    parser.add_argument("--seed", type=int, default=0, help="of the first volume (default 0)")
    parser.add_argument("--decoys", action="store_true", help="look-alikes of the organ hold such of the lesion")
    parser.add_argument("--noise", type=float, default=0.04, help="deviation, of the gray range (default 0.04)")
    options = parser.parse_args(arguments)
    if options.count < 5 or options.size < 16 or options.seed < 0 or options.noise < 0:
        parser.error("--count must be 5 or more, --size 16 or more, --seed and --noise 0 or more")
    write_set(
        options.output, options.count, options.size, options.seed, decoys=options.decoys, noise=options.noise
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
