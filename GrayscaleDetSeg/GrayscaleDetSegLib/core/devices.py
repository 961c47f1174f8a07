"""Which device computes, decided by a real operation on it, and said aloud where it is not the one asked for."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .errors import DeviceError

CHOICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class Device:
    """The device in use, and a note for the user where it is a fall-back."""

    name: str
    note: str | None = None


def resolve_device(choice: str = "auto") -> Device:
    """The device for a choice; ``"auto"`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    DeviceError
        If the choice is unknown, or a device asked for by name does not work.
    """
    if choice not in CHOICES:
        raise DeviceError(f"There is no device '{choice}': choose one of {', '.join(CHOICES)}.")
    if choice == "cpu":
        return Device("cpu")
    if choice != "auto":
        reason = _failure(choice)
        if reason is not None:
            raise DeviceError(f"The device '{choice}' cannot be used ({reason}); choose --device auto or cpu.")
        return Device(choice)
    for name in ("cuda", "mps"):
        if _offered(name):
            reason = _failure(name)
            if reason is None:
                return Device(name)
            return Device("cpu", f"Running on the CPU: {name} is there but does not work ({reason}).")
    return Device("cpu")


@contextmanager
def within_memory() -> Iterator[None]:
    """Says in a sentence that a device has not enough memory, which PyTorch reports as one of its RuntimeErrors.

    Raises
    ------
    DeviceError
        If it is the memory of a GPU.
    MemoryError
        If it is that of the computer.
    """
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        if "defaultcpuallocator" in text or "can't allocate memory" in text:
            raise MemoryError(str(error)) from error
        if type(error).__name__ == "OutOfMemoryError" or "out of memory" in text:
            raise DeviceError(
                "The GPU has not enough memory for this image: close other programs that use it, or compute on the CPU."
            ) from error
        raise


def _offered(name: str) -> bool:
    import torch

    return torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()


def _failure(name: str) -> str | None:
    """Why a tiny operation fails on a device, or None: drivers can be there and not match the build."""
    import torch

    if not _offered(name):
        return "PyTorch finds none on this machine"
    try:
        one = torch.ones(1, 1, 4, 4, device=name)
        torch.nn.functional.conv2d(one, one).cpu()
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split())[:200]
    return None


def give_back() -> None:
    """Give memory that is free back to the system, where the C library keeps it (glibc).

    This is of the whole process, but changes nothing that anybody holds, and no setting.

    Between two steps that need much, so that what the first has left is not held beside what the second takes.
    """
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(ctypes.c_size_t(0))
