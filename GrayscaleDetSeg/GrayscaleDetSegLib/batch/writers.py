"""What is written of a result: by the software itself, and by other installed packages.

Packages of others name their writers under the entry points ``grayscale_detseg.writers``; who installs one gets its
file for every input, beside those of the software.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..core.plugins import Plugins, plugins_of
from ..core.result import SegmentationResult
from .inputs import OVERLAY, REPORT, SEGMENTATION

if TYPE_CHECKING:
    from ..scene.seg_nrrd import AnyResult

GROUP = "grayscale_detseg.writers"
_END_OF_PNG = b"IEND\xaeB`\x82"


class Writer(Protocol):
    """Writes one file of a result."""

    @property
    def suffix(self) -> str:
        """The ending of the file's name, with the dot; no other writer has it."""

    @property
    def content(self) -> str:
        """What it writes, in a few words."""

    def write(self, result: SegmentationResult, path: Path) -> None:
        """Write `path`, which is not there yet, in a folder that is.

        Raises
        ------
        OutputError, OSError
            If it cannot be written.
        """


class SegmentationWriter:
    """A segmentation as 3D Slicer stores it, of a radiograph or a volume."""

    suffix, content = SEGMENTATION, "segmentation, opens in 3D Slicer"

    def write(self, result: AnyResult, path: Path) -> None:
        """See :class:`Writer`."""
        from ..scene.files import write_result

        write_result(result, path)


@dataclass(frozen=True)
class ReportWriter:
    """All numbers, and what they were made with, see ``process.made_with_of``."""

    made_with: dict[str, Any] | None = None
    suffix: str = REPORT
    content: str = "the result with all numbers"

    def write(self, result: SegmentationResult, path: Path) -> None:
        """See :class:`Writer`."""
        from .plain import dumps
        from .report import report

        path.write_bytes((dumps(report(result, self.made_with)) + "\n").encode("utf-8"))


class OverlayWriter:
    """A picture to look at."""

    suffix, content = OVERLAY, "overlay"

    def write(self, result: SegmentationResult, path: Path) -> None:
        """See :class:`Writer`."""
        from .overlay import draw_overlay

        draw_overlay(result).save(path)


BUILT_IN: tuple[Writer, ...] = (SegmentationWriter(), ReportWriter(), OverlayWriter())


@lru_cache(maxsize=1)
def writers() -> Plugins[Writer]:
    """The writers of this process; ``writers.cache_clear()`` looks for installed packages anew."""
    return plugins_of(GROUP, "writer", BUILT_IN, problem_of)


def is_whole(path: Path) -> bool:
    """Whether a file of a result is there to its end, as far as that is told without reading it all.

    Of a file by another package only that it is not empty can be told.
    """
    try:
        size = path.stat().st_size if path.is_file() else 0
        if size and path.name.endswith(SEGMENTATION):
            from ..scene import seg_nrrd

            return seg_nrrd.is_whole(path)
        if size and path.name.endswith(OVERLAY):
            with path.open("rb") as file:
                file.seek(max(0, size - len(_END_OF_PNG)))
                return file.read() == _END_OF_PNG
    except OSError:
        return False
    return size > 0


def problem_of(writer: Any, before: Sequence[Writer]) -> str:
    """Why an object cannot be a writer, as the rest of a sentence; empty if it can."""
    suffix = getattr(writer, "suffix", None)
    if not isinstance(suffix, str) or not suffix.startswith(".") or set(suffix) & set("/\\:\0") or len(suffix) < 2:
        return "its suffix is no ending of a file's name"
    if not isinstance(getattr(writer, "content", None), str) or not callable(getattr(writer, "write", None)):
        return "it lacks content or write"
    if suffix.lower() in [each.suffix.lower() for each in before]:
        return f"there is a writer of {suffix} already"
    return ""
