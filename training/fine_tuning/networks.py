"""The three trainings: each starts from the bundle's network, fits it, and leaves what it needs to be used again."""

from __future__ import annotations

import time

import lightning
import numpy as np
import torch

from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings, RoiDetector

from .. import refinement
from ..anchors import anchor_recall, cluster_anchors, size_iou
from ..augmentation import AugmentationSettings
from ..box_data import BoxAugmentation, BoxDataset
from ..box_detector import BoxLoss, BoxTraining, BoxValidation
from ..data import Case
from ..detection_data import DetectionDataset
from ..detection_data import collate as collate_detections
from ..detection_loss import LossWeights
from ..detector import DetectorTraining, RoiValidation
from ..networks import PointNet, PointNetConfig, SurfaceConfig, SurfaceNetwork, YoloConfig, YoloV3, YoloV3Tiny
from ..prepared import SAMPLES, remove_samples
from ..surface_data import SurfaceAugmentation, SurfaceDataset, detector_residuals
from ..surface_data import collate as collate_surfaces
from ..surfaces import SurfaceLoss, SurfaceTraining, SurfaceValidation, found_rois
from .context import Context, read_json, write_json
from .fitting import fit, quiet, save
from .heads import moved_detector, moved_offsets, moved_pointnet, moved_surfaces, numpy_refinement, put_back
from .steps import Step, Trained

_JUDGED = 60  # images of val at most, each time that a network is looked at
DRAWS, _DRAW_SECONDS = 1500, 0.03  # clouds that the refinement is fitted to, and what one takes
_RECALL = 0.8  # of the anchors at 3D IoU 0.7, below which their widths are chosen anew


class _OneLayer(BoxTraining):
    """A PointNet of which the classifier alone can learn as well (``"classifier"``)."""

    def learning_parts(self, trainable: str) -> set[torch.nn.Module]:
        if trainable != "classifier":
            return super().learning_parts(trainable)
        return {self.network.classifier}


