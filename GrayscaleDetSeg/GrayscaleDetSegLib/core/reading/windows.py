"""Lookup tables of DICOM files, and the VOI window or LUT of a file as a gray mapping."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..gray import GRAY_MAX, GrayMapping, Polarity
from .common import Undecodable, decoding
from .decode import element, is_big_endian

_MIN_CONTRAST = 8.0  # gray levels between the 1st and the 99th percentile, below which a window shows nothing


@dataclass(frozen=True)
class Lut:
    """A DICOM lookup table: `data` (uint8 or uint16) for the inputs `first`, `first` + 1, ..., of `bits` bits."""

    first: int
    data: np.ndarray
    bits: int

    @classmethod
    def of(cls, item, prefix: str, signed: bool, big: bool) -> Lut | None:
        """The table under `prefix`Descriptor and `prefix`Data of a data set; None where it cannot be read.

        `signed`: the inputs are; `big`: the data set is big-endian.
        """
        try:
            descriptor, raw = element(item, f"{prefix}Descriptor"), element(item, f"{prefix}Data")
            if isinstance(descriptor, bytes):  # an element of unknown representation
                descriptor = np.frombuffer(descriptor, ">u2" if big else "<u2")
            count, first, bits = (int(value) for value in descriptor)
            count = count & 0xFFFF or 65536  # a count read as signed, and 0, which stands for 65536
            if isinstance(raw, bytes):
                bytewise = bits <= 8 and len(raw) < 2 * count
                data = np.frombuffer(raw, np.uint8 if bytewise else ">u2" if big else "<u2")[:count]
            else:
                data = np.asarray(raw, np.int64)[:count] & 0xFFFF
        except (Undecodable, TypeError, ValueError, OverflowError):
            return None
        if len(data) < count or not 1 <= bits <= 16:
            return None
        if signed and first > 0x7FFF:
            first -= 0x10000
        elif not signed and first < 0:
            first += 0x10000
        return cls(first, data.astype(np.uint8 if bits <= 8 else np.uint16), bits)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The table's outputs (uint8 or uint16) for integers of any shape; beyond its ends its first and last entry."""
        index = np.clip(values, self.first, self.first + len(self.data) - 1).astype(np.int64) - self.first
        return self.data[index]


def voi_mapping(dataset, values: np.ndarray, polarity: Polarity, notes: list[str]) -> GrayMapping | None:
    """The gray mapping of a data set's first VOI LUT or window, for bone-bright values.

    None, and a note, where it has none or it cannot be used: malformed, not rising, or without contrast in `values`
    (the image in its own units, not yet inverted).
    """
    try:
        several = _voi_items(dataset)
        if len(several) > 1:
            notes.append(f"the file has {len(several)} VOI LUTs, of which the first is used")
        mapping = _voi_lut(dataset, values) or _voi_window(dataset)
    except Undecodable:
        mapping = None
    if mapping is None:
        notes.append("the file has no usable VOI window, so gray levels come from percentiles")
        return None
    step = max(1, values.size // 2**18)
    low, high = np.percentile(mapping.to_gray(values.reshape(-1)[::step]), (1, 99))
    if high - low < _MIN_CONTRAST:
        notes.append("the file's VOI window leaves no contrast, so gray levels come from percentiles")
        return None
    return mapping.turned_over(polarity.pivot) if polarity.inverted else mapping


def descends(dataset, signed: bool) -> bool:
    """Whether the file's first VOI LUT falls from bright to dark, and so inverts the picture."""
    try:
        table = _voi_table(dataset, signed)
    except Undecodable:
        return False
    return table is not None and bool(table.data[-1] < table.data[0])


def _voi_items(dataset) -> list:
    sequence = element(dataset, "VOILUTSequence")
    return [] if not sequence or isinstance(sequence, (str, bytes)) else list(sequence)


def _voi_table(dataset, signed: bool) -> Lut | None:
    """The file's first VOI LUT, if it rises or falls throughout."""
    items = _voi_items(dataset)
    table = Lut.of(items[0], "LUT", signed, is_big_endian(dataset)) if items else None
    if table is None or table.data[-1] == table.data[0]:
        return None
    steps = np.diff(table.data.astype(np.int64))
    return table if (steps >= 0).all() or (steps <= 0).all() else None


def _voi_lut(dataset, values: np.ndarray) -> GrayMapping | None:
    table = _voi_table(dataset, bool(values.min() < 0))
    if table is None:
        return None
    outputs = table.data.astype(np.float64)
    if outputs[-1] < outputs[0]:  # that it inverts the picture belongs to the polarity, see `descends`
        outputs = outputs.max() - outputs
    levels = GRAY_MAX * (outputs - outputs[0]) / (outputs[-1] - outputs[0])
    # one knot for each whole gray level the table rises past; plateaus become steep steps, which can be inverted
    rises = np.flatnonzero(np.diff(np.floor(levels), prepend=-1.0) > 0)
    start = rises[1] - 1  # the end of the first plateau: all before it is gray 0
    knots = np.concatenate([[start], rises[1:]])
    gray = levels[knots]
    gray[0], gray[-1] = 0.0, GRAY_MAX
    return GrayMapping(tuple((table.first + knots).astype(float).tolist()), tuple(gray.tolist()), "VOI LUT")


def _voi_window(dataset) -> GrayMapping | None:
    center, width = _first(element(dataset, "WindowCenter")), _first(element(dataset, "WindowWidth"))
    if center is None or width is None or not np.isfinite((center, width)).all() or width <= 0:
        return None
    function = str(element(dataset, "VOILUTFunction") or "LINEAR").strip().upper()
    if function == "SIGMOID":
        gray = np.linspace(0.0, GRAY_MAX, 129)
        inner = np.clip(gray, 0.25, GRAY_MAX - 0.25)  # the tails have no end: cut them a quarter level from it
        units = center - width / 4 * np.log(GRAY_MAX / inner - 1)
        return GrayMapping(tuple(units.tolist()), tuple(gray.tolist()), "VOI window")
    if function == "LINEAR_EXACT" or width < 1:  # LINEAR has no width below 1: files that have one mean LINEAR_EXACT
        return GrayMapping.window(center - width / 2, center + width / 2, "VOI window")
    lower = center - 0.5 - (width - 1) / 2
    return GrayMapping.window(lower, lower + width - 1, "VOI window")


def _first(value) -> float | None:
    if value is None or value == "":
        return None
    with decoding(TypeError, ValueError, OverflowError, IndexError):
        several = not isinstance(value, (str, int, float)) and hasattr(value, "__len__")
        return float(value[0] if several else value)
