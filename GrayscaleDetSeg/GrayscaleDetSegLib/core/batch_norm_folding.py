"""Batch norms folded into the layers before them: the same numbers in fewer operations, for networks in use."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norms(network: Network) -> Network:
    """Fold every batch norm into the convolution or linear layer that its module holds right before it, in place.

    In all our networks that is the layer whose output it normalises.

    Parameters
    ----------
    network : torch module
        With trained weights; it is put in evaluation mode, and cannot be trained or saved as before afterwards.
    """
    network.eval()
    for module in list(network.modules()):
        children = list(module.named_children())
        for (name, layer), (norm_name, norm) in zip(children, children[1:]):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(layer, norm))
            elif isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
                setattr(module, name, fuse_linear_bn_eval(layer, norm))
            else:
                continue
            setattr(module, norm_name, nn.Identity())
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in PyTorch's stubs
