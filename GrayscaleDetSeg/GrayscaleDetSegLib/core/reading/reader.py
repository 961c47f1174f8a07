"""From a path to a Radiograph: what the file is, which reader takes it, and one kind of error whatever goes wrong."""

from __future__ import annotations

import os
import re
import zlib
from pathlib import Path

from ..errors import RadiographError
from ..radiograph import Radiograph
from .common import POLARITIES, WINDOWS, Undecodable, quiet
from .dicom import read_dicom
from .rasters import read_raster
from .volumes import read_volume

_META_IMAGE = re.compile(rb"\s*(ObjectType|NDims|Comment|ObjectSubType)\s*=", re.ASCII)
_NOT_READ = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"RIFF", "a WebP picture or a film"),
)


def read_radiograph(path: str | os.PathLike, *, window: str = "percentile", polarity: str = "auto") -> Radiograph:
    """Read one radiograph; its kind is told by the file's content, not by its name.

    Parameters
    ----------
    path : str or path
        A DICOM, PNG, JPEG, TIFF, NRRD, MetaImage (.mha, .mhd) or NIfTI (.nii, .nii.gz) file with one image.
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
    path = Path(path)
    try:
        kind = detect(path)
        with quiet():
            if kind == "DICOM":
                return read_dicom(path, window, polarity)
            reader = read_raster if kind in ("PNG", "JPEG", "TIFF") else read_volume
            return reader(path, kind, polarity)
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


def detect(path: Path) -> str:
    """The kind of a file, by its content: DICOM, PNG, JPEG, TIFF, NRRD, MetaImage or NIfTI.

    Raises RadiographError for anything else, for folders, and for missing, unreadable and empty files.
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
            head = file.read(4096)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise RadiographError(f"{name} cannot be opened ({reason}); check the path and its permissions.") from error
    if not head:
        raise RadiographError(f"{name} is empty (0 bytes); copy or export it again.")
    kind = _kind(head)
    if kind:
        return kind
    for magic, what in _NOT_READ:
        if head.startswith(magic):
            raise RadiographError(f"{name} is {what}, which is not read here; save it as DICOM, PNG, TIFF or NRRD.")
    what = "a text file" if _is_text(head) else "not an image of a known kind, or its beginning is damaged"
    raise RadiographError(f"{name} is {what}; choose a DICOM, PNG, JPEG, TIFF, NRRD, MHA or NIfTI file.")


def _kind(head: bytes) -> str | None:
    if head[128:132] == b"DICM":  # first: the preamble may hold the head of a TIFF file
        return "DICOM"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head.startswith(b"NRRD000"):
        return "NRRD"
    if _META_IMAGE.match(head):
        return "MetaImage"
    if _is_nifti(head) or (head.startswith(b"\x1f\x8b") and _is_nifti(_gunzipped(head))):
        return "NIfTI"
    # DICOM without preamble starts with a low element of group 2 or 8, in either byte order
    if head[:2] in (b"\x02\0", b"\x08\0") and head[3:4] == b"\0" or head[:3] == b"\0\x08\0":
        return "DICOM"
    return None


def _is_nifti(head: bytes) -> bool:
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def _gunzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 1024)
    except zlib.error:
        return b""


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and sum(byte < 32 and byte not in b"\t\n\r\f" for byte in head) == 0
