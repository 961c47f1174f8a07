"""Which methods there are: those that come with the software, and those of other installed packages.

A package of somebody else names its class under the entry points ``grayscale_detseg.methods``. What is wrong with one
is said in one sentence, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import MethodError
from ..plugins import HERE, installed, said, source_of
from .base import Method

if TYPE_CHECKING:
    from ..weights import Bundle

GROUP = "grayscale_detseg.methods"
"""The entry points of other packages: name of the method = module:class."""

BUILT_IN = {
    "surfaces": "surfaces:Surfaces",
    "box": "box:Box",
    "rstn": "rstn:Rstn",
    "step_wise": "step_wise:StepWise",
    "organ_then_part": "organ_then_part:OrganThenPart",
    "lsnet": "lsnet:LSNet",
    "detection_attention": "detection_attention:DetectionAttention",
}
"""Modules beside this one, which need no installation; a model's own method is the first here that it has."""


@dataclass(frozen=True)
class Entry:
    """One method, not imported yet.

    Parameters
    ----------
    name : str
    source : str
        Where it comes from, for messages.
    load : callable () -> type
    """

    name: str
    source: str
    load: Callable[[], type]


class Registry:
    """The methods by name; nothing is imported before a class is asked for, and each at most once.

    Parameters
    ----------
    entries : iterable of Entry
        Of two with one name the first counts where it is built in; else neither.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: dict[str, Entry] = {}
        self._problems: dict[str, str] = {}
        self._broken: set[str] = set()
        self._loaded: dict[str, type[Method]] = {}
        for entry in entries:
            first = self._entries.setdefault(entry.name, entry)
            if first is not entry:
                both = f"{first.source} and {entry.source}"
                self._problems[entry.name] = f"Two methods are called '{entry.name}', by {both}; uninstall one of them."
        for name in self._problems:
            if self._entries[name].source != HERE:
                del self._entries[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all methods, those that come with the software first; whether they work isn't known yet."""
        return tuple(self._entries)

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with methods of other packages, one sentence for each; of those that were asked for."""
        return tuple(self._problems.values())

    def get(self, name: str) -> type[Method]:
        """The class of a method.

        Raises
        ------
        MethodError
            If there is no such method, or its package is broken.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def usable(self) -> list[type[Method]]:
        """The classes of all methods that work; what is wrong with the others, :attr:`problems` says."""
        found = []
        for name in self.names:
            try:
                found.append(self.get(name))
            except MethodError:
                continue
        return found

    def titles(self) -> dict[str, str]:
        """What people read in lists, by name, of all methods that work."""
        return {method.name: method.title for method in self.usable()}

    def title(self, name: str) -> str:
        """What people read of a method; its name where it isn't installed here."""
        try:
            return self.get(name).title
        except MethodError:
            return name

    def _load(self, name: str) -> type[Method]:
        entry = self._entries.get(name)
        if entry is None or name in self._broken:
            text = self._problems.get(name) or f"There is no method '{name}': choose one of {', '.join(self.names)}."
            raise MethodError(text)
        try:
            method = entry.load()
            problem = _problem_of(method, name)
        except Exception as error:  # whatever goes wrong in a package of somebody else
            problem = f"it cannot be imported ({said(error)})"
        if problem:
            text = f"The method '{name}' of {entry.source} cannot be used: {problem}; update or uninstall it."
            self._problems[name] = text
            self._broken.add(name)
            raise MethodError(text)
        return method


def _problem_of(method: object, name: str) -> str:
    """Why a class cannot be a method, or nothing."""
    if not isinstance(method, type) or not issubclass(method, Method):
        return "it is no class derived from methods.base.Method"
    absent = [each for each in ("name", "title") if not isinstance(getattr(method, each, None), str)]
    if absent:
        return f"its class says no {' and no '.join(absent)}"
    if method.name != name:
        return f"its class calls itself '{method.name}'"
    unmade = sorted(getattr(method, "__abstractmethods__", ()))
    if unmade:
        return f"its class lacks {', '.join(unmade)}"
    return ""


def built_in() -> list[Entry]:
    """The methods that come with the software."""
    return [Entry(name, HERE, _loader(target)) for name, target in BUILT_IN.items()]


@lru_cache(maxsize=1)
def registry() -> Registry:
    """The methods of this process; ``registry.cache_clear()`` looks for installed packages anew."""
    return Registry([*built_in(), *(Entry(each.name, source_of(each), each.load) for each in installed(GROUP))])


def methods_of(bundle: Bundle, known: Registry | None = None) -> list[type[Method]]:
    """The methods that a model bundle can be segmented by, its own first, by its manifest alone.

    Its own is the one that the manifest names under "method", else the first that it has networks for; a bundle without
    one is no model, and has none at all. A method whose package is broken is left out, see :attr:`Registry.problems`.
    Methods for volumes are in bundles that say so, and no others.
    """
    kind, usable = bundle.dimensions, (known or registry()).usable()
    methods = [method for method in usable if method.takes(kind) and method.is_in(bundle)]
    named = bundle.manifest.get("method")
    methods.sort(key=lambda method: (method.name != named, not method.networks))
    has_own = bool(methods) and (methods[0].name == named or bool(methods[0].networks))
    return methods if has_own else []


def check_method(method: str | None, names: Collection[str], model: str) -> None:
    """See to it that a method is one of those that a model has, by their names; None is always there.

    Raises
    ------
    MethodError
        If it is none of them.
    """
    if method is not None and method not in names:
        raise MethodError(
            f"The model {model or 'in use'} has no method '{method}': choose one of {', '.join(names)}, or another "
            "model."
        )


def _loader(target: str) -> Callable[[], type]:
    module, _, name = target.partition(":")
    return lambda: getattr(import_module(f"{__package__}.{module}"), name)
