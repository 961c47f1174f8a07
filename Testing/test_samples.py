"""The module's samples: files that the shipped model reads right, and what Sample Data is told of them."""

from __future__ import annotations

import hashlib
import nturl2path
import re
import urllib.request
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

pytest.importorskip("scipy")
pytest.importorskip("skimage", reason="the analytic skeleton needs the extra 'training'")
pytest.importorskip("numba", reason="drawing films of bones needs numba")

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.reading import read_radiograph
from training.simulate import samples as made

RESOURCES = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg" / "Resources"
FOUND = {"knee": {"femur", "tibia"}, "chest": {"right lung", "left lung"}, "leg": {"femur", "tibia"}}
BONES = {"both_knees": {"fibula", "tibia", "patella", "femur"}, "hand": {"hand"},
         "pelvis": {"sacrum", "hip bone", "femur"}}  # fmt: skip
"""What shows on the samples of the whole skeleton."""
SAMPLES = (*FOUND, *BONES)


@pytest.fixture(scope="module")
def simulations():
    return made.module_samples()


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline(device="cpu")


@pytest.fixture
def samples(panel_session):
    """The registration, in Slicer's application as far as it is stood in for."""
    from GrayscaleDetSegLib.panel import samples

    return samples


@pytest.mark.parametrize("name", SAMPLES)
def test_files_are_what_the_simulator_makes(name, simulations):
    image = sitk.ReadImage(str(RESOURCES / "Samples" / f"{name}.nrrd"))
    pixels, simulation = sitk.GetArrayFromImage(image)[0], simulations[name]
    assert pixels.dtype == np.uint16 and pixels.shape == simulation.pixels.shape
    # the last bit of an exponential depends on the processor, so a few pixels may differ by a gray level
    assert (np.abs(pixels.astype(int) - simulation.pixels.astype(int)) > 1).mean() < 1e-3
    assert image.GetSpacing() == pytest.approx((*simulation.spacing[::-1], 1.0), rel=1e-4)
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1) and image.GetOrigin() == (0, 0, 0)
    assert "simulated" in image.GetMetaDataKeys()


def test_one_has_pixels_that_are_not_square(simulations):
    assert any(row / column > 1.5 for row, column in (each.spacing for each in simulations.values()))


@pytest.mark.parametrize("name", FOUND)
def test_the_shipped_model_finds_what_is_there(name, pipeline, simulations):
    result = pipeline.segment(read_radiograph(RESOURCES / "Samples" / f"{name}.nrrd"))
    assert {item.label for item in result.objects} >= FOUND[name]  # and what else shows, unmarked
    assert not result.radiograph.polarity.inverted
    for item in result.objects:
        if item.label not in FOUND[name]:
            continue
        truth = simulations[name].label_map == simulations[name].labels[item.label]
        assert (item.mask & truth).sum() / (item.mask | truth).sum() > 0.9, item.name


@pytest.mark.parametrize("name", BONES)
def test_every_bone_of_the_skeletons_samples_shows(name, simulations):
    simulation = simulations[name]
    assert set(simulation.labels) == BONES[name]
    assert set(np.unique(simulation.label_map)) - {0} == set(simulation.labels.values())
    gray, bone = simulation.gray8(), simulation.label_map > 0
    assert gray[bone].mean() > gray[~bone].mean() + 8 and 0.05 < bone.mean() < 0.7
    both = [thing for thing in simulation.extras if thing[:-1] in ("femur ", "tibia ", "hip bone ")]
    assert len(both) == {"both_knees": 4, "pelvis": 4, "hand": 0}[name]
    for thing in (thing for thing in both if thing.endswith("R")):  # the patient's right is on the viewer's left
        right, left = (np.nonzero(simulation.extras[f"{thing[:-1]}{side}"])[1].mean() for side in "RL")
        assert right < left


def test_they_are_small():
    files = [path for path in RESOURCES.rglob("*") if path.suffix in {".nrrd", ".png"}]
    assert {path.stem for path in files} >= set(SAMPLES)
    assert max(path.stat().st_size for path in files) < 7e5 and sum(path.stat().st_size for path in files) < 3.2e6


def test_sample_data_is_told_of_each(samples, panel_session):
    samples.register()
    assert [each["sampleName"] for each in panel_session.samples] == [
        f"Simulated {name.replace('_', ' ')}" for name in SAMPLES
    ]
    for source, name in zip(panel_session.samples, SAMPLES):
        with urllib.request.urlopen(source["uris"]) as stream:  # as SampleDataLogic.downloadFile does
            content = stream.read()
        assert content == (RESOURCES / "Samples" / f"{name}.nrrd").read_bytes()
        algorithm, digest = source["checksums"].split(":")
        assert algorithm == "SHA256" and digest == hashlib.sha256(content).hexdigest()
        assert source["nodeNames"] and "/" not in source["fileNames"] and source["fileNames"].endswith(".nrrd")
        assert source["loadFileTypes"] == "VolumeFile"
        with Image.open(source["thumbnailFileName"]) as thumbnail:
            assert thumbnail.size == made.THUMBNAIL
        assert Path(source["thumbnailFileName"]).name == made.icon(name)


def test_they_stand_under_the_title_of_the_module(samples, panel_session):
    samples.register()
    source = (RESOURCES.parent / "GrayscaleDetSeg.py").read_text(encoding="utf-8")
    title = re.search(r'parent\.title = _\("(.*?)"\)', source)[1]
    assert {each["category"] for each in panel_session.samples} == {title}


def test_a_second_registration_is_the_same(samples, panel_session):
    """Slicer leaves out a source that equals one it has, so a reload of the module adds nothing."""
    samples.register()
    first = list(panel_session.samples)
    panel_session.samples.clear()
    samples.register()
    assert panel_session.samples == first
    assert len({each["fileNames"] for each in first}) == len(first)


def test_without_sample_data_nothing_happens(samples, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "SampleData", None)
    samples.register()


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Program Files\Slicer 5.8.1\é#%20\knee.nrrd",
        r"\\server\share\My Modules\knee.nrrd",
    ],
)
def test_windows_paths_come_back_from_their_address(samples, path):
    """As urllib does it there: a host in a file's address would be refused, so the address of a share has none."""
    request = urllib.request.Request(samples.uri(PureWindowsPath(path)))
    assert request.type == "file" and not request.host
    assert nturl2path.url2pathname(request.selector) == path
