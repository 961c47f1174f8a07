"""Model bundles: saved, loaded, and refused with one sentence when something is wrong."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import GrayscaleDetSegLib
from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.post_processing import PostProcessing
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.weights import MANIFEST, Bundle
from training.networks import PointNet, PointNetConfig, PolarityNetwork, YoloConfig, build_yolo
from training.weights import save_weights, sha256

CLASSES = ("femur", "tibia")
YOLO = YoloConfig("tiny", CLASSES, tuple((8.0 * i, 8.0 * i) for i in range(1, 7)), 64, 1, 0.0625)
POINTNET = PointNetConfig(CLASSES, 0.0625)
ANCHORS = AnchorConfig(8, (2, 4), 1)


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A small bundle of random weights, with everything that a pipeline needs."""
    torch.manual_seed(0)
    networks = {"roi_detector": build_yolo(YOLO), "box_detector": PointNet(POINTNET), "polarity": PolarityNetwork()}
    features = networks["box_detector"].pooled_features
    tensors = {name: network.state_dict() for name, network in networks.items()}
    tensors["refinement"] = {label: torch.zeros(features + 1, 2) + 0.25 for label in CLASSES}
    entries = {}
    for name, values in tensors.items():
        path = tmp_path / f"{name}.safetensors"
        entries[name] = {"file": path.name, "sha256": save_weights(values, path)}
    entries["roi_detector"].update(config=YOLO.to_dict(), settings={"score": 0.4})
    entries["box_detector"].update(config=POINTNET.to_dict(), anchors=ANCHORS.to_dict(), settings={"side": 8})
    manifest = {"format": 1, "name": "test", "version": "1.0", "networks": entries, "clean_up": {"smooth": 0.5}}
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return tmp_path


