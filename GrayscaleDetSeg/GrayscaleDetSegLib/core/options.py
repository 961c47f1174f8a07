"""How to segment, in one value: for the console, the command, the folder tool and the panel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SegmentOptions:
    """The user's choices.

    Parameters
    ----------
    method : str or None
        Name of a method that the model has; its own if None.
    polarity : str
        ``"auto"``, ``"as-is"`` or ``"inverted"``, of the file's or the volume's values.
    clean_up : bool
        False leaves the masks as the method makes them.
    score_threshold : float or None
        Score that a region needs, 0..1; the model's own if None.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    engine : str
        What computes the networks: ``"auto"``, ``"numpy"`` or ``"torch"``, see ``engines.chosen_engine``.
    model : Path or None
        Folder of a model bundle; the shipped one if None.
    window : str
        ``"percentile"`` or ``"voi"``: which values of a file become gray levels 0 to 255, see ``read_radiograph``.
        Volumes of a scene have no VOI window.
    exclusive : bool
        Whether every pixel has one object at most, whatever the model allows: of those that overlap, the one of
        higher precedence keeps it, see ``core.exclusive``.
    """

    method: str | None = None
    polarity: str = "auto"
    clean_up: bool = True
    score_threshold: float | None = None
    device: str = "auto"
    model: Path | None = None
    window: str = "percentile"
    exclusive: bool = False
    engine: str = "auto"

    @property
    def of_segment(self) -> dict[str, Any]:
        """The keyword arguments of ``Pipeline.segment`` and ``VolumePipeline.segment``.

        The pipeline checks the polarity only if it is ``"auto"``; the user's choice is kept.
        """
        return {
            "method": self.method,
            "clean_up": self.clean_up,
            "score_threshold": self.score_threshold,
            "check_polarity": self.polarity == "auto",
            "exclusive": self.exclusive,
        }
