"""The model that ships: its files are whole, and it does on known pictures what its card says it does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.labels import anatomy
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.regions import Regions
from GrayscaleDetSegLib.core.result import RegionProposal
from GrayscaleDetSegLib.core.weights import Bundle, shipped_bundle

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "Resources" / "Samples"
SHARED = ROOT.parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the shared radiographs are not there ({SHARED.name})")


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline(device="cpu")


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    """The sample's exact masks."""
    label_map = sitk.GetArrayFromImage(sitk.ReadImage(str(SAMPLES / "knee_labels.nrrd"))).squeeze()
    return {name: label_map == value for name, value in json.loads((SAMPLES / "labels.json").read_text()).items()}


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_bundle_is_whole_small_and_says_what_it_is():
    bundle = Bundle.open()
    weights = list(shipped_bundle().glob("*.safetensors"))
    assert sum(path.stat().st_size for path in weights) <= 30e6
    assert {path.name for path in weights} == {entry["file"] for entry in bundle.manifest["networks"].values()}
    for name in bundle.manifest["networks"]:
        assert bundle.tensors(name)  # its SHA-256 fits
    card = (shipped_bundle() / "MODEL_CARD.md").read_text()
    assert "Research use only" in card
    for set_name in bundle.manifest["training_data"]:
        assert set_name in card
    for label in bundle.manifest["classes"]:
        assert anatomy(label).structure[0] == "SCT", f"{label} has no standard code"


def test_manifest_carries_the_figures_it_was_released_with():
    rows = Bundle.open().manifest["validation"]
    assert {(row["set"], row["class"]) for row in rows} >= {("knee_femur", "femur"), ("jsrt_lungs", "right lung")}
    assert all(0 <= row["found_iou"] <= 1 for row in rows)


@pytest.mark.parametrize("method, least", [("surfaces", 0.9), ("box", 0.7)])
def test_sample_radiograph(pipeline, truth, method, least):
    result = pipeline.segment(read_radiograph(SAMPLES / "knee.dcm"), method=method)
    found = {item.label: item for item in result.objects if item.label in truth}
    assert set(found) == {"femur", "tibia"}
    # the fibula and the kneecap are in the picture, too, and the sample's labels do not mark them
    assert {item.label for item in result.objects} <= {"femur", "tibia", "fibula", "patella"}
    assert len([item for item in result.objects if item.label in truth]) == 2
    for label, item in found.items():
        assert item.method == method
        assert iou(item.mask, truth[label]) > least, label
        assert item.area_mm2 == pytest.approx(item.pixel_count * 0.16**2)


def test_surfaces_are_the_default_and_the_single_box_stands_beside_them(pipeline):
    radiograph = read_radiograph(SAMPLES / "knee.dcm")
    by_default, by_box = pipeline.segment(radiograph), pipeline.segment(radiograph, method="box")
    assert pipeline.default_method == "surfaces"
    boxes = {item.name: item for item in by_box.objects}
    same = 0
    for one in by_default.objects:
        other = boxes[one.name]
        assert (one.method, other.method) == ("surfaces", "box")
        assert 0.5 < one.thresholds.box_agreement < 1.0 and other.thresholds.box_agreement == 1.0
        if one.region == other.region:  # a loose region moves to the box of its mask, which is the method's own
            same += 1
            assert one.thresholds.box == other.thresholds.box
            assert one.thresholds.interval_units == other.thresholds.interval_units
    assert same >= 2


def simulated(seed: int, noise: float, contrast: float) -> tuple[Radiograph, dict[str, np.ndarray]]:
    """A simulated chest with noise added and contrast taken away (gray levels, share), and its true masks."""
    from training.simulate import simulate

    simulation = simulate("chest", seed, (256, 256))
    pixels = simulation.gray8().astype(np.float32)
    pixels = 128.0 + contrast * (pixels - 128.0) + np.random.default_rng(seed).normal(0.0, noise, pixels.shape)
    truth = {label: simulation.label_map == value for label, value in simulation.labels.items()}
    return Radiograph(np.clip(pixels, 0, 255).astype(np.uint8), GrayMapping.window(0, 255, "full range")), truth


def test_what_goes_wrong_has_a_lower_confidence(pipeline):
    """On val the rank correlation is part of `python -m training.compare`; here radiographs get worse and worse."""
    pytest.importorskip("scipy", reason="the simulation needs the extra 'training'")
    from scipy.stats import spearmanr

    rows = []
    for seed, (noise, contrast) in enumerate([(0, 1), (5, 1), (15, 0.8), (25, 0.6), (35, 0.4), (45, 0.3)] * 2):
        radiograph, truth = simulated(seed, noise, contrast)
        for label in ("right lung", "left lung"):
            x0, y0, x1, y1 = boxes.of_mask(truth[label])
            regions = Regions((RegionProposal(label, 1.0, (x0, y0, x1, y1)),), None, Orientation())
            (item,) = pipeline.segment_regions(radiograph, regions, method="surfaces").objects
            rows.append((item.thresholds.confidence, item.thresholds.stability.value, iou(item.mask, truth[label])))
    confidence, stability, found = np.array(rows).T
    assert found.min() < 0.8 < found.max(), "some must go wrong for this to say anything"
    assert spearmanr(confidence, found).statistic > 0.5
    assert spearmanr(stability, found).statistic > 0.3


