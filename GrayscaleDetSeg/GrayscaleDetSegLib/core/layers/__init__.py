"""What networks are made of: parts that describe them once, computed by numpy, and mirrored in PyTorch.

``parts`` holds the parts with their numpy computation, ``operations`` what is done between them. ``torch_parts`` makes
a PyTorch network of any part, with the same names of its tensors, and ``torch_operations`` does there what
``operations`` does here. The networks' own ``forward`` is written once and runs on either.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np


def operations_of(values: Any) -> ModuleType:
    """The operations for an array, or for a tensor."""
    if isinstance(values, np.ndarray):
        from . import operations

        return operations
    from . import torch_operations

    return torch_operations
