"""How to segment, in one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """The user's choices.

    Parameters
    ----------
    method : str or None
        Name of a method that the model has; its own if None.
    polarity : str
        ``"auto"``, ``"as-is"`` or ``"inverted"``, of the volume's values.
    clean_up : bool
        False leaves the masks as the method makes them.
    score_threshold : float or None
        Score that a region needs, 0..1; the model's own if None.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    model : Path or None
        Folder of a model bundle; the shipped one if None.
    """

    method: str | None = None
    polarity: str = "auto"
    clean_up: bool = True
    score_threshold: float | None = None
    device: str = "auto"
    model: Path | None = None
