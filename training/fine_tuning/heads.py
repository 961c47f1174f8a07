"""Networks for other classes: the last layers' rows of known classes are copied, those of new ones made.

A new class starts as the mean of the classes that the network knows, or as in a new network. Everything that does not
depend on the classes is taken over as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from GrayscaleDetSegLib.core.weights import Bundle
from GrayscaleDetSegLib.core.yolo.blocks import OutputLayer

from ..networks import (
    PointNet,
    PointNetConfig,
    SurfaceConfig,
    SurfaceNetwork,
    YoloConfig,
    YoloV3,
    YoloV3Tiny,
    build_yolo,
)

HeadTransfer = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From (rows of the old classes, rows of a new network), one row per class, to the rows to start from."""


def head_transfer(
    old: Sequence[str], new: Sequence[str], forgotten: Sequence[str] = (), mean: bool = True
) -> HeadTransfer:
    """How the rows of `old` classes become those of `new` ones.

    Parameters
    ----------
    forgotten : sequence of str
        Classes of `old` whose rows are used for nothing, not even the mean.
    mean : bool
        Whether new classes start as the mean of the old ones, rather than fresh.
    """
    known = [index for index, name in enumerate(old) if name not in forgotten]
    sources = [old.index(name) if name in old and name not in forgotten else None for name in new]

    def move(rows: torch.Tensor, fresh: torch.Tensor) -> torch.Tensor:
        """(new classes, ...) from (old classes, ...) and (new classes, ...)."""
        moved = fresh.clone()
        for row, source in enumerate(sources):
            if source is not None:
                moved[row] = rows[source]
            elif mean and known:
                moved[row] = rows[known].mean(0)
        return moved

    return move


def moved_detector(bundle: Bundle, config: YoloConfig, move: HeadTransfer) -> YoloV3 | YoloV3Tiny:
    """The bundle's 2D detector with the classes and anchors of `config`.

    Where anchors differ, the output layers' biases make up for it: they say the same boxes as before.
    """
    network, tensors = build_yolo(config), bundle.tensors("roi_detector")
    old = YoloConfig.from_dict(bundle.network("roi_detector")["config"])
    stretch = torch.log(torch.tensor(old.anchors) / torch.tensor(config.anchors))
    for name, layer in _output_layers(network):
        indices = list(network.anchor_indices[layer])
        module = network.get_submodule(name)
        for kind in ("weight", "bias"):
            shape = (module.anchors, -1) + (() if kind == "bias" else tuple(module.weight.shape[1:]))
            rows, fresh = tensors[f"{name}.{kind}"].view(shape), getattr(module, kind).detach().view(shape)
            shared = rows[:, :5].clone()
            if kind == "bias":
                shared[:, 2:4] += stretch[indices]
            classes = move(rows[:, 5:].transpose(0, 1), fresh[:, 5:].transpose(0, 1)).transpose(0, 1)
            tensors[f"{name}.{kind}"] = torch.cat([shared, classes], 1).flatten(0, 1)
    network.load_state_dict(tensors)
    return network


def _output_layers(network: YoloV3 | YoloV3Tiny) -> list[tuple[str, int]]:
    """Name of every output layer, and the number of its scale."""
    names = [name for name, module in network.named_modules() if isinstance(module, OutputLayer)]
    return [(name, scale) for scale, name in enumerate(names)]


def moved_pointnet(bundle: Bundle, config: PointNetConfig, move: HeadTransfer) -> PointNet:
    """The bundle's PointNet with the classes of `config`; the background stays."""
    network, tensors = PointNet(config), bundle.tensors("box_detector")
    for kind in ("weight", "bias"):
        rows, fresh = tensors[f"classifier.{kind}"], getattr(network.classifier, kind).detach()
        tensors[f"classifier.{kind}"] = torch.cat([rows[:1], move(rows[1:], fresh[1:])])
    network.load_state_dict(tensors)
    return network


def moved_offsets(bundle: Bundle, layer: torch.nn.Linear, move: HeadTransfer) -> None:
    """Start the training's linear layer (two outputs a class) from the bundle's refinement: they say the same."""
    classes = bundle.network("box_detector")["config"]["classes"]
    refinement = bundle.tensors("refinement")
    rows = torch.stack([refinement[name].T for name in classes]).float()  # (old classes, 2, features + 1)
    fresh = torch.cat([layer.weight.detach(), layer.bias.detach()[:, None]], 1).unflatten(0, (-1, 2))
    moved = move(rows, fresh).flatten(0, 1)
    with torch.no_grad():
        layer.weight.copy_(moved[:, :-1])
        layer.bias.copy_(moved[:, -1])


def moved_surfaces(bundle: Bundle, config: SurfaceConfig, move: HeadTransfer) -> SurfaceNetwork:
    """The bundle's threshold surfaces with the classes of `config`."""
    network, tensors = SurfaceNetwork(config), bundle.tensors("surfaces")
    for kind in ("weight", "bias"):
        rows, fresh = (
            values.unflatten(0, (-1, 2))
            for values in (tensors[f"head.{kind}"], getattr(network.head, kind).detach())
        )
        tensors[f"head.{kind}"] = move(rows, fresh).flatten(0, 1)
    network.load_state_dict(tensors)
    return network


def put_back(name: str, network: torch.nn.Module, start: dict[str, torch.Tensor], classes: Sequence[str], kept) -> None:
    """Give kept classes the rows of their own that they had at the start (what they share with others has moved).

    Parameters
    ----------
    name : str
        ``"detector"``, ``"box"`` or ``"surfaces"``.
    start : dict of str to tensor
        The network's state before it was trained.
    """
    state = network.state_dict()
    for key, before in start.items():
        layer = network.get_submodule(key.rpartition(".")[0])
        for label in kept:
            row = classes.index(label)
            if name == "detector" and isinstance(layer, OutputLayer):
                where = [anchor * (5 + layer.classes) + 5 + row for anchor in range(layer.anchors)]
            elif name == "box" and key.startswith("classifier."):
                where = [row + 1]
            elif name == "surfaces" and key.startswith("head."):
                where = [2 * row, 2 * row + 1]
            else:
                continue
            state[key][where] = before[where]
    network.load_state_dict(state)


def numpy_refinement(bundle: Bundle, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """The bundle's T of some classes."""
    tensors = bundle.tensors("refinement")
    return {label: tensors[label].double().numpy() for label in labels}
