"""What a reader is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..radiograph import Radiograph

HEAD = 4096
"""Bytes of a file that readers recognise it by."""


@dataclass(frozen=True)
class ReadOptions:
    """How to read, see :func:`.reader.read_radiograph`."""

    window: str = "percentile"
    polarity: str = "auto"


class Reader(Protocol):
    """Reads files of one kind."""

    @property
    def name(self) -> str:
        """What people call the kind, for example ``"PNG"``."""

    @property
    def extensions(self) -> tuple[str, ...]:
        """Endings of such files' names, in lower case with the dot: those that count when a folder is searched."""

    def recognises(self, head: bytes) -> bool:
        """Whether this is the beginning (up to `HEAD` bytes) of a file of the kind, which nobody else would read."""

    def read(self, path: Path, options: ReadOptions) -> Radiograph:
        """The radiograph in a file that was recognised.

        Raises
        ------
        RadiographError
            With one sentence for the user.
        Undecodable
            If the file is damaged.
        """
