"""The loop over many radiographs: read, segment, write; a failure is kept with its reason and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..core.errors import DeviceError, GrayscaleDetSegError, WeightsError
from ..core.radiograph import Radiograph
from ..core.result import SegmentationResult
from . import outputs
from .inputs import Job
from .report import report

Stage = Callable[..., None]


class SegmentationPipeline(Protocol):
    """What the loop needs of `core.pipeline.Pipeline`."""

    device: str
    device_note: str | None

    def check_method(self, method: str | None) -> None: ...

    def segment(
        self,
        radiograph: Radiograph,
        *,
        method: str | None = None,
        clean_up: bool = True,
        score_threshold: float | None = None,
        check_polarity: bool = True,
        progress: Stage | None = None,
    ) -> SegmentationResult: ...


class Reader(Protocol):
    """What the loop needs of `core.reading.read_radiograph`."""

    def __call__(self, path: Path, *, window: str, polarity: str) -> Radiograph: ...


@dataclass(frozen=True)
class Options:
    """How to segment; see the command's help. Without a method, the model's own is taken."""

    window: str = "percentile"
    polarity: str = "auto"
    method: str | None = None
    clean_up: bool = True
    score_threshold: float | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one job.

    Parameters
    ----------
    job : Job
    document : dict or None
        The report of the result; None if the job failed.
    message : str
        What was found, or why it failed; one sentence for the user.
    files : tuple of Path
        What was written.
    fault : Exception or None
        What was raised, if it was none of the errors that an input can cause: a fault of ours.
    """

    job: Job
    document: dict | None
    message: str
    files: tuple[Path, ...] = field(default=())
    fault: Exception | None = None

    @property
    def ok(self) -> bool:
        """Whether the input was segmented (with objects found or not) and all files were written."""
        return self.document is not None


def run(
    jobs: Sequence[Job],
    pipeline: SegmentationPipeline,
    read: Reader,
    directory: Path | None,
    options: Options | None = None,
    stage: Stage | None = None,
) -> Iterator[Outcome]:
    """Segment one job after the other, and yield what became of each as soon as it is done.

    Parameters
    ----------
    directory : Path or None
        The output folder; None writes no files.
    stage : callable, optional
        Handed on to the pipeline as `progress`.

    Raises
    ------
    WeightsError
        Because no other input would fare better. Everything else that goes wrong with one input ends in its Outcome.
    """
    options = options or Options()
    for job in jobs:
        try:
            files = () if directory is None else job.outputs(directory)
            outputs.check_free(files, options.overwrite)  # before the work, not after it
            radiograph = read(job.path, window=options.window, polarity=options.polarity)
            result = pipeline.segment(
                radiograph,
                method=options.method,
                clean_up=options.clean_up,
                score_threshold=options.score_threshold,
                check_polarity=options.polarity == "auto",  # an order of the user's is not second-guessed
                progress=stage,
            )
            if files:
                outputs.write(result, files, options.overwrite)
            yield Outcome(job, report(result), result.message, files)
        except WeightsError:
            raise
        except DeviceError as error:
            yield Outcome(job, None, f"{error} Try --device cpu.")
        except GrayscaleDetSegError as error:
            yield Outcome(job, None, str(error))
        except MemoryError:
            yield Outcome(job, None, "There is not enough memory for this image.")
        except Exception as error:  # a fault of ours on one image is no reason to drop the others
            yield Outcome(job, None, f"A fault of the program: {type(error).__name__}: {error}", fault=error)
