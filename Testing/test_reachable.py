"""The product holds what it uses itself: no module and no function is there for the training or for tests alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULE = ROOT / "GrayscaleDetSeg"
LIBRARY = MODULE / "GrayscaleDetSegLib"
ENTRIES = (MODULE / "GrayscaleDetSeg.py", MODULE / "Scripts" / "segment_folder.py", LIBRARY / "batch" / "main.py")
"""What runs the product: Slicer, the folder tool, the command."""
TABLE = re.compile(r"[a-z_.]+:[A-Za-z]+")
"""How a registry names what it loads on demand: ``box:Box``."""


def name_of(path: Path) -> str:
    parts = path.relative_to(MODULE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in LIBRARY.rglob("*.py")}


@lru_cache(maxsize=None)
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
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and TABLE.fullmatch(node.value):
            yield tuple(f"{package}.{node.value}".split(":"))


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
    assert sorted(set(MODULES) - reached()) == []


def test_nothing_in_the_product_is_used_by_the_training_alone():
    used = {(module, name) for path in LIBRARY.rglob("*.py") for module, name in imported(path, package_of(path))}
    lonely = []
    for path in (ROOT / "training").rglob("*.py"):
        for module, name in imported(path, "training"):
            if module in MODULES and f"{module}.{name}" not in MODULES and (module, name) not in used:
                if not is_used_within(MODULES[module], name) and (module, name) not in PUBLIC:
                    lonely.append(f"{module}.{name} ({path.relative_to(ROOT)})")
    assert not lonely


PUBLIC = {("GrayscaleDetSegLib.core.loading", "load_pipeline"), ("GrayscaleDetSegLib.core.reading", "read_radiograph")}
"""What others call: the console's interface, as the documentation has it."""


def is_used_within(path: Path, name: str) -> bool:
    """Whether a module uses one of its names outside of that name's own definition, or through the module's name."""
    for node in tree_of(path).body:
        if getattr(node, "name", None) == name:
            continue
        if any(isinstance(each, ast.Name) and each.id == name and is_read(each) for each in ast.walk(node)):
            return True
    through = re.compile(rf"\b{re.escape(path.stem)}\.{re.escape(name)}\b")
    return any(through.search(each.read_text(encoding="utf-8")) for each in LIBRARY.rglob("*.py"))


def is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)
