"""Figures of every object and method, kept as CSV and computed again only where something they depend on has changed.

Beside each file lies a JSON file of the same name with the digests of what went into it: weights, images, code.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch

from ..data import Case
from ..files import write_aside
from ..weights import sha256

TEXT = ("method", "set", "class", "name", "alteration")
"""Columns that hold words; all others hold numbers."""


class Store:
    """Rows of figures in a folder.

    Parameters
    ----------
    folder : Path
        Made when the first rows are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(
        self,
        name: str,
        depends: Mapping[str, str] | Callable[[], Mapping[str, str]],
        compute: Callable[[], list[dict]],
    ) -> list[dict]:
        """The rows of that name: the kept ones if they were computed from the same things, otherwise new ones.

        Parameters
        ----------
        name : str
            A path below the folder, without an ending.
        depends : mapping of str to str
            What the rows depend on, each with a digest or a setting in words. A callable that gives it is asked once
            more after `compute`, for what comes into being there.
        compute : callable
            Gives the rows; all have the same columns.
        """
        path = self.folder / f"{name}.csv"
        ask = depends if callable(depends) else lambda: depends
        if not self.is_current(path, ask()):
            keep_file(path, _to_csv(compute()).encode())
            self.settle(path, ask())
        with open(path, newline="", encoding="utf-8") as stream:
            return [
                {key: value if key in TEXT else float(value) for key, value in row.items()}
                for row in csv.DictReader(stream)
            ]

    def file(self, path: Path, depends: Mapping[str, str], make: Callable[[Path], None]) -> Path:
        """A file that `make` writes, unless it is there and was made from the same things."""
        if not self.is_current(path, depends):
            path.parent.mkdir(parents=True, exist_ok=True)
            make(path)
            self.settle(path, depends)
        return path

    def is_current(self, path: Path, depends: Mapping[str, str]) -> bool:
        """Whether a file is there and was made from these things; says what has changed where it was not."""
        key = _key(path)
        if not (path.exists() and key.exists()):
            return False
        kept = json.loads(key.read_text(encoding="utf-8"))
        changed = [name for name in {**kept, **depends} if kept.get(name) != depends.get(name)]
        if changed:
            print(f"{path.stem}: done again, as {', '.join(changed)} changed", file=sys.stderr, flush=True)
        return not changed

    def settle(self, path: Path, depends: Mapping[str, str]) -> None:
        """Note what a file was made from; only then it counts as finished."""
        keep_file(_key(path), (json.dumps(dict(depends), indent=1) + "\n").encode())


def _key(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def keep_file(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it, so that a cut leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, content)


def _to_csv(rows: list[dict]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]) if rows else list(TEXT), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def weights_digest(*parts: torch.nn.Module | Mapping[str, np.ndarray] | None) -> str:
    """Hexadecimal SHA-256 of the names, shapes, types and values of all tensors of some networks."""
    digest = hashlib.sha256()
    for part in parts:
        if part is None:
            continue
        tensors = part.state_dict() if isinstance(part, torch.nn.Module) else part
        for name, tensor in sorted(tensors.items()):
            values = np.ascontiguousarray(tensor.detach().cpu().numpy() if torch.is_tensor(tensor) else tensor)
            digest.update(f"{name} {values.shape} {values.dtype};".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()


def files_digest(folder: Path, pattern: str) -> str:
    """Hexadecimal SHA-256 of the names and contents of all files below a folder that match a pattern."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob(pattern)):
        digest.update(f"{path.relative_to(folder).as_posix()} {sha256(path)};".encode())
    return digest.hexdigest()


def cases_digest(cases: list[Case]) -> str:
    """Hexadecimal SHA-256 of the names, splits, pixels and label maps of cases, in their order."""
    digest = hashlib.sha256()
    for case in cases:
        facts = (case.set_name, case.name, case.split, case.labels, case.inverted, case.pixels.shape)
        digest.update(f"{facts} {case.pixels.dtype};".encode())
        digest.update(np.ascontiguousarray(case.pixels).tobytes())
        digest.update(np.ascontiguousarray(case.label_map).tobytes())
    return digest.hexdigest()


@cache
def code_digest(*sources: Path) -> str:
    """Hexadecimal SHA-256 of what Python files say, folders with all below; comments and docstrings do not count."""
    digest = hashlib.sha256()
    for source in sources:
        for path in sorted(source.rglob("*.py")) if source.is_dir() else [source]:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                body = getattr(node, "body", None)
                if isinstance(body, list):
                    node.body = [item for item in body if not _is_text(item)]
            digest.update(f"{path.name} {ast.dump(tree)};".encode())
    return digest.hexdigest()


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
