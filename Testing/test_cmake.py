"""What CMake installs into Slicer is what lies in the folder, and the catalogue entry says what CMake says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "GrayscaleDetSeg"
CATALOGUE = ROOT / "Resources" / "ExtensionsIndex" / "GrayscaleDetSeg.json"
RAW = "https://raw.githubusercontent.com/GrayscaleDetSeg/SlicerGrayscaleDetSeg/main/"
LEFT_BEHIND = re.compile(r"(^|/)(\.|__pycache__/|[^/]+\.egg-info/)|\.py[cod]$|\.part$")
"""What programs and editors leave, as in .gitignore."""


def text(path: Path) -> str:
    """A CMake file without its comments."""
    return re.sub(r"^\s*#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def listed(name: str) -> list[str]:
    """The files that a list names, and those that it finds by patterns."""
    cmake = text(MODULE / "CMakeLists.txt")
    found = re.search(rf"set\({name}\s(.*?)\)", cmake, re.DOTALL)[1].split()
    for part in re.findall(rf"list\(APPEND {name} \$\{{(\w+)\}}\)", cmake):
        patterns = re.search(rf"file\(GLOB {part} .*?CONFIGURE_DEPENDS\s(.*?)\)", cmake, re.DOTALL)[1].split()
        found += [path.relative_to(MODULE).as_posix() for pattern in patterns for path in MODULE.glob(pattern)]
    return found


def files() -> Iterator[str]:
    """All files of the module, whether git knows them or not."""
    for path in MODULE.rglob("*"):
        name = path.relative_to(MODULE).as_posix()
        if path.is_file() and name != "CMakeLists.txt" and not LEFT_BEHIND.search(name):
            yield name


def metadata(name: str) -> str:
    """A variable of the extension, as the catalogue's checks look for it: on one line."""
    return re.search(rf'^set\(EXTENSION_{name} "([^"\n]+)"\)$', text(ROOT / "CMakeLists.txt"), re.MULTILINE)[1]


@pytest.mark.parametrize("name, scripts", [("MODULE_PYTHON_SCRIPTS", True), ("MODULE_PYTHON_RESOURCES", False)])
def test_every_file_is_listed_once_and_every_listed_file_is_there(name, scripts):
    assert sorted(listed(name)) == sorted(file for file in files() if file.endswith(".py") is scripts)


def test_files_are_found_here():
    """Or the comparison would hold for two empty lists."""
    found = set(files())
    assert found >= {"GrayscaleDetSegLib/__init__.py", "GrayscaleDetSegLib/batch/result.schema.json"}
    assert found >= {"Scripts/segment_folder.py", "Resources/Icons/GrayscaleDetSeg.png", "Resources/Samples/knee.nrrd"}
    assert any(name.endswith(".safetensors") for name in found)


def test_the_module_is_built_and_tested():
    cmake = text(MODULE / "CMakeLists.txt")
    assert "add_subdirectory(GrayscaleDetSeg)" in text(ROOT / "CMakeLists.txt")
    assert re.search(r"SCRIPTS \$\{MODULE_PYTHON_SCRIPTS\}\s+RESOURCES \$\{MODULE_PYTHON_RESOURCES\}", cmake)
    condition = re.search(r"if\(BUILD_TESTING\)(.*?)endif\(\)", cmake, re.DOTALL)[1]
    assert "slicer_add_python_unittest(SCRIPT ${MODULE_NAME}.py)" in condition


def test_catalogue_entry_says_what_cmake_says():
    entry = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    assert CATALOGUE.stem == re.search(r"project\((\w+)\)", text(ROOT / "CMakeLists.txt"))[1]
    assert entry["scm_url"] == metadata("HOMEPAGE") + ".git"
    assert entry["category"] == metadata("CATEGORY")
    assert metadata("DEPENDS") == "NA" and entry["build_dependencies"] == []  # Slicer has what it needs
    assert metadata("RECOMMENDS") == "PyTorch"
    assert entry["dicom_support_rule"] == metadata("DICOM_SUPPORT_RULE")
    assert f"\nset(EXTENSION_TIER {entry['tier']})\n" in text(ROOT / "CMakeLists.txt")


def test_catalogue_entry_is_of_the_schema():
    """The fields that version 1.0.2 knows, of the types that it asks for."""
    entry = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    types = {
        "$schema": str,
        "build_dependencies": list,
        "build_subdirectory": str,
        "category": str,
        "dicom_support_rule": str,
        "enabled": bool,
        "scm_revision": str,
        "scm_type": str,
        "scm_url": str,
        "tier": int,
    }
    assert {name: type(value) for name, value in entry.items()} == types
    assert entry["scm_type"] == "git" and 1 <= entry["tier"] <= 5
    assert b"\r" not in CATALOGUE.read_bytes()


@pytest.mark.parametrize(
    "modality, suggested",
    [("CR", True), ("DX", True), ("PX", True), ("IO", True), ("RG", True), ("CT", False), ("MG", False), ("", False)],
)
def test_catalogue_suggests_the_extension_for_radiographs(modality, suggested):
    rule = json.loads(CATALOGUE.read_text(encoding="utf-8"))["dicom_support_rule"]
    assert re.fullmatch(r"Modality == '[A-Z]+'( or Modality == '[A-Z]+')*", rule)  # rule-engine reads it as Python does
    assert eval(rule, {"__builtins__": {}}, {"Modality": modality}) is suggested


def test_pictures_of_the_catalogue_are_in_the_repository():
    from PIL import Image

    addresses = [metadata("ICONURL"), *metadata("SCREENSHOTURLS").split()]
    assert len(addresses) >= 2
    for address in addresses:
        assert address.startswith(RAW), address
        with Image.open(ROOT / address[len(RAW) :]) as picture:
            assert picture.format == "PNG"


def test_description_is_one_or_two_sentences():
    assert 1 <= len(re.findall(r"\.(?:\s|$)", metadata("DESCRIPTION"))) <= 2


def test_icon_can_be_told_from_its_ground_when_small():
    from PIL import Image

    with Image.open(MODULE / "Resources" / "Icons" / "GrayscaleDetSeg.png") as icon:
        assert icon.mode == "RGBA" and icon.size == (256, 256)
        small = icon.resize((24, 24), Image.Resampling.LANCZOS)
    assert small.getpixel((0, 0))[3] < 128  # round corners
    gray = small.convert("L")
    assert gray.getpixel((7, 16)) > 200 > 90 > gray.getpixel((4, 4))  # bone and ground
