"""What a check sees of one case, and how it is kept: files that have not changed need not be opened again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from GrayscaleDetSegLib import __version__
from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.polarity_check import CONFIDENT, PolarityCheck, PolarityNetwork
from GrayscaleDetSegLib.core.weights import Bundle

from ..files import write_aside
from .labelled import Case
from .stored import Known, facts

TINY = 16.0 / 256.0**2
"""Share of the square around the image below which an object has under 16 px of a network's input of 256 px."""
SPECK = 9
"""Pixels that an object has at least, however small its image."""
FORMAT = f"1 {__version__}"
"""What was kept by another version is not used."""


def polarity_check() -> PolarityCheck | None:
    """The shipped network that tells inverted radiographs; None without it: a training can do without."""
    try:
        return PolarityCheck(Bundle.open().load_into(PolarityNetwork(), "polarity"))
    except WeightsError:
        return None


def look(case: Case, polarity: PolarityCheck | None) -> dict[str, Any]:
    """What a check needs to know of one case; it is noted in the case's source, and taken from there if it is there.

    Returns
    -------
    dict
        ``print`` (of the pixels, str), ``labels`` (digest of the label map, str), ``objects`` (their labels),
        ``warnings`` (sentences), ``polarity`` (whether that was looked at), ``thumbnail`` (see `thumbnail`).
    """
    source = vars(case).get("source")
    known = source.look if source is not None else None
    if known is not None and (known["polarity"] or polarity is None):
        return known
    warnings = []
    objects, longest = case.objects(), max(case.label_map.shape)
    for label, mask in objects:
        area = int(np.count_nonzero(mask))
        if area < max(TINY * longest**2, SPECK):
            left, top, *_ = boxes.of_mask(mask).astype(int)
            warnings.append(f"an object of {label} is tiny: {area} px at column {left}, row {top}; "
                            "a slip of the brush?")  # fmt: skip
    if not objects:
        missing = ", ".join(case.labels) or "any class"
        warnings.append(f"its label is empty: the image counts as one without {missing}.")
    if case.pixels.min() == case.pixels.max():
        warnings.append("all its pixels have one value.")
    elif polarity is not None and polarity.inverted_probability(case.radiograph().gray()) >= CONFIDENT:
        warnings.append('bone looks dark; if it is, give the image the polarity "inverted" in split.csv.')
    seen = {
        "print": case.fingerprint(),
        "labels": hashlib.blake2b(np.ascontiguousarray(case.label_map), digest_size=16).hexdigest(),
        "objects": [label for label, _ in objects],
        "warnings": warnings,
        "polarity": polarity is not None,
        "thumbnail": thumbnail(case.pixels),
    }
    if source is not None:
        source.look = seen
    return seen


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """32 x 32 means of the pixels (float32, flat), with mean 0 and length 1; 0 where all are equal."""
    # every eighth of a cell will do, and large images stay quick
    rows, columns = (np.linspace(0, size, 256, endpoint=False).astype(int) for size in pixels.shape)
    small = pixels[np.ix_(rows, columns)].astype(np.float32).reshape(32, 8, 32, 8).mean((1, 3)).ravel()
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 1e-6 else np.zeros_like(small)


def write_kept(path: Path, cases: Iterable[Case]) -> None:
    """Keep what was seen of cases, for the next check of the same files."""
    kept, thumbnails = {}, []
    for case in cases:
        source = vars(case).get("source")
        if source is not None and source.look is not None:
            seen = {key: value for key, value in source.look.items() if key != "thumbnail"}
            kept[source.key] = {**facts(case), "look": seen}
            thumbnails.append(source.look["thumbnail"])
    text = json.dumps({"format": FORMAT, "cases": kept})
    stream = io.BytesIO()
    np.savez(stream, text=np.frombuffer(text.encode(), np.uint8), thumbnails=np.array(thumbnails, np.float32))
    write_aside(path, stream.getvalue())


def read_kept(path: Path | None) -> Known:
    """What a former check has kept; nothing if that is missing, damaged or of another version."""
    if path is None or not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            content, thumbnails = json.loads(arrays["text"].tobytes()), arrays["thumbnails"]
        if content["format"] != FORMAT:
            return {}
        for entry, small in zip(content["cases"].values(), thumbnails):
            entry["look"]["thumbnail"] = small
        return content["cases"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return {}
