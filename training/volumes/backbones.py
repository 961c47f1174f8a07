"""Weights of ImageNet for the article's backbone, from a local file in the layout that torchvision stores VGG-16 in.

The file holds a state dict, ``features.0.weight`` and so on: .safetensors, or .pth as PyTorch saves it, which is read
without running anything in it.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.tensor_files import read_tensors
from GrayscaleDetSegLib.core.volumes.rpn import Rpn

PREFIX = "features."


@dataclass(frozen=True)
class BackboneReport:
    """The names of a file's tensors that were loaded, and of those that the backbone has no use for."""

    loaded: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def text(self) -> str:
        """For the output of a training."""
        unused = f"; unused: {', '.join(self.unused)}" if self.unused else ""
        return f"{len(self.loaded)} tensors of the backbone loaded{unused}"


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or holds other things than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return {name: torch.from_numpy(values.copy()) for name, values in read_tensors(path.read_bytes()).items()}
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read ({error.strerror or error}); check the path.") from error
    except (ValueError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"The weights {path} cannot be read ({reason}); get the file again.") from error
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise WeightsError(f"{path} holds no state dict of tensors; save the network's state_dict() and no more.")
    return state


def load_backbone(network: Rpn, path: Path) -> BackboneReport:
    """Load all convolutions of VGG-16 into a detector's backbone, or none of them.

    Raises
    ------
    WeightsError
        If the backbone is another one, the file cannot be read, or a tensor is missing or of another shape.
    """
    if network.config.backbone != "vgg16":
        raise WeightsError(f"Weights of VGG-16 do not fit the backbone '{network.config.backbone}'; choose vgg16.")
    state, body = read_state(path), network.backbone.body
    fitting = {}
    for name, wanted in body.state_dict().items():
        given = state.get(PREFIX + name)
        if given is None:
            raise WeightsError(f"The weights {path} are not of VGG-16: the tensor '{PREFIX}{name}' is missing.")
        if given.shape != wanted.shape:
            raise WeightsError(
                f"The weights {path} are not of VGG-16: the tensor '{PREFIX}{name}' has the shape "
                f"{tuple(given.shape)} instead of {tuple(wanted.shape)}."
            )
        fitting[name] = given.float()
    body.load_state_dict(fitting)
    loaded = tuple(PREFIX + name for name in fitting)
    return BackboneReport(loaded, tuple(sorted(set(state) - set(loaded))))
