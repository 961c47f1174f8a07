"""The command's help comes at once: nothing is imported that it does not use."""

from __future__ import annotations

import pytest

from Testing.test_layers import modules_after


@pytest.mark.parametrize("arguments", [["--help"], ["segment", "--help"]])
def test_help_needs_neither_numpy_nor_a_method(arguments):
    statement = f"from GrayscaleDetSegLib.batch.main import main; main({arguments!r})"
    assert not modules_after(statement) & {"numpy", "torch", "PIL", "slicer"}
