"""The parts of networks: what they are made of, described once, and computed by numpy.

A part's children are its attributes that are parts, in the order in which they were set; their names make the names of
the tensors, as in PyTorch. A network is written as one in PyTorch is: layers in ``__init__``, and ``forward``. What is
done between the layers, `forward` takes from ``self.operations``, so that ``torch_parts`` can run it on tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from . import operations


class Part:
    """A part of a network. Derived classes set their children in ``__init__`` and say what becomes of an input."""

    operations: ClassVar[ModuleType] = operations
    torch_module: ClassVar[str | None] = None
    """The module, beside its own, that has the part's counterpart in PyTorch, where ``torch_parts`` can't make it."""

    def __call__(self, *inputs: Any) -> Any:
        return self.forward(*inputs)

    def forward(self, *inputs: Any) -> Any:
        """What the part computes of its inputs; NotImplementedError where a part lacks it."""
        raise NotImplementedError

    def children(self) -> dict[str, Part]:
        """The parts that this one is made of, by name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Part)}

    def parts(self, prefix: str = "") -> Iterator[tuple[str, Part]]:
        """This part and all below it, with their full names."""
        yield prefix, self
        for name, child in self.children().items():
            yield from child.parts(f"{prefix}.{name}" if prefix else name)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the part's own tensors, by name."""
        return {}

    def take(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the part's own tensors, float32, by name."""

    def load(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take the tensors of this part and all below it, and fold batch norms into the layers before them.

        Raises
        ------
        ValueError
            If a tensor is missing, too many, of another shape, or holds what is no number.
        """
        wanted = {}
        for prefix, part in self.parts():
            for name, shape in part.shapes().items():
                wanted[f"{prefix}.{name}" if prefix else name] = shape
        given = {name: values for name, values in tensors.items() if not name.endswith(COUNTER)}
        for name in wanted:
            if name not in given:
                raise ValueError(f"the tensor '{name}' is missing")
        for name, values in given.items():
            if name not in wanted:
                raise ValueError(f"there is no place for the tensor '{name}'")
            if values.shape != wanted[name]:
                raise ValueError(f"the tensor '{name}' has the shape {values.shape} instead of {wanted[name]}")
            if not np.isfinite(values).all():
                raise ValueError(f"the tensor '{name}' holds values that are no finite numbers")
        for prefix, part in self.parts():
            part.take({name: given[f"{prefix}.{name}" if prefix else name] for name in part.shapes()})
        for _, part in list(self.parts()):
            part.fold()

    def fold(self) -> None:
        """Fold every batch norm among the children into the layer right before it, whose output it normalises."""
        children = list(self.children().items())
        for (_, layer), (name, norm) in zip(children, children[1:]):
            if isinstance(layer, (Convolution, Linear)) and isinstance(norm, BatchNorm):
                layer.scale(*norm.factors())
                setattr(self, name, Same())


COUNTER = "num_batches_tracked"
"""What PyTorch's batch norms count in training; nothing is computed with it."""


class Same(Part):
    """Nothing is done."""

    def forward(self, values):
        """`values`."""
        return values


class Sequence(Part):
    """Parts after each other, called "0", "1", ..."""

    def __init__(self, *parts: Part) -> None:
        self.names = tuple(map(str, range(len(parts))))
        for name, part in zip(self.names, parts):
            setattr(self, name, part)

    def forward(self, values):
        """What all parts make of `values`, one after the other."""
        for name in self.names:
            values = getattr(self, name)(values)
        return values


class Parts(Part):
    """A list of parts, called "0", "1", ..., which its owner calls."""

    def __init__(self, parts) -> None:
        for number, part in enumerate(parts):
            setattr(self, str(number), part)

    def __iter__(self) -> Iterator[Part]:
        return iter(self.children().values())

    def __reversed__(self) -> Iterator[Part]:
        return reversed(list(self))

    def __len__(self) -> int:
        return len(self.children())

    def __getitem__(self, index):
        return list(self)[index]


class Convolution(Part):
    """A convolution of maps (batch, inputs, rows, columns) with an odd kernel and zeros around them.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    size, stride : int
    bias : bool
    """

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1, bias: bool = True) -> None:
        self.inputs, self.outputs, self.size, self.stride, self.has_bias = inputs, outputs, size, stride, bias
        self.kernel: np.ndarray  # (size, size, inputs, outputs); not before `take`
        self.bias: np.ndarray | None = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`Part`."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.outputs, self.inputs, self.size, self.size)}
        return {**shapes, "bias": (self.outputs,)} if self.has_bias else shapes

    def take(self, tensors: Mapping[str, np.ndarray]) -> None:
        """See :class:`Part`."""
        self.kernel = np.ascontiguousarray(tensors["weight"].transpose(2, 3, 1, 0), np.float32)
        self.bias = np.asarray(tensors["bias"], np.float32) if self.has_bias else None

    def scale(self, factor: np.ndarray, shift: np.ndarray) -> None:
        """Multiply and shift what comes out, by a factor and a shift (outputs,) for each channel."""
        self.kernel, self.bias = self.kernel * factor, shift if self.bias is None else self.bias * factor + shift

    def forward(self, maps):
        """Maps (batch, outputs, rows, columns), the latter two divided by the stride."""
        return operations.convolved(maps, self.kernel, self.bias, self.stride)


class Linear(Part):
    """A matrix product with rows of numbers (..., inputs).

    Parameters
    ----------
    inputs, outputs : int
    bias : bool
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        self.inputs, self.outputs, self.has_bias = inputs, outputs, bias
        self.matrix: np.ndarray  # (inputs, outputs); not before `take`
        self.bias: np.ndarray | None = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`Part`."""
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.outputs, self.inputs)}
        return {**shapes, "bias": (self.outputs,)} if self.has_bias else shapes

    def take(self, tensors: Mapping[str, np.ndarray]) -> None:
        """See :class:`Part`."""
        self.matrix = np.ascontiguousarray(tensors["weight"].T, np.float32)
        self.bias = np.asarray(tensors["bias"], np.float32) if self.has_bias else None

    def scale(self, factor: np.ndarray, shift: np.ndarray) -> None:
        """Multiply and shift what comes out, by a factor and a shift (outputs,) for each number."""
        self.matrix, self.bias = self.matrix * factor, shift if self.bias is None else self.bias * factor + shift

    def forward(self, rows):
        """(..., outputs)."""
        found = rows.reshape(-1, self.inputs) @ self.matrix
        if self.bias is not None:
            found += self.bias
        return found.reshape(*rows.shape[:-1], self.outputs)


