"""Parts of the program that other installed packages can add to, by entry points; nothing of theirs can break it.

A package names its object, or a class that is called without arguments, under the entry points of a group. What is
wrong with one is said in one sentence, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Part = TypeVar("Part")

HERE = "GrayscaleDetSeg"
"""The source of the parts that come with the software."""


@dataclass(frozen=True)
class Plugin(Generic[Part]):
    """A part and where it comes from, as messages name it."""

    part: Part
    source: str

    @property
    def is_built_in(self) -> bool:
        """Whether it comes with the software."""
        return self.source == HERE


@dataclass(frozen=True)
class Plugins(Generic[Part]):
    """All parts of a kind, those that come with the software first.

    Parameters
    ----------
    plugins : tuple of Plugin
    problems : tuple of str
        One sentence for each package whose part cannot be used.
    """

    plugins: tuple[Plugin[Part], ...]
    problems: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts alone."""
        return tuple(plugin.part for plugin in self.plugins)


def plugins_of(
    group: str,
    kind: str,
    built_in: Sequence[Part],
    problem_of: Callable[[Any, Sequence[Part]], str],
    entry_points: Iterable[Any] | None = None,
) -> Plugins[Part]:
    """The parts that come with the software, and those that installed packages add.

    Parameters
    ----------
    group : str
        Of the entry points.
    kind : str
        What a part is, for messages.
    problem_of : callable (part, parts before it) -> str
        Why an object cannot be such a part, as the rest of a sentence; empty if it can.
    entry_points : iterable, optional
        In place of those of the installed packages.
    """
    plugins, problems = [Plugin(part, HERE) for part in built_in], []
    for entry in installed(group) if entry_points is None else entry_points:
        source = source_of(entry)
        try:
            loaded = entry.load()
            part = loaded() if isinstance(loaded, type) else loaded
            reason = problem_of(part, [plugin.part for plugin in plugins])
        except Exception as error:  # whatever goes wrong in a package of somebody else
            reason = f"it cannot be imported ({said(error)})"
        if reason:
            problems.append(f"The {kind} '{entry.name}' of {source} cannot be used: {reason}; update or uninstall it.")
        else:
            plugins.append(Plugin(part, source))
    return Plugins(tuple(plugins), tuple(problems))


def said(error: BaseException) -> str:
    """An error of somebody else's code on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def installed(group: str) -> list[Any]:
    """The entry points of a group, each once; nothing is imported."""
    from importlib.metadata import entry_points

    found: Any = entry_points()
    of_group = found.select(group=group) if hasattr(found, "select") else found.get(group, ())  # Python 3.9
    return list({(each.name, each.value): each for each in of_group}.values())  # a package may lie on the path twice


def source_of(entry_point: Any) -> str:
    """The distribution of an entry point, as far as Python tells (from 3.10 on), else its module."""
    distribution = getattr(entry_point, "dist", None)
    name = entry_point.value.partition(":")[0] if distribution is None else distribution.metadata["Name"]
    return f"the package {name}"
