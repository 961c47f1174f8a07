"""PyTorch's networks of the parts that describe them: the same tensors under the same names, the same ``forward``."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any, ClassVar, TypeVar

import torch
from torch import nn

from . import parts, torch_operations

Layer = TypeVar("Layer", bound=nn.Module)

_LAYERS: dict[type, Callable[[Any], nn.Module]] = {
    parts.Same: lambda part: nn.Identity(),
    parts.Parts: lambda part: nn.ModuleList(map(mirrored, part)),
    parts.Sequence: lambda part: nn.Sequential(*map(mirrored, part.children().values())),
    parts.Convolution: lambda part: nn.Conv2d(
        part.inputs, part.outputs, part.size, part.stride, part.size // 2, bias=part.has_bias
    ),
    parts.Linear: lambda part: nn.Linear(part.inputs, part.outputs, part.has_bias),
    parts.BatchNorm: lambda part: (nn.BatchNorm2d if part.axes else nn.BatchNorm1d)(
        part.channels, part.epsilon, part.momentum
    ),
    parts.Relu: lambda part: nn.ReLU(inplace=True),
    parts.MaxPool: lambda part: nn.MaxPool2d(part.size),
    parts.Dropout: lambda part: nn.Dropout(part.share),
}


class TorchPart(nn.Module):
    """A part in PyTorch. ``class Name(TorchPart, describes=parts_name)`` takes over all that the description says.

    Its instances are made as those of the description are. The children are PyTorch's; attributes are those of the
    description; and so are the methods, which find PyTorch's operations under ``self.operations``.
    """

    operations = torch_operations
    _made: ClassVar[dict[type, type[TorchPart]]] = {}
    describes: ClassVar[type[parts.Part]]

    def __init_subclass__(cls, describes: type[parts.Part] | None = None, **other: Any) -> None:
        super().__init_subclass__(**other)
        if describes is None:
            return
        cls.describes = describes
        TorchPart._made[describes] = cls
        for kind in describes.__mro__[: describes.__mro__.index(parts.Part)]:
            for name, value in vars(kind).items():
                is_ours = name in cls.__dict__ or name.startswith("__")
                if not is_ours and (isinstance(value, (FunctionType, property)) or not callable(value)):
                    setattr(cls, name, value)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__()
        self._take(self.describes(*given, **named))

    @classmethod
    def of(cls, part: parts.Part) -> TorchPart:
        """The network of a part that is there already."""
        made = cls.__new__(cls)
        nn.Module.__init__(made)
        made._take(part)
        return made

    def _take(self, part: parts.Part) -> None:
        for name, value in vars(part).items():
            setattr(self, name, mirrored(value) if isinstance(value, parts.Part) else value)
        with torch.no_grad():
            self.begin()

    def begin(self) -> None:
        """Give a new network the weights to begin a training with, where they are not PyTorch's own."""


def mirrors(kind: type[parts.Part]) -> Callable[[type[Layer]], type[Layer]]:
    """Marks a PyTorch layer that is made of one of our layers by its class method ``of``."""

    def mark(layer: type[Layer]) -> type[Layer]:
        _LAYERS[kind] = layer.of  # type: ignore[attr-defined]  # which mypy cannot ask of a PyTorch module
        return layer

    return mark


def mirrored(part: parts.Part) -> nn.Module:
    """PyTorch's network of a part, with new weights."""
    kind = type(part)
    if kind.torch_module is not None:
        import_module(f"{kind.__module__.rpartition('.')[0]}.{kind.torch_module}")
    if kind in _LAYERS:
        return _LAYERS[kind](part)
    if kind not in TorchPart._made:
        type(kind.__name__, (TorchPart,), {"__doc__": kind.__doc__, "__module__": __name__}, describes=kind)
    return TorchPart._made[kind].of(part)
