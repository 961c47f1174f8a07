"""PyTorch's networks asked with numpy's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn


def ready(network: nn.Module) -> None:
    """Put a network in evaluation mode, its convolutions channels last: on a CPU a third faster than channels first."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # PyTorch's stubs lack it


def run(network: nn.Module, inputs: tuple) -> Any:
    """What a network says to arrays, wherever it lies; inputs that are no arrays are handed on as they are."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        return _arrays(network(*(_tensor(each, device) for each in inputs)))


def _tensor(values: Any, device: torch.device) -> Any:
    if not isinstance(values, np.ndarray):
        return values
    tensor = torch.from_numpy(np.ascontiguousarray(values)).to(device)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _arrays(found: Any) -> Any:
    if isinstance(found, torch.Tensor):
        return found.cpu().numpy()
    return [_arrays(each) for each in found]
