"""The simulator of radiographs: path lengths, physics, truth, sets and the sample files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("scipy")

from training.simulate import ANATOMIES, default_size, simulate
from training.simulate.__main__ import main
from training.simulate.bodies import Capsule, Ellipsoid, Placed, Ring, Union, tube
from training.simulate.detector import Exposure, Processing, develop, expose, transmitted
from training.simulate.profile import Profile
from training.simulate.scene import Part, Scene, View, line_integral, silhouette

SAMPLES = Path(__file__).resolve().parents[1] / "Resources" / "Samples"
SIZES = {"longleg": (400, 56), "longlegs": (300, 120)}


def small(anatomy: str, seed: int):
    """A small image of an anatomy."""
    return simulate(anatomy, seed, SIZES.get(anatomy, (144, 144)))


def counted(inside, x: np.ndarray, y: np.ndarray, reach: float, step: float = 0.02) -> np.ndarray:
    """Path lengths by counting the points of rays that lie inside a body."""
    z = np.arange(-reach, reach, step) + step / 2
    return inside(x[..., None], y[..., None], z).sum(axis=-1) * step


def plane(reach: float, size: int = 41) -> tuple[np.ndarray, np.ndarray]:
    """Positions on a square of half width `reach` mm, float32."""
    axis = np.linspace(-reach, reach, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def test_ellipsoid_matches_numeric_integration() -> None:
    body = Ellipsoid((2.0, -1.0), (9.0, 5.0, 7.0), 30.0)
    x, y = plane(12.0)
    cosine, sine = np.cos(np.radians(30)), np.sin(np.radians(30))

    def inside(x, y, z):
        u, v = (x - 2) * cosine + (y + 1) * sine, (y + 1) * cosine - (x - 2) * sine
        return (u / 9) ** 2 + (v / 5) ** 2 + (z / 7) ** 2 < 1

    np.testing.assert_allclose(body.thickness(x, y), counted(inside, x, y, 8.0), atol=0.05)
    assert body.thickness(np.float32([2.0]), np.float32([-1.0]))[0] == pytest.approx(14.0, abs=1e-4)


def test_tapered_capsule_matches_the_balls_it_is_made_of() -> None:
    body = Capsule((-5.0, -3.0), (6.0, 4.0), (4.0, 1.5))
    x, y = plane(10.0)
    balls = [
        np.sqrt(np.maximum((4 - 2.5 * t) ** 2 - (x + 5 - 11 * t) ** 2 - (y + 3 - 7 * t) ** 2, 0)) * 2
        for t in np.linspace(0, 1, 1001)
    ]
    np.testing.assert_allclose(body.thickness(x, y), np.max(balls, axis=0), atol=0.02)


def test_elliptic_cylinder_matches_numeric_integration() -> None:
    body = Profile([(-8.2, -6, 4, 3), (8.2, -6, 4, 3)])
    x, y = plane(10.0)

    def inside(x, y, z):
        return (((x + 1) / 5) ** 2 + (z / 3) ** 2 < 1) & (np.abs(y) < 8.2)

    np.testing.assert_allclose(body.thickness(x, y), counted(inside, x, y, 4.0), atol=0.05)


def test_ring_is_a_cylinder_where_it_crosses_the_rays_and_longer_where_it_runs_along_them() -> None:
    ring = Ring((0.0, 0.0), (100.0, 40.0, 90.0), 5.0)
    across = ring.thickness(np.float32([0, 0, 0]), np.float32([40, 43, 46]))
    np.testing.assert_allclose(across, [10.0, 8.0, 0.0], atol=0.05)
    along = ring.thickness(np.float32([100.0]), np.float32([0.0]))
    assert along[0] == pytest.approx(10.0 * np.sqrt(1 + (90 / 40) ** 2), rel=0.01)


@pytest.mark.parametrize(
    "body",
    [
        Ellipsoid((3.0, 1.0), (7.0, 4.0, 5.0), 20.0),
        Capsule((-5.0, -3.0), (6.0, 4.0), (4.0, 2.0)),
        Profile([(-8, -6, 4, 3), (0, -3, 3, 3), (8, -6, 4, 3)], (1, 1), 25.0, end=[(-6, 5), (0, 7), (4, 4)], cap=3.0),
        Union((Ellipsoid((3.0, 1.0), (7.0, 4.0, 5.0)), Ellipsoid((-3.0, 1.0), (5.0, 4.0, 5.0)))),
        tube([(-8, 0), (0, 5), (8, 0)], (1.0, 3.0, 2.0)),
        Ring((0.0, 0.0), (9.0, 5.0, 8.0), 1.5, (-70.0, 40.0)),
        Placed(Ellipsoid((3.0, 1.0), (7.0, 4.0, 5.0)), 2.0, mirror=True),
    ],
    ids=lambda body: type(body).__name__,
)
def test_bodies_stay_within_their_bounds_and_insets_within_the_body(body) -> None:
    x, y = plane(20.0, 161)
    length = body.thickness(x, y)
    x0, y0, x1, y1 = body.bounds
    outside = (x < x0 - 1e-3) | (x > x1 + 1e-3) | (y < y0 - 1e-3) | (y > y1 + 1e-3)
    assert length.dtype == np.float32 and length.max() > 0
    assert not length[outside].any()
    assert (body.inset(0.5).thickness(x, y) <= length + 1e-4).all()


def test_window_of_a_turned_mirrored_view_holds_the_whole_body() -> None:
    body = Ellipsoid((20.0, -10.0), (12.0, 4.0, 5.0), 35.0)
    view = View((90, 70), (5.0, 3.0), (0.9, 1.1), 12.0, mirror=True)
    x, y = view.grid()
    np.testing.assert_array_equal(silhouette([body], view, (x, y)), body.thickness(x, y) > 0)


def test_included_scene_is_the_mirror_image() -> None:
    leg = Scene()
    leg.add_bone(Profile([(-20, 4, 14, 5), (20, 6, 12, 5)]), 1.5, [(-20, 0.05), (20, 0.3)])
    pair = Scene()
    pair.include(leg, 0.0)
    pair.include(leg, 0.0, mirror=True)
    view = View((60, 81), (0.0, 0.0), (0.7, 0.5))
    integral = line_integral(pair.parts, view, view.grid())
    np.testing.assert_allclose(integral, integral[:, ::-1], atol=1e-4)


def test_a_slab_attenuates_by_beer_lambert() -> None:
    slab = Profile([(-500, -500, 500, 10), (500, -500, 500, 10)], doublings=3)
    view = View((20, 20), (0.0, 0.0), (1.0, 1.0))
    integral = line_integral([Part(slab, 0.05, 0.0)], view, view.grid())
    np.testing.assert_allclose(transmitted(integral), np.exp(-0.05 * 20), rtol=1e-5)
    plain = Exposure(quanta=1e6, blur=0.0, scatter=0.0, heel=0.0, electronic=0.0)
    signal = expose(integral, view.spacing, plain, np.random.default_rng(0))
    np.testing.assert_allclose(signal.mean(), np.exp(-1.0), rtol=1e-3)


def test_more_attenuation_is_brighter() -> None:
    view, rng = View((30, 200), (0.0, 0.0), (1.0, 1.0)), np.random.default_rng(1)
    plain = Exposure(quanta=1e7, blur=0.0, scatter=0.0, heel=0.0, electronic=0.0)
    block = Profile([(-500, -50, 50, 10), (500, -50, 50, 10)])
    levels = []
    for mu in (0.01, 0.02, 0.04, 0.08):
        integral = line_integral([Part(block, mu, 0.0)], view, view.grid())
        levels.append(-np.log(expose(integral, view.spacing, plain, rng)[:, 100].mean()))
    assert (np.diff(levels) > 0).all()
    for logarithmic in (True, False):
        processing = Processing(logarithmic, flatten=0.0, sharpen=0.0)
        gray = develop(transmitted(integral), view.spacing, processing)
        assert gray[15, 100] > gray[15, 60] > gray[15, 5]


def test_noise_has_the_variance_of_quanta() -> None:
    exposure = Exposure(quanta=400.0, blur=0.0, scatter=0.0, heel=0.0, electronic=0.0)
    signal = expose(np.zeros((200, 200), np.float32), (0.5, 0.5), exposure, np.random.default_rng(2))
    quanta = signal * 100
    assert quanta.mean() == pytest.approx(100, rel=0.01) and quanta.var() == pytest.approx(100, rel=0.05)
    np.testing.assert_allclose(quanta, np.rint(quanta), atol=1e-3)


@pytest.mark.parametrize("anatomy", sorted(ANATOMIES))
def test_every_anatomy_has_plausible_labels(anatomy: str) -> None:
    for seed in range(5):
        simulation = small(anatomy, seed)
        assert simulation.pixels.dtype == np.uint16 and simulation.label_map.dtype == np.uint8
        assert simulation.pixels.shape == simulation.label_map.shape == SIZES.get(anatomy, (144, 144))
        assert simulation.pixels.max() <= 4095 and len(np.unique(simulation.pixels)) > 50
        assert list(simulation.labels) == list(ANATOMIES[anatomy].labels)
        assert set(np.unique(simulation.label_map)) <= {0, *simulation.labels.values()}
        for value in simulation.labels.values():
            least = 0.002 if anatomy == "fewteeth" else 0.015  # two front teeth may be all there is
            assert least < (simulation.label_map == value).mean() < 0.6, f"{anatomy}, seed {seed}, label {value}"
        assert abs(simulation.metadata["degrees"]) <= 15


@pytest.mark.parametrize("anatomy", ["knee", "chest"])
def test_same_seed_same_image(anatomy: str) -> None:
    first, again, other = small(anatomy, 3), small(anatomy, 3), small(anatomy, 4)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.label_map, again.label_map)
    assert (first.pixels != other.pixels).any() and (first.label_map != other.label_map).any()


def test_labels_are_the_silhouettes_of_bodies() -> None:
    rng = np.random.default_rng(5)
    spec = ANATOMIES["knee"]
    scene = spec.build(rng)
    view = View((120, 120), (0.0, 0.0), (1.0, 1.0), 5.0)
    grid = view.grid()
    femur = silhouette(scene.labels["femur"], view, grid)
    summed = sum(body.thickness(*grid) for body in scene.labels["femur"]) > 0
    np.testing.assert_array_equal(femur, summed)
    assert not (femur & silhouette(scene.labels["tibia"], view, grid)).any()


def test_bone_is_brighter_than_the_flesh_around_it_and_lungs_darker() -> None:
    differences = {"knee": [], "chest": []}
    for anatomy, found in differences.items():
        for seed in range(4):
            simulation = small(anatomy, seed)
            inside = simulation.label_map > 0
            found.append(np.median(simulation.pixels[inside]) - np.median(simulation.pixels[~inside]))
    assert np.mean(differences["knee"]) > 200 and np.mean(differences["chest"]) < -200


def test_right_lung_is_on_the_left_of_the_image() -> None:
    for seed in range(5):
        simulation = small("chest", seed)
        columns = [np.nonzero(simulation.label_map == value)[1].mean() for value in (1, 2)]
        assert simulation.labels == {"right lung": 1, "left lung": 2} and columns[0] < columns[1]


def test_unknown_anatomy_and_tiny_size_are_refused() -> None:
    with pytest.raises(ValueError, match="no anatomy"):
        simulate("tail", 0)
    with pytest.raises(ValueError, match="16 or more"):
        simulate("knee", 0, (8, 300))


def test_command_writes_a_set(tmp_path: Path) -> None:
    arguments = ["--anatomy", "chest", "--anatomy", "knee", "--count", "5", "--size", "64", "--seed", "7"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    with (tmp_path / "split.csv").open() as file:
        rows = list(csv.DictReader(file))
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert labels == {"right lung": 1, "left lung": 2, "femur": 3, "tibia": 4}
    assert [row["split"] for row in rows].count("val") == 2 and len(rows) == 10
    for row in rows:
        image = np.asarray(Image.open(tmp_path / "images" / f"{row['name']}.png"))
        label = np.asarray(Image.open(tmp_path / "labels" / f"{row['name']}.png"))
        assert image.dtype == label.dtype == np.uint8 and image.shape == label.shape == default_size("knee", 64)
        expected = {1, 2} if row["name"].startswith("chest") else {3, 4}
        assert set(np.unique(label)) == {0, *expected}
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


def test_sample_files_are_what_the_code_writes(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    sitk = pytest.importorskip("SimpleITK")
    assert main(["--sample", str(tmp_path / "a")]) == 0
    assert main(["--sample", str(tmp_path / "b")]) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["knee.dcm", "knee_labels.nrrd", "labels.json"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    shipped, made = pydicom.dcmread(SAMPLES / "knee.dcm"), pydicom.dcmread(tmp_path / "a" / "knee.dcm")
    # the last bit of an exponential depends on the processor, so a few pixels may differ by a gray level
    difference = np.abs(shipped.pixel_array.astype(int) - made.pixel_array.astype(int))
    assert (difference > 1).mean() < 1e-3
    for dataset in (shipped, made):
        del dataset.PixelData
    assert shipped == made and shipped.file_meta == made.file_meta
    assert (shipped.Modality, shipped.PhotometricInterpretation) == ("CR", "MONOCHROME2")
    assert (shipped.BitsAllocated, shipped.BitsStored, shipped.HighBit) == (16, 12, 11)
    assert [float(v) for v in shipped.PixelSpacing] == [float(v) for v in shipped.ImagerPixelSpacing] == [0.16, 0.16]
    for text in (str(shipped.PatientName), shipped.ImageComments, shipped.SeriesDescription):
        assert "SIMULATED" in text
    assert (SAMPLES / "knee.dcm").stat().st_size < 1.5e6
    image, truth = sitk.ReadImage(str(SAMPLES / "knee.dcm")), sitk.ReadImage(str(SAMPLES / "knee_labels.nrrd"))
    assert image.GetSize() == truth.GetSize() and image.GetSpacing() == pytest.approx(truth.GetSpacing())
    assert image.GetOrigin() == truth.GetOrigin() and image.GetDirection() == truth.GetDirection()
    again = sitk.ReadImage(str(tmp_path / "a" / "knee_labels.nrrd"))
    assert (sitk.GetArrayFromImage(again) != sitk.GetArrayFromImage(truth)).mean() < 1e-4
    assert json.loads((SAMPLES / "labels.json").read_text()) == {"femur": 1, "tibia": 2}
