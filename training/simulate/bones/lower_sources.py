"""Reads the research bones of legs: people's surfaces, and children of the shape model."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .surface import Surface, repaired

STEP = 0.02
"""mm of one unit of the stored vertices."""
MIRROR = np.array([[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
"""Left to right, and back."""
TURNED = {"STAPLE_ICL_MRI": np.array([[-1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, 1, 0]])}
"""People whose scan is turned about the long axis, and what turns them back."""
LOOSE = ("STAPLE_VAKHUM_CT",)
"""People each of whose bones lies in its own frame."""
REFERENCE = ("VSD_z013", "R")
"""Person and side whose femur others are turned like where a file does not say which way is up, and whose hip bones
show where sockets lie."""
SPREAD = 22
"""People of each side that are taken from the shape model, evenly along its first mode (their size)."""
DRAWN = 10
"""People of each side that are drawn from the shape model besides."""
WIDEST = 2.0
"""Standard deviations at which coefficients that are drawn are cut off."""


@dataclass(frozen=True)
class Person:
    """The bones of one person.

    Parameters
    ----------
    name : str
    bones : dict of str to Surface
        By key ("femur_R"); x to the patient's left, y backwards, z up.
    child : bool
    source, terms : str
    loose : bool
        Whether femur, tibia with fibula, patella and pelvis do not lie as they did in the body: each was shifted.
    """

    name: str
    bones: dict[str, Surface]
    child: bool
    source: str
    terms: str
    loose: bool = False

    def right(self, key: str, side: str) -> Surface | None:
        """The bone KEY_SIDE, mirrored if it is a left one; None where there is none."""
        found = self.bones.get(f"{key}_{side}")
        return found if found is None or side == "R" else found.moved(MIRROR)


def read_index(bones: Path) -> dict[str, dict[str, str]]:
    """The first row of every person in the index."""
    with open(bones / "index.csv", newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return {row["person"]: row for row in reversed(rows)}


def read_person(bones: Path, name: str, facts: dict[str, str], report: list[str]) -> Person:
    """A person's bones; those that cannot be closed are left out and reported."""
    surfaces = {}
    with np.load(bones / f"{name}.npz") as stored:
        for key in [key[:-2] for key in stored.files if key.endswith("_v")]:
            try:
                surface = repaired(stored[f"{key}_v"] * STEP, stored[f"{key}_f"])
            except ValueError as error:
                report.append(f"{name} {key} refused: {error}")
                continue
            surfaces[key] = surface.moved(TURNED[name]) if name in TURNED else surface
    child = any(word in facts["sex"] + facts["age"] for word in ("child", "adolescent"))
    return Person(name, surfaces, child, facts["source"], facts["terms"], name in LOOSE)


def read_children(bones: Path, side: str, generator: np.random.Generator) -> list[Person]:
    """Children of the shape model, its members and drawn ones, each with both hip bones and the bones of one leg.

    The model keeps the middle of each bone where it is whatever the bone's size, so that they are loose.
    """
    with np.load(bones / f"SSM_lower_limb_{side}.npz") as stored:
        model = {key: stored[key] for key in stored.files}
    deviations = np.sqrt(model["weights"])
    order = np.argsort(model["people"][:, 0])
    members = order[np.linspace(0, len(order) - 1, SPREAD).round().astype(int)]
    chosen = {f"SSM_{side}_{number:03d}": model["people"][number] for number in members}
    for number in range(DRAWN):
        drawn = generator.normal(size=len(deviations)).clip(-WIDEST, WIDEST) * deviations
        chosen[f"SSM_{side}_drawn_{number:02d}"] = drawn
    people = []
    for name, coefficients in chosen.items():
        shape = model["mean"] + model["modes"] @ coefficients
        shape = np.column_stack([-shape[:, 2], -shape[:, 0], shape[:, 1]])  # from x forwards, y up, z to the right
        surfaces = {}
        for key, (first, last, face, end) in zip(model["keys"], model["ranges"]):
            faces = (model["faces"][face:end].astype(np.int64) - first).astype(np.int32)
            surface = Surface(shape[first:last].astype(np.float32), faces)
            whole = surface.volume > 0 and not surface.open_edges()  # nearly all are, which saves half a minute
            surfaces[str(key)] = surface if whole else repaired(surface.vertices, faces)
        people.append(
            Person(name, surfaces, True, "articulated-ssm 0.2.0 (Carman, Choisne, Besier)", "none stated", loose=True)
        )
    return people
