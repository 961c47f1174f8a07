"""The models for volumes that ship: whole, small, found by name, and as good on volumes as their cards say.

Without the shared volumes, a drawn heart shows that the command works with them from end to end.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.radiograph import Geometry
from GrayscaleDetSegLib.core.shipped import shipped_bundles
from GrayscaleDetSegLib.core.volumes.reading import read_volume
from GrayscaleDetSegLib.core.volumes.views import dsc
from GrayscaleDetSegLib.core.volumes.volume import Volume
from GrayscaleDetSegLib.core.weights import Bundle, shipped_bundle
from GrayscaleDetSegLib.logic.models import Models
from Testing.test_volume_grid import copies, oblique

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
LABELS = {
    "heart-mr": {"right ventricle": 1, "myocardium": 2, "left ventricle": 3},
    "hippocampus-mr": {"anterior": 1, "posterior": 2},
    "prostate-us": {"prostate": 1},
}
CASES = {
    "heart-mr": ("acdc_heart", "patient085_frame01", 0.80),
    "hippocampus-mr": ("msd_hippocampus", "hippocampus_057", 0.80),
    "prostate-us": ("prostate_trus3d", "case000013", 0.75),
}
"""A volume of val, and the least mean DSC on it."""
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"the shared volumes are not there ({SHARED.name})")


@pytest.fixture(scope="module", params=LABELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def pipeline(name):
    return load_pipeline(name, "cpu")


def phantom(name: str) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Something like what a model has learnt from, and its spacing: a heart of two chambers, or a bright body."""
    random = np.random.default_rng(1)
    if name == "heart-mr":
        shape, spacing, body = (10, 160, 150), (1.5, 1.5, 10.0), 70.0
    else:
        shape, spacing, body = (36, 48, 40), (1.0, 1.0, 1.0) if name == "hippocampus-mr" else (0.4, 0.4, 0.4), 60.0
    z, y, x = np.mgrid[tuple(slice(side) for side in shape)].astype(np.float32)
    z, y, x = (each - side / 2 for each, side in zip((z, y, x), shape))
    values = body + 12.0 * np.sin(x / 9.0) * np.cos(y / 11.0)
    if name == "heart-mr":
        wall = (x - 8) ** 2 + y**2 < 24**2
        values[wall & (abs(z) < 4)] = 40.0
        values[((x - 8) ** 2 + y**2 < 15**2) & (abs(z) < 4)] = 190.0
        values[((x + 26) ** 2 / 1.4 + y**2 < 15**2) & ~wall & (abs(z) < 4)] = 185.0
    else:
        values[(z / 10) ** 2 + (y / 16) ** 2 + (x / 9) ** 2 < 1] = 110.0
    return (values + random.normal(0, 4, shape)).clip(1, 255).astype(np.int16), spacing


def image_of(values: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    return image


def test_the_bundles_are_whole_small_and_say_what_they_are(name):
    bundle = Bundle.open(name)
    assert bundle.folder == shipped_bundles()[name] == shipped_bundle().parent / name and bundle.dimensions == 3
    assert bundle.manifest["name"] == name and bundle.classes == tuple(LABELS[name])
    files = {path.name for path in bundle.folder.glob("*.safetensors")}
    assert files == {entry["file"] for entry in bundle.manifest["networks"].values()}
    card, licence = ((bundle.folder / each).read_text(encoding="utf-8") for each in ("MODEL_CARD.md", "LICENSE.md"))
    assert "Research use only" in card and "LicenseRef-research-only" in licence and "Not measured" not in card
    for words in (*bundle.manifest["training_data"], *LABELS[name], "as shipped", "Known limits"):
        assert words in card


def test_all_shipped_weights_together_are_small():
    sizes = [path.stat().st_size for path in shipped_bundle().parent.rglob("*.safetensors")]
    assert sum(sizes) <= 60e6 and set(shipped_bundles()) == {"radiographs", *LABELS}


def test_models_are_found_by_name(name):
    models = Models()
    assert models.find(name) == shipped_bundles()[name]
    assert name in [model.name for model in models.installed()]


def test_the_command_from_end_to_end(name, tmp_path, capsys):
    values, spacing = phantom(name)
    sitk.WriteImage(image_of(values, spacing), str(tmp_path / "a.nii.gz"))
    code = command.main(["segment", str(tmp_path / "a.nii.gz"), "-o", str(tmp_path / "out"), "--model", name])
    assert code == 0, capsys.readouterr().err
    document = json.loads((tmp_path / "out" / "a.json").read_text())
    assert document["model"].startswith(name)
    assert {item["label"] for item in document["objects"]} <= set(LABELS[name])
    written = sitk.ReadImage(str(tmp_path / "out" / "a.seg.nrrd"))
    assert written.GetSize() == values.shape[::-1] and (tmp_path / "out" / "a.png").is_file()
    np.testing.assert_allclose(written.GetSpacing(), spacing, rtol=1e-5)


def test_turned_and_oblique_copies_give_the_same_masks(name, pipeline):
    values, spacing = phantom(name)
    if SHARED.is_dir():
        folder, case, _ = CASES[name]
        volume = read_volume(SHARED / folder / "images" / f"{case}.nii.gz")
    else:
        volume = Volume.from_array(values, Geometry(spacing))
    first = {item.label: item.mask for item in pipeline.segment(volume).objects}
    for number, (voxels, placed, turn) in enumerate(copies(volume.voxels, volume.geometry)):
        if number in (11, 38):
            each = oblique(placed) if number == 38 else placed
            again = {item.label: item.mask for item in pipeline.segment(Volume.from_array(voxels, each)).objects}
            assert again.keys() == first.keys()
            for label, mask in first.items():
                assert dsc(again[label], turn(mask)) >= 0.99


@needs_shared
def test_a_volume_that_was_not_learnt_from(name, pipeline):
    folder, case, least = CASES[name]
    volume = read_volume(SHARED / folder / "images" / f"{case}.nii.gz")
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(SHARED / folder / "labels" / f"{case}.nii.gz")))
    found = {item.label: item.mask for item in pipeline.segment(volume).objects}
    scores = {label: dsc(found[label], truth == value) for label, value in LABELS[name].items()}
    assert np.mean(list(scores.values())) >= least, scores
