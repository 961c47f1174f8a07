"""What lies on films beside the patient: metal, casts, gas, collimation, markers, edges, surroundings."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from .skeleton import Person
from .soft_tissue import smooth_path, tube
from .surface import Surface

LONG_BONES = ("femur", "tibia", "fibula", "humerus", "radius", "ulna")


def metal_parts(person: Person, generator: np.random.Generator) -> list[Surface]:
    """Plates with screws, nails, wires, prostheses of hips, rings: closed surfaces in the body's frame, mm."""
    found: list[Surface] = []
    bones = [bone for bone in person.bones if bone.label in LONG_BONES]
    if bones and generator.random() < 0.14:
        bone = bones[generator.integers(len(bones))]
        points = bone.surface.vertices @ bone.matrix[:, :3].T + bone.matrix[:, 3]
        middle = points.mean(0)
        axes = np.linalg.svd(points[::7] - middle, full_matrices=False)[2]
        along = (points - middle) @ axes[0]
        low, high = np.quantile(along, [generator.uniform(0.02, 0.4), generator.uniform(0.6, 0.98)])
        side = axes[1] * np.cos(angle := generator.uniform(0, 2 * np.pi)) + axes[2] * np.sin(angle)
        if generator.random() < 0.35:  # a nail in the marrow
            path = middle + np.linspace(low, high, 6)[:, None] * axes[0]
            found.append(tube(path, np.full((6, 2), generator.uniform(2.0, 5.5) * person.size), axes[1]))
        else:
            steps = np.linspace(low, high, 9)
            radius = np.array([np.quantile(np.abs((points - middle) @ side)[np.abs(along - at) < 8], 0.95)
                               if (np.abs(along - at) < 8).sum() > 3 else 8.0 for at in steps])  # fmt: skip
            path = middle + steps[:, None] * axes[0] + (radius + 2.0)[:, None] * side
            across = np.cross(axes[0], side)
            found.append(tube(path, np.tile(generator.uniform([4.0, 1.0], [8.0, 2.2]), (9, 1)), across))
            for at, depth in zip(steps, radius):
                if generator.random() < 0.75:
                    start = middle + at * axes[0] + (depth + 3.0) * side
                    found.append(tube(start - np.linspace(0, 2 * depth, 4)[:, None] * side,
                                      np.full((4, 2), generator.uniform(1.2, 2.4)), axes[0]))  # fmt: skip
    for side in "RL":
        if f"hip {side}" in person.landmarks and f"thigh {side}" in person.nodes() and generator.random() < 0.04:
            hip, knee = person.landmarks[f"hip {side}"], person.landmarks[f"knee {side}"]
            down = (knee - hip) / np.linalg.norm(knee - hip)
            outward = np.array([-1.0 if side == "R" else 1.0, 0, 0]) * person.size
            ball = np.linspace(-1, 1, 9)
            found.append(tube(hip + 17 * person.size * ball[:, None] * down,
                              np.tile(17.5 * person.size * np.sqrt(np.clip(1 - ball**2, 0.01, 1))[:, None], 2),
                              np.array([0, 1.0, 0])))  # fmt: skip
            steps = ((0, 0), (36, 30), (44, 60), (30, 170))
            neck = [hip + out * outward + below * person.size * down for out, below in steps]
            path, width = smooth_path(neck, [(7, 7), (9, 9), (11, 9), (5, 5)])
            found.append(tube(path, width * person.size, np.array([0, 1.0, 0])))
    if generator.random() < 0.03:
        small = [bone for bone in person.bones if bone.label == "hand"]
        if small:
            bone = small[generator.integers(len(small))]
            at = bone.matrix[:, :3] @ bone.surface.vertices.mean(0) + bone.matrix[:, 3]
            angle = np.linspace(0, 2 * np.pi, 14)
            ring = at + 9.5 * person.size * np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
            found.append(tube(ring, np.full((14, 2), 1.6), np.array([0, 0, 1.0])))
    return found


