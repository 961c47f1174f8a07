"""The geometry by which the parts of simulated legs are built, on shapes whose landmarks are known."""

import numpy as np
import pytest

from training.simulate.bones import fitting, landmarks
from training.simulate.bones.lower_foot import level_sole
from training.simulate.bones.surface import Surface


def sphere(radius, centre=(0, 0, 0), count=24):
    """A closed surface of latitudes and longitudes."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, count + 1)[1:-1], np.arange(2 * count) * np.pi / count, indexing="ij"
    )
    ring = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], -1).reshape(-1, 3)
    vertices = np.concatenate([ring, [[0, 0, 1], [0, 0, -1]]]) * radius + centre
    rows, columns = count - 1, 2 * count
    faces = []
    for column in range(columns):
        beside = (column + 1) % columns
        faces += [
            (len(ring), column, beside),
            (len(ring) + 1, (rows - 1) * columns + beside, (rows - 1) * columns + column),
        ]
        for row in range(rows - 1):
            a, b = row * columns + column, row * columns + beside
            faces += [(a, a + columns, b), (b, a + columns, b + columns)]
    return Surface(vertices.astype(np.float32), np.array(faces, np.int32))


def turned(degrees, axis):
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(np.radians(degrees) * np.asarray(axis, float)).as_matrix()


def toy_femur():
    """A head of radius 24 at (8, 0, 420), a shaft, and two condyles of radius 20 about y = 0, z = 0; 80 mm wide."""
    along = np.linspace(0, 1, 60)[:, None]
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = 13 * np.stack([np.cos(around), np.sin(around), np.zeros(24)], -1)
    shaft = (np.array([0, -8, 20]) + along * np.array([-27, 8, 360]))[:, None] + ring
    neck = (np.array([-27, 0, 380]) + along * np.array([25, 0, 30]))[:, None] + 0.9 * ring
    condyles = []
    for side in (-1, 1):
        for x in np.linspace(0, 18, 10):
            circle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
            at = np.full(48, side * (40 - x))
            condyles.append(np.stack([at, 20 * np.cos(circle), 20 * np.sin(circle)], -1))
    return np.concatenate([sphere(24, (8, 0, 420)).vertices, shaft.reshape(-1, 3), neck.reshape(-1, 3), *condyles])


def test_a_sphere_and_a_circle_are_fitted_exactly():
    centre, radius = fitting.fit_sphere(sphere(24.0, (100.0, -5.0, 7.0)).vertices)
    assert np.allclose(centre, (100, -5, 7), atol=1e-3) and radius == pytest.approx(24, abs=1e-3)
    angles = np.linspace(0, 2, 20)
    centre, radius = fitting.fit_sphere(np.stack([3 + 5 * np.cos(angles), 5 * np.sin(angles)], -1))
    assert np.allclose(centre, (3, 0)) and radius == pytest.approx(5)


def test_a_sphere_grows_from_a_guess_and_ignores_what_lies_beside_it():
    points = np.concatenate([sphere(24.0).vertices, np.random.default_rng(0).normal((-30, 0, -60), 9, (400, 3))])
    centre, radius = fitting.grow_sphere(points, np.array([6.0, 3.0, -4.0]), 21.0, np.array([1.0, 0, 0.5]), 0.0)
    assert np.linalg.norm(centre) < 0.3 and radius == pytest.approx(24, abs=0.3)
    with pytest.raises(ValueError, match="No sphere"):
        fitting.grow_sphere(points, np.array([500.0, 0, 0]), 21.0, np.array([1.0, 0, 0]), 0.0)


def test_maps_undo_each_other():
    matrix = np.column_stack([1.3 * turned(40, (0.6, 0, 0.8)), (3, -2, 9)])
    points = np.random.default_rng(1).normal(size=(5, 3))
    assert np.allclose(fitting.mapped(fitting.inverse(matrix), fitting.mapped(matrix, points)), points)
    assert np.allclose(fitting.after(fitting.inverse(matrix), matrix), np.eye(3, 4))
    assert np.allclose(fitting.similarity(points, fitting.mapped(matrix, points)), matrix)


def test_a_surface_is_registered_to_its_turned_and_scaled_copy():
    generator = np.random.default_rng(2)
    directions = generator.normal(size=(3000, 3))
    points = directions / np.linalg.norm(directions, axis=1, keepdims=True) * (60, 25, 12) + (0, 0, 9) * (
        directions > 0
    )
    matrix = np.column_stack([1.2 * turned(70, (0, 0.6, 0.8)), (40, 5, -30)])
    target = fitting.mapped(matrix, points)
    starts = fitting.principal_starts(points, target)
    found, left = min((fitting.register(points, target, start) for start in starts), key=lambda fit: fit[1])
    assert left < 0.1 and np.allclose(found, matrix, atol=0.05)


def test_a_surface_is_seated_at_a_gap():
    still = sphere(20.0)
    for away in (60.0, 30.0):  # the second begins inside
        moving = sphere(15.0, (away, 0, 0)).vertices
        shift = fitting.seat(moving, still, np.array([-1.0, 0, 0]), 2.0)
        assert away + shift[0] == pytest.approx(37, abs=1.5)


def test_the_gap_between_heights_is_the_least_one():
    upper, lower = sphere(20.0, (0, 0, 45)), sphere(20.0)
    assert fitting.height_gap(upper, lower, (-15, 15, -15, 15), 1.0) == pytest.approx(5, abs=0.4)
    assert np.isnan(fitting.height_gap(upper, sphere(20.0, (90, 0, 0)), (-15, 15, -15, 15), 1.0))


@pytest.mark.parametrize("outwards", [0, 45, -40])
def test_a_femurs_frame_is_found_however_it_is_turned(outwards):
    points = toy_femur() @ turned(outwards, (0, 0, 1)).T + (70, -30, 900)
    knee = landmarks.knee_of(points)
    expected = (turned(outwards, (0, 0, 1)) @ np.array([8, 0, 420])) + (70, -30, 900)
    assert np.allclose(knee.hip, expected, atol=0.5) and knee.head == pytest.approx(24, abs=0.5)
    assert knee.width == pytest.approx(80, abs=2)
    local = (points - knee.hip) @ knee.axes.T
    centre = knee.axes @ (knee.centre - knee.hip)
    assert np.allclose(centre[:2], 0, atol=1e-3) and centre[2] < -400
    assert np.allclose(knee.axes @ knee.axes.T, np.eye(3), atol=1e-9)
    low = local[local[:, 2] < centre[2] + 15]
    backs = [low[low[:, 0] * side > 10][:, 1].max() for side in (-1, 1)]
    assert backs[0] == pytest.approx(backs[1], abs=0.6)  # the backs of both condyles lie on one line along x
    assert (low[:, 2].min() - centre[2]) / knee.width == pytest.approx(-landmarks.KNEE_HEIGHT, abs=0.03)


def block(x, y, z):
    """Points on the lower face and the four sides of a box."""
    points = np.stack(np.meshgrid(*(np.linspace(*side, 25) for side in (x, y, z))), -1).reshape(-1, 3)
    on_side = ((points[:, :2] == (x[0], y[0])) | (points[:, :2] == (x[1], y[1]))).any(1)
    return points[on_side | (points[:, 2] == z[0])]


def test_an_ankle_lies_between_the_malleoli_below_the_roof():
    tibia = np.concatenate([block((-15, 25), (-17, 17), (0, 60)), block((17, 25), (-8, 8), (-12, 0))])
    ankle = landmarks.ankle_of(tibia, block((-27, -17), (-6, 6), (-22, 60)))
    assert ankle.width == pytest.approx(52, abs=0.5) and ankle.axis[0] > 0.9
    assert np.allclose(ankle.centre, (-1, 0, -landmarks.ANKLE_DEPTH * 52), atol=1.5)


def test_the_middle_of_a_socket_is_found_in_spite_of_its_pit():
    cup = sphere(24.0 * landmarks.SOCKET, (5, 6, 7), 30).vertices - (5, 6, 7)
    cup = cup[cup @ landmarks.IN_SOCKET > 0]
    pit = cup @ landmarks.IN_SOCKET > 0.9 * np.linalg.norm(cup, axis=1)
    cup[pit] *= 1.2
    found = landmarks.socket_centre(cup + (5, 6, 7), np.array([1.0, 9.0, 3.0]), 24.0)
    assert np.linalg.norm(found - (5, 6, 7)) < 0.5


def test_a_foot_is_levelled_however_the_toes_point():
    generator = np.random.default_rng(3)
    heel = generator.normal((0, 40, -45), (10, 8, 8), (300, 3))
    ball = generator.uniform((-40, -160, -58), (40, -60, -50), (900, 3))
    toes = generator.uniform((-38, -190, -57), (38, -160, -50), (300, 3))
    talus = generator.normal((0, 0, 5), 6, (200, 3))
    foot = np.concatenate([heel, ball, toes, talus])
    foot[:, 2] = np.maximum(foot[:, 2], -58)
    tilt = turned(45, (1, 0, 0)) @ turned(12, (0, 1, 0))
    turn = level_sole(foot @ tilt.T, tilt @ np.array([0.9, -0.3, 0]))
    placed = foot @ tilt.T @ turn.T
    assert np.ptp([placed[:300, 2].min(), placed[300:1200, 2].min()]) < 1.0
    assert placed[1200:1500, 1].max() < -120 and placed[1500:, 2].mean() > 0
