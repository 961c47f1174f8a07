"""Packages of somebody else, installed as pip would: a module, and metadata that name its entry points."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from GrayscaleDetSegLib.batch.writers import writers
from GrayscaleDetSegLib.core.methods.registry import registry
from GrayscaleDetSegLib.core.reading.readers import readers


def install(folder: Path, name: str, code: str, entry_points: Mapping[str, Mapping[str, str]]) -> Path:
    """Write a package (one module) to `folder`, which then only has to be on Python's path.

    Parameters
    ----------
    entry_points : mapping
        Group -> name -> "module:object".
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(textwrap.dedent(code), encoding="utf-8")
    describe(folder, name, entry_points)
    return folder


def describe(folder: Path, package: str, entry_points: Mapping[str, Mapping[str, str]], name: str = "") -> None:
    """Write the metadata of a package of whatever name, if not its own; entry points as for :func:`install`."""
    metadata, name = folder / f"{package}-1.0.dist-info", name or package
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, names in entry_points.items():
        lines += [f"[{group}]", *(f"{key} = {value}" for key, value in names.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The packages in `folder` are there meanwhile."""
    sys.path.insert(0, str(folder))
    _look_anew()
    before = set(sys.modules)
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]
        _look_anew()


def _look_anew() -> None:
    importlib.invalidate_caches()
    for found in (readers, writers, registry):
        found.cache_clear()
