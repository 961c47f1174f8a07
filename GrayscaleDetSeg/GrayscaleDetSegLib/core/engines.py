"""What computes the networks: numpy, which is always there, or PyTorch, where it is there and helps.

Networks are described once (see ``layers``), and what uses one need not know which of the two it has.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from typing import Any

from .errors import DependencyError, DeviceError
from .layers.parts import Part

CHOICES = ("auto", "numpy", "torch")

TITLES = {"numpy": "numpy", "torch": "PyTorch"}
"""What people read."""


def wanted_engine(engine: str = "auto", device: str = "auto") -> str:
    """``"numpy"`` or ``"torch"``, for the choices of an engine and a device; nothing is imported.

    ``"auto"`` takes PyTorch where a GPU is asked for by name, or where both an NVIDIA GPU and a PyTorch that can use
    it are there. Else numpy: on a CPU PyTorch is hardly faster, and takes seconds to be imported.

    Raises
    ------
    DeviceError
        If there is no such engine, or it cannot compute on the device.
    """
    if engine not in CHOICES:
        raise DeviceError(f"There is no engine '{engine}': choose one of {', '.join(CHOICES)}.")
    on_gpu = device not in ("auto", "cpu")
    if engine == "numpy":
        if on_gpu:
            raise DeviceError(f"numpy can't compute on the device '{device}': take --engine torch or --device cpu.")
        return "numpy"
    if engine == "torch" or on_gpu:
        return "torch"
    return "torch" if device == "auto" and torch_is_there() and _torch_sees_gpus() and _has_nvidia_gpu() else "numpy"


def chosen_engine(engine: str = "auto", device: str = "auto") -> str:
    """As :func:`wanted_engine`, if it is there.

    Raises
    ------
    DependencyError
        If PyTorch is asked for and is not installed.
    """
    wanted = wanted_engine(engine, device)
    if wanted == "torch" and not torch_is_there():
        raise DependencyError(need_of_torch("The engine 'torch'" if engine == "torch" else f"The device '{device}'"))
    return wanted


def need_of_torch(who: str) -> str:
    """The sentence where PyTorch is not there and `who` needs it."""
    return f"{who} needs PyTorch, which is not installed: {HOW_TO_GET_TORCH}."


HOW_TO_GET_TORCH = "pip install 'grayscale-detseg[torch]', or in 3D Slicer the extension PyTorch"


def torch_is_there() -> bool:
    """Whether PyTorch is installed; nothing is imported."""
    if "torch" in sys.modules:
        return sys.modules["torch"] is not None
    try:
        found = importlib.util.find_spec("torch")
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None  # else what is left of a broken installation


def _torch_sees_gpus() -> bool:
    """Whether the PyTorch that is installed is not one for CPUs alone, by its version."""
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return True


def _has_nvidia_gpu() -> bool:
    """Whether the driver of an NVIDIA GPU is there."""
    if os.name == "nt":
        return os.path.isfile(os.path.join(os.environ.get("SystemRoot", r"C:\Windows"), "System32", "nvcuda.dll"))
    return os.path.exists("/proc/driver/nvidia/version") or os.path.exists("/dev/nvidiactl")


def prepared(network: Any) -> Any:
    """A network ready for :func:`answer`: one of PyTorch in evaluation mode, its memory laid out for speed."""
    if not isinstance(network, Part):
        from .layers.torch_running import ready

        ready(network)
    return network


def answer(network: Any, *inputs: Any) -> Any:
    """What a network says to arrays: arrays, or lists of them, whichever engine it is of."""
    if isinstance(network, Part):
        return network(*inputs)
    from .layers.torch_running import run

    return run(network, inputs)
