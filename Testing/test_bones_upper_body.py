"""Arms, hands and trunks from bone surfaces: the pure helpers, on shapes whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from training.simulate.bones.hands import contact, ends_of
from training.simulate.bones.opensim import placed, read_placements, read_vtp, to_body_frame
from training.simulate.bones.shaping import registered, shaft_cortex, smoothed, thinned, turn_to
from training.simulate.bones.skeleton import affine, apply, rotation
from training.simulate.bones.surface import Surface, finer, repaired
from training.simulate.bones.trunk_sources import hollowed, on_top, plates_of
from training.simulate.bones.variation import Build, Warp

VTP = """<?xml version="1.0"?>
<VTKFile type="PolyData" version="0.1" byte_order="LittleEndian"><PolyData>
<Piece NumberOfPoints="4" NumberOfVerts="0" NumberOfLines="0" NumberOfStrips="0" NumberOfPolys="1">
<Points><DataArray type="Float32" NumberOfComponents="3" format="{form}">0 0 0 1 0 0 1 1 0 0 1 0.5</DataArray></Points>
<Polys><DataArray type="Int32" Name="connectivity" format="ascii">0 1 2 3</DataArray>
<DataArray type="Int32" Name="offsets" format="ascii">4</DataArray></Polys>
</Piece></PolyData></VTKFile>"""

FRAME = """<PhysicalOffsetFrame name="{name}"><socket_parent>/bodyset/{body}</socket_parent>
<translation>{shift}</translation><orientation>{turn}</orientation></PhysicalOffsetFrame>"""
BODY = """<Body name="{name}"><attached_geometry><Mesh><scale_factors>2 2 2</scale_factors>
<mesh_file>{name}.vtp</mesh_file></Mesh></attached_geometry></Body>"""


def tube(length: float = 40.0, radii: tuple[float, float] = (5.0, 4.0), wide: float = 1.0) -> Surface:
    """A closed rounded rod along z from 0 to `length`; `wide` stretches it along x."""
    around, along = np.linspace(0, 2 * np.pi, 24, endpoint=False), np.linspace(0, 1, 31)
    profile = np.interp(along, [0, 1], radii) * np.sqrt(1 - (2 * along - 1) ** 20)
    rings = [np.column_stack([wide * r * np.cos(around), r * np.sin(around), np.full(24, length * t)])
             for r, t in zip(profile, along)]  # fmt: skip
    steps = np.arange(24)
    faces = []
    for ring in range(30):
        a, b = 24 * ring + steps, 24 * ring + (steps + 1) % 24
        faces += [np.column_stack([a, b, b + 24]), np.column_stack([a, b + 24, a + 24])]
    return repaired(np.concatenate(rings), np.concatenate(faces))


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Surface:
    """A closed box of many small faces."""
    corners = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    surface = repaired(np.array(low) + corners * (np.array(high) - np.array(low)), np.array(faces))
    return finer(finer(finer(surface)))


def test_vtp_is_read_and_turned_into_the_body_frame(tmp_path):
    path = tmp_path / "quad.vtp"
    path.write_text(VTP.format(form="ascii"))
    vertices, faces = read_vtp(path)
    assert vertices.shape == (4, 3)
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    # forwards becomes -y, up becomes z, the right becomes -x, metres become mm
    assert to_body_frame(np.eye(3)).tolist() == [[0, -1000, 0], [0, 0, 1000], [-1000, 0, 0]]


def test_vtp_that_is_not_ascii_is_refused(tmp_path):
    path = tmp_path / "binary.vtp"
    path.write_text(VTP.format(form="appended"))
    with pytest.raises(ValueError, match="ASCII"):
        read_vtp(path)


def test_model_places_geometry_along_its_chain_of_joints(tmp_path):
    joint = "<PinJoint><socket_parent_frame>p</socket_parent_frame><socket_child_frame>c</socket_child_frame><frames>"
    parts = [joint,
             FRAME.format(name="p", body="ground", shift="0 1 0", turn="0 0 1.5707963267948966"),
             FRAME.format(name="c", body="upper", shift="0 0 0", turn="0 0 0"), "</frames></PinJoint>",
             joint, FRAME.format(name="p", body="upper", shift="1 0 0", turn="0 0 0"),
             FRAME.format(name="c", body="lower", shift="0.5 0 0", turn="0 0 0"), "</frames></PinJoint>"]  # fmt: skip
    bodies = BODY.format(name="upper") + BODY.format(name="lower")
    path = tmp_path / "model.osim"
    path.write_text(
        f"<OpenSimDocument><Model><BodySet><objects>{bodies}</objects></BodySet>"
        f"<JointSet><objects>{''.join(parts)}</objects></JointSet></Model></OpenSimDocument>"
    )
    places = read_placements(path)
    assert np.allclose(placed(np.array([[1.0, 0, 0]]), places["upper.vtp"]), [[0, 3, 0]])
    assert np.allclose(placed(np.zeros((1, 3)), places["lower.vtp"]), [[0, 1.5, 0]])


def test_ends_of_a_rod_are_found_wherever_it_lies():
    rod = tube(wide=1.3)
    turned = affine(rotation((0.3, 1.0, -0.2), 1.1), np.array([5.0, -20.0, 3.0]))
    ends = ends_of(apply(turned, rod.vertices), apply(turned, np.array([0.0, 0.0, -30.0])))
    assert ends.length == pytest.approx(40.0, abs=0.5)
    assert ends.radius == pytest.approx(4.2, abs=0.4)
    assert np.allclose(ends.base, apply(turned, np.zeros(3)), atol=0.6)
    assert np.allclose(ends.head, apply(turned, np.array([0.0, 0.0, 40.0 - ends.radius])), atol=0.6)
    assert abs(ends.wide @ (turned[:, :3] @ [1.0, 0, 0])) > 0.98
    back = ends_of(apply(turned, rod.vertices), apply(turned, np.array([0.0, 0.0, 70.0])))
    assert back.axis @ ends.axis < -0.99


def test_contact_lies_between_neighbours():
    first, second = tube(), tube().moved(affine(np.eye(3), np.array([0.0, 0.0, 42.0])))
    assert np.allclose(contact(first.vertices, second.vertices), [0, 0, 41], atol=1.0)


def test_vertebra_is_hung_under_another_with_its_disc():
    # a body 40 wide, 30 deep, 25 high with a process behind; the front is at -y
    body, process = box((-20, -30, 0), (20, 0, 25)), box((-4, 0, 8), (4, 45, 14))
    both = Surface(np.concatenate([body.vertices, process.vertices]),
                   np.concatenate([body.faces, process.faces + len(body.vertices)]))  # fmt: skip
    tilted = both.moved(affine(rotation((1.0, 0, 0), 0.3), np.array([3.0, 70.0, -40.0])))
    above = plates_of(both)
    assert above.height == pytest.approx(25.0, abs=0.3)
    assert np.allclose([above.up, above.down], [[0, 0, 1], [0, 0, -1]], atol=0.02)
    hung = plates_of(tilted.moved(on_top(above, plates_of(tilted), 9.0, 10.0)))
    assert np.linalg.norm(hung.upper - above.lower) == pytest.approx(9.0, abs=0.5)
    # the disc opens to the front: the lower vertebra leans forwards
    assert np.degrees(np.arcsin(hung.up[1])) == pytest.approx(-10.0, abs=1.0)


def test_solid_skull_becomes_hollow_and_stays_closed():
    solid = box((-70, -90, 0), (70, 90, 150))
    hollow = hollowed(solid)
    assert hollow.open_edges() == 0
    assert 0.4 * solid.volume < hollow.volume < 0.8 * solid.volume
    cavity = hollow.vertices[len(solid.vertices) :]
    assert (np.abs(cavity[:, 0]) < 68).all() and cavity[:, 2].max() < 148


def test_surfaces_stay_closed_when_smoothed_and_thinned():
    fine = finer(finer(tube()))
    smooth = smoothed(fine, 5)
    assert smooth.open_edges() == 0
    assert smooth.volume == pytest.approx(fine.volume, rel=0.01)
    pytest.importorskip("vtkmodules")
    few = thinned(fine, 2000)
    assert few.open_edges() == 0 and len(few.faces) <= 2100
    assert few.volume == pytest.approx(fine.volume, rel=0.02)


def test_registration_finds_a_turned_and_grown_copy():
    rod = tube(wide=1.4).vertices.astype(float)
    rod[:, 0] += 4.0 * np.sin(rod[:, 2] / 20.0)
    turned = affine(1.2 * rotation((1.0, 0.4, 0.1), 0.8), np.array([10.0, 0.0, -7.0]))
    matrix, error = registered(rod, apply(turned, rod))
    assert error < 0.3
    assert np.cbrt(np.linalg.det(matrix[:, :3])) == pytest.approx(1.2, rel=0.02)
    assert np.allclose(turn_to(np.array([0, 0, 2.0]), np.array([0, 3.0, 0])) @ [0, 0, 1], [0, 1, 0])


def test_cortex_thins_out_to_the_ends():
    rod = tube()
    thickness = shaft_cortex(rod.vertices, 4.0, 0.8)
    middle = np.abs(rod.vertices[:, 2] - 20) < 2
    assert thickness.shape == (len(rod.vertices),)
    assert np.allclose(thickness[middle], 4.0)
    assert thickness.min() == pytest.approx(0.8, abs=0.05)


def test_variants_change_what_they_say_and_repeat():
    rod = tube()
    same = Build(1.0, 1.0, 0.0, (1.0, 1.0), (0.0, 0.0)).applied(rod)
    assert np.allclose(same.vertices, rod.vertices, atol=1e-3)
    other = Build(1.1, 0.9, 0.0, (1.0, 1.0), (0.0, 0.0)).applied(rod)
    assert np.ptp(other.vertices[:, 2]) == pytest.approx(44.0)
    assert np.ptp(other.vertices[:, 0]) == pytest.approx(0.9 * np.ptp(rod.vertices[:, 0]), rel=0.02)
    warps = [Warp(np.random.default_rng(3), 300.0, 3.0, (0.05, 0.05, 0.05), symmetric=True) for _ in range(2)]
    points = np.array([[10.0, 5.0, 100.0], [-10.0, 5.0, 100.0]])
    assert np.array_equal(warps[0](points), warps[1](points))
    right, left = warps[0](points)
    assert np.allclose(right * [-1, 1, 1], left)
