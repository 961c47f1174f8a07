"""Simulated radiographs: a person, a scene, the thicknesses on every ray, the exposure; and the labels, exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...films.film import Film, FilmObject
from .additions import cast, collimate, gas, mark, metal_parts
from .exposure import Thicknesses, expose
from .holding import draw_helpers, helper_camera
from .person import Library, draw_person
from .scenes import Scene, draw_scene, named_scenes
from .skeleton import DEGREE, MIRROR, Person, PlacedBone, affine, after, apply, rotation
from .soft_tissue import soft_parts, united
from .surface import Surface
from .thickness import Camera, add_thickness, may_show

LABELS = ("hip bone", "sacrum", "femur", "patella", "tibia", "fibula", "foot", "right clavicle", "left clavicle",
          "scapula", "humerus", "radius", "ulna", "hand", "vertebra")  # fmt: skip
"""Classes that simulated films mark, always all of them."""
IN_TRUNKS = ("right lung", "left lung", "heart", "teeth", "tooth")
"""Classes that show where there is a trunk and are not drawn as objects."""

FRONTAL = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
"""From the body (x left, y back, z up) to a camera in front of it (x right, y down, z away)."""
LEAST = 0.35
"""mm of bone from which a ray counts as through it: less is no visible edge."""
LONGEST, PIXELS = 448, 330**2
"""Of a film: px of the longer side at most, and px in all."""
WAVES = 5


def draw_films(
    library: Library,
    count: int,
    seed: int,
    first: int = 0,
    scenes: list[str] | None = None,
    children: float | None = None,
) -> Iterator[Film]:
    """Films number `first` to `first + count` of a seed: each follows from seed, number, scenes and children alone."""
    for number in range(first, first + count):
        yield draw_film(library, np.random.default_rng([seed, number]), f"{seed}-{number}", scenes, children)


def draw_film(
    library: Library,
    generator: np.random.Generator,
    name: str = "",
    scenes: list[str] | None = None,
    children: float | None = None,
) -> Film:
    """One film, with the scene's own share of children or this one; scenes in which no bone is met are drawn again."""
    table = named_scenes(scenes)
    while True:
        scene = draw_scene(generator, table)
        share = scene.children if children is None else children
        person = draw_person(library, scene.pose, scene.parts, generator, share)
        film = film_of(scene, person, generator, name, draw_helpers(library, person, generator))
        if film.objects:
            return film


@dataclass
class _Bones:
    """What bones add on every ray, mm (rows, columns): all of them, the marrow in them, and each object by itself."""

    bone: np.ndarray
    inner: np.ndarray
    things: dict[tuple[str, str], np.ndarray]


def film_of(
    scene: Scene, person: Person, generator: np.random.Generator, name: str = "", helpers: Sequence[Person] = ()
) -> Film:
    """The film of a person in a scene, and of those whose hands hold this person."""
    camera = camera_of(scene, person, generator)
    warp = _Warp(generator, person.size)
    shape = camera.shape
    drawn = _Bones(np.zeros(shape, np.float32), np.zeros(shape, np.float32), {})
    _add_bones(drawn, person, camera, warp, generator.uniform(0.45, 1.35))
    soft = _soft(person, camera, warp, generator)
    for number, helper in enumerate(helpers, 1):
        beside = helper_camera(camera, person, helper, generator)
        own = _Warp(generator, helper.size)
        _add_bones(drawn, helper, beside, own, generator.uniform(0.45, 1.35), f" of helper {number}")
        soft = soft + _soft(helper, beside, own, generator)
    trunk = bool({"trunk", "pelvis"} & person.nodes())
    air = _lungs(person, camera, warp, generator) if "trunk" in person.nodes() else np.zeros(shape, np.float32)
    if "pelvis" in person.nodes() and generator.random() < 0.7:
        air = np.maximum(air, gas(shape, soft > 135.0 * person.size, generator))
    metal, plaster = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for piece in metal_parts(person, generator):
        add_thickness(camera.project(warp(piece.vertices)), _facing_out(piece), metal)
    if not trunk and generator.random() < 0.05:
        plaster = cast(soft, generator)
    bone = np.maximum(drawn.bone, 0)
    film = expose(Thicknesses(soft, bone, drawn.inner, air, np.clip(metal, 0, 20), plaster), generator)
    lit = np.ones(shape, bool)
    if generator.random() < 0.45:
        film, lit = collimate(film, generator)
    if generator.random() < 0.6:
        film = mark(film, generator)
    image = (np.clip(film, 0, 1) * 255).round().astype(np.uint8)
    objects = []
    for (label, thing), thickness in drawn.things.items():
        mask = (thickness > LEAST) & lit
        label = _sided(label, thing)
        if label in LABELS and label not in scene.unmarked and mask.sum() >= 12:
            objects.append(FilmObject.of(label, mask))
    settled = set(LABELS) - set(scene.unmarked) | (set() if "trunk" in person.nodes() else set(IN_TRUNKS))
    return Film("simulated_bones", name, image, tuple(objects), frozenset(settled), kind=scene.kind)