def test_noise_of_single_pixels_in_a_large_image_does_not_mislead(pipeline, truth):
    """Twice the resolution, with twice the noise a pixel, is the same radiograph to the network."""
    small = read_radiograph(SAMPLES / "knee.dcm")
    pixels = small.pixels.repeat(2, axis=0).repeat(2, axis=1).astype(np.float32)
    pixels += np.random.default_rng(0).normal(0.0, 150.0, pixels.shape)
    large = Radiograph(np.clip(pixels, 0, None).astype(np.uint16), small.mapping)
    marked = [item for item in pipeline.segment(large).objects if item.label in truth]
    assert {item.label for item in marked} == {"femur", "tibia"}
    for item in marked:
        assert iou(item.mask[::2, ::2], truth[item.label]) > 0.88, item.label


def test_same_file_same_result(pipeline):
    one, other = (pipeline.segment(read_radiograph(SAMPLES / "knee.dcm")) for _ in range(2))
    np.testing.assert_array_equal(one.label_map(), other.label_map())
    assert [item.thresholds.box for item in one.objects] == [item.thresholds.box for item in other.objects]


def placed(kind: str, image: sitk.Image) -> sitk.Image:
    """The image stored another way, with its geometry told truthfully."""
    if kind == "flipped rows and columns":
        return sitk.Flip(image, [True, True, False])
    if kind == "transposed":
        return sitk.PermuteAxes(image, [1, 0, 2])
    if kind == "anisotropic":
        small = sitk.Image(image.GetWidth() // 2, image.GetHeight(), 1, image.GetPixelID())
        small.CopyInformation(image[::2, :, :])
        return sitk.Resample(image, small, sitk.Transform(), sitk.sitkNearestNeighbor)
    angle = np.deg2rad(12)  # oblique: the grid is turned, the patient is not
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    grid = sitk.Image(image.GetSize(), image.GetPixelID())
    grid.SetSpacing(image.GetSpacing())
    grid.SetDirection(turn.ravel().tolist())
    centre = np.array(image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()]))
    half = np.array([(n - 1) / 2 for n in image.GetSize()]) * image.GetSpacing()
    grid.SetOrigin((centre - turn @ half).tolist())
    return sitk.Resample(image, grid, sitk.Transform(), sitk.sitkNearestNeighbor)


@pytest.mark.parametrize("kind", ["flipped rows and columns", "transposed", "anisotropic", "oblique"])
def test_the_mask_lies_on_the_object_however_the_image_is_stored(kind, pipeline, truth, tmp_path):
    straight = read_radiograph(SAMPLES / "knee.dcm")
    found = [item for item in pipeline.segment(straight).objects if item.label in truth]  # nobody marked the fibula
    expected = {item.label: iou(item.mask, truth[item.label]) for item in found}
    assert set(expected) == set(truth)

    def as_image(array: np.ndarray) -> sitk.Image:
        image = sitk.GetImageFromArray(np.ascontiguousarray(array)[None])
        image.SetSpacing(straight.geometry.spacing)
        return image

    path = tmp_path / "stored.nrrd"
    sitk.WriteImage(placed(kind, as_image(straight.pixels)), str(path))
    result = pipeline.segment(read_radiograph(path))
    for label, mask in truth.items():
        there = sitk.GetArrayFromImage(placed(kind, as_image(mask.astype(np.uint8)))).squeeze() > 0
        best = max((iou(item.mask, there) for item in result.objects if item.label == label), default=0.0)
        assert best > 0.9 * expected[label], f"{label}, {kind}"


@needs_shared
def test_a_false_monochrome1_tag_is_seen_through(pipeline):
    """The same chest, once labelled MONOCHROME1 by mistake: both are read right, and give the same masks."""
    right, wrong = (
        pipeline.segment(read_radiograph(SHARED / "dicom" / f"rsna_CR_chest_{name}.dcm"))
        for name in ("mono2_8bit", "mono1_8bit_fake")
    )
    assert {item.label for item in right.objects} >= {"right lung", "left lung"}
    assert [item.name for item in wrong.objects] == [item.name for item in right.objects]
    assert iou(wrong.label_map() > 0, right.label_map() > 0) > 0.98
    assert any("turned over" in note for note in wrong.radiograph.notes)


@needs_shared
@pytest.mark.parametrize(
    "set_name, share, least",
    [
        ("montgomery_lungs", 0.85, 0.93),
        ("jsrt_lungs", 0.85, 0.93),
        ("knee_femur", 0.85, 0.93),
        ("longleg_femur_tibia", 0.75, 0.85),
        ("ufba425_teeth", 0.75, 0.68),
    ],
)
def test_validation_radiographs_reach_most_of_the_ceiling(set_name, share, least, pipeline):
    """A few images of a set, the box beside its ceiling, and the surfaces; all: `python -m training.evaluate`."""
    pytest.importorskip("skimage", reason="the evaluation needs the extra 'training'")
    from training.data import load_set
    from training.evaluate import evaluate_case, summarise

    cases = load_set(SHARED / set_name, "val")[:4]
    rows = summarise([record for case in cases for record in evaluate_case(pipeline, case)])
    assert all(row["recall"] == 1.0 for row in rows)
    assert all(row["found_ratio"] > share for row in rows), rows
    assert all(row["surfaces_iou"] > least for row in rows), rows
