"""From a path to a Radiograph: which reader takes the file, and one kind of error whatever goes wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..plugins import Plugin, said
from ..radiograph import Radiograph
from .base import HEAD, Reader, ReadOptions
from .common import POLARITIES, WINDOWS, Undecodable
from .readers import readers

_NOT_READ = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"GIF8", "a GIF picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"RIFF", "a WebP picture or a film"),
)


def read_radiograph(path: str | os.PathLike, *, window: str = "percentile", polarity: str = "auto") -> Radiograph:
    """Read one radiograph; its kind is told by the file's content, not by its name.

    Parameters
    ----------
    path : str or path
        A DICOM, PNG, JPEG, TIFF, BMP, NRRD, MetaImage (.mha, .mhd) or NIfTI (.nii, .nii.gz) file with one image, or
        one that a reader of another installed package recognises; see ``readers``.
    window : str
        ``"percentile"``: gray levels from the pixels' percentiles, padding left out. ``"voi"``: from a DICOM file's
        first VOI LUT or window, from percentiles (with a note) where there is none that can be used.
    polarity : str
        ``"auto"``: inverted where the file says that low values are shown bright (MONOCHROME1, WhiteIsZero).
        ``"as-is"``: the file's values as they are. ``"inverted"``: the file's values inverted, whatever it says.

    Returns
    -------
    Radiograph
        Pixels (rows, columns), integer or float32, in the image's own units after the modality LUT, bone bright.

    Raises
    ------
    RadiographError
        The file cannot be read or is no single grayscale radiograph; the message is one sentence for the user.
    ValueError
        `window` or `polarity` is none of the above.
    """
    if window not in WINDOWS:
        raise ValueError(f"window must be one of {', '.join(WINDOWS)}, not {window!r}.")
    if polarity not in POLARITIES:
        raise ValueError(f"polarity must be one of {', '.join(POLARITIES)}, not {polarity!r}.")
    path, options = Path(path), ReadOptions(window, polarity)
    try:
        plugin = recognised(path)
        with np.errstate(all="ignore"):  # of this thread alone
            if plugin.is_built_in:
                return plugin.part.read(path, options)
            return _read_by_others(plugin, path, options)
    except RadiographError:
        raise
    except ImportError as error:
        raise RadiographError(f"{path.name} cannot be read because the Python package {error.name} is missing; "
                              f"install it.") from error
    except MemoryError as error:
        raise RadiographError(f"{path.name} does not fit into memory; "
                              f"close other programs or reduce the image.") from error
    except OSError as error:
        raise RadiographError(f"{path.name} cannot be read ({error.strerror or error}); "
                              f"check that it is still there, and the disk or network it lies on.") from error
    except Undecodable as error:
        raise RadiographError(f"{path.name} cannot be read and seems to be damaged; "
                              f"export it again from where it came from.") from error


def recognised(path: Path) -> Plugin[Reader]:
    """The reader that takes a file, by the file's content.

    Raises RadiographError for what none takes, for folders, and for missing, unreadable and empty files.
    """
    name = path.name or str(path)
    try:
        if path.is_dir():
            raise RadiographError(f"{name} is a folder; choose a single image file in it.")
        if not path.exists():
            raise RadiographError(f"{name} does not exist; check the path.")
        if not path.is_file():
            raise RadiographError(f"{name} is not an ordinary file; choose an image file.")
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise RadiographError(f"{name} cannot be opened ({reason}); check the path and its permissions.") from error
    if not head:
        raise RadiographError(f"{name} is empty (0 bytes); copy or export it again.")
    for plugin in readers().plugins:
        if _recognises(plugin, head):
            return plugin
    for magic, what in _NOT_READ:
        if head.startswith(magic):
            raise RadiographError(f"{name} is {what}, which is not read here; save it as DICOM, PNG, TIFF or NRRD.")
    what = "a text file" if _is_text(head) else "not an image of a known kind, or its beginning is damaged"
    more = [plugin.part.name for plugin in readers().plugins if not plugin.is_built_in]
    if more:
        raise RadiographError(f"{name} is {what}; choose a file of a kind that is read here, or {' or '.join(more)}.")
    raise RadiographError(f"{name} is {what}; choose a DICOM, PNG, JPEG, TIFF, BMP, NRRD, MHA or NIfTI file.")


def _recognises(plugin: Plugin[Reader], head: bytes) -> bool:
    if plugin.is_built_in:
        return plugin.part.recognises(head)
    try:
        return bool(plugin.part.recognises(head))
    except Exception:  # one that breaks on a file of another kind takes the file from nobody
        return False


def _read_by_others(plugin: Plugin[Reader], path: Path, options: ReadOptions) -> Radiograph:
    """A radiograph by a reader of another package, whose faults are its own."""
    try:
        image = plugin.part.read(path, options)
    except (RadiographError, Undecodable, MemoryError):
        raise
    except Exception as error:
        raise RadiographError(f"{path.name} cannot be read: the reader '{plugin.part.name}' of {plugin.source} has "
                              f"failed ({said(error)}); update or uninstall it.") from error
    if not isinstance(image, Radiograph):
        raise RadiographError(f"{path.name} cannot be read: the reader '{plugin.part.name}' of {plugin.source} has "
                              f"given no radiograph; update or uninstall it.")
    return image


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) == 0
