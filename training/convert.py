"""Pretrained weights of others as a run to start from: Darknet's files for YOLOv3, PyTorch's checkpoints of PointNet.

    python -m training.convert FILE --config EXPERIMENT --output RUN
    python -m training.detector ... --config EXPERIMENT --from RUN

The experiment says which network the weights are for: one with a `variant` is a 2D detector, one with `anchors` a 3D
detector. Published weights need 3 channels and width 1, as in ``configs/detector_article.toml`` and
``configs/box_detector_article.toml``. What depends on the classes stays fresh. Every tensor of the file that was not
used is named, and every tensor of the network that the file does not fill.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomllib
import torch

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig

from .darknet_weights import load_darknet, number_count
from .data import CLASSES
from .networks import PointNet, PointNetConfig, YoloConfig, build_yolo
from .pretrained import load_pretrained
from .runs import command

CONVERSION = "conversion.json"
PUBLISHED_SIZE = 416
PUBLISHED_ANCHORS = {
    "darknet53": ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326)),
    "tiny": ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319)),
}
"""Those of yolov3.cfg and yolov3-tiny.cfg, in px at an input of 416 px."""

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_T_NET = {"conv1": ("points.0", "bn1"), "conv2": ("points.3", "bn2"), "conv3": ("points.6", "bn3"),
          "fc1": ("dense.0", "bn4"), "fc2": ("dense.3", "bn5")}  # fmt: skip
LAYERS = {
    **{f"feat.{net}.{theirs}": (f"{part}.{ours}", f"feat.{net}.{norm}")
       for net, part in (("stn", "input_transform"), ("fstn", "feature_transform"))
       for theirs, (ours, norm) in _T_NET.items()},
    "feat.conv1": ("first.0", "feat.bn1"),
    "feat.conv2": ("second.3", "feat.bn2"),
    "feat.conv3": ("second.6", "feat.bn3"),
    "fc1": ("head.0", "bn1"),
    "fc2": ("head.3", "bn2"),
}  # fmt: skip
"""Layer in the public layouts -> our layer, and their batch norm behind it (ours has the next number)."""
TRANSFORMS = {"feat.stn.fc3": "input_transform.output", "feat.fstn.fc3": "feature_transform.output"}
ABSENT = ("first.3", "second.0")
"""Layers of 64 x 64 of the article's network that the public layouts do without."""


@dataclass(frozen=True)
class Conversion:
    """What became of the tensors.

    Parameters
    ----------
    source : str
        What the file was taken for.
    used : dict of str to str
        Tensor or layer of the file -> tensor or layer of the network.
    unused : dict of str to str
        Tensor or layer of the file -> why it was not used.
    passing : tuple of str
        Layers that the file does not have, set to pass on what comes in.
    initial : tuple of str
        Tensors of the network that are as they were initialised.
    """

    source: str
    used: dict[str, str]
    unused: dict[str, str]
    passing: tuple[str, ...]
    initial: tuple[str, ...]

    def text(self) -> str:
        """The report, to be printed."""
        lines = [f"{self.source}: {len(self.used)} tensors or layers of the file are used."]
        lines += [f"Not used ({len(self.unused)}):", *(f"  {name}: {why}" for name, why in self.unused.items())]
        if self.passing:
            lines += ["Not in the file, set to pass on what comes in:", *(f"  {name}" for name in self.passing)]
        lines += [f"As initialised ({len(self.initial)}):", *(f"  {name}" for name in self.initial)]
        return "\n".join(lines)


def convert_darknet(path: Path, config: YoloConfig) -> tuple[torch.nn.Module, Conversion]:
    """A YOLOv3 network of a configuration with all but the output layers from a Darknet file, whole or a backbone.

    Raises
    ------
    WeightsError
        If the file does not fit the network.
    """
    classes = _darknet_classes(path, config)
    source = build_yolo(YoloConfig.from_dict({**config.to_dict(), "classes": [str(n) for n in range(classes or 1)]}))
    report = load_darknet(source, path, stop_after=None if classes else "backbone")
    network, tensors = build_yolo(config), source.state_dict()
    outputs = [name for name in report.loaded if name.endswith(".output")]
    loaded = [name for name in report.loaded if name not in outputs]
    fresh = {key for key in tensors if key.startswith(tuple(f"{name}." for name in outputs))}
    absent = {key for key in tensors if key.startswith(tuple(f"{name}." for name in report.absent))}
    own = network.state_dict()
    with torch.no_grad():
        for key in own.keys() - fresh - absent:
            own[key].copy_(tensors[key])
    initial = tuple(key for key in own if key in fresh | absent and "num_batches" not in key)
    why = f"an output layer for {classes} other classes"
    return network, Conversion(
        f"Darknet, YOLOv3 {config.variant}" + (f", {classes} classes" if classes else ", a backbone"),
        {name: name for name in loaded},
        dict.fromkeys(outputs, why),
        (),
        initial,
    )


