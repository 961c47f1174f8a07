"""What the readers of all formats share: limits, ITK reading, luminance, clean values, and the finished Radiograph."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import RadiographError
from ..gray import GrayMapping, Polarity
from ..lie import UNSAID, Lie
from ..radiograph import Geometry, Radiograph, Source, Spacing
from ..strangers import stranger_note

WINDOWS = ("percentile", "voi")
POLARITIES = ("auto", "as-is", "inverted")
MAX_SIDE = 30_000
MAX_PIXELS = 500_000_000
MIN_SIDE = 8
DEFLATE_RATIO = 1100  # deflate shrinks by 1032 at most, and JPEG leaves at least a bit for 64 pixels
# a pixel is clearly coloured if its channels differ by more than this share of their range: chroma noise of JPEG and
# the tint of digitised film stay below. Markers and logos on a gray image colour few pixels.
COLOURED = 32 / 255
COLOURED_SHARE = 0.05
TINTED = 8 / 255
_WRITING = (errno.ENOSPC, errno.EFBIG, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC))  # no fault of reading


class Undecodable(Exception):
    """The bytes of a file are not what its format says: damaged, or in a form that no decoder here knows."""


@contextmanager
def decoding(*faults: type[Exception]) -> Iterator[None]:
    """Turns the `faults` that damaged bytes cause in a decoder into :class:`Undecodable`.

    It is put around decoders alone, because what our own code raises otherwise is a fault of the program, which must
    not be taken for a damaged file.

    Raises
    ------
    Undecodable
        In place of the `faults`. RadiographError, ImportError and MemoryError pass through.
    """
    try:
        yield
    except (RadiographError, Undecodable, ImportError, MemoryError):
        raise
    except faults as error:
        raise Undecodable(f"{type(error).__name__}: {error}") from error


def check_length(name: str, held: int, expected: int, what: str) -> None:
    """Raise RadiographError if a file holds less than expected of `what`, its bytes or its pixels."""
    if held < expected:
        share = 100 * held // expected  # rounded down: nearly all is not all
        raise RadiographError(f"{name} is cut short: it holds {share}% of its {what}; copy or export it again.")


def check_size(name: str, columns: int, rows: int) -> None:
    """Raise RadiographError for sizes no radiograph has; call it before anything of that size is allocated."""
    size = f"{columns} x {rows} pixels"
    if columns > MAX_SIDE or rows > MAX_SIDE or columns * rows > MAX_PIXELS:
        raise RadiographError(f"{name} claims {size}, more than {MAX_SIDE} a side or {MAX_PIXELS // 10**6} million; "
                              f"it is damaged or no radiograph, so reduce or export it again.")
    if columns < MIN_SIDE or rows < MIN_SIDE:
        raise RadiographError(f"{name} has only {max(columns, 0)} x {max(rows, 0)} pixels; "
                              f"choose an image of at least {MIN_SIDE} x {MIN_SIDE}.")


def check_claim(path: Path, size: int, ratio: int = DEFLATE_RATIO) -> None:
    """Raise RadiographError where `size` bytes of pixels cannot be in a file, even shrunk by `ratio`."""
    if size > ratio * path.stat().st_size:
        raise RadiographError(f"{path.name} claims {size / 1e6:.0f} MB of pixels, more than it can hold; "
                              f"it is damaged, so copy or export it again.")


@dataclass(frozen=True)
class Header:
    """What ITK says about a file before its pixels are read; axes in ITK's order (x first)."""

    size: tuple[int, ...]
    spacing: tuple[float, ...]
    origin: tuple[float, ...]
    direction: tuple[float, ...]
    components: int
    pixel_type: str

    def geometry(self, axes: tuple[int, int, int] = (0, 1, 2)) -> Geometry:
        """The placement with (column, row, slice) along these axes of the file; parts that make no sense by default."""
        ndim = len(self.size)
        count = min(ndim, 3)
        spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
        spacing[:count] = self.spacing[:count]
        origin[:count] = self.origin[:count]
        direction[:count, :count] = np.reshape(self.direction, (ndim, ndim))[:count, :count]
        spacing[~(np.isfinite(spacing) & (spacing > 0))] = 1.0
        origin[~np.isfinite(origin)] = 0.0
        if not np.isfinite(direction).all() or abs(np.linalg.det(direction)) < 1e-6:
            direction = np.eye(3)
        order = list(axes)
        (x, y, z), (dx, dy, dz) = origin.tolist(), spacing[order].tolist()
        return Geometry((dx, dy, dz), (x, y, z), tuple(direction[:, order].reshape(-1).tolist()))


def read_header(path: Path, image_io: str) -> Header:
    """The :class:`Header` of a file through the named ITK reader; raises Undecodable where ITK cannot read it."""
    import SimpleITK as sitk

    with readable(path) as named_in_ascii:
        reader = _reader(named_in_ascii, image_io)
        with decoding(RuntimeError):
            reader.ReadImageInformation()
    return Header(reader.GetSize(), reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection(),
                  reader.GetNumberOfComponents(), sitk.GetPixelIDValueAsString(reader.GetPixelID()))


def read_array(path: Path, image_io: str) -> np.ndarray:
    """The values of a file through the named ITK reader, axes in numpy's order (x last, then components).

    Raises Undecodable where ITK cannot read it.
    """
    import SimpleITK as sitk

    with readable(path) as named_in_ascii, decoding(RuntimeError):
        image = _reader(named_in_ascii, image_io).Execute()
    return sitk.GetArrayFromImage(image)


def _reader(path: Path, image_io: str):
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(str(path))
    return reader


