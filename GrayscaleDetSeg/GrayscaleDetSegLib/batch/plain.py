"""Reports as text: what every command writes, without the types of a result, which take time to import."""

from __future__ import annotations

import json
import re
from pathlib import Path

SCHEMA = "grayscale-detseg/result"
VOLUME_SCHEMA = "grayscale-detseg/volume-result"
FAILURE_SCHEMA = "grayscale-detseg/failure"
SCHEMA_VERSION = 3
SCHEMAS = (SCHEMA, VOLUME_SCHEMA, FAILURE_SCHEMA)
"""What a document says it is, of those that the command writes."""

# a string cannot hold a line break, so what follows one after a bracket is no text
_NUMBERS = re.compile(r"\[\n([-+.,eE\d\s]+)\]")


def failure(path: Path, reason: str) -> dict:
    """What stands in the place of a result for an input that failed, where several are reported together."""
    identity = {"schema": FAILURE_SCHEMA, "schema_version": SCHEMA_VERSION}
    return {**identity, "file": printable(path), "reason": printable(reason)}


def printable(text: object) -> str:
    """`text` as it can be encoded; file names of undecodable bytes hold characters that cannot."""
    return str(text).encode("utf-8", "replace").decode("utf-8")


def dumps(document: dict | list) -> str:
    """Indented JSON text, in plain characters where they are letters; numbers are always finite.

    A list of numbers stands on one line, or a table of thresholds would fill a thousand.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=_item)
    return _NUMBERS.sub(lambda numbers: f"[{' '.join(numbers[1].split())}]", text)


def _item(value: object) -> object:
    """A numpy number as Python's own."""
    if not hasattr(value, "item"):
        raise TypeError(f"{type(value).__name__} cannot stand in JSON")
    return value.item()
