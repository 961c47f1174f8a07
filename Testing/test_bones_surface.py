"""Closed surfaces: repaired or refused, moved without turning inside out; parts of skeletons, in files too."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage", reason="the analytic parts need the extra 'training'")

from training.simulate.bones import parts as parts_module  # noqa: E402
from training.simulate.bones import surface as surfaces  # noqa: E402
from training.simulate.bones.analytic import analytic_library, plain_parts  # noqa: E402
from training.simulate.bones.analytic_shapes import ball, gap, limb, meshed, rod  # noqa: E402
from training.simulate.bones.parts import KINDS, load_library, load_part, save_part  # noqa: E402
from training.simulate.bones.surface import Surface, finer, pieces_of, repaired  # noqa: E402

CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
CUBE = np.array([face for a, b, c, d in QUADS for face in ((a, b, c), (a, c, d))])
NAMES = {"hip bone", "sacrum", "femur", "tibia", "fibula", "patella", "foot", "clavicle", "scapula", "humerus",
         "radius",
         "ulna", "hand", "vertebra", "rib", "sternum", "skull"}  # fmt: skip


def half_sphere(around: int) -> tuple[np.ndarray, np.ndarray]:
    """An open bowl whose rim has `around` edges."""
    angle = np.arange(around) * 2 * np.pi / around
    rings = [np.column_stack([10 * np.cos(t) * np.cos(angle), 10 * np.cos(t) * np.sin(angle),
                              np.full(around, 10 * np.sin(t))])
             for t in (0.0, 0.5, 1.0)]  # fmt: skip
    here, there = np.arange(around), (np.arange(around) + 1) % around
    faces = []
    for ring in (0, around):
        faces += [np.column_stack([ring + here, ring + there, ring + around + there]),
                  np.column_stack([ring + here, ring + around + there, ring + around + here])]  # fmt: skip
    top = len(rings) * around
    faces.append(np.column_stack([2 * around + here, 2 * around + there, np.full(around, top)]))
    return np.concatenate([*rings, [(0, 0, 10.0)]]), np.concatenate(faces)


def test_a_cube_with_a_missing_side_is_closed():
    surface = repaired(CORNERS, CUBE[2:])
    assert surface.open_edges() == 0 and surface.volume == pytest.approx(1.0, abs=1e-5)
    assert Surface(CORNERS.astype(np.float32), CUBE[2:]).open_edges() == 4


def test_turned_doubled_and_degenerate_faces_are_put_right():
    faces = CUBE.copy()
    faces[::3] = faces[::3, ::-1]
    faces = np.concatenate([faces, faces[:2, [1, 2, 0]], [[3, 3, 1]]])
    surface = repaired(CORNERS, faces)
    assert len(surface.faces) == 12 and surface.open_edges() == 0
    assert surface.volume == pytest.approx(1.0, abs=1e-5)


def test_vertices_that_nearly_meet_become_one():
    apart = np.concatenate([CORNERS[face] + 1e-4 * np.arange(3)[:, None] / 3 for face in CUBE])
    surface = repaired(apart, np.arange(36).reshape(-1, 3), weld=1e-2)
    assert len(surface.vertices) == 8 and surface.open_edges() == 0


def test_each_separate_part_faces_outwards():
    surface = repaired(np.concatenate([CORNERS, CORNERS + 5]), np.concatenate([CUBE[:, ::-1], CUBE + 8]))
    assert surface.volume == pytest.approx(2.0, abs=1e-4)
    large, small = pieces_of(repaired(np.concatenate([CORNERS, 2 * CORNERS + 5]), np.concatenate([CUBE, CUBE + 8])), 1)
    assert large.volume == pytest.approx(8.0, abs=1e-3) and small.volume == pytest.approx(1.0, abs=1e-4)


def test_a_rim_that_is_too_long_is_refused():
    assert repaired(*half_sphere(60)).open_edges() == 0
    with pytest.raises(ValueError, match="stays open"):
        repaired(*half_sphere(surfaces.LARGEST_HOLE + 20))


def test_what_is_no_surface_is_refused():
    fin = repaired(np.concatenate([CORNERS, [(0.5, -1.0, 0.5)]]), np.concatenate([CUBE, [(0, 1, 8)]]))
    assert fin.open_edges() == 0 and fin.volume == pytest.approx(1.0, abs=1e-5), "a loose face adds nothing"
    with pytest.raises(ValueError, match="needs faces"):
        repaired(CORNERS, np.zeros((0, 3), int))
    with pytest.raises(ValueError, match="finite"):
        repaired(np.where(CORNERS > 0, np.nan, CORNERS), CUBE)


def test_a_mirror_image_keeps_its_outside():
    cube = repaired(CORNERS, CUBE)
    mirror = np.array([[-2.0, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0]])
    assert cube.moved(mirror).volume == pytest.approx(2.0, abs=1e-4)
    assert cube.moved(np.abs(mirror)).volume == pytest.approx(2.0, abs=1e-4)


def test_finer_faces_are_the_same_shape():
    cube = repaired(CORNERS, CUBE)
    fine = finer(cube)
    assert len(fine.faces) == 48 and fine.open_edges() == 0 and fine.volume == pytest.approx(cube.volume, abs=1e-5)


def test_normals_point_outwards():
    sphere = meshed([ball((1, 2, 3), 10.0)], 1.0)
    outward = (sphere.vertices - (1, 2, 3)) / np.linalg.norm(sphere.vertices - (1, 2, 3), axis=1, keepdims=True)
    assert (np.einsum("ij,ij->i", outward, sphere.normals()) > 0.97).all()


def test_shapes_by_formula_have_the_volume_of_the_formula():
    assert meshed([ball((0, 0, 0), (12, 9, 15))], 1.0).volume == pytest.approx(4 / 3 * np.pi * 12 * 9 * 15, rel=0.02)
    capsule = meshed([limb((0, 0, 0), (0, 0, 40), 8, 8)], 1.0)
    assert capsule.volume == pytest.approx(np.pi * 64 * 40 + 4 / 3 * np.pi * 512, rel=0.02)
    cut = meshed([limb((0, 0, 0), (0, 0, 40), 8, 8), gap((0, 0, 20), (0, 0, 1), 4.0, 20)], 1.0)
    assert cut.volume == pytest.approx(capsule.volume - np.pi * 64 * 4, rel=0.03)
    assert cut.open_edges() == 0 and len(pieces_of(cut)) == 2
    flat = rod([(0, 0, 0), (0, 0, 50), (0, 0, 100)], [(8, 4)] * 3, (1, 0, 0), 0.01)
    assert flat.open_edges() == 0 and flat.volume == pytest.approx(np.pi * 8 * 4 * 100, rel=0.06)
    assert np.ptp(flat.vertices, axis=0) == pytest.approx([16, 8, 100], abs=0.2)


def same(first, second) -> bool:
    """Whether two parts are the same, value by value."""
    arrays = [(one.surface.vertices, two.surface.vertices) for one, two in zip(first.bones, second.bones)]
    arrays += [(one.surface.faces, two.surface.faces) for one, two in zip(first.bones, second.bones)]
    arrays += [(one.cortex, two.cortex) for one, two in zip(first.bones, second.bones)]
    words = [[(bone.name, bone.label) for bone in part.bones] for part in (first, second)]
    facts = [(part.kind, part.name, part.joints, part.width, part.widths, part.child, part.source, part.terms)
             for part in (first, second)]  # fmt: skip
    return words[0] == words[1] and facts[0] == facts[1] and all(np.array_equal(*pair) for pair in arrays)


def test_parts_come_back_as_they_were_stored(tmp_path):
    hand = next(part for part in plain_parts(True) if part.kind == "hand")
    arm = next(part for part in plain_parts(False) if part.kind == "upper arm")
    paths = [save_part(part, tmp_path) for part in (hand, arm)]
    assert [path.parent.name for path in paths] == ["hand", "upper_arm"]
    assert same(load_part(paths[0]), hand) and not same(load_part(paths[1]), hand)
    library = load_library(tmp_path)
    assert tuple(library) == KINDS and {kind for kind in KINDS if library[kind]} == {"hand", "upper arm"}
    assert same(library["upper arm"][0], arm)
    assert load_part(paths[0]).bones[0].surface.vertices.dtype == np.float32


def test_an_empty_library_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="build them first"):
        load_library(tmp_path)


@pytest.mark.parametrize("child", [False, True], ids=["adult", "child"])
def test_every_analytic_bone_is_closed(child):
    assert sorted(part.kind for part in plain_parts(child)) == sorted(KINDS)
    for part in plain_parts(child):
        assert part.child == child and part.width > 0 and part.terms
        assert len({bone.name for bone in part.bones}) == len(part.bones)
        for bone in part.bones:
            assert bone.label in NAMES
            assert bone.surface.open_edges() == 0, (part.kind, bone.name)
            assert bone.surface.volume > 0 and bone.cortex.shape == (len(bone.surface.vertices),), bone.name
        moved = {name for joint in part.joints.values() for name in joint.moves}
        assert moved <= {bone.name for bone in part.bones}
        for joint in part.joints.values():
            assert np.linalg.norm(joint.axis) == pytest.approx(1.0, abs=1e-6)
    counts = {part.kind: len(part.bones) for part in plain_parts(child)}
    assert counts["hand"] == 27 and counts["pelvis"] == 3 and counts["shank"] == 3 and counts["trunk"] == 24 + 24 + 3


def test_the_analytic_library_follows_from_its_seed():
    first, again, other = analytic_library(2, 1), analytic_library(2, 1), analytic_library(2, 2)
    assert tuple(first) == parts_module.KINDS
    for kind in KINDS:
        assert [part.child for part in first[kind]] == [False, False, True, True]
        assert len({part.name for part in first[kind]}) == 4
        assert same(first[kind][1], again[kind][1]) and same(first[kind][0], other[kind][0])
        assert not same(first[kind][1], other[kind][1])
        for plain, varied in zip(first[kind][::2], first[kind][1::2]):
            assert all(bone.surface.volume > 0 for bone in varied.bones)
            assert varied.width == pytest.approx(plain.width, rel=0.1) and varied.width != plain.width
