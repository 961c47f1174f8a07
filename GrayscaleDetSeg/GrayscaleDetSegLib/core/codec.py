"""Dataclasses as plain values that JSON can hold, and back: the one way in which results are stored and reported.

What a type becomes follows from its annotations alone:

============================  =====================================================================
dataclass, NamedTuple         an object with a key for each field
tuple, list                   a list
dict with texts as keys       an object
ndarray                       exact: type, shape and bytes as text; readable: lists, rounded to 0.1
float that may be open        a number, or null for the infinity that its annotation names
Explanation                   an object with its ``kind``, see ``explanations``
============================  =====================================================================

The *exact* form loses nothing, and is what scenes keep; the *readable* one is for reports. Both are read alike. JSON
schemas are made of the same annotations, and of the descriptions in the docstrings, see ``core.schemas``.
"""

from __future__ import annotations

import ast
import base64
import dataclasses
import math
import sys
import zlib
from functools import cache
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

import numpy as np

from .errors import GrayscaleDetSegError
from .explanations.base import Explanation, UnknownExplanation

DIGITS = 1
"""Digits after the point that numbers of an array have in the readable form."""
LARGEST = 2**26
"""Bytes of an array at most, four for each pixel of a large radiograph: a document may claim anything."""


class CodecError(GrayscaleDetSegError, ValueError):
    """A value cannot be stored, or a document does not say what its type needs."""


def encode(value: Any, exact: bool = True) -> Any:
    """A value as plain ones: None, bool, int, float, str, list and dict.

    Raises
    ------
    CodecError
        If it holds something that has no plain form.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        if math.isnan(value):
            raise CodecError("NaN has no plain form")
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return _array(value) if exact else _lists(value)
    if isinstance(value, UnknownExplanation):
        return value.content
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if not exact and hasattr(value, "readable"):
            value = value.readable()
        own: Any = type(value)
        plain = {name: encode(getattr(value, name), exact) for name in fields(own)}
        if not exact:
            plain.update({name: encode(getattr(value, name), exact) for name in derived(own)})
        kind = getattr(own, "kind", None)
        return {"kind": kind, **plain} if isinstance(kind, str) else plain
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: encode(part, exact) for name, part in zip(value._fields, value)}
    if isinstance(value, (tuple, list)):
        return [encode(part, exact) for part in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: encode(part, exact) for key, part in value.items()}
    raise CodecError(f"{type(value).__name__} has no plain form")


def decode(kind: Any, plain: Any, **more: Any) -> Any:
    """The value of a type that :func:`encode` has made plain.

    `more` are fields of a dataclass that are known otherwise. Keys that the type does not know are left out, and those
    that are missing take the field's default.

    Raises
    ------
    CodecError
        If the plain value does not fit the type.
    """
    try:
        return _decoded(kind, plain, more)
    except CodecError:
        raise
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, zlib.error) as error:
        name = getattr(kind, "__name__", str(kind))
        raise CodecError(f"it says no {name} that can be read ({type(error).__name__}: {error})") from error


def check_storable(explanation: Any) -> None:
    """See to it that an explanation, or none, comes back as what it is.

    Raises
    ------
    CodecError
        If it does not.
    """
    if explanation is None:
        return
    if not isinstance(getattr(type(explanation), "kind", None), str) or not dataclasses.is_dataclass(explanation):
        raise CodecError(f"{type(explanation).__name__} is no dataclass with a kind")
    back = decode(type(explanation), encode(explanation))
    if type(back) is not type(explanation):
        raise CodecError(f"{type(explanation).__name__} comes back as another type")


@cache
def fields(kind: type) -> dict[str, Any]:
    """The fields of a dataclass or a NamedTuple that are stored, and their types, in order.

    A field is left out where its metadata say ``{"stored": False}``.
    """
    names = kind._fields if hasattr(kind, "_fields") else [
        field.name for field in dataclasses.fields(kind) if field.metadata.get("stored", True)
    ]  # fmt: skip
    return {name: _hint(kind, name) for name in names}


def derived(kind: type) -> dict[str, Any]:
    """The properties that the readable form says as well, and their types: those that a class names as `derived`."""
    names = getattr(kind, "derived", ())
    return {name: _evaluated(getattr(kind, name).fget.__annotations__["return"], kind.__module__) for name in names}


def _hint(kind: type, name: str) -> Any:
    for owner in kind.__mro__:
        annotation = owner.__dict__.get("__annotations__", {}).get(name)
        if annotation is not None:
            return _evaluated(annotation, owner.__module__)
    raise CodecError(f"{kind.__name__} says no type for {name}")


def _evaluated(annotation: Any, module: str) -> Any:
    """The type that an annotation means in a module; "A | B" works in Python 3.9 as well."""
    text = getattr(annotation, "__forward_arg__", annotation)
    if not isinstance(text, str):
        return text
    tree = ast.fix_missing_locations(_Unions().visit(ast.parse(text, mode="eval")))
    return eval(compile(tree, module, "eval"), {**vars(sys.modules[module]), "_U": Union})


class _Unions(ast.NodeTransformer):
    """Makes _U[A, B] of A | B."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        pair = ast.Tuple([node.left, node.right], ast.Load())
        return ast.Subscript(ast.Name("_U", ast.Load()), pair, ast.Load())


