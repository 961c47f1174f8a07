"""One volume from its files to the files of its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.options import SegmentOptions
from ...core.plugins import HERE, Plugin, Plugins
from ...core.volumes.reading import read_volume
from ...core.volumes.result import VolumeResult
from .. import outputs
from ..inputs import OVERLAY, REPORT, Job
from ..writers import SegmentationWriter
from .report import report


@dataclass(frozen=True)
class ReportWriter:
    """All numbers; the document is made once."""

    document: dict[str, Any]
    suffix: str = REPORT
    content: str = "the result with all numbers"

    def write(self, result: VolumeResult, path: Path) -> None:
        """See ``writers.Writer``."""
        from ..plain import dumps

        path.write_bytes((dumps(self.document) + "\n").encode("utf-8"))


class PictureWriter:
    """A picture to look at."""

    suffix, content = OVERLAY, "slices with outlines, and the curve of rounds"

    def write(self, result: VolumeResult, path: Path) -> None:
        """See ``writers.Writer``."""
        from .picture import draw_picture

        draw_picture(result).save(path)


def segmented(
    job: Job, options: SegmentOptions, pipeline: Any, stage, made_with: dict[str, Any]
) -> tuple[dict[str, Any], str, tuple[Path, ...]]:
    """Segment one volume by a ``VolumePipeline``; its report, its message, and the files that were written.

    Raises
    ------
    GrayscaleDetSegError
        As `read_volume`, the pipeline and `outputs.write` do.
    """
    volume = read_volume(job.root / job.path)
    if volume.source is not None:  # as the user called it
        volume = replace(volume, source=replace(volume.source, path=job.path))
    result = pipeline.segment(volume, method=options.method, clean_up=options.clean_up, progress=stage)
    if options.polarity == "inverted" or options.score_threshold is not None or options.window == "voi":
        said = "Polarity, score threshold and VOI window are for radiographs and have no effect here."
        result = replace(result, notes=(*result.notes, said))
    document = report(result, made_with)
    if job.directory is None:
        return document, result.message, ()
    parts: tuple[Any, ...] = (SegmentationWriter(), ReportWriter(document), PictureWriter())
    chosen: Plugins[Any] = Plugins(tuple(Plugin(part, HERE) for part in parts))
    finished: Any = result  # a result of another kind than radiographs', for writers of its own
    written = outputs.write(finished, job.root / job.directory, job.name, job.overwrite, chosen=chosen)
    files = tuple(job.directory / path.relative_to(job.root / job.directory) for path in written.files)
    return document, result.message, files
