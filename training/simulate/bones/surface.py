"""Closed triangle surfaces in mm, the only thing that the renderer draws; open ones are repaired or refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LARGEST_HOLE = 300
"""Edges of the longest rim that is closed by a fan: a cut shaft has up to 215, half a surface more."""


@dataclass(frozen=True)
class Surface:
    """Triangles that enclose a volume; their normals point outwards.

    Parameters
    ----------
    vertices : ndarray of float32, shape (n, 3)
        mm.
    faces : ndarray of int32, shape (m, 3)
        Indices of vertices, anticlockwise seen from outside.
    """

    vertices: np.ndarray
    faces: np.ndarray

    @property
    def volume(self) -> float:
        """mm3; negative where the normals point inwards."""
        a, b, c = (self.vertices[self.faces[:, corner]].astype(np.float64) for corner in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0)

    def open_edges(self) -> int:
        """How many directed edges have no counterpart in a neighbouring face; 0 for a closed, oriented surface."""
        return len(_rim(self.faces, len(self.vertices)))

    def normals(self) -> np.ndarray:
        """Unit normals of the vertices (n, 3), float32: means of the faces around them, by area."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        across = np.cross(b - a, c - a)
        normals = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(normals, self.faces[:, corner], across)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)

    def moved(self, matrix: np.ndarray) -> Surface:
        """The surface under an affine map (3, 4); a map that mirrors turns the faces over."""
        vertices = (self.vertices @ matrix[:, :3].T + matrix[:, 3]).astype(np.float32)
        mirrors = np.linalg.det(matrix[:, :3]) < 0
        return Surface(vertices, self.faces[:, ::-1].copy() if mirrors else self.faces)


