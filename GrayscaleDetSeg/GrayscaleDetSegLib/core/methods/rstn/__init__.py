"""The recurrent saliency transformation network: both stages trained together (chapter 3.4 of the article)."""

from __future__ import annotations

from ...volumes.rounds import SaliencyRounds
from ..volumetric import Iterating


class Rstn(Iterating):
    """The recurrent method."""

    name = "rstn"
    title = "Recurrent saliency"
    summary = "for volumes: rounds in which the map of the one before weights the image"
    stages = {f"coarse, {view}": f"Coarse look, {view} slices" for view in ("coronal", "sagittal", "axial")}
    networks = ("rstn",)
    explanation = SaliencyRounds
