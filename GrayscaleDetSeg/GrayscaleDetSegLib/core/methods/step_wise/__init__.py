"""Step-wise coarse to fine: two networks for each view, trained apart; the views vote (chapter 3.3 of the article)."""

from __future__ import annotations

from ...volumes.rounds import Rounds
from ..volumetric import Iterating


class StepWise(Iterating):
    """The step-wise method."""

    name = "step_wise"
    title = "Step-wise coarse to fine"
    summary = "for volumes: a coarse look, then finer ones around what was found, until two agree"
    stages = {f"coarse, {view}": f"Coarse look, {view} slices" for view in ("coronal", "sagittal", "axial")}
    networks = ("step_wise",)
    explanation = Rounds
