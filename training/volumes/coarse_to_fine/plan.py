"""What is trained for the tables: the runs of ``configs/volumes/article_002.toml``, each once and each resuming."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib

from ...runs import RunError
from .. import rstn, step_wise

PLAN = Path(__file__).resolve().parents[2] / "configs" / "volumes" / "article_002.toml"
TRAININGS: dict[str, Callable[[list[str]], int]] = {"step_wise": step_wise.main, "rstn": rstn.main}
NETWORK, ORDERED = "network.pt", "ordered.toml"


@dataclass(frozen=True)
class Planned:
    """A training that the tables need.

    Parameters
    ----------
    name : str
        Of its folder.
    method : str
        One of `TRAININGS`.
    settings : dict
        The whole configuration.
    start : Planned or None
        Whose networks it begins with.
    """

    name: str
    method: str
    settings: dict[str, Any]
    start: Planned | None = None

    @property
    def slices(self) -> int:
        """Slices that it sees, each as often as it is drawn."""
        drawn = self.settings["epoch_length"] // self.settings["batch_size"] * self.settings["batch_size"]
        return drawn * sum(stage["epochs"] for stage in self.settings["stages"])

    def train(self, data: Path, output: Path, precision: str = "bf16", threads: int = 1) -> Path:
        """Train it, and before it what it begins with, if that has not been done; return its folder.

        Raises
        ------
        RunError
            If the training fails; it has said why.
        """
        run = output / self.name
        if (run / NETWORK).is_file():
            return run
        run.mkdir(parents=True, exist_ok=True)
        ordered = run / ORDERED
        ordered.write_text(toml(self.settings), encoding="utf-8")
        begin = []
        if self.start is not None:
            begin = ["--from", str(self.start.train(data, output, precision, threads))]
        code = TRAININGS[self.method](
            ["--data", str(data), "--config", str(ordered), "--output", str(run), "--precision", precision,
             "--threads", str(threads), *begin]
        )  # fmt: skip
        if code:
            raise RunError(f"The training of {self.name} has not ended well; see what it said.")
        return run


def read_plan(path: Path = PLAN) -> dict[str, Planned]:
    """All runs by name: each the base's settings, over them the method's, over them its own; or of a file beside it.

    A base may have one of its own, whose settings it has where it says nothing else. What a run begins with must stand
    before it; where ``start`` is empty it begins with nothing.
    """
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    found: dict[str, Planned] = {}
    for run in content["run"]:
        name, method = run["name"], run["method"]
        if "config" in run:
            settings = tomllib.loads((path.parent / run["config"]).read_text(encoding="utf-8"))
        else:
            own = {key: value for key, value in run.items() if key not in ("name", "base", "method")}
            settings = merged(merged(based(content["base"], run["base"]), content["method"][method]), own)
        start = settings.pop("start", "")
        found[name] = Planned(name, method, settings, found[start] if start else None)
    return found


def based(bases: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, Any]:
    """The settings of a base, over those of the one that it has itself."""
    own = dict(bases[name])
    parent = own.pop("base", None)
    return own if parent is None else merged(based(bases, parent), own)


def merged(first: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """One table with another over it; a target is taken whole, all other tables key by key."""
    result = dict(first)
    for key, value in over.items():
        deep = isinstance(value, Mapping) and isinstance(result.get(key), Mapping) and key != "target"
        result[key] = merged(result[key], value) if deep else value
    return result


def toml(settings: Mapping[str, Any]) -> str:
    """A configuration as text; tables one deep, and tables in lists."""
    tables = {key: value for key, value in settings.items() if isinstance(value, Mapping)}
    lists = {
        key: value for key, value in settings.items() if isinstance(value, list) and isinstance(value[0], Mapping)
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items() if key not in tables | lists]
    blocks = [(f"[{key}]", value) for key, value in tables.items()]
    blocks += [(f"[[{key}]]", each) for key, value in lists.items() for each in value]
    for title, table in blocks:
        lines += ["", title, *(f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"
