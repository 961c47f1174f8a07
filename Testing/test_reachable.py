"""The product holds what it uses itself: no module and no function is there for the training or for tests alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "GrayscaleDetSeg"
LIBRARY = MODULE / "GrayscaleDetSegLib"
SECTIONS = tuple(sorted((LIBRARY / "panel" / "sections").glob("*.py")))
ENTRIES = (
    MODULE / "GrayscaleDetSeg.py", MODULE / "Scripts" / "segment_folder.py", LIBRARY / "batch" / "main.py", *SECTIONS,
)  # fmt: skip
"""What runs the product: Slicer, the folder tool, the command; and the panel's sections, which are looked up."""
TABLE = re.compile(r"[a-z_.]+:[A-Za-z]+")
"""How a registry names what it loads on demand: ``box:Box``."""


def name_of(path: Path) -> str:
    parts = path.relative_to(MODULE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in LIBRARY.rglob("*.py")}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path, package: str) -> Iterator[tuple[str, str]]:
    """All (module, name) that a file imports, and the modules that tables in it name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and named_network(node):
            yield f"{package}.{named_network(node)}", ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and TABLE.fullmatch(node.value):
            yield tuple(f"{package}.{node.value}".split(":"))


def named_network(node: ast.Assign | ast.AnnAssign) -> str | None:
    """The module beside a network's description that has it in PyTorch, if an assignment names it."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    is_named = isinstance(target, ast.Name) and target.id == "torch_module" and isinstance(node.value, ast.Constant)
    return node.value.value if is_named else None


def package_of(path: Path) -> str:
    name = name_of(path)
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def reached() -> set[str]:
    """The modules that the entries import, themselves or through others, at any time."""
    found, left = set(), list(ENTRIES)
    while left:
        path = left.pop()
        for module, name in imported(path, package_of(path)):
            for each in (module, f"{module}.{name}"):
                parts = each.split(".")
                for each in (".".join(parts[: count + 1]) for count in range(len(parts))):
                    if each in MODULES and each not in found:
                        found.add(each)
                        left.append(MODULES[each])
    return found | {name_of(path) for path in ENTRIES if path.is_relative_to(LIBRARY)}


def test_every_module_of_the_product_is_reached_from_what_runs_it():
    assert sorted(set(MODULES) - reached() - CONSOLE) == []


CONSOLE = {"GrayscaleDetSegLib.logic.file_spacing"}
"""What Slicer's console alone can call so far."""


def test_nothing_in_the_product_is_used_by_the_training_alone():
    """Functions, classes and constants: some module of the product imports each, or uses it where it is defined."""
    used = {each for path in MODULES.values() for each in imported(path, package_of(path))}
    used |= {(module, name) for module, path in MODULES.items() for name in read_in(path)}
    in_torch = {module for module, name in used if not name}  # whose names are looked up by those of descriptions
    through = {f"{base}.{name}" for path in MODULES.values() for base, name in attributes_in(path)}
    taken = {each for path in (ROOT / "training").rglob("*.py") for each in imported(path, "training")}
    lonely = [
        f"{module}.{name}"
        for module, name in sorted(taken - used)
        if module in MODULES and module not in in_torch and name and f"{module}.{name}" not in MODULES
        and f"{module.rpartition('.')[2]}.{name}" not in through
    ]  # fmt: skip
    assert sorted(set(lonely) - BOTH) == []


BOTH = {
    "GrayscaleDetSegLib.core.labels.mirrored",  # of the table of classes
    "GrayscaleDetSegLib.core.training_case.PIVOT",  # of the form of the cases that the panel saves
    "GrayscaleDetSegLib.core.training_case.POLARITY",
}


def read_in(path: Path) -> Iterator[str]:
    """The plain names that a module reads."""
    nodes = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Name))
    yield from (node.id for node in nodes if isinstance(node.ctx, ast.Load))


def attributes_in(path: Path) -> Iterator[tuple[str, str]]:
    """What a module reads of others by their name: ``boxes.iou``."""
    nodes = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Attribute))
    yield from ((node.value.id, node.attr) for node in nodes if isinstance(node.value, ast.Name))