class BatchNorm(Part):
    """A batch norm in use: every channel, the second axis, is shifted and scaled by what the training has seen.

    Parameters
    ----------
    channels : int
    axes : int
        Of maps 2, of rows 0.
    momentum : float
        Of the training.
    """

    epsilon = 1e-5

    def __init__(self, channels: int, axes: int = 2, momentum: float = 0.1) -> None:
        self.channels, self.axes, self.momentum = channels, axes, momentum
        self.factor: np.ndarray  # not before `take`
        self.shift: np.ndarray

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """See :class:`Part`."""
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.channels,))

    def take(self, tensors: Mapping[str, np.ndarray]) -> None:
        """See :class:`Part`."""
        values = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
        if (values["running_var"] < 0.0).any():
            raise ValueError("a variance of a batch norm is negative")
        self.factor = values["weight"] / np.sqrt(values["running_var"] + self.epsilon)
        self.shift = values["bias"] - values["running_mean"] * self.factor

    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """What every channel is multiplied with, and what is added then, float32."""
        return self.factor.astype(np.float32), self.shift.astype(np.float32)

    def forward(self, values):
        """The same shape."""
        factor, shift = (each.reshape(-1, *(1,) * self.axes) for each in self.factors())
        return values * factor + shift


class Relu(Part):
    """0 in place of what is negative."""

    def forward(self, values):
        """`values`, changed."""
        return operations.relu(values)


class MaxPool(Part):
    """The maximum of each size x size places."""

    def __init__(self, size: int) -> None:
        self.size = size

    def forward(self, maps):
        """Maps of `size` times fewer rows and columns."""
        return operations.max_pool(maps, self.size)


class Dropout(Part):
    """In training a share of the numbers is dropped; in use nothing is done."""

    def __init__(self, share: float) -> None:
        self.share = share

    def forward(self, values):
        """`values`."""
        return values
