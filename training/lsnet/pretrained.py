"""Encoders that start from weights learnt from photographs, in local files with the names of torchvision's tensors."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.lsnet.networks import Encoder

COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class PretrainedReport:
    """The names of the tensors that were loaded, and of those in the file that were of no use."""

    loaded: tuple[str, ...]
    unused: tuple[str, ...]


def read_backbone(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a ``.safetensors`` file, or of a ``.pth`` file, of which nothing but tensors is read.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; check the path under [pretrained].")
    try:
        if path.suffix == ".safetensors":
            found = load_file(str(path))
        else:
            found = torch.load(path, weights_only=True, map_location="cpu")
    except (SafetensorError, OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise WeightsError(f"The weights file {path} cannot be read ({reason}); get it anew.") from error
    if not isinstance(found, dict) or not all(isinstance(each, torch.Tensor) for each in found.values()):
        raise WeightsError(f"The weights file {path} holds no table of tensors; save the network's state_dict().")
    return found


def load_backbone(encoder: Encoder, path: Path) -> PretrainedReport:
    """Load an encoder's weights; the classifier's, and whatever else it does not have, stay unused and are named.

    Raises
    ------
    WeightsError
        As :func:`read_backbone`, or if a tensor is missing or has another shape; the encoder is unchanged then.
    """
    given, own = read_backbone(path), encoder.state_dict()
    fitting = {}
    for name, wanted in own.items():
        if name not in given:
            if name.endswith(COUNTER):
                continue
            raise WeightsError(f"The weights in {path} do not fit: they have no tensor '{name}'.")
        if given[name].shape != wanted.shape:
            raise WeightsError(
                f"The weights in {path} do not fit: '{name}' has the shape {tuple(given[name].shape)} instead of "
                f"{tuple(wanted.shape)}; the encoder must be of the same layout."
            )
        fitting[name] = given[name]
    with torch.no_grad():
        for name, values in fitting.items():
            own[name].copy_(values)
    return PretrainedReport(tuple(fitting), tuple(sorted(set(given) - set(own))))
