"""The sections of the panel. Every module in this folder contains one, which the panel finds by itself."""

from __future__ import annotations

import importlib
import pkgutil

from ..section import Section


def found() -> list[type[Section]]:
    """The classes of all sections, from top to bottom of the panel.

    Raises
    ------
    TypeError
        If a module of this folder does not contain exactly one section.
    """
    kinds = []
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        module = importlib.import_module(f"{__name__}.{name}")
        own = [
            each
            for each in vars(module).values()
            if isinstance(each, type) and issubclass(each, Section) and each.__module__ == module.__name__
        ]
        if len(own) != 1:
            raise TypeError(f"{module.__name__} holds {len(own)} sections; put one class derived from Section there.")
        kinds += own
    return sorted(kinds, key=lambda kind: (kind.order, kind.__name__))
