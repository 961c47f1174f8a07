"""A PointNet that was trained for other classes (ModelNet40, 40 shapes) as the start of ours: its head is replaced."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from GrayscaleDetSegLib.core.errors import WeightsError

from .networks import PointNet

CLASSIFIER = ("classifier.weight", "classifier.bias")
FIRST_OF_HEAD = "head.0.weight"
COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class PretrainedReport:
    """The names of the tensors that were loaded, and of those left as they were."""

    loaded: tuple[str, ...]
    skipped: tuple[str, ...]


def load_pretrained(network: PointNet, tensors: dict[str, torch.Tensor]) -> PretrainedReport:
    """Load a checkpoint of the same architecture and width, all but what depends on the classes.

    The classifier stays fresh whatever its size, because its outputs stand for other objects. So does the first layer
    of a head that also sees the whole ROI (``PointNetConfig.context``), where the checkpoint's head does not. Weights
    of 1 x 1 convolutions, (outputs, inputs, 1), count as those of the linear layers they are.

    Parameters
    ----------
    network : PointNet
        Unchanged if an error is raised.
    tensors : dict of str to tensor
        With the names of ``network.state_dict()``; the batch norms' counters may be missing.

    Raises
    ------
    WeightsError
        If a tensor is missing, unknown or of another shape.
    """
    own = network.state_dict()
    unknown = sorted(set(tensors) - set(own))
    if unknown:
        raise WeightsError(f"The pretrained weights do not fit PointNet: it has no tensor '{unknown[0]}'.")
    fitting, skipped = {}, []
    for name, wanted in own.items():
        if name in CLASSIFIER:
            skipped.append(name)
            continue
        given = tensors.get(name)
        if given is None:
            if name.endswith(COUNTER):
                continue
            raise WeightsError(f"The pretrained weights do not fit PointNet: the tensor '{name}' is missing.")
        if wanted.ndim == 2 and given.ndim > 2 and set(given.shape[2:]) == {1}:
            given = given.flatten(1)
        if given.shape == wanted.shape:
            fitting[name] = given
        elif name == FIRST_OF_HEAD and network.config.context and given.shape == (len(wanted), network.features):
            skipped.append(name)
        else:
            raise WeightsError(
                f"The pretrained weights do not fit PointNet: the tensor '{name}' has the shape {tuple(given.shape)} "
                f"instead of {tuple(wanted.shape)}."
            )
    with torch.no_grad():
        for name, given in fitting.items():
            own[name].copy_(given)
    return PretrainedReport(tuple(fitting), tuple(skipped))
