"""The network of the second opinion on polarity, in PyTorch; ``polarity_check`` says what it is."""

from __future__ import annotations

from . import polarity_check
from .layers.torch_parts import TorchPart


class PolarityNetwork(TorchPart, describes=polarity_check.PolarityNetwork):
    """See ``polarity_check``."""
