"""Upper arms and forearms: humeri from all sources, radii and ulnae as they lie in supination."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .fitting import after, grow_sphere, mapped
from .hand_sources import stored_bones
from .opensim import placed, read_placements, read_vtp, to_body_frame
from .parts import Bone, Joint, Part
from .shaping import prepared, registered, shaft_cortex
from .skeleton import MIRROR, about, affine, rotation
from .surface import Surface

FACES = 4000, 8000
"""Least and most faces of an arm's long bone."""
SMOOTH = 6
"""Passes of the filter after each cut of these bones, of which the sources have 350 to 700 large facets."""
HUMERUS_CORTEX, FOREARM_CORTEX = (4.0, 0.9), (2.8, 0.7)
"""Compact bone of the shaft and of the ends, mm."""
HEAD_RADIUS = 0.075
"""Radius of the humeral head by the bone's length, where the search for it starts."""
ELBOW_RADIUS = 0.16
"""Radius of the capitulum by the width across the epicondyles: fixed, so that forearms of others keep their gap."""
CARTILAGE = 1.6
"""Between the bones of elbow and wrist, mm."""
RADIOULNAR = 2.0
"""Between radius and ulna at the wrist, mm."""
TILT = 4.0
"""Degrees by which a forearm leaves the elbow sideways; the humerus adds its own tilt."""
WRIST_DEPTH = 0.27
"""As for hands: depth of the wrist's centre below the radius by the wrist's width."""


def _model_bone(opensim: Path, stem: str, model: str) -> Surface:
    vertices, faces = read_vtp(opensim / f"{stem}.vtp")
    place = read_placements(opensim / model)[f"{stem}.vtp"]
    return prepared(to_body_frame(placed(vertices, place)), faces, *FACES, SMOOTH)


def _scanned_bone(bones: Path, person: str, key: str) -> Surface:
    surface = stored_bones(bones, person, FACES[1], only=key)[key]
    if len(surface.faces) < FACES[0]:
        surface = prepared(surface.vertices, surface.faces, *FACES, SMOOTH)
    return surface.moved(affine(MIRROR)) if key.endswith("_L") else surface


MODEL_ARMS = {
    "arm26": ("arm26.osim", "arm_r_humerus", "arm_r_radius", "arm_r_ulna"),
    "rajagopal": ("Rajagopal2016.osim", "humerus_rv", "radius_rv", "ulna_rv"),
    "wrist": ("wrist.osim", "humerus", "radius", "ulna"),
}
"""By name: the model, humerus, radius, ulna."""
SCANNED_HUMERI = {
    "spangenberg-r": ("Spangenberg_humerus_right", "humerus_R"),
    "spangenberg-l": ("Spangenberg_humerus_left", "humerus_L"),
    "profguy": ("OpenForge_profguy", "humerus_R"),
    "handot": ("OpenForge_HandOT", "humerus_L"),
}
"""By name: person and key."""


def all_arms(bones: Path) -> dict[str, dict[str, Surface]]:
    """Arms by name, in mm and nearly in the anatomical position: "humerus", and where there are any "radius", "ulna".

    The bones of an arm lie as they do in the model of their source.
    """
    arms = {}
    for name, (model, *stems) in MODEL_ARMS.items():
        made = [_model_bone(bones / "opensim", stem, model) for stem in stems]
        arms[name] = dict(zip(("humerus", "radius", "ulna"), made))
    upright = arms["rajagopal"]
    template = upright["humerus"]
    for name, (person, key) in SCANNED_HUMERI.items():
        surface = _scanned_bone(bones, person, key)
        arms[name] = {"humerus": surface.moved(_unscaled(surface, template))}
        template = arms["spangenberg-r"]["humerus"]  # the first; of fine ones it tells top from bottom better
    own = {key: _scanned_bone(bones, "OpenForge_HandOT", f"{key}_L") for key in ("radius", "ulna")}
    for key, surface in own.items():
        scaled, _ = registered(surface.vertices.astype(float), upright[key].vertices.astype(float))
        arms["handot"][key] = surface.moved(scaled)
    return arms