@contextmanager
def ascii_folder() -> Iterator[Path]:
    """A temporary folder whose path is ASCII, because ITK finds no other on Windows; the usual one if there is none.

    Raises
    ------
    RadiographError
        If there is no room for it, or what is written into it fails.
    """
    try:
        holder = _temporary_folder()
    except OSError as error:
        raise _no_temporary_file(error) from error
    with holder as folder:
        try:
            yield Path(folder)
        except OSError as error:  # a full disk names no file; the image itself is only read
            if error.errno in _WRITING or str(error.filename or "").startswith(folder):
                raise _no_temporary_file(error) from error
            raise


def _temporary_folder() -> tempfile.TemporaryDirectory:
    places = [tempfile.gettempdir(), *(os.environ.get(name, "") for name in ("PUBLIC", "ProgramData", "SystemRoot")),
              *(("/tmp", "/var/tmp") if os.name == "posix" else ())]
    for place in [place for place in places if place and place.isascii()]:
        try:
            return tempfile.TemporaryDirectory(dir=place)
        except OSError:
            continue
    return tempfile.TemporaryDirectory()


def _no_temporary_file(error: OSError) -> RadiographError:
    return RadiographError(f"No temporary file can be written ({error.strerror or error}); make room in the folder of "
                           f"temporary files, or name another one in the environment variable "
                           f"{'TEMP' if os.name == 'nt' else 'TMPDIR'}.")


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """The file under a path that ITK can be given: itself, or a temporary copy where the path is not ASCII."""
    if str(path).isascii():
        yield path
        return
    with ascii_folder() as folder:
        ending = "".join(path.suffixes[-2:])
        copy = folder / f"image{ending if ending.isascii() else ''}"
        shutil.copyfile(path, copy)
        yield copy


@contextmanager
def named(path: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The file under a name with one of these endings, as some ITK readers insist: itself, or a temporary copy."""
    if path.name.endswith(suffixes) and str(path).isascii():
        yield path
        return
    with ascii_folder() as folder:
        copy = folder / f"image{suffixes[0]}"
        shutil.copyfile(path, copy)
        yield copy


def luminance(colours: np.ndarray, name: str, full_scale: float) -> tuple[np.ndarray, list[str]]:
    """Gray values (rows, columns) of the array (rows, columns, components), of the same type, and notes.

    One or two components: the first (the second is alpha). Three or four: Rec. 601 luminance of red, green and blue,
    alpha ignored. Raises RadiographError for a colour photograph: more than 5 % clearly coloured pixels.
    `full_scale` is the range of a channel.
    """
    if colours.shape[-1] < 3:
        return np.ascontiguousarray(colours[..., 0]), []
    step = max(1, int(np.sqrt(colours.shape[0] * colours.shape[1] / 2**22)))  # a sample tells as much
    sample = colours[::step, ::step, :3].astype(np.float32) / np.float32(full_scale)
    chroma = sample.max(-1) - sample.min(-1)
    share = float((chroma > COLOURED).mean())
    if share > COLOURED_SHARE:
        raise RadiographError(f"{name} is a colour picture ({share:.0%} of its pixels are coloured), not a radiograph; "
                              f"choose a grayscale image.")
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    if (red == green).all() and (red == blue).all():
        return np.ascontiguousarray(red), []
    real = np.float32 if colours.dtype.itemsize <= 2 else np.float64
    gray = real(0.299) * red + real(0.587) * green + real(0.114) * blue
    if np.issubdtype(colours.dtype, np.integer):
        gray = np.rint(gray)
    note = "the image is in colour: its Rec. 601 luminance is used"
    if float(np.median(chroma)) > TINTED:
        note += " (it is tinted all over, as digitised film is)"
    elif share > 0:
        note += f" ({max(share, 0.0001):.2%} of the pixels are clearly coloured)"
    return gray.astype(colours.dtype), [note]


def natural_pivot(values: np.ndarray) -> float:
    """The pivot for formats that do not say their bits: 2^n - 1 of the fewest bits n, at least 8, that hold the values.

    Signed, 32 bit and float values are turned over within their own range.
    """
    highest, lowest = float(values.max()), float(values.min())
    if np.issubdtype(values.dtype, np.unsignedinteger) and values.dtype.itemsize <= 2:
        return float(2 ** max(8, int(highest).bit_length()) - 1)
    return highest + lowest


def choose_polarity(choice: str, inverted_in_file: bool, reason: str, pivot: float) -> Polarity:
    """The polarity for the user's `choice`, given what the file says and why."""
    if choice == "auto":
        return Polarity(True, pivot, reason) if inverted_in_file else Polarity(False, 0.0, reason)
    if choice == "inverted":
        return Polarity(True, pivot, f"inverted on request ({reason})")
    return Polarity(False, 0.0, f"kept as in the file on request ({reason})")


def finish(values: np.ndarray, polarity: Polarity, *, source: Source, mapping: GrayMapping | None = None,
           counted: np.ndarray | None = None, spacing: Spacing | None = None, geometry: Geometry | None = None,
           notes: list[str] | None = None, lie: Lie = UNSAID) -> Radiograph:
    """The Radiograph of the file's `values` (rows, columns).

    `mapping` is for bone-bright values and comes from percentiles where it is None; `counted` (bool, same shape) says
    which pixels those percentiles see. Raises RadiographError where all pixels are the same.
    """
    if values.min() == values.max():
        raise RadiographError(f"{source.name} is blank: all pixels have the same value; choose another image.")
    pixels = polarity.apply(values)
    if mapping is None:
        mapping = GrayMapping.from_percentiles(pixels if counted is None else pixels[counted])
    strange = stranger_note(values)
    return Radiograph(pixels, mapping, polarity, spacing, geometry or Geometry(), source, source.modality,
                      (*(notes or ()), *filter(None, [strange])), lie)
