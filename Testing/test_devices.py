"""The choice of the device, with the accelerators pretended."""

from __future__ import annotations

import pytest

from GrayscaleDetSegLib.core import devices
from GrayscaleDetSegLib.core.devices import resolve_device
from GrayscaleDetSegLib.core.errors import DeviceError


@pytest.fixture
def machine(monkeypatch):
    """Pretends a machine: which devices PyTorch offers, and of which of them an operation fails, with what."""

    def pretend(offered=(), broken=()):
        failures = dict(broken)
        monkeypatch.setattr(devices, "_offered", lambda name: name in offered)
        monkeypatch.setattr(
            devices, "_failure", lambda name: failures.get(name) if name in offered else "none on this machine"
        )

    return pretend


@pytest.mark.parametrize(
    "offered, expected",
    [((), "cpu"), (("cuda",), "cuda"), (("mps",), "mps"), (("mps", "cuda"), "cuda")],
)
def test_auto_takes_the_best(machine, offered, expected):
    machine(offered)
    device = resolve_device("auto")
    assert device.name == expected and device.note is None
    assert resolve_device() == device


def test_auto_falls_back_to_the_cpu_and_says_so(machine):
    machine(("cuda",), {"cuda": "no kernel image"})
    device = resolve_device("auto")
    assert device.name == "cpu" and "cuda" in device.note and "no kernel image" in device.note


def test_cpu_is_taken_whatever_else_there_is(machine):
    machine(("cuda", "mps"))
    assert resolve_device("cpu") == devices.Device("cpu")


@pytest.mark.parametrize("choice", ["cuda", "mps"])
def test_a_device_asked_for_by_name(machine, choice):
    machine((choice,))
    assert resolve_device(choice) == devices.Device(choice)
    machine(())
    with pytest.raises(DeviceError, match=f"'{choice}' cannot be used .*none on this machine"):
        resolve_device(choice)
    machine((choice,), {choice: "driver too old"})
    with pytest.raises(DeviceError, match="driver too old"):
        resolve_device(choice)


@pytest.mark.parametrize("choice", ["gpu", "", "CPU", "cuda:1"])
def test_unknown_devices_are_refused_with_the_choices(choice):
    with pytest.raises(DeviceError, match="auto, cpu, cuda, mps"):
        resolve_device(choice)


def test_the_operation_is_real(monkeypatch):
    """A device that is offered but cannot compute is found out by computing."""
    import torch

    monkeypatch.setattr(devices, "_offered", lambda name: True)
    assert devices._failure("cpu") is None

    def fails(*_, **__):
        raise RuntimeError("CUDA error:\n no kernel image is available")

    monkeypatch.setattr(torch.nn.functional, "conv2d", fails)
    assert devices._failure("cpu") == "CUDA error: no kernel image is available"