def _unscaled(surface: Surface, template: Surface) -> np.ndarray:
    """How a bone comes to lie like another one without growing, top to top."""
    matrix, _ = registered(surface.vertices.astype(float), template.vertices.astype(float))
    factor = np.cbrt(np.linalg.det(matrix[:, :3]))
    centre = template.vertices.mean(0)
    return after(about(centre, np.eye(3) / factor), matrix)


class Humerus:
    """A right humerus's landmarks, found in its vertices (n, 3), which stand nearly upright with the front at -y.

    Attributes
    ----------
    frame : ndarray (3, 4)
        Into the frame of the part: origin in the head's centre, the elbow straight below, epicondyles along x.
    radius : float
        Of the head, mm.
    length : float
        From the head's centre to the elbow's, mm.
    width : float
        Across the epicondyles, mm.
    circle : float
        Radius of the trochlea's and capitulum's circles by the width; should be near `ELBOW_RADIUS`.
    """

    def __init__(self, vertices: np.ndarray) -> None:
        vertices = vertices.astype(float)
        tall = np.ptp(vertices[:, 2])
        upper = vertices[vertices[:, 2] > vertices[:, 2].max() - 0.2 * tall]
        guess = HEAD_RADIUS * tall
        top = upper[upper[:, 2] > upper[:, 2].max() - 2 * guess]
        centre = np.array([top[:, 0].max() - guess, np.median(top[:, 1]) + 0.1 * guess, top[:, 2].max() - guess])
        head, self.radius = grow_sphere(upper, centre, guess, np.array([1.0, 0.4, 0.8]), 0.1)
        self.frame = affine(np.eye(3), -head)
        for _ in range(4):
            local = mapped(self.frame, vertices)
            across, elbow = self._elbow(local)
            z = -elbow / np.linalg.norm(elbow)
            x = across - (across @ z) * z
            x /= np.linalg.norm(x)
            self.frame = after(affine(np.stack([x, np.cross(z, x), z])), self.frame)
            self.length = float(np.linalg.norm(elbow))

    def _elbow(self, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tall = np.ptp(local[:, 2])
        low = local[local[:, 2] < local[:, 2].min() + 0.16 * tall]
        inner, outer = low[low[:, 0] > low[:, 0].max() - 3].mean(0), low[low[:, 0] < low[:, 0].min() + 3].mean(0)
        self.width = float(np.ptp(low[:, 0]))
        guess = ELBOW_RADIUS * self.width
        centres, radii, lowest = [], [], []
        for share in (0.2, 0.3, 0.4, 0.5, 0.6):
            strip = low[np.abs(low[:, 0] - (low[:, 0].min() + share * self.width)) < 0.05 * self.width]
            start = np.array([strip[strip[:, 2] < strip[:, 2].min() + guess, 1].mean(), strip[:, 2].min() + guess])
            try:
                centre, radius = grow_sphere(strip[:, 1:], start, guess, np.array([-0.6, -1.0]), 0.0)
            except ValueError:
                continue
            centres.append(centre)
            radii.append(radius)
            if share < 0.4:
                lowest.append(strip[:, 2].min())
        if len(centres) < 2 or not lowest:
            raise ValueError("No trochlea is found at the lower end of the humerus.")
        self.circle = float(np.median(radii)) / self.width
        y = float(np.median([centre[0] for centre in centres]))
        height = float(np.mean(lowest)) + ELBOW_RADIUS * self.width
        return inner - outer, np.array([low[:, 0].min() + 0.42 * self.width, y, height])


def humerus_part(surface: Surface, name: str, source: str, terms: str) -> Part:
    """The upper arm of a humerus that stands nearly upright."""
    found = Humerus(surface.vertices)
    bone = surface.moved(found.frame)
    cortex = shaft_cortex(bone.vertices, *HUMERUS_CORTEX, axis=np.array([0.0, 0.0, 1.0]))
    joints = {"elbow": Joint((0.0, 0.0, -found.length), (-1.0, 0.0, 0.0))}
    return Part("upper arm", name, (Bone("humerus", "humerus", bone, cortex),), joints, 2 * found.radius,
                {"elbow": found.width}, source=source, terms=terms)  # fmt: skip


def end_middle(vertices: np.ndarray, share: float, low: bool) -> np.ndarray:
    """The middle (3,) of the lowest or highest share of a bone's height."""
    z = vertices[:, 2]
    limit = z.min() + share * np.ptp(z) if low else z.max() - share * np.ptp(z)
    slab = vertices[z < limit] if low else vertices[z > limit]
    return (slab.min(0) + slab.max(0)) / 2


def forearm_width(radius: np.ndarray, ulna: np.ndarray) -> float:
    """Width of the wrist, mm: both bones' lower 8 % along x."""
    ends = [bone[bone[:, 2] < bone[:, 2].min() + 0.08 * np.ptp(bone[:, 2])] for bone in (radius, ulna)]
    return float(np.ptp(np.concatenate(ends)[:, 0]))


def forearm_part(radius: Surface, ulna: Surface, frame: np.ndarray, width: float, tilt: float, name: str,
                 source: str, terms: str) -> Part:  # fmt: skip
    """The forearm of bones that lie in supination.

    Parameters
    ----------
    frame : ndarray, shape (3, 4)
        Into a frame with its origin in the elbow and the elbow's axis along x.
    width : float
        Across the epicondyles that it belongs to, mm.
    tilt : float
        Degrees that the forearm leaves the elbow sideways.
    """
    radius, ulna = radius.moved(frame), ulna.moved(frame)
    for _ in range(3):
        head, wrist = end_middle(radius.vertices, 0.03, low=False), end_middle(radius.vertices, 0.04, low=True)
        middle = (wrist + end_middle(ulna.vertices, 0.04, low=True)) / 2
        now = np.arctan2(-middle[0], -middle[2])
        forward = np.arctan2(-middle[1], -middle[2])
        turn = rotation((0, 1, 0), np.radians(tilt) - now) @ rotation((1, 0, 0), forward)
        radius, ulna = radius.moved(affine(turn)), ulna.moved(affine(turn))
    drop = -ELBOW_RADIUS * width - CARTILAGE - radius.vertices[:, 2].max()
    shift = affine(np.eye(3), np.array([0.0, 0.0, drop]))
    radius, ulna = radius.moved(shift), ulna.moved(shift)
    ulna = _beside(ulna, radius.vertices)
    head = end_middle(radius.vertices, 0.03, low=False)
    foot = end_middle(ulna.vertices, 0.03, low=True)
    axis = (head - foot) / np.linalg.norm(head - foot)
    wide = forearm_width(radius.vertices, ulna.vertices)
    joints = {
        "wrist": Joint(tuple(_wrist(radius.vertices, wide)), (-1.0, 0.0, 0.0)),
        "pronation": Joint(tuple(head), tuple(axis), ("radius",)),
    }
    bones = tuple(Bone(bone, bone, surface, shaft_cortex(surface.vertices, *FOREARM_CORTEX))
                  for bone, surface in (("radius", radius), ("ulna", ulna)))  # fmt: skip
    return Part("forearm", name, bones, joints, width, {"wrist": wide}, source=source, terms=terms)


def _beside(ulna: Surface, radius: np.ndarray) -> Surface:
    """An ulna turned about the elbow (the origin) so that its head lies by the radius, (n, 3)."""
    from scipy.spatial import cKDTree

    low = radius[radius[:, 2] < radius[:, 2].min() + 0.12 * np.ptp(radius[:, 2])]
    tree = cKDTree(low)
    for _ in range(3):
        gap = float(tree.query(ulna.vertices)[0].min()) - RADIOULNAR
        if abs(gap) < 0.1:
            break
        angle = gap / abs(float(low[:, 2].mean()))
        ulna = ulna.moved(affine(rotation((0.0, 1.0, 0.0), angle)))
    return ulna


def _wrist(radius: np.ndarray, width: float) -> np.ndarray:
    """The wrist's centre below the lower end of a radius, (n, 3)."""
    middle = end_middle(radius, 0.06, low=True)
    near = np.linalg.norm(radius[:, :2] - middle[:2], axis=1) < 0.1 * width
    low = radius[near & (radius[:, 2] < radius[:, 2].min() + 0.1 * np.ptp(radius[:, 2])), 2]
    face = float(np.quantile(low, 0.25)) if len(low) else float(radius[:, 2].min())
    return np.array([middle[0], middle[1], face - CARTILAGE - WRIST_DEPTH * width])
