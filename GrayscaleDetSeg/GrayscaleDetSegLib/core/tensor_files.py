"""The file format safetensors, read: the length of a JSON header, the header, and the raw arrays.

Weights come from anybody: all that a file claims is checked before it is used, and nothing in it is ever run.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip
_METADATA = "__metadata__"


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a file's bytes, by name; read-only views where they need no conversion (bfloat16 to float32).

    Raises
    ------
    ValueError
        If the bytes are no such file, as the rest of a sentence: "its header is longer than the file", say.
    """
    if len(data) < 8:
        raise ValueError("it ends before its header")
    length = int.from_bytes(data[:8], "little")
    if length > len(data) - 8:
        raise ValueError("its header is longer than the file")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError("its header is no JSON") from error
    if not isinstance(header, dict):
        raise ValueError("its header is no list of tensors")
    content, taken, tensors = memoryview(data)[8 + length :], [], {}
    for name, entry in header.items():
        if name == _METADATA:
            continue
        kind, shape, start, end = _checked(name, entry, len(content))
        taken.append((start, end, name))
        values = np.frombuffer(content[start:end], _TYPES[kind])
        if kind == "BF16":  # the upper half of a float32
            values = (values.astype("<u4") << 16).view("<f4")
        tensors[name] = values.reshape(shape)
    taken.sort()
    for (_, end, one), (start, _, other) in zip(taken, taken[1:]):
        if start < end:
            raise ValueError(f"the tensors '{one}' and '{other}' overlap")
    if sum(end - start for start, end, _ in taken) != len(content):
        raise ValueError("it holds bytes that belong to no tensor")
    return tensors


def _checked(name: str, entry: Any, size: int) -> tuple[str, tuple[int, ...], int, int]:
    """Type, shape, first byte and the byte behind the last of one tensor."""
    try:
        kind, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"its header does not say what the tensor '{name}' is") from error
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(f"the tensor '{name}' is of the type {kind!r}, which is not known")
    if not all(type(number) is int and number >= 0 for number in (*shape, start, end)):
        raise ValueError(f"its header does not say what the tensor '{name}' is")
    if end > size or end < start:
        raise ValueError(f"the tensor '{name}' lies outside of the file")
    if math.prod(shape) * np.dtype(_TYPES[kind]).itemsize != end - start:
        raise ValueError(f"the tensor '{name}' has more or fewer bytes than its shape needs")
    return kind, shape, start, end