def repaired(vertices: np.ndarray, faces: np.ndarray, weld: float = 1e-3) -> Surface:
    """A closed surface with outward normals of triangles that are nearly one.

    Vertices closer than `weld` (mm) become one, degenerate and doubled faces go, neighbouring faces are turned to
    agree, rims of holes are closed by fans about their middles, and each separate part is turned outwards.

    Raises
    ------
    ValueError
        If there are no faces, a vertex is not finite, or the surface stays open: a rim has more than `LARGEST_HOLE`
        edges, or edges have three faces and more.
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    if not len(faces) or not np.isfinite(vertices).all():
        raise ValueError("A surface needs faces, and vertices that are finite numbers.")
    _, first, same = np.unique(np.round(vertices / weld), axis=0, return_index=True, return_inverse=True)
    vertices, faces = vertices[first], same.reshape(-1)[faces]
    whole = (faces != np.roll(faces, 1, axis=1)).all(1)
    _, single = np.unique(np.sort(faces[whole], axis=1), axis=0, return_index=True)
    faces = _oriented(faces[whole][np.sort(single)])
    vertices, faces = _closed(vertices, faces)
    pieces = []
    for piece in _pieces(faces):
        part = Surface(vertices, piece)
        pieces.append(piece[:, ::-1] if part.volume < 0 else piece)
    used, numbers = np.unique(np.concatenate(pieces), return_inverse=True)
    surface = Surface(vertices[used].astype(np.float32), numbers.reshape(-1, 3).astype(np.int32))
    left = surface.open_edges()
    if left:
        raise ValueError(f"The surface stays open ({left} edges without a neighbour); it cannot be drawn.")
    return surface


def pieces_of(surface: Surface, least: int = 50) -> list[Surface]:
    """The connected parts of a surface that have at least `least` faces, largest volume first."""
    found = []
    for piece in _pieces(surface.faces):
        if len(piece) >= least:
            used, numbers = np.unique(piece, return_inverse=True)
            found.append(Surface(surface.vertices[used], numbers.reshape(-1, 3).astype(np.int32)))
    return sorted(found, key=lambda part: -abs(part.volume))


def joined(*surfaces: Surface) -> Surface:
    """Separate surfaces as one."""
    start = np.cumsum([0, *(len(surface.vertices) for surface in surfaces)])
    return Surface(np.concatenate([surface.vertices for surface in surfaces]),
                   np.concatenate([surface.faces + first for surface,
                                   first in zip(surfaces, start)]).astype(np.int32))  # fmt: skip


def finer(surface: Surface) -> Surface:
    """Each face in four, at the middles of the edges; the shape stays."""
    count, faces = len(surface.vertices), surface.faces.astype(np.int64)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    pairs, which = np.unique(edges, axis=0, return_inverse=True)
    middles = surface.vertices[pairs].mean(1)
    ab, bc, ca = (count + which.reshape(-1)).reshape(3, -1)
    a, b, c = faces.T
    split = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 1).reshape(-1, 3)
    return Surface(np.concatenate([surface.vertices, middles]).astype(np.float32), split.astype(np.int32))


def _directed(faces: np.ndarray) -> np.ndarray:
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)


def _rim(faces: np.ndarray, count: int) -> np.ndarray:
    """The directed edges (k, 2) that no face runs through the other way."""
    edges = _directed(faces)
    forward, backward = edges[:, 0] * count + edges[:, 1], edges[:, 1] * count + edges[:, 0]
    there, number = np.unique(forward, return_counts=True)
    back, times = np.unique(backward, return_counts=True)
    wanted = dict(zip(back.tolist(), times.tolist()))
    rim = [key for key, amount in zip(there.tolist(), number.tolist()) for _ in range(amount - wanted.get(key, 0))]
    return np.array([(key // count, key % count) for key in rim], np.int64).reshape(-1, 2)


def _oriented(faces: np.ndarray) -> np.ndarray:
    """The faces, turned so that neighbours agree, part by part."""
    edges = np.sort(_directed(faces), axis=1)
    owner = np.tile(np.arange(len(faces)), 3)
    _, which, sharing = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    which = which.reshape(-1)
    members: dict[int, list[int]] = {}
    for position in np.flatnonzero(sharing[which] == 2).tolist():
        members.setdefault(int(which[position]), []).append(position)
    neighbours: list[list[tuple[int, bool]]] = [[] for _ in faces]
    directed = _directed(faces)
    for first, second in members.values():
        same = bool((directed[first] == directed[second]).all())
        neighbours[owner[first]].append((int(owner[second]), same))
        neighbours[owner[second]].append((int(owner[first]), same))
    turned = np.full(len(faces), -1, np.int8)
    for start in range(len(faces)):
        if turned[start] >= 0:
            continue
        turned[start], stack = 0, [start]
        while stack:
            face = stack.pop()
            for other, same in neighbours[face]:
                if turned[other] < 0:
                    turned[other] = turned[face] ^ same
                    stack.append(other)
    faces = faces.copy()
    faces[turned == 1] = faces[turned == 1][:, ::-1]
    return faces


def _closed(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The surface with its holes closed by fans."""
    following: dict[int, list[int]] = {}
    for start, end in _rim(faces, len(vertices)).tolist():
        following.setdefault(end, []).append(start)  # the fan runs the other way round
    added, fans = [], []
    while following:
        start = next(iter(following))
        loop, here = [start], start
        while True:
            ahead = following.get(here)
            if not ahead:
                break
            here = ahead.pop()
            if not ahead:
                del following[loop[-1]]
            if here == start:
                break
            loop.append(here)
        if here != start or len(loop) < 3 or len(loop) > LARGEST_HOLE:
            continue
        middle = len(vertices) + len(added)
        added.append(vertices[loop].mean(0))
        fans += [(first, second, middle) for first, second in zip(loop, [*loop[1:], loop[0]])]
    if not fans:
        return vertices, faces
    return np.concatenate([vertices, added]), np.concatenate([faces, fans])


def _pieces(faces: np.ndarray) -> list[np.ndarray]:
    """The faces of each connected part."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = int(faces.max()) + 1
    ends = np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]])
    _, part = connected_components(coo_matrix((np.ones(2 * len(faces)), ends), shape=(count, count)), directed=False)
    numbers = part[faces[:, 0]]
    return [faces[numbers == number] for number in np.unique(numbers)]
