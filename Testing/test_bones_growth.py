"""Growth plates: a child's long bones are closed pieces with a gap of the right width at the right place."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")

from training.simulate.bones import person  # noqa: E402
from training.simulate.bones.growth import PLATES, between, with_growth_plates  # noqa: E402
from training.simulate.bones.parts import Bone, Joint, Part, load_part, save_part  # noqa: E402
from training.simulate.bones.skeleton import Pose  # noqa: E402
from training.simulate.bones.surface import Surface  # noqa: E402

HEIGHT, RADIUS = 300.0, 12.0


def rod(label: str = "femur", sides: int = 24, rings: int = 40) -> Bone:
    """A closed, slightly bent rod that stands on z = -`HEIGHT`."""
    angles = np.arange(sides) * 2 * np.pi / sides
    heights = np.linspace(0.0, -HEIGHT, rings)
    bend = 8.0 * np.sin(heights / HEIGHT * np.pi)
    circles = [np.stack([RADIUS * np.cos(angles) + x, RADIUS * np.sin(angles), np.full(sides, z)], 1)
               for x, z in zip(bend, heights)]  # fmt: skip
    ends = [[bend[0], 0, 0.0], [bend[-1], 0, -HEIGHT]]
    vertices = np.concatenate([*circles, ends]).astype(np.float32)
    faces = []
    for ring in range(rings - 1):
        for side in range(sides):
            a, b = ring * sides + side, ring * sides + (side + 1) % sides
            faces += [(a, a + sides, b), (b, a + sides, b + sides)]
    last = (rings - 1) * sides
    for side in range(sides):
        following = (side + 1) % sides
        faces += [(rings * sides, side, following), (rings * sides + 1, last + following, last + side)]
    surface = Surface(vertices, np.array(faces, np.int32))
    return Bone(label, label, surface, np.full(len(vertices), 3.0, np.float32))


def part(label: str = "femur", **more) -> Part:
    joints = {"knee": Joint((0.0, 0.0, -HEIGHT))}
    return Part("thigh", "one", (rod(label), rod("patella")), joints, 48.0, {"knee": 78.0}, **more)


def test_a_cut_surface_is_closed_and_has_the_volume_that_is_left():
    bone = rod()
    assert bone.surface.open_edges() == 0 and bone.surface.volume > 0
    for low, high in ((-200.3, -100.7), (-np.inf, -40.1), (-260.9, np.inf), (-101.0, -99.0)):
        left, cortex = between(bone.surface, bone.cortex, low, high)
        share = (min(high, 0.0) - max(low, -HEIGHT)) / HEIGHT
        assert left.open_edges() == 0
        assert left.volume == pytest.approx(share * bone.surface.volume, rel=2e-3)
        assert len(cortex) == len(left.vertices) and left.faces.max() == len(left.vertices) - 1
        assert left.vertices[:, 2].min() >= low - 1e-3 and left.vertices[:, 2].max() <= high + 1e-3


def test_a_plane_through_vertices_cuts_as_well():
    bone = rod(rings=31)  # rings 10 mm apart
    left, _ = between(bone.surface, bone.cortex, -200.0, -100.0)
    assert left.open_edges() == 0 and left.volume == pytest.approx(bone.surface.volume / 3, rel=2e-3)


@pytest.mark.parametrize("label", sorted(PLATES))
def test_plates_lie_where_the_bone_grows(label):
    grown = with_growth_plates(part(label), 2.5)
    cut, patella = grown.bones
    assert cut.surface.open_edges() == 0 and grown.plates
    whole = rod().surface.volume
    assert cut.surface.volume == pytest.approx(whole * (1 - 2.5 * len(PLATES[label]) / HEIGHT), rel=2e-3)
    for share in PLATES[label]:
        heights = cut.surface.vertices[:, 2]
        assert not ((heights > -share * HEIGHT - 1.2) & (heights < -share * HEIGHT + 1.2)).any()
    assert patella.surface.faces.shape == rod().surface.faces.shape, "small bones stay whole"


def test_bones_that_have_plates_are_not_cut_again(tmp_path):
    grown = with_growth_plates(part(), 2.5)
    assert with_growth_plates(grown, 2.5) is grown
    assert load_part(save_part(grown, tmp_path)).plates and not load_part(save_part(part(), tmp_path)).plates


@pytest.mark.parametrize(("children", "pieces"), [(0.0, 1), (1.0, 2)])
def test_children_have_them_and_grown_up_people_do_not(children, pieces):
    from training.simulate.bones.surface import pieces_of

    shank = Part("shank", "one", (rod("tibia"),), {"ankle": Joint((0.0, 0.0, -HEIGHT))}, 78.0, {"ankle": 50.0})
    library = {"thigh": [part()], "shank": [shank]}
    drawn = person.draw_person(library, Pose({}), ("thigh R",), np.random.default_rng(3), children)
    (femur,) = [bone for bone in drawn.bones if bone.label == "femur"]
    assert len(pieces_of(femur.surface)) == pieces
