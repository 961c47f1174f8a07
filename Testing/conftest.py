"""Settings for all tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small tensors: threads cost more than they bring, and the machine may be busy."""
    import torch

    torch.set_num_threads(1)
