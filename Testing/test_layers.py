"""The layers: core computes on arrays, scene knows MRML, logic works on a scene, panel has widgets, batch does files.

Imports run in that direction only.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg"
LIBRARY = ROOT / "GrayscaleDetSegLib"
FILES = sorted(LIBRARY.rglob("*.py"))
PLATFORM = {"slicer", "qt", "vtk", "ctk", "vtkmodules", "slicer_core"}
ALLOWED_LAYERS = {
    "core": {"core"},
    "scene": {"core", "scene"},
    "batch": {"core", "scene", "batch"},
    "logic": {"core", "scene", "logic"},
    "panel": {"core", "scene", "logic", "panel"},
}
WINDOW = {"qt", "ctk"}


def layer(path: Path) -> str:
    parts = path.relative_to(LIBRARY).parts
    return parts[0] if len(parts) > 1 else ""


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Absolute names of everything a file imports, and whether importing the file itself imports it."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]

    def visit(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_import) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{module}.{alias.name}", at_import) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        inside = at_import and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside)

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True)


def identity(path: Path) -> str:
    return path.relative_to(LIBRARY).as_posix()


@pytest.mark.parametrize("path", FILES, ids=identity)
def test_imports_follow_the_layers(path):
    allowed = ALLOWED_LAYERS.get(layer(path))
    for name, at_import in imports(path):
        top, *rest = name.split(".")
        assert top not in {"training", "Testing"}, f"{name}: the library needs nothing of training"
        if top == "GrayscaleDetSegLib" and rest and rest[0] in ALLOWED_LAYERS and allowed is not None:
            assert rest[0] in allowed, f"{name}: {layer(path)} must not import {rest[0]}"
        if layer(path) == "core":
            assert top not in PLATFORM, f"{name}: core knows nothing of Slicer"
        if layer(path) != "panel":
            assert top not in WINDOW, f"{name}: the panel alone has widgets"
            assert not at_import or top not in PLATFORM, f"{name}: import it in the function that needs it"


@pytest.mark.parametrize("path", [path for path in FILES if layer(path) == "core"], ids=identity)
def test_core_imports_numpy_and_torch_alone(path):
    """At module level; readers of formats are imported in the functions that read them."""
    outside = {name.split(".")[0] for name, at_import in imports(path) if at_import}
    outside -= set(sys.stdlib_module_names) | {"GrayscaleDetSegLib", "numpy", "torch"}
    assert not outside


def modules_after(statement: str) -> set[str]:
    """Top-level modules that are loaded after `statement` in a fresh Python."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import GrayscaleDetSegLib",
        "import GrayscaleDetSegLib.core",
        "from GrayscaleDetSegLib.core.reading import read_radiograph",
        "import GrayscaleDetSegLib.core.result",
        "import GrayscaleDetSegLib.scene.files",
        "import GrayscaleDetSegLib.scene.outcome, GrayscaleDetSegLib.scene.record, GrayscaleDetSegLib.scene.live",
        "import GrayscaleDetSegLib.scene.cloud, GrayscaleDetSegLib.scene.threshold_box, GrayscaleDetSegLib.scene.views",
        "import GrayscaleDetSegLib.logic.segmenter, GrayscaleDetSegLib.logic.jobs, GrayscaleDetSegLib.logic.cases",
        "import GrayscaleDetSegLib.batch.main",
        "import GrayscaleDetSegLib.batch.run",
    ],
)
def test_importing_is_light(statement):
    """torch takes seconds and slicer needs a wheel: neither comes along unasked."""
    assert not modules_after(statement) & {"torch", *PLATFORM}


@pytest.mark.parametrize("path", [path for path in FILES if layer(path) == "logic"], ids=identity)
def test_logic_asks_nobody(path):
    """It runs without a window: no views, no dialogs."""
    text = path.read_text(encoding="utf-8")
    for word in ("layoutManager", "mainWindow", "MessageBox", "confirmOkCancelDisplay", "errorDisplay"):
        assert word not in text, word
