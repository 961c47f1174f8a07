"""Settings for all tests."""

from __future__ import annotations

import signal

import pytest

from Testing.panel_helpers import bench  # noqa: F401 (a fixture)
from Testing.panel_screen import screen  # noqa: F401 (a fixture)
from Testing.scene_nodes import scene  # noqa: F401 (a fixture)
from Testing.segmenting import segmenter  # noqa: F401 (a fixture)
from Testing.standins import panel_session  # noqa: F401 (a fixture)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small tensors: threads cost more than they bring, and the machine may be busy."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _interruptible():
    """Ctrl-C as in a terminal: started in the background, shells let a process and its children ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