def edit(bundle: Path, change) -> None:
    manifest = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    change(manifest)
    (bundle / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def refuses(folder, match: str) -> None:
    with pytest.raises(WeightsError, match=match) as raised:
        load_pipeline(folder, "cpu")
    assert "\n" not in str(raised.value) and str(folder) in str(raised.value)


def test_round_trip_in_half_precision(bundle):
    torch.manual_seed(0)
    expected = build_yolo(YOLO).state_dict()
    loaded = Bundle.open(bundle).load_into(build_yolo(YOLO), "roi_detector")
    assert not loaded.training
    for name, value in loaded.state_dict().items():
        if value.is_floating_point():
            assert value.dtype == torch.float32
            assert torch.equal(value, expected[name].half().float()), name
        else:
            assert torch.equal(value, expected[name])


def test_round_trip_in_full_precision(tmp_path):
    values = {"a": torch.rand(3, 4), "n": torch.tensor(7)}
    digest = save_weights(values, tmp_path / "w.safetensors", half=False)
    (tmp_path / MANIFEST).write_text(
        json.dumps({"format": 1, "networks": {"x": {"file": "w.safetensors", "sha256": digest}}}), encoding="utf-8"
    )
    tensors = Bundle.open(tmp_path).tensors("x")
    assert torch.equal(tensors["a"], values["a"]) and tensors["n"].item() == 7
    assert [path.name for path in tmp_path.glob("*.part")] == []
    assert digest == sha256(tmp_path / "w.safetensors")


def test_a_whole_pipeline(bundle):
    pipeline = load_pipeline(bundle, "cpu")
    assert pipeline.model == "test 1.0" and pipeline.device == "cpu"
    box = pipeline.methods["box"].detector
    assert pipeline.roi_detector.settings.score == 0.4 and box.settings.side == 8
    assert pipeline.roi_detector.network.config == YOLO and box.network.config == POINTNET
    assert box.anchors == ANCHORS and pipeline.clean_up == PostProcessing(smooth=0.5)
    assert (box.refinement["tibia"] == 0.25).all()
    assert box.refinement["femur"].dtype == np.float64
    assert pipeline.polarity_check is not None


def test_polarity_is_optional(bundle):
    edit(bundle, lambda manifest: manifest["networks"].pop("polarity"))
    assert load_pipeline(bundle, "cpu").polarity_check is None


@pytest.mark.parametrize("name", ["roi_detector", "box_detector", "polarity", "refinement"])
@pytest.mark.parametrize("place", [0, 9, -1])
def test_one_damaged_byte(bundle, name, place):
    path = bundle / f"{name}.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    refuses(bundle, f"{name}.safetensors is damaged")


def test_a_missing_file(bundle):
    (bundle / "box_detector.safetensors").unlink()
    refuses(bundle, "box_detector.safetensors is missing")


def test_a_missing_folder_and_manifest(bundle):
    refuses(bundle / "elsewhere", "no model bundle in .*elsewhere: there is no such folder")
    refuses(bundle / MANIFEST, "no model bundle in .*: it is a file, not a folder")
    (bundle / MANIFEST).unlink()
    refuses(bundle, "manifest.json is missing")


@pytest.mark.parametrize("key", ["overlaps", "clean_up"])
@pytest.mark.parametrize("value", [None, [], "all"])
def test_settings_of_another_form(bundle, key, value):
    edit(bundle, lambda manifest: manifest.update({key: value}))
    refuses(bundle, "incomplete or does not fit this version")


@pytest.mark.parametrize(
    "text", ["", "{", "\xff", "[1, 2]", "null", "{}", '{"format": 2, "networks": {}}', "[" * 10**5]
)
def test_manifests_that_are_none(bundle, text):
    (bundle / MANIFEST).write_bytes(text.encode("latin-1"))
    refuses(bundle, "cannot be read|not of format 1")


def test_no_safetensors_file(bundle):
    path = bundle / "roi_detector.safetensors"
    path.write_bytes(b"not tensors")
    edit(bundle, lambda manifest: manifest["networks"]["roi_detector"].update(sha256=sha256(path)))
    refuses(bundle, "cannot be read")


@pytest.mark.parametrize(
    "change, match",
    [
        (lambda networks: networks.pop("roi_detector"), "no network 'roi_detector'"),
        (lambda networks: networks.pop("refinement"), "networks for no method"),
        (lambda networks: networks["roi_detector"].pop("file"), "incomplete"),
        (lambda networks: networks["roi_detector"].pop("config"), "incomplete"),
        (lambda networks: networks["roi_detector"]["config"].update(variant="v9"), "no YOLOv3 variant"),
        (lambda networks: networks["roi_detector"]["config"].update(colour="red"), "incomplete"),
        (lambda networks: networks["roi_detector"].update(settings={"unknown": 1}), "incomplete"),
        (lambda networks: networks["box_detector"]["anchors"].update(stride=0), "incomplete"),
        (lambda networks: networks["roi_detector"]["config"].update(width=0.125), "do not fit their network"),
        (lambda networks: networks["box_detector"]["config"].update(width=0.125), "do not fit their network"),
        (lambda networks: networks["box_detector"]["config"].update(context=False), "do not fit their network"),
        (lambda networks: networks["box_detector"]["config"].update(classes=["a", "b"]), "lack the classes a, b"),
        (lambda networks: networks["roi_detector"].update(networks["polarity"]), "do not fit their network"),
    ],
)
def test_manifests_that_do_not_fit(bundle, change, match):
    edit(bundle, lambda manifest: change(manifest["networks"]))
    refuses(bundle, match)


LIBRARY = Path(GrayscaleDetSegLib.__file__).parent
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}


def unsafe_loads(tree: ast.AST) -> list[str]:
    """Imports and calls that run what a file says: pickles, in whatever wrapping."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if (node.module or "").split(".")[0] in UNSAFE_MODULES or (node.module == "torch" and "load" in names):
                found.append(node.module)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) == ("torch", "load"):
                found.append("torch.load")
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                found.append("allow_pickle")
    return found


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_the_library_loads_no_pickles(path):
    assert unsafe_loads(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from pickle import loads", "torch.load(p)", "from torch import load", "f = torch.load",
     "np.load(p, allow_pickle=True)", "import joblib as j"],
)
def test_the_search_for_pickles_finds_them(code):
    assert unsafe_loads(ast.parse(code))
