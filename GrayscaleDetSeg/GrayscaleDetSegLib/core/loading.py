"""From a model bundle to a pipeline that is ready to run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .clean_up import CleanUp
from .devices import resolve_device
from .errors import WeightsError
from .folding import fold_batch_norms
from .pipeline import Pipeline
from .polarity_check import PolarityCheck, PolarityNetwork
from .single_box.anchors import AnchorConfig
from .single_box.detector import BoxDetector, BoxSettings
from .single_box.pointnet import PointNet, PointNetConfig
from .surfaces.detector import SurfaceDetector
from .surfaces.network import SurfaceConfig, SurfaceNetwork
from .weights import Bundle
from .yolo.detector import DetectionSettings, RoiDetector
from .yolo.networks import YoloConfig, build_yolo


def load_pipeline(folder: Path | str | None = None, device: str = "auto") -> Pipeline:
    """The pipeline of a model bundle, ready to run.

    Parameters
    ----------
    folder : Path, str or None
        The bundle's folder; None takes the bundle that comes with the software.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.

    Raises
    ------
    WeightsError
        If the bundle is missing or damaged.
    DeviceError
        If the device cannot be used.
    """
    bundle, chosen = Bundle.open(folder), resolve_device(device)
    try:
        roi_detector = load_roi_detector(bundle, chosen.name)
        box_detector = load_box_detector(bundle, chosen.name)
        clean_up = CleanUp.from_dict(bundle.manifest.get("clean_up", {}))
        surfaces, margin = None, 0.0
        if "surfaces" in bundle.manifest["networks"]:
            surfaces, margin = load_surface_detector(bundle, chosen.name), bundle.network("surfaces")["margin"]
        polarity = None
        if "polarity" in bundle.manifest["networks"]:
            polarity = PolarityCheck(fold_batch_norms(bundle.load_into(PolarityNetwork(), "polarity").to(chosen.name)))
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"The model manifest in {bundle.folder} is incomplete or does not fit this version ({error}); reinstall it."
        ) from error
    return Pipeline(
        roi_detector, box_detector, polarity, clean_up, bundle.name, chosen.name, chosen.note, surfaces, margin
    )


def load_roi_detector(bundle: Bundle, device: str = "cpu") -> RoiDetector:
    """The 2D detector of a bundle."""
    entry = bundle.network("roi_detector")
    network = bundle.load_into(build_yolo(YoloConfig.from_dict(entry["config"])), "roi_detector")
    return RoiDetector(fold_batch_norms(network.to(device)), DetectionSettings(**entry.get("settings", {})))


def load_box_detector(bundle: Bundle, device: str = "cpu") -> BoxDetector:
    """The 3D detector of a bundle: PointNet, anchors and the refinement's T of every class."""
    entry = bundle.network("box_detector")
    config = PointNetConfig.from_dict(entry["config"])
    network = bundle.load_into(PointNet(config), "box_detector")
    tensors = bundle.tensors("refinement")
    missing = [label for label in config.classes if label not in tensors]
    if missing:
        raise WeightsError(f"The refinement weights in {bundle.folder} lack the classes {', '.join(missing)}.")
    refinement = {label: np.asarray(tensors[label].numpy(), np.float64) for label in config.classes}
    anchors = AnchorConfig.from_dict(entry["anchors"])
    network, settings = fold_batch_norms(network.to(device)), BoxSettings(**entry.get("settings", {}))
    return BoxDetector(network, anchors, refinement, settings)


def load_surface_detector(bundle: Bundle, device: str = "cpu") -> SurfaceDetector:
    """The threshold surfaces of a bundle."""
    entry = bundle.network("surfaces")
    network = bundle.load_into(SurfaceNetwork(SurfaceConfig.from_dict(entry["config"])), "surfaces")
    return SurfaceDetector(fold_batch_norms(network.to(device)), **entry.get("settings", {}))