def cast(soft: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Plaster around what a film shows, mm (rows, columns), cut off at a line across it."""
    rows, columns = soft.shape
    reach = generator.uniform(0.015, 0.05) * max(rows, columns)
    outside = ndimage.distance_transform_edt(soft < 1.0)
    inside = ndimage.distance_transform_edt(soft >= 1.0)
    shell = np.where(outside <= reach, 8.0, 0.0) + 18.0 * np.exp(-inside / (0.6 * reach)) * (outside <= reach)
    angle = generator.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:rows, :columns]
    line = (x - columns / 2) * np.cos(angle) + (y - rows / 2) * np.sin(angle)
    weave = 1.0 + 0.25 * generator.standard_normal((rows, columns))
    shell = shell * (line > generator.uniform(-0.5, 0.2) * max(rows, columns)) * ndimage.gaussian_filter(weave, 0.8)
    return ndimage.gaussian_filter(shell.astype(np.float32), 1.0)


def gas(shape: tuple[int, int], within: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Bubbles of bowel gas, mm (rows, columns), inside of a mask."""
    total = np.zeros(shape, np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for _ in range(generator.integers(2, 9)):
        middle = generator.uniform(0, shape[0]), generator.uniform(0, shape[1])
        size = generator.uniform(0.015, 0.07, 2) * max(shape)
        ratio = 1.0 - ((y - middle[0]) / size[0]) ** 2 - ((x - middle[1]) / size[1]) ** 2
        total = np.maximum(total, generator.uniform(15, 50) * np.sqrt(np.clip(ratio, 0, 1)))
    return ndimage.gaussian_filter(total, 1.5) * within


def collimate(film: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The film behind the tube's diaphragm, a little turned, and what of it is lit (bool)."""
    rows, columns = film.shape
    angle = generator.normal(0, 0.04)
    y, x = np.mgrid[:rows, :columns]
    across = (x - columns / 2) * np.cos(angle) + (y - rows / 2) * np.sin(angle)
    down = (y - rows / 2) * np.cos(angle) - (x - columns / 2) * np.sin(angle)
    cut = generator.uniform(0.0, 0.16, 4) * (generator.random(4) < 0.7)
    lit = (across > (cut[0] - 0.5) * columns) & (across < (0.5 - cut[1]) * columns)
    lit &= (down > (cut[2] - 0.5) * rows) & (down < (0.5 - cut[3]) * rows)
    soft = ndimage.gaussian_filter(lit.astype(np.float32), generator.uniform(0.3, 1.5))
    outside = generator.choice([0.0, generator.uniform(0.0, 0.15), 1.0], p=[0.6, 0.32, 0.08])
    return film * soft + outside * (1.0 - soft), lit


def mark(film: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Letters of lead, lines and labels on a film in 0..1."""
    rows, columns = film.shape
    picture = Image.fromarray((film * 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(generator.integers(0, 4)):
        size = int(generator.uniform(0.03, 0.11) * max(rows, columns)) + 5
        font = ImageFont.load_default(size)
        text = str(generator.choice(["R", "L", "RT", "LT", "PA", "AP", "7", "23", "R\nMN", "05:12", "SUPINE", "L JK"]))
        edge = generator.random() < 0.8
        place = generator.uniform(0.02, 0.9, 2)
        if edge:
            place[generator.integers(2)] = generator.choice([0.0, 0.82]) + generator.uniform(0.0, 0.1)
        level = int(generator.uniform(150, 255))
        at = int(place[0] * columns), int(place[1] * rows)
        if generator.random() < 0.2:
            pen.rectangle([*at, at[0] + int(2.2 * size), at[1] + int(1.2 * size)], fill=int(level * 0.8))
            level = int(generator.uniform(0, 60))
        pen.text(at, text, fill=level, font=font)
    if generator.random() < 0.12:  # edge of a table or a cassette
        along = generator.uniform(0, 1, 4) * [columns, rows, columns, rows]
        axis = generator.integers(2)
        along[2 + axis] = along[axis] + generator.normal(0, 4)
        along[1 - axis], along[3 - axis] = 0, (rows, columns)[axis]
        pen.line(along.tolist(), fill=int(generator.uniform(90, 220)), width=int(generator.integers(1, 4)))
    return np.asarray(picture, np.float32) / 255.0
