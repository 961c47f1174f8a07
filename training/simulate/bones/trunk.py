"""Trunks: spine from C1 to L5, ribs, sternum and skull, on a pelvis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .parts import Bone, Joint, Part
from .shaping import even_cortex
from .skeleton import about, affine, rotation
from .surface import Surface
from .trunk_sources import (
    CERVICAL,
    DISCS,
    LUMBAR,
    THORACIC,
    WEDGES,
    full_thorax,
    joined_neck,
    lumbar_mean,
    lumbar_of_model,
    plates_of,
    put_on,
    skull_of,
    split_ribs,
    split_spine,
    stacked,
)
from .variation import Warp

CORTEX = {"vertebra": 0.7, "rib": 1.0, "sternum": 1.0, "skull": 2.5}
"""Compact bone, mm."""
JAW_CORTEX = 2.5
BEHIND = 25.0
"""mm by which C7 stands behind the middle of the last disc in people who stand upright."""
BODY = 0.4
"""Share of a vertebra's depth that its body takes."""
MOST_LEAN = 6.0
"""Degrees that a trunk is leant at most to stand so."""
COLLAR = (-0.073, 0.012, 0.004)
"""Where the clavicle's medial end lies from the middle of the manubrium's upper edge, by the rib cage's width."""
NECK_DISC = 4.0
"""mm between C7 and T1 where they come from different files."""


@dataclass(frozen=True)
class Base:
    """What a trunk is made of.

    Parameters
    ----------
    thorax : dict of str to Surface
        Vertebrae C1 to T12, ribs, sternum, skull and jaw in one frame.
    lumbar : dict of str to Surface
        L1 to L5, each for itself.
    scale : float
        On the thorax.
    height : float
        Of a lumbar body, mm.
    """

    thorax: dict[str, Surface]
    lumbar: dict[str, Surface]
    scale: float
    height: float


def all_bases(bones: Path) -> dict[str, Base]:
    """The trunks that there are."""
    opensim = bones / "opensim"
    whole = {**split_spine(opensim, "hat_spine"), **split_ribs(opensim, "hat_ribs"),
             **skull_of(opensim, ("hat_skull", "hat_jaw"))}  # fmt: skip
    full = put_on(full_thorax(opensim), joined_neck(opensim), NECK_DISC)
    model, mean = lumbar_of_model(opensim), lumbar_mean(bones)
    return {
        "rajagopal": Base(whole, model, 1.05, 27.0),
        "rajagopal-ssm": Base(whole, mean, 1.04, 27.0),
        "full-ssm": Base(full, mean, 0.95, 28.0),
        "full": Base(full, model, 0.93, 26.5),
    }


def trunk_bones(base: Base, rng: np.random.Generator | None) -> dict[str, Surface]:
    """A trunk with its origin in the middle of the lumbosacral disc; with `rng` another one of the same build."""
    discs, wedges, height, warp = np.array(DISCS), np.array(WEDGES), base.height, None
    thorax = {name: surface.moved(affine(base.scale * np.eye(3))) for name, surface in base.thorax.items()}
    if rng is not None:
        discs = discs * rng.uniform(0.75, 1.15) + rng.normal(0, 0.6, len(discs))
        wedges = wedges * rng.uniform(0.75, 1.2) + rng.normal(0, 0.8, len(wedges))
        height *= rng.uniform(0.94, 1.06)
        warp = Warp(rng, 700.0, 4.0, (0.05, 0.06, 0.03), symmetric=True)
    found, origin = stacked(thorax, base.lumbar, height, discs, wedges)
    found = {name: surface.moved(affine(np.eye(3), -origin)) for name, surface in found.items()}
    found = _balanced(found)
    if rng is not None:
        sway = rng.normal(0, 4.0, 2)
        tall = float(found["C7"].vertices[:, 2].max())
        found = {name: _swayed(warp.surface(surface), sway, tall) for name, surface in found.items()}
        low = plates_of(found["L5"])
        found = {name: surface.moved(affine(np.eye(3), -(low.lower + 0.5 * discs[5] * low.down)))
                 for name, surface in found.items()}  # fmt: skip
    return found


def _balanced(bones: dict[str, Surface]) -> dict[str, Surface]:
    """The trunk leant so that C7 stands nearly above the last disc; the neck bends back, so that the head is level."""
    y, z = plates_of(bones["C7"]).lower[1:]
    lean = float(np.clip(np.arctan2(y - BEHIND, z), -np.radians(MOST_LEAN), np.radians(MOST_LEAN)))
    found = {name: surface.moved(affine(rotation((1.0, 0.0, 0.0), lean))) for name, surface in bones.items()}
    levels = ("C7", "C6", "C5", "C4", "C3")
    above = list(CERVICAL)
    for level in levels:
        back = about(plates_of(found[level]).lower, rotation((1.0, 0.0, 0.0), -lean / len(levels)))
        moving = [*above[: above.index(level) + 1], "skull", "jaw"]
        found.update({name: found[name].moved(back) for name in moving})
    return found


def _swayed(surface: Surface, sway: np.ndarray, tall: float) -> Surface:
    """A slight curve to the side: a bow and a double bow, mm."""
    vertices = surface.vertices.copy()
    height = np.clip(vertices[:, 2] / tall, 0, 1.3)
    vertices[:, 0] += sway[0] * np.sin(np.pi * height) + sway[1] * np.sin(2 * np.pi * height)
    return Surface(vertices, surface.faces)


def rib_width(bones: dict[str, Surface]) -> float:
    """Greatest width of the rib cage, mm."""
    return float(np.ptp(np.concatenate([surface.vertices[:, 0] for name, surface in bones.items()
                                        if name.startswith("rib")])))  # fmt: skip


def _label(name: str) -> str:
    if name in CERVICAL + THORACIC + LUMBAR:
        return "vertebra"
    return {"jaw": "skull"}.get(name, name.split()[0])


def trunk_part(bones: dict[str, Surface], name: str, source: str, terms: str) -> Part:
    """The trunk of bones whose origin is the lumbosacral disc."""
    width = rib_width(bones)
    sternum = bones["sternum"].vertices
    edge = sternum[sternum[:, 2] > sternum[:, 2].max() - 0.05 * width]
    top = np.array([(edge[:, 0].min() + edge[:, 0].max()) / 2, edge[:, 1].mean(), edge[:, 2].max()])
    low, high = plates_of(bones["T1"]), plates_of(bones["C7"])
    joints = {
        "sternoclavicular": Joint(tuple(top + width * np.array(COLLAR)), (0.0, 1.0, 0.0)),
        "neck": Joint(tuple((low.upper + high.lower) / 2), (1.0, 0.0, 0.0), (*CERVICAL, "skull", "jaw")),
    }
    solid = []
    for bone, surface in bones.items():
        thickness = JAW_CORTEX if bone == "jaw" else CORTEX[_label(bone)]
        solid.append(Bone(bone, _label(bone), surface, even_cortex(surface.vertices, thickness)))
    widths = {"sternoclavicular": width}
    return Part("trunk", name, tuple(solid), joints, _base_width(bones["L5"]), widths, source=source, terms=terms)


def _base_width(vertebra: Surface) -> float:
    """Width of a vertebra's lower end plate, mm."""
    plate = plates_of(vertebra)
    y = vertebra.vertices[:, 1]
    low = ((plate.lower - vertebra.vertices) @ plate.down < 5.0) & (y < y.min() + BODY * np.ptp(y))
    return float(np.ptp(vertebra.vertices[low, 0]))