def _darknet_classes(path: Path, config: YoloConfig) -> int | None:
    """How many classes a whole network's file must have by its length; None for any other length."""
    with torch.device("meta"):
        network = build_yolo(config)
    try:
        with open(path, "rb") as stream:
            major, minor = np.frombuffer(stream.read(8).ljust(8, b"\0"), "<i4").tolist()
        numbers = (path.stat().st_size - (20 if major * 10 + minor >= 2 else 16)) // 4
    except OSError as error:
        raise WeightsError(f"The Darknet weights {path} cannot be read ({error.strerror or error}).") from error
    none, one = number_count(network, 0), number_count(network, 1)
    count, rest = divmod(numbers - none, one - none)
    return count if rest == 0 and count > 0 else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a PyTorch file holds, read as tensors and plain values alone: no code in it is run.

    Raises
    ------
    WeightsError
        If it cannot be read so.
    """
    try:
        # training scripts keep their accuracy, a number of NumPy's, beside the weights
        plain = [(getattr(np, "_core", None) or np.core).multiarray.scalar, np.dtype, type(np.dtype("f8")),
                 type(np.dtype("f4"))]  # fmt: skip
        former = (plain[0], "numpy.core.multiarray.scalar")
        with torch.serialization.safe_globals([*plain, former]):
            content = torch.load(path, weights_only=True, map_location="cpu")
    except FileNotFoundError as error:
        raise WeightsError(f"There is no file {path}; check the path.") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than tensors, or is no PyTorch file, and is not opened, because such files can run "
            "code; save its state_dict() alone where it comes from."
        ) from error
    except Exception as error:  # damaged bytes raise all sorts of things
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"{path} cannot be read as a PyTorch file ({reason}).") from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path} holds no named tensors; save a state_dict().")
    return dict(content)


def convert_pointnet(path: Path, config: PointNetConfig) -> tuple[PointNet, Conversion]:
    """A PointNet of a configuration with the tensors of a checkpoint for other classes.

    Two layouts are read, and checkpoints with our own names: a state_dict with ``feat.stn``, ``feat.conv1`` to
    ``feat.conv3`` and ``fc1`` to ``fc3``; and the same below ``model_state_dict``, its first layers perhaps for points
    with normals, whose columns are left out. Both have one layer of 64 features before and after the feature transform
    fewer than the article's network: ours pass on what comes in. A bias before a batch norm becomes part of its mean.

    Raises
    ------
    WeightsError
        If the file has none of these layouts, or does not fit the network.
    """
    content = read_checkpoint(path)
    nested = next((key for key in ("model_state_dict", "state_dict") if isinstance(content.get(key), Mapping)), None)
    weights = content[nested] if nested else content
    given = {str(key).removeprefix("module."): value for key, value in weights.items()}
    unused = {key: "no weights" for key in content if nested and key != nested}
    unused |= {key: "no weights" for key, value in given.items() if not isinstance(value, torch.Tensor)}
    given = {key: value for key, value in given.items() if isinstance(value, torch.Tensor)}
    network = PointNet(config)
    own, passing = network.state_dict(), ()
    if set(given) <= set(own):
        source, tensors, used = "PointNet, our own names", given, {key: key for key in given}
    elif "feat.stn.conv1.weight" in given:
        source = f"PointNet, public layout{' with ' + nested if nested else ''}"
        tensors, used, more = _renamed(given, config)
        unused |= more
        passing = tuple(name for name in ABSENT if f"{name}.weight" in own)
        for name in passing:
            tensors |= _identity(name, own)
        # without a feature transform in the file ours begins as the identity, which is the same
        tensors |= {key: own[key] for key in own if key.startswith("feature_transform") and key not in tensors}
    else:
        raise WeightsError(
            f"{path} has the tensors of no known PointNet: neither feat.stn.conv1.weight nor our own names; found "
            f"{', '.join(sorted(given)[:3]) or 'none'}."
        )
    try:
        report = load_pretrained(network, tensors)
    except WeightsError as error:
        raise WeightsError(f"{str(error).rstrip('.')}, from {path.name}; published weights need width 1.") from error
    filled = {used[key] for key in used} | {key for name in passing for key in _identity(name, own)}
    initial = tuple(key for key in own if key in report.skipped or (key not in filled and "num_batches" not in key))
    unused |= {key: "for other classes, or a head that sees less" for key, to in used.items() if to in initial}
    used = {key: to for key, to in used.items() if to not in initial}
    return network, Conversion(source, used, unused, passing, initial)


def _renamed(
    given: Mapping[str, torch.Tensor], config: PointNetConfig
) -> tuple[dict[str, torch.Tensor], dict[str, str], dict[str, str]]:
    """Tensors of a public layout by our names; tensor of the file -> ours; tensor of the file -> why it is not used."""
    tensors, used, unused = {}, {}, {}

    def take(theirs: str, ours: str) -> None:
        if theirs in given:
            tensors[ours] = given[theirs]
            used[theirs] = ours

    for theirs, (ours, norm) in LAYERS.items():
        part, number = ours.rsplit(".", 1)
        behind = f"{part}.{int(number) + 1}"
        take(f"{theirs}.weight", f"{ours}.weight")
        for key in NORM:
            take(f"{norm}.{key}", f"{behind}.{key}")
        bias, mean = given.get(f"{theirs}.bias"), tensors.get(f"{behind}.running_mean")
        if bias is not None and mean is not None:
            if bias.shape != mean.shape:
                raise WeightsError(f"The tensor '{theirs}.bias' has the shape {tuple(bias.shape)} instead of "
                                   f"{tuple(mean.shape)}; the file is damaged.")
            tensors[f"{behind}.running_mean"] = mean - bias
            used[f"{theirs}.bias"] = f"{behind}.running_mean"
    for theirs, ours in TRANSFORMS.items():
        for key in ("weight", "bias"):
            take(f"{theirs}.{key}", f"{ours}.{key}")
    for theirs, ours in (("feat.stn.conv1", "input_transform.points.0"), ("feat.conv1", "first.0")):
        weight = tensors.get(f"{ours}.weight")
        if weight is not None and weight.ndim > 1 and weight.shape[1] == 6:
            tensors[f"{ours}.weight"] = weight[:, :3]
            unused[f"{theirs}.weight, columns 4 to 6"] = "for normals, which our points do not have"
    for key in given:
        if key not in used:
            unused[key] = "for other classes" if key in ("fc3.weight", "fc3.bias") else "our network has no such tensor"
    return tensors, used, unused


def _identity(name: str, own: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A linear layer without bias and the batch norm behind it that pass on what comes in (the ReLU after them what is
    positive of it)."""
    part, number = name.rsplit(".", 1)
    behind, size = f"{part}.{int(number) + 1}", len(own[f"{name}.weight"])
    return {
        f"{name}.weight": torch.eye(size),
        f"{behind}.weight": torch.ones(size),
        f"{behind}.bias": torch.zeros(size),
        f"{behind}.running_mean": torch.zeros(size),
        f"{behind}.running_var": torch.full((size,), 1.0 - 1e-5),  # the norm adds 1e-5
    }


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.convert", description=__doc__.split("\n\n")[0])
    parser.add_argument("file", type=Path, help="weights: .weights and .conv.N of Darknet, or a PyTorch checkpoint")
    parser.add_argument("--config", type=Path, required=True, help="the experiment that will start from them, TOML")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run, for --from")
    parser.add_argument("--classes", nargs="+", default=list(CLASSES), help="classes of the network (default: ours)")
    options = parser.parse_args(arguments)
    settings, classes = tomllib.loads(options.config.read_text(encoding="utf-8")), tuple(options.classes)
    torch.manual_seed(settings.get("seed", 0))
    if "variant" in settings:
        variant, size = settings["variant"], settings["input_size"]
        anchors = tuple((w * size / PUBLISHED_SIZE, h * size / PUBLISHED_SIZE) for w, h in PUBLISHED_ANCHORS[variant])
        config = YoloConfig(variant, classes, anchors, size, settings["channels"], settings["width"])
        network, conversion = convert_darknet(options.file, config)
        described = config.to_dict()
    elif "anchors" in settings:
        config = PointNetConfig(classes, settings["width"], settings["context"])
        network, conversion = convert_pointnet(options.file, config)
        anchors = AnchorConfig.from_dict(settings["anchors"]).to_dict()
        described = {"config": config.to_dict(), "anchors": anchors, "side": settings["side"]}
    else:
        raise WeightsError(f"{options.config} is the experiment of neither detector; give one with variant or anchors.")
    options.output.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), options.output / "network.pt")
    (options.output / "network.json").write_text(json.dumps(described, indent=1))
    kept = {"file": options.file.name, **asdict(conversion)}
    (options.output / CONVERSION).write_text(json.dumps(kept, indent=1))
    print(conversion.text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
