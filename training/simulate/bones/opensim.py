"""Reading of OpenSim's geometry (.vtp, metres) and models (.osim): surfaces, and how bodies stand to each other."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MM_PER_METRE = 1000.0

FROM_OPENSIM = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""OpenSim has x forwards, y up, z to the patient's right; here x is to the left, y backwards, z up."""


@dataclass(frozen=True)
class Placement:
    """Where a model puts a file of geometry: vertices * scale @ rotation.T + translation.

    Parameters
    ----------
    scale : ndarray of float64, shape (3,)
    rotation : ndarray of float64, shape (3, 3)
    translation : ndarray of float64, shape (3,)
        In the model's ground frame, metres.
    """

    scale: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray


def read_vtp(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) in the file's unit and frame, and triangles (m, 3) of an ASCII .vtp; polygons are cut into fans.

    Raises
    ------
    ValueError
        If the file holds no polygons in ASCII.
    """
    piece = ElementTree.parse(path).getroot().find(".//Piece")
    points = piece.find("Points/DataArray") if piece is not None else None
    polygons = {array.get("Name"): array for array in piece.findall("Polys/DataArray")} if piece is not None else {}
    if points is None or not {"connectivity", "offsets"} <= set(polygons) or points.get("format") != "ascii":
        raise ValueError(f"{path.name}: no polygons in ASCII; only such .vtp files are read.")
    vertices = np.array((points.text or "").split(), np.float64).reshape(-1, 3)
    corners = np.array((polygons["connectivity"].text or "").split(), np.int64)
    ends = np.array((polygons["offsets"].text or "").split(), np.int64)
    triangles, start = [], 0
    for end in ends.tolist():
        ring = corners[start:end]
        start = end
        triangles += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
    return vertices, np.array(triangles, np.int64).reshape(-1, 3)


def to_body_frame(points: np.ndarray) -> np.ndarray:
    """Points (n, 3) of OpenSim in metres as mm with x to the left, y backwards, z up."""
    return MM_PER_METRE * np.asarray(points, np.float64) @ FROM_OPENSIM.T


def read_placements(path: Path) -> dict[str, Placement]:
    """Where each mesh file of an .osim model stands with all coordinates at zero.

    Only the offsets and orientations of the joints' frames count: what a joint's functions add at zero is left out.
    """
    model = ElementTree.parse(path).getroot().find("Model")
    parents = {}
    for joint in model.find("JointSet/objects"):
        frames = {frame.get("name"): frame for frame in joint.find("frames")}
        parent = frames[_socket(joint, "socket_parent_frame")]
        child = frames[_socket(joint, "socket_child_frame")]
        body = _socket(child, "socket_parent")
        step = _matrix(parent) @ np.linalg.inv(_matrix(child))
        parents[body] = (_socket(parent, "socket_parent"), step)
    placements = {}
    frames = model.findall(".//PhysicalOffsetFrame[attached_geometry]")
    for body in (*frames, *model.find("BodySet/objects")):
        fixed = body.find("translation") is not None  # a frame that is fixed to the ground
        matrix, name = (_matrix(body) if fixed else np.eye(4)), body.get("name")
        while name in parents:
            name, step = parents[name]
            matrix = step @ matrix
        for mesh in body.findall("attached_geometry/Mesh"):
            scale = np.array((mesh.findtext("scale_factors") or "1 1 1").split(), np.float64)
            placements[mesh.findtext("mesh_file").strip()] = Placement(scale, matrix[:3, :3], matrix[:3, 3])
    return placements


def placed(vertices: np.ndarray, placement: Placement) -> np.ndarray:
    """Vertices (n, 3) of a file, metres, in the ground frame of the model that places it."""
    return vertices * placement.scale @ placement.rotation.T + placement.translation


def _socket(element: ElementTree.Element, name: str) -> str:
    return (element.findtext(name) or "").strip().rsplit("/", 1)[-1]


def _matrix(frame: ElementTree.Element) -> np.ndarray:
    """The frame in its body (4, 4): orientation as a body-fixed x-y-z sequence of radians."""
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("XYZ", np.array(frame.findtext("orientation").split(), float)).as_matrix()
    matrix[:3, 3] = np.array(frame.findtext("translation").split(), float)
    return matrix
