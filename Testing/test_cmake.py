"""What CMake installs into Slicer is what lies in the folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg"


def listed(name: str) -> list[str]:
    return re.search(rf"set\({name}\s(.*?)\)", (MODULE / "CMakeLists.txt").read_text(), re.DOTALL).group(1).split()


@pytest.mark.parametrize(
    "name, suffixes",
    [("MODULE_PYTHON_SCRIPTS", {".py"}), ("MODULE_PYTHON_RESOURCES", {".json", ".md", ".safetensors"})],
)
def test_every_file_is_listed_once_and_every_listed_file_is_there(name, suffixes):
    files = {path.relative_to(MODULE).as_posix() for path in MODULE.rglob("*") if path.suffix in suffixes}
    assert sorted(listed(name)) == sorted(files)


def test_top_level_adds_the_module():
    assert "add_subdirectory(GrayscaleDetSeg)" in (MODULE.parent / "CMakeLists.txt").read_text()
