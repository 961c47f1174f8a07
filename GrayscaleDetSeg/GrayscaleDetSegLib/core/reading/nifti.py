"""What headers of NIfTI files say of placement and spacing: ITK refuses some over it, and chooses in silence in others.

A radiograph needs its pixels and a spacing; where the placement contradicts itself, the user gets a sentence.
"""

from __future__ import annotations

import gzip
import shutil
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_HEAD = 540


@dataclass(frozen=True)
class Forms:
    """The two placements of a header, and pixdim.

    Parameters
    ----------
    order : str
        Of bytes, for ``struct``.
    second : bool
        Whether it is NIfTI-2.
    codes : tuple of 2 int
        Of qform and sform; 0 where there is none.
    pixdim : ndarray, shape (3,)
    sform, qform : ndarray, shape (3, 3)
        From voxels to mm.
    """

    order: str
    second: bool
    codes: tuple[int, int]
    pixdim: np.ndarray
    sform: np.ndarray
    qform: np.ndarray


def nifti_forms(path: Path) -> Forms | None:
    """What a file's header says; None where it is cut short or damaged."""
    try:
        with _opened(path) as file:
            head = file.read(_HEAD)
        order = "<" if int.from_bytes(head[:4], "little") in (348, 540) else ">"
        second = head[4:8] == b"n+2\0"
        real, size = ("d", 8) if second else ("f", 4)
        pixdim_at, q_at, s_at = (104, 352, 400) if second else (76, 256, 280)
        codes = struct.unpack_from(order + ("ii" if second else "hh"), head, 344 if second else 252)
        pixdim = np.array(struct.unpack_from(order + "4" + real, head, pixdim_at))
        quaternion = struct.unpack_from(order + "3" + real, head, q_at)
        rows = np.array(struct.unpack_from(order + "12" + real, head, s_at)).reshape(3, 4)
    except (EOFError, OSError, struct.error, zlib.error):
        return None
    qform = _rotation(quaternion) * np.abs(pixdim[1:])
    qform[:, 2] *= -1 if pixdim[0] < 0 else 1
    return Forms(order, second, codes, np.abs(pixdim[1:]), rows[:, :3], qform)


def has_sound_placement(path: Path) -> bool:
    """Whether the placement that a header gives first is made of numbers."""
    forms = nifti_forms(path)
    return forms is None or not forms.codes[1] or bool(np.isfinite(forms.sform).all())


def is_askew(path: Path) -> bool:
    """Whether the placement that a header gives first has axes without a length, or not at right angles."""
    forms = nifti_forms(path)
    if forms is None or not any(forms.codes):
        return False
    form = forms.sform if forms.codes[1] else forms.qform
    with np.errstate(all="ignore"):
        axes = form / np.linalg.norm(form, axis=0)
        return not bool(np.abs(axes.T @ axes - np.eye(3)).max() < 1e-2)  # also where something is no number


def nifti_notes(path: Path) -> list[str]:
    """A sentence for each way in which a header's placements contradict each other in the plane."""
    forms = nifti_forms(path)
    if forms is None or not forms.codes[1]:
        return []
    notes = []
    steps = np.linalg.norm(forms.sform, axis=0)
    if (steps > 0).all() and np.isfinite(steps).all() and not np.allclose(steps[:2], forms.pixdim[:2], rtol=0.01):
        notes.append(f"the header's pixdim says {forms.pixdim[1]:g} x {forms.pixdim[0]:g} mm a pixel (row x column), "
                     f"its sform {steps[1]:g} x {steps[0]:g} mm: check areas")
    if forms.codes[0] and (steps > 0).all() and np.isfinite(forms.qform).all():
        lengths = np.linalg.norm(forms.qform, axis=0) * steps
        if (lengths > 0).all() and ((forms.sform * forms.qform).sum(0) / lengths < 0.7).any():
            notes.append("the header's sform and qform place the image differently, and Slicer may follow either: "
                         "check sides")
    return notes


def without_placement(path: Path, copy: Path) -> None:
    """Write a copy of a file, not compressed, that has neither sform nor qform: its spacing is pixdim's."""
    forms = nifti_forms(path)
    with _opened(path) as source, open(copy, "wb") as target:
        shutil.copyfileobj(source, target, 2**20)
    assert forms is not None
    with open(copy, "r+b") as target:
        target.seek(344 if forms.second else 252)
        target.write(struct.pack(forms.order + ("ii" if forms.second else "hh"), 0, 0))


def _opened(path: Path):
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else open(path, "rb")


def _rotation(quaternion: tuple[float, ...]) -> np.ndarray:
    b, c, d = quaternion
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    return np.array([
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])
