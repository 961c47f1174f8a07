"""Images and label maps from files, for the forms of sets that name them one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError
from GrayscaleDetSegLib.core.reading import read_radiograph

IMAGES = (".nrrd", ".nhdr", ".mha", ".mhd", ".nii", ".nii.gz", ".dcm", ".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Endings of images, in the order in which they are preferred where a name has several."""
LABEL_MAPS = (".png", ".tif", ".tiff", ".bmp")
FAULTS = (GrayscaleDetSegError, OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What reading a damaged file raises; Pillow says SyntaxError of some."""


def ending(name: str, known: tuple[str, ...] = IMAGES) -> str:
    """The known ending of a file's name, as it is written; empty where it has none."""
    lower = name.lower()
    return name[len(name) - max((len(part) for part in known if lower.endswith(part)), default=0) :]


def stem(name: str, known: tuple[str, ...] = IMAGES) -> str:
    """A file's name without its known ending."""
    return name[: len(name) - len(ending(name, known))]


def by_stem(folder: Path, known: tuple[str, ...] = IMAGES) -> dict[str, list[Path]]:
    """The files of a folder with a known ending by their name without it, preferred endings first."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file() and not path.name.startswith(".") and ending(path.name, known):
            found.setdefault(stem(path.name, known), []).append(path)
    for paths in found.values():
        paths.sort(key=lambda path: known.index(ending(path.name, known).lower()))
    return found


def read_pixels(path: Path, polarity: str = "auto") -> np.ndarray:
    """The pixels (rows, columns) of an image, of any depth.

    PNG files with 8 bits are taken as they are. All others are in the image's own units, bone bright where the file
    says how, unless `polarity` is ``"as-is"``. Raises one of `FAULTS`.
    """
    if path.suffix.lower() == ".png":
        with Image.open(path) as image:
            if image.mode not in ("I", "F") and not image.mode.startswith("I;"):
                return np.asarray(image.convert("L"))
    return read_radiograph(path, polarity=polarity).pixels


def read_label_map(path: Path) -> np.ndarray:
    """The label map in a file: uint8 (rows, columns), or int64 where it has values that do not fit.

    Raises one of `FAULTS`, a ValueError for a picture in colours.
    """
    with Image.open(path) as image:
        values = np.asarray(image)
    if values.ndim == 3 and values.shape[2] == 3 and (values == values[..., :1]).all():
        values = values[..., 0]  # gray, stored as colour
    if values.ndim != 2 or not (values.dtype == bool or np.issubdtype(values.dtype, np.integer)):
        raise ValueError(f"the label map {path.name} is a picture in colours or fractions; save it with one whole "
                         "number a pixel")
    return values.astype(np.uint8) if values.min() >= 0 and values.max() <= 255 else values.astype(np.int64)


def sentence(error: BaseException, path: Path) -> str:
    """What a failed reading says, as a sentence."""
    text = " ".join(str(error).split()).rstrip(".")
    if not isinstance(error, GrayscaleDetSegError) and path.name not in text:
        text = f"{path.name} cannot be read ({text or type(error).__name__})"
    return f"{text}."
