"""Builds the parts of trunk, shoulder, arm and hand from research bones, and variants of them."""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .fitting import after
from .grafts import grafted, scanned_wrists
from .hand_sources import all_hands
from .hands import hand_part, straightened, varied
from .long_arm import TILT, Humerus, all_arms, forearm_part, humerus_part
from .parts import Part, save_part
from .shoulders import all_girdles, shoulder_part, varied_girdle
from .skeleton import affine
from .surface import Surface
from .trunk import all_bases, trunk_bones, trunk_part
from .variation import Build

HOSTS = ("rajagopal", "handot", "arm26")
"""Forearms that receive the lower ends of scanned wrists."""
VARIANTS = 4
"""Further people that are made of each source."""
OPENSIM = "OpenSim models (Gonzalez, Buchanan, Delp; Holzbaur; Rajagopal)"
OPENSIM_TERMS = "arm26 CC BY 3.0, others none stated"
PEOPLE = {
    "spangenberg-l": "Spangenberg_humerus_left", "spangenberg-r": "Spangenberg_humerus_right",
    "profguy": "OpenForge_profguy", "handot": "OpenForge_HandOT", "kinematic-a": "DiffAutoKin_handA",
    "kinematic-b": "DiffAutoKin_handB", "carpal-c1": "Carpal_ControlSample1", "carpal-c2": "Carpal_ControlSample2",
    "carpal-i1": "Carpal_InjurySample1", "carpal-i2": "Carpal_InjurySample2",
    "xrscapula": "XRscapula_demo", "rajagopal-ssm": "MEAN_LumbarSSM", "full-ssm": "MEAN_LumbarSSM",
}  # fmt: skip
"""Persons of the index that parts come from besides OpenSim, by the part's name."""


def build_upper_body(bones: Path, output: Path) -> list[str]:
    """Build and save all parts of the upper body.

    Parameters
    ----------
    bones : Path
        Folder with the people's bones, index.csv and opensim.
    output : Path
        Folder that receives ``KIND/NAME.npz``; outside the repository, for the surfaces are not the project's.

    Returns
    -------
    list of str
        What was made and what was refused.
    """
    report, counts = [], {}
    for make in (_upper_arms_and_forearms, _hands, _shoulders, _trunks):
        for part in make(bones, _Origins(bones), report):
            save_part(part, output)
            counts[part.kind] = counts.get(part.kind, 0) + 1
    report += [f"{kind}: {count} parts" for kind, count in counts.items()]
    return report


class _Origins:
    """Source and terms by a part's name."""

    def __init__(self, bones: Path) -> None:
        with open(bones / "index.csv", newline="", encoding="utf-8") as lines:
            rows = {row["person"]: row for row in csv.DictReader(lines)}
        self._rows = {name: rows[person] for name, person in PEOPLE.items()}

    def of(self, name: str) -> tuple[str, str]:
        """Source and terms."""
        row = self._rows.get(name)
        if row is None:
            return OPENSIM, OPENSIM_TERMS
        mixed = name.startswith(("kinematic", "carpal", "xrscapula", "rajagopal", "full"))
        return (f"{row['source']}; {OPENSIM}", f"{row['terms']}; {OPENSIM_TERMS}") if mixed else (
            row["source"], row["terms"])  # fmt: skip


def seeded(name: str) -> np.random.Generator:
    """Random numbers that depend on a name alone."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def names_of(name: str) -> list[str]:
    """The source's own name and those of its variants."""
    return [name, *(f"{name}-v{number}" for number in range(1, VARIANTS + 1))]


def _upper_arms_and_forearms(bones: Path, origins: _Origins, report: list[str]) -> Iterator[Part]:
    arms = all_arms(bones)
    for source, arm in arms.items():
        for name in names_of(source):
            humerus, rng = arm["humerus"], seeded(f"humerus {name}")
            if name != source:
                humerus = Build.drawn(rng).applied(humerus)
            try:
                part = humerus_part(humerus, name, *origins.of(source))
            except ValueError as refused:
                report.append(f"upper arm {name}: refused ({refused})")
                continue
            yield part
    for source, (radius, ulna, wide) in _forearms(bones, arms).items():
        span = (float(radius.vertices[:, 2].min()), float(radius.vertices[:, 2].max()))
        for name in names_of(source):
            rng, tilt, width, own = seeded(f"forearm {name}"), TILT, wide, (radius, ulna)
            if name != source:
                build = Build.drawn(rng)
                own = tuple(build.applied(surface, span) for surface in own)
                width *= build.thickness * (1 + build.flare) * build.ends[1]
                tilt = rng.uniform(1.0, 8.0)
            yield forearm_part(*own, affine(np.eye(3)), width, tilt, name, *origins.of(source))


def _forearms(bones: Path, arms: dict[str, dict[str, Surface]]) -> dict[str, tuple[Surface, Surface, float]]:
    """Radius, ulna (in the elbow's frame) and the width of the elbow, with those that take a scan's lower ends."""
    found = {}
    for source, arm in arms.items():
        if "radius" in arm:  # the bones of handot lie like rajagopal's
            own = Humerus(arms["rajagopal" if source == "handot" else source]["humerus"].vertices)
            frame = after(affine(np.eye(3), np.array([0.0, 0.0, own.length])), own.frame)
            found[source] = (arm["radius"].moved(frame), arm["ulna"].moved(frame), own.width)
    for (name, wrist), host in zip(scanned_wrists(bones).items(), HOSTS):
        radius, ulna, width = found[host]
        found[name] = (*grafted(radius, ulna, wrist), width)
    return found


def _hands(bones: Path, origins: _Origins, report: list[str]) -> Iterator[Part]:
    report.append("hands: not used: fingers 3 to 5 of DiffAutoKin_*, which are fused (the index's stand for them); "
                  "r_hand, which repeats wrist.osim; the carpals of Carpal_* take the size of the hand's")  # fmt: skip
    for source, hand in all_hands(bones).items():
        for name in names_of(source):
            made = straightened(hand) if name == source else varied(hand, seeded(f"hand {name}"))
            yield hand_part(made, name, *origins.of(source))


def _shoulders(bones: Path, origins: _Origins, report: list[str]) -> Iterator[Part]:
    report.append("shoulders: not used: XRscapula_demo's broken scapula; r_scapula, hat_ribs_scap (repeat others)")
    for source, girdle in all_girdles(bones).items():
        for name in names_of(source):
            own = girdle if name == source else varied_girdle(girdle, seeded(f"shoulder {name}"))
            yield shoulder_part(own, name, *origins.of(source))


def _trunks(bones: Path, origins: _Origins, report: list[str]) -> Iterator[Part]:
    for source, base in all_bases(bones).items():
        for name in names_of(source):
            made = trunk_bones(base, None if name == source else seeded(f"trunk {name}"))
            yield trunk_part(made, name, *origins.of(source))