def _decoded(kind: Any, plain: Any, more: dict[str, Any] | None = None) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = arguments[1]
        return bounds.open if plain is None and bounds.open is not None else _decoded(arguments[0], plain)
    if origin is Union:
        if plain is None and type(None) in arguments:
            return None
        (kind,) = (each for each in arguments if each is not type(None))
        return _decoded(kind, plain)
    if kind is Any or origin is ClassVar:
        return plain
    if kind is Explanation:
        return _explanation(plain)
    if kind is np.ndarray:
        return _restored(plain) if isinstance(plain, dict) else np.asarray(plain, np.float32)
    if origin is tuple:
        _need(plain, list)
        inner = [arguments[0]] * len(plain) if arguments[1:] == (...,) else arguments
        if len(inner) != len(plain):
            raise CodecError(f"{len(plain)} numbers stand where {len(inner)} belong")
        return tuple(_decoded(each, part) for each, part in zip(inner, plain))
    if origin is dict:
        _need(plain, dict)
        return {key: _decoded(arguments[1], part) for key, part in plain.items()}
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        _need(plain, dict)
        known = {name: _decoded(hint, plain[name]) for name, hint in fields(kind).items() if name in plain}
        return kind(**{**known, **(more or {})})
    if kind is float:
        _need(plain, (int, float))
        return float(plain)
    _need(plain, kind)
    return plain


def _need(plain: Any, kind: Any) -> None:
    if not isinstance(plain, kind) or (isinstance(plain, bool) and kind is not bool):
        raise CodecError(f"a {type(plain).__name__} stands where another type belongs")


def _explanation(plain: Any) -> Any:
    _need(plain, dict)
    from .explanations.kinds import kind_of

    _need(plain["kind"], str)
    known = kind_of(plain["kind"])
    return UnknownExplanation(plain["kind"], plain) if known is None else _decoded(known, plain)


def _array(values: np.ndarray) -> dict:
    """An array bit for bit, its bytes as text."""
    if values.dtype.kind not in "fiub":
        raise CodecError(f"an array of {values.dtype} has no plain form")
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    data = base64.b64encode(zlib.compress(plain.tobytes(), 9)).decode()
    return {"dtype": plain.dtype.str, "shape": list(values.shape), "data": data}


def _restored(plain: dict) -> np.ndarray:
    kind, shape = np.dtype(plain["dtype"]), tuple(int(size) for size in plain["shape"])
    size = math.prod(shape) * kind.itemsize
    if kind.kind not in "fiub" or not 0 <= size <= LARGEST:
        raise CodecError("an array is of a type or a size that no result has")
    inflater = zlib.decompressobj()
    data = inflater.decompress(base64.b64decode(plain["data"]), size + 1)
    if len(data) != size:
        raise CodecError("an array has another size than it says")
    return np.frombuffer(data, kind).reshape(shape).astype(kind.newbyteorder("="))


def _lists(values: np.ndarray) -> list:
    if not np.isfinite(values).all():
        raise CodecError("an array that is not finite has no plain form")
    # adding 0 takes the sign off a negative zero
    return (np.round(values.astype(np.float64), DIGITS) + 0.0).tolist() if values.dtype.kind == "f" else values.tolist()
