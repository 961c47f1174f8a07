"""Which of a DICOM file's spacings counts, in which plane it holds, and what the file says of the magnification."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..radiograph import Spacing

SPACING_TAGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
SCALE_TAGS = ("PixelSpacingCalibrationType", "EstimatedRadiographicMagnificationFactor", "DistanceSourceToDetector",
              "DistanceSourceToPatient")
"""What is looked at beside the spacings."""

DETECTOR, FILM = "at the detector", "of the scanned film"
_AGREES = 0.02  # relative difference up to which two magnifications are the same


def weighed(value_of: Callable[[str], object], notes: list[str]) -> Spacing | None:
    """The first usable spacing, in DICOM's order of meaning: calibrated, at the detector, of the scanned film.

    Parameters
    ----------
    value_of : callable
        From a keyword of `SPACING_TAGS` or `SCALE_TAGS` to its value: numbers or text, None where it is not there.
    notes : list of str
        Gets a sentence for what cannot be used, and for contradictions.
    """
    found = {}
    for keyword in SPACING_TAGS:
        value = value_of(keyword)
        if value is None:
            continue
        spacing = pair(value)
        if spacing is None:
            notes.append(f"{keyword} is not two positive numbers and is ignored")
        elif believed(Spacing(*spacing, keyword), notes) is not None:
            found[keyword] = spacing
    factor, said_by = _magnification(value_of, notes)
    if not found:
        return None
    keyword, first = next(iter(found.items()))
    plane, at_detector = _plane(value_of, found, factor, notes)
    if factor is None:
        return Spacing(*first, keyword, plane)
    if at_detector:
        notes.append(f"{said_by}: lengths in the patient are smaller by it, areas by {factor**2:.4g}, than those at "
                     f"the detector")
        return Spacing(*first, keyword, plane, factor)
    if plane.startswith("calibrated"):
        notes.append(f"{said_by}: {keyword} is calibrated and not corrected for it once more")
    elif not plane:
        notes.append(f"{said_by}: the file does not say whether {keyword} is corrected for it")
    return Spacing(*first, keyword, plane)


def believed(spacing: Spacing, notes: list[str]) -> Spacing | None:
    """The spacing, None and a note where its pixels are too oblong, too small or too large to be a radiograph's."""
    if spacing.is_plausible:
        return spacing
    where = "the header" if spacing.source == "header" else spacing.source
    notes.append(f"{where} says {spacing.row:g} x {spacing.column:g} mm (row x column), pixels that no radiograph has; "
                 f"it is ignored, so check the file")
    return None


def pair(value: Any) -> tuple[float, float] | None:
    """Two positive numbers, (row, column), from a sequence or from ``"0.15\\0.2"``; None where they are not."""
    try:
        row, column = (float(part) for part in (value.split("\\") if isinstance(value, str) else value))
    except (TypeError, ValueError, OverflowError):
        return None
    return (row, column) if all(math.isfinite(part) and part > 0 for part in (row, column)) else None


def _plane(value_of: Callable[[str], object], found: dict[str, tuple[float, float]], factor: float | None,
           notes: list[str]) -> tuple[str, bool]:
    """Where the first of the spacings holds, and whether that is the detector."""
    keyword, first = next(iter(found.items()))
    if keyword == "ImagerPixelSpacing":
        return DETECTOR, True
    if keyword == "NominalScannedPixelSpacing":
        return FILM, False
    calibration = str(value_of("PixelSpacingCalibrationType") or "").strip().lower()
    if calibration:
        notes.append(f"PixelSpacing is calibrated ({calibration})")
        return f"calibrated ({calibration})", False
    other = found.get("ImagerPixelSpacing")
    if other is None:
        other = found.get("NominalScannedPixelSpacing")
        if other is not None and not _alike(first, other):
            notes.append(f"PixelSpacing differs from NominalScannedPixelSpacing ({other[0]:g} x {other[1]:g} mm)")
        return "", False
    if _alike(first, other):
        return DETECTOR, True
    if factor is not None and np.allclose(np.multiply(first, factor), other, rtol=_AGREES):
        return f"corrected for the magnification {factor:g}", False
    notes.append(f"PixelSpacing differs from ImagerPixelSpacing ({other[0]:g} x {other[1]:g} mm)")
    return "", False


def _magnification(value_of: Callable[[str], object], notes: list[str]) -> tuple[float | None, str]:
    """How much larger things are at the detector than in the patient, and what says so."""
    factor = _number(value_of("EstimatedRadiographicMagnificationFactor"))
    if factor is not None and not 0.5 <= factor <= 20:
        notes.append(f"the estimated magnification {factor:g} makes no sense and is ignored")
        factor = None
    to_detector, to_patient = (_number(value_of(f"DistanceSourceTo{end}")) for end in ("Detector", "Patient"))
    ratio = None
    if to_detector is not None and to_patient is not None and to_detector > to_patient > 0:
        ratio = to_detector / to_patient
    if factor is None:
        return (None, "") if ratio is None else (ratio, f"magnification {ratio:.4g} by the distances from the source")
    if ratio is not None and abs(ratio - factor) > _AGREES * factor:
        notes.append(f"the estimated magnification {factor:g} and that of the distances, {ratio:.4g}, contradict each "
                     f"other; the first is used")
    return (None, "") if factor == 1 else (factor, f"estimated magnification {factor:g}")


def _alike(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return bool(np.allclose(first, second, rtol=1e-3, atol=0.0))


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
