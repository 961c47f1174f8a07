"""The steps that a fine-tuning is made of. A method says by ``Method.trained_by`` which ones it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch

from GrayscaleDetSegLib.core.errors import MethodError
from GrayscaleDetSegLib.core.methods.base import Method
from GrayscaleDetSegLib.core.methods.registry import check_method, methods_of
from GrayscaleDetSegLib.core.plugins import said
from GrayscaleDetSegLib.core.weights import Bundle

from .context import Context
from .errors import FineTuningError

TRAINING = __package__.rpartition(".")[0]
"""The training, by the name that it has here: references that begin with a dot start from it."""


@dataclass(frozen=True)
class Trained:
    """What a network of the new bundle is.

    Parameters
    ----------
    tensors : mapping of str to tensor
    changes : mapping of str to JSON values
        What its entry in the manifest says otherwise than that of the bundle to start from, for example ``config``.
    """

    tensors: Mapping[str, torch.Tensor]
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """The training of one network, or of several that belong together.

    Parameters
    ----------
    name : str
        Of its folder in that of the run, and of its section in the configuration, if it has one.
    networks : tuple of str
        Those of the bundle that it starts from and makes anew.
    run : callable (Context, trained 2D detector) -> dict of str to Trained
        One for each of `networks`. What it has finished in a former session it only reads.
    """

    name: str
    networks: tuple[str, ...]
    run: Callable[[Context, torch.nn.Module], dict[str, Trained]]


def chosen_methods(start: Bundle, name: str | None) -> list[type[Method]]:
    """The method of that name, or all methods of a bundle that can be trained.

    Raises
    ------
    FineTuningError
        If the bundle has no such method, or it cannot be trained.
    """
    methods = methods_of(start)
    try:
        check_method(name, [method.name for method in methods], start.name)
    except MethodError as error:
        raise FineTuningError(str(error)) from error
    chosen = [method for method in methods if (method.trained_by if name is None else method.name == name)]
    if not chosen or not all(method.trained_by for method in chosen):
        who = f"The method '{name}' does not say" if name else f"No method of {start.name} says"
        raise FineTuningError(f"{who} how it is trained; choose another one with --method, or another model.")
    return chosen


def steps_of(methods: Sequence[type[Method]]) -> list[Step]:
    """The steps that some methods need, each once, in the order in which the methods say them.

    Raises
    ------
    FineTuningError
        If what a method says cannot be found.
    """
    steps: dict[str, Step] = {}
    for method in sorted(methods, key=lambda method: len(method.trained_by)):
        for reference in method.trained_by:
            module, _, name = reference.partition(":")
            try:
                step = getattr(import_module(module, TRAINING), name)
            except Exception as error:  # whatever goes wrong in a package of somebody else
                raise FineTuningError(
                    f"The method '{method.name}' cannot be trained: {reference} cannot be imported ({said(error)})."
                ) from error
            steps.setdefault(step.name, step)
    return list(steps.values())