def _judges(context: Context) -> list[Case]:
    """The val cases that the networks are looked at with while they learn; some of them, if there are many."""
    cases = context.validation
    return cases[:: -(-len(cases) // _JUDGED)] if len(cases) > _JUDGED else cases


def _begin(context: Context) -> float:
    lightning.seed_everything(context.settings.seed, workers=True, verbose=False)
    return time.monotonic()


def _finish(context: Context, name: str, started: float, values: dict) -> None:
    """Note that a network is done, with what belongs to its weights; its time counts for those after it."""
    seconds = time.monotonic() - started
    write_json(context.work / name / "done.json", {**values, "seconds": round(seconds, 1)})
    remove_samples(context.work / name)
    if context.budget:
        context.budget.spent[name] = seconds


def _done(context: Context, name: str) -> dict | None:
    """What :func:`_finish` noted, if the network is done."""
    values = read_json(context.work / name / "done.json")
    if values is not None:
        context.reporter.say(f"{name}: finished before, kept")
        if context.budget:
            context.budget.spent[name] = values["seconds"]
    return values


def _trained(context: Context, name: str) -> dict[str, torch.Tensor]:
    return torch.load(context.work / name / "weights.pt", weights_only=True, map_location="cpu")


def tune_detector(context: Context) -> YoloV3 | YoloV3Tiny:
    """The 2D detector."""
    entry = context.start.network("roi_detector")
    done, started, name = _done(context, "detector"), _begin(context), "detector"
    if done:
        config = YoloConfig.from_dict(done["config"])
        network = moved_detector(context.start, config, context.head_transfer("roi_detector"))
        network.load_state_dict(_trained(context, name))
        return network.eval()
    settings = context.settings.networks[name]
    config = YoloConfig.from_dict({**entry["config"], "classes": context.classes})
    augmentation = AugmentationSettings(**context.without_flip(settings.augmentation))
    dataset = DetectionDataset(
        context.training, context.classes, config.input_size, augmentation, context.settings.seed,
        folder=context.work / name / SAMPLES,
    )  # fmt: skip
    config = _fitting_anchors(context, config, dataset)
    network = moved_detector(context.start, config, context.head_transfer("roi_detector"))
    module = DetectorTraining(config, LossWeights(**settings.loss), [], 1)
    module.network.load_state_dict(network.state_dict())
    before = _copied(module.network)
    figures = RoiValidation(_judges(context), 1).figures
    fit(name, "2D detector", context, module, dataset, figures, ("roi_iou", "ROI IoU"), 10.0, collate_detections)
    put_back(name, module.network, before, context.classes, context.kept)
    save(module.network.state_dict(), context.work / name / "weights.pt")
    _finish(context, name, started, {"config": config.to_dict()})
    return module.network


def _fitting_anchors(context: Context, config: YoloConfig, dataset: DetectionDataset) -> YoloConfig:
    """The configuration, with other anchors where the boxes of the data do not fit its own."""
    count = len(config.anchors)
    sizes = []
    for index in range(max(len(dataset), min(200, 10 * len(dataset)))):
        found = dataset[index].boxes
        sizes.append((found[:, 2:] - found[:, :2]).numpy())
        if index >= 2000:
            break
    sizes = np.concatenate(sizes)
    fit_now = float(size_iou(sizes, np.array(config.anchors)).max(1).mean())
    if fit_now >= context.settings.anchor_fit or len(np.unique(sizes, axis=0)) < 4 * count:
        context.reporter.note(f"the 2D detector's anchors fit the boxes with a mean IoU of {fit_now:.3f}")
        return config
    anchors, fit_then = cluster_anchors(sizes, count, context.settings.seed)
    context.reporter.say(f"2D detector: new anchors, mean IoU with the boxes {fit_then:.2f} instead of {fit_now:.2f}")
    chosen = tuple((float(width), float(height)) for width, height in anchors.round(1))
    return YoloConfig.from_dict({**config.to_dict(), "anchors": chosen})


def tune_box(context: Context) -> tuple[PointNet, AnchorConfig, dict[str, np.ndarray]]:
    """The 3D detector, its anchors, and the refinement's T of every class."""
    entry = context.start.network("box_detector")
    done, started, name = _done(context, "box"), _begin(context), "box"
    config = PointNetConfig.from_dict({**entry["config"], "classes": context.classes})
    if done:
        network = PointNet(config)
        network.load_state_dict(_trained(context, name))
        refined = torch.load(context.work / name / "refinement.pt", weights_only=True)
        found = {label: matrix.numpy() for label, matrix in refined.items()}
        return network.eval(), AnchorConfig.from_dict(done["anchors"]), found
    settings, side = context.settings.networks[name], entry["settings"]["side"]
    augmentation = BoxAugmentation(**context.without_flip(settings.augmentation))
    folder = context.work / name / SAMPLES
    dataset = BoxDataset(context.training, context.classes, side, augmentation, context.settings.seed, folder=folder)
    anchors = _fitting_scales(context, AnchorConfig.from_dict(entry["anchors"]), dataset)
    module = _OneLayer(config, anchors, BoxLoss(**settings.loss), [], 1)
    module.network.load_state_dict(
        moved_pointnet(context.start, config, context.head_transfer("box_detector")).state_dict()
    )
    moved_offsets(context.start, module.offsets, context.head_transfer("box_detector"))
    before = _copied(module.network)
    judged = BoxDataset(_judges(context) or context.training, context.classes, side, folder=folder)
    passes = int(np.clip(DRAWS // len(dataset), 1, 30))
    reserve = passes * len(dataset) * _DRAW_SECONDS
    figures = BoxValidation(judged, 1).figures
    key = ("share_of_ceiling", "share of the ceiling")
    fit(name, "3D detector", context, module, dataset, figures, key, 5.0, reserve=reserve)
    put_back(name, module.network, before, context.classes, context.kept)
    # classes that val does not show are judged on training
    shown = set(judged.crops.labels)
    further = [case for case in context.training if any(label not in shown for label in case.labels)]
    judged = BoxDataset(_judges(context) + further, context.classes, side, folder=folder)
    with quiet():
        found = refinement.fit(module.network, anchors, dataset, judged, passes)
    found.update(numpy_refinement(context.start, context.kept))
    save(module.network.state_dict(), context.work / name / "weights.pt")
    save({label: torch.from_numpy(matrix) for label, matrix in found.items()}, context.work / name / "refinement.pt")
    _finish(context, name, started, {"anchors": anchors.to_dict()})
    return module.network, anchors, found


def _fitting_scales(context: Context, anchors: AnchorConfig, dataset: BoxDataset) -> AnchorConfig:
    """The anchors, with other widths where the objects' intervals do not fit them."""
    intervals = np.array([dataset[index].interval for index in range(min(len(dataset), 1000))])
    recall = anchor_recall(anchors, intervals, 0.7)
    context.reporter.note(f"the 3D detector's anchors: recall at 3D IoU 0.7 is {recall:.3f}")
    if recall >= _RECALL:
        return anchors
    widths = np.quantile(intervals[:, 1] - intervals[:, 0], (1 / 6, 1 / 2, 5 / 6)) / anchors.bin_width
    low = [max(2, min(anchors.bins, round(float(width)))) for width in widths]
    scales = tuple(sorted({*low})) if len({*low}) == 3 else (max(2, low[1] // 2), *sorted({low[1], low[2]}))
    other = AnchorConfig(anchors.bins, scales, anchors.stride)
    if anchor_recall(other, intervals, 0.7) <= recall:
        return anchors
    context.reporter.say(f"3D detector: new anchors of {', '.join(map(str, scales))} bins")
    return other


def tune_surfaces(context: Context, detector: YoloV3 | YoloV3Tiny) -> SurfaceNetwork:
    """The threshold surfaces."""
    entry = context.start.network("surfaces")
    done, started, name = _done(context, "surfaces"), _begin(context), "surfaces"
    config = SurfaceConfig.from_dict({**entry["config"], "classes": context.classes})
    if done:
        network = SurfaceNetwork(config)
        network.load_state_dict(_trained(context, name))
        return network.eval()
    settings = context.settings.networks[name]
    roi_detector = RoiDetector(
        detector, DetectionSettings(**context.start.network("roi_detector").get("settings", {}))
    )
    dataset = SurfaceDataset(
        context.training,
        context.classes,
        config.side,
        SurfaceAugmentation(**context.without_flip(settings.augmentation)),
        detector_residuals(roi_detector, context.training[:400]),
        context.settings.seed,
        folder=context.work / name / SAMPLES,
    )
    network = moved_surfaces(context.start, config, context.head_transfer("surfaces"))
    module = SurfaceTraining(network, [], 1, SurfaceLoss(**settings.loss))
    before = _copied(module.network)
    cases = _judges(context)
    judged = SurfaceValidation(cases, found_rois(roi_detector, cases), 1, entry["margin"])
    key = ("iou_true", "mask IoU in true regions")
    fit(name, "surfaces", context, module, dataset, judged.figures, key, 1.0, collate_surfaces)
    put_back(name, module.network, before, context.classes, context.kept)
    save(module.network.state_dict(), context.work / name / "weights.pt")
    _finish(context, name, started, {"config": config.to_dict()})
    return module.network


def _copied(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _box_step(context: Context, _detector: torch.nn.Module) -> dict[str, Trained]:
    network, anchors, found = tune_box(context)
    refinement = {label: torch.from_numpy(np.asarray(found[label])) for label in context.classes}
    changes = {"config": network.config.to_dict(), "anchors": anchors.to_dict()}
    return {"box_detector": Trained(network.state_dict(), changes), "refinement": Trained(refinement)}


def _surfaces_step(context: Context, detector: torch.nn.Module) -> dict[str, Trained]:
    network = tune_surfaces(context, detector)
    return {"surfaces": Trained(network.state_dict(), {"config": network.config.to_dict()})}


BOX = Step("box", ("box_detector", "refinement"), _box_step)
SURFACES = Step("surfaces", ("surfaces",), _surfaces_step)