def _add_bones(drawn: _Bones, person: Person, camera: Camera, warp: _Warp, thin: float, whose: str = "") -> None:
    """Add a person's bones; `thin` is a factor on their compact layers."""
    for item in person.bones:
        projected = camera.project(warp(apply(item.matrix, item.surface.vertices)))
        if not may_show(projected, camera.shape):
            continue
        faces = _outward(item)
        whole, hollow = np.zeros(camera.shape, np.float32), np.zeros(camera.shape, np.float32)
        add_thickness(projected, faces, whole)
        within = item.surface.vertices - _normals(item.surface) * (thin * item.cortex)[:, None]
        add_thickness(camera.project(warp(apply(item.matrix, within))), faces, hollow)
        drawn.bone += whole
        drawn.inner += np.clip(hollow, 0.0, np.maximum(whole, 0.0))
        key = item.label, item.thing + whose
        drawn.things[key] = drawn.things[key] + whole if key in drawn.things else whole


def camera_of(scene: Scene, person: Person, generator: np.random.Generator) -> Camera:
    """Where the tube and the film of a scene stand."""
    turned = np.eye(3)
    for bone in person.bones:
        if bone.node == scene.frame:
            linear = bone.matrix[:, :3] @ MIRROR if np.linalg.det(bone.matrix[:, :3]) < 0 else bone.matrix[:, :3]
            left, _, right = np.linalg.svd(linear)
            turned = (left @ right).T
            break
    weight = sum(part for _, part in scene.centre)
    middle = sum(part * person.landmarks[mark] for mark, part in scene.centre) / weight
    middle = middle + turned.T @ (person.size * np.asarray(scene.shift, float))
    yaw, pitch, roll = scene.turn
    if generator.random() < 0.12 and scene.aspect > 0.45:
        roll += generator.uniform(-35, 35) * DEGREE
    view = rotation((0, 0, 1), roll) @ FRONTAL @ rotation((1, 0, 0), pitch) @ rotation((0, 0, 1), yaw) @ turned
    field = scene.field * person.size
    longest = min(LONGEST, (PIXELS / min(scene.aspect, 1.0 / scene.aspect)) ** 0.5)
    longest *= generator.uniform(0.75, 1.0)
    rows, columns = (longest, longest * scene.aspect) if scene.aspect < 1 else (longest / scene.aspect, longest)
    matrix = after(affine(view), affine(np.eye(3), -middle))
    shape = max(32, round(rows)), max(32, round(columns))
    return Camera(matrix, generator.uniform(850, 1900), longest / field, shape)


class _Warp:
    """A smooth random deformation of the body's frame, mm to mm: all bones bend together and their joints still fit."""

    def __init__(self, generator: np.random.Generator, size: float) -> None:
        self.directions = generator.standard_normal((WAVES, 3)) * generator.uniform(0.3, 2.4) * size
        length = generator.uniform(140, 500, WAVES) * size
        along = generator.standard_normal((WAVES, 3))
        self.waves = along / np.linalg.norm(along, axis=1, keepdims=True) * (2 * np.pi / length)[:, None]
        self.phases = generator.uniform(0, 2 * np.pi, WAVES)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return points + np.sin(points @ self.waves.T + self.phases) @ self.directions


_NORMALS: dict[int, tuple[Surface, np.ndarray]] = {}


def _normals(surface: Surface) -> np.ndarray:
    """Of a library's surface, worked out once."""
    if id(surface) not in _NORMALS:
        _NORMALS[id(surface)] = surface, surface.normals()
    return _NORMALS[id(surface)][1]


def _outward(item: PlacedBone) -> np.ndarray:
    return item.surface.faces[:, ::-1] if np.linalg.det(item.matrix[:, :3]) < 0 else item.surface.faces


def _facing_out(surface: Surface) -> np.ndarray:
    return surface.faces[:, ::-1] if surface.volume < 0 else surface.faces


def _soft(person: Person, camera: Camera, warp: _Warp, generator: np.random.Generator) -> np.ndarray:
    layers = []
    for part in soft_parts(person, generator):
        projected = camera.project(warp(part.surface.vertices))
        if may_show(projected, camera.shape):
            layer = np.zeros(camera.shape, np.float32)
            add_thickness(projected, _facing_out(part.surface), layer)
            layers.append(layer)
    return united(layers, camera.shape)


def _lungs(person: Person, camera: Camera, warp: _Warp, generator: np.random.Generator) -> np.ndarray:
    """mm of air in two lungs, drawn as upright bodies beside the spine (rows, columns)."""
    from .soft_tissue import tube

    base, neck = person.landmarks["lumbosacral"], person.landmarks["neck"]
    up, size = neck - base, person.size
    total = np.zeros(camera.shape, np.float32)
    for side in (-1.0, 1.0):
        bottom = base + generator.uniform(0.32, 0.48) * up + np.array([side * 80, -20, 0]) * size
        top = base + 0.92 * up + np.array([side * 48, 5, 0]) * size
        steps = np.linspace(0, 1, 9)[:, None]
        swell = np.sin(np.pi * np.clip(0.14 + 0.86 * steps, 0, 1)) ** 0.6
        body = tube(bottom + steps * (top - bottom), np.hstack([58 * swell, 72 * swell]) * size, np.array([1.0, 0, 0]))
        add_thickness(camera.project(warp(body.vertices)), _facing_out(body), total)
    return generator.uniform(0.5, 0.8) * np.clip(total, 0, None)


def _sided(label: str, thing: str) -> str:
    if label == "clavicle":
        return "right clavicle" if thing.endswith("R") else "left clavicle"
    return label
