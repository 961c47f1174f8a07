"""Weights of ImageNet for the networks' encoders, from local files with the names of torchvision's tensors.

A file holds a state dict: .safetensors, or .pth as PyTorch saves it, of which nothing but tensors is read.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.tensor_files import read_tensors

COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class WeightsReport:
    """The names of the file's tensors that were loaded, and of those that the network has no use for."""

    file: str
    loaded: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def text(self) -> str:
        """For the output of a training."""
        unused = f"; unused: {', '.join(self.unused)}" if self.unused else ""
        return f"{len(self.loaded)} tensors of {self.file} loaded{unused}"


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
    except FileNotFoundError as error:
        raise WeightsError(f"There is no weights file {path}; check the path.") from error
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"The weights file {path} cannot be read ({reason}); get it anew.") from error
    if not isinstance(state, dict) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise WeightsError(f"The weights file {path} holds no table of tensors; save the network's state_dict().")
    return state


def load_encoder(encoder: nn.Module, path: Path, prefix: str = "") -> WeightsReport:
    """Load all tensors of an encoder, or none of them; of batch norms the counters may be missing.

    Parameters
    ----------
    encoder : Module
        Unchanged if an error is raised.
    path : Path
        The file. What else it has, a classifier, say, stays unused and is named in the report.
    prefix : str
        What the file's names have in front of the encoder's: "features." in torchvision's VGG-16.

    Raises
    ------
    WeightsError
        As :func:`read_state`, or if a tensor is missing or of another shape.
    """
    state, fitting = read_state(path), {}
    for name, wanted in encoder.state_dict().items():
        given = state.get(prefix + name)
        if given is None:
            if name.endswith(COUNTER):
                continue
            raise WeightsError(f"The weights in {path} do not fit: they have no tensor '{prefix}{name}'.")
        if given.shape != wanted.shape:
            raise WeightsError(
                f"The weights in {path} do not fit: '{prefix}{name}' has the shape {tuple(given.shape)} instead of "
                f"{tuple(wanted.shape)}; the encoder must be of the same layout."
            )
        fitting[name] = given.float() if wanted.is_floating_point() else given
    encoder.load_state_dict(fitting, strict=False)
    loaded = tuple(prefix + name for name in fitting)
    return WeightsReport(path.name, loaded, tuple(sorted(set(state) - set(loaded))))
