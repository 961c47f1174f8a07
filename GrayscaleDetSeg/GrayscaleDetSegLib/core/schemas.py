"""JSON schemas of what ``core.codec`` writes in its readable form: from annotations, and from the docstrings' words."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Annotated, Any, Union, get_args, get_origin

import numpy as np

from . import codec
from .explanations.base import Explanation
from .explanations.thresholds import Thresholds

_PLAIN = {float: "number", int: "integer", bool: "boolean", str: "string"}


def schema_of(kind: type, title: str) -> dict[str, Any]:
    """The schema of a document of this type."""
    definitions: dict[str, Any] = {}
    whole = _of_object(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **whole,
        "$defs": dict(sorted(definitions.items())),
    }


def _of(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds, inner = arguments[1], _of(arguments[0], definitions)
        if bounds.open is not None:
            inner = {**inner, "type": [inner["type"], "null"]}
        limits = {name: getattr(bounds, name) for name in ("minimum", "maximum")}
        return {**inner, **{name: value for name, value in limits.items() if value is not None}}
    if origin is Union:
        (kind,) = (each for each in arguments if each is not type(None))
        inner = _of(kind, definitions)
        if isinstance(inner.get("type"), str):
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}
    if kind is Any:
        return {}
    if kind is Explanation:
        return _explanation(definitions)
    if kind is np.ndarray:
        return {"type": "array", "minItems": 1}
    if origin is tuple:
        length = {} if arguments[1:] == (...,) else {"minItems": len(arguments), "maxItems": len(arguments)}
        return {"type": "array", "items": _of(arguments[0], definitions), **length}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions)}
    if kind in _PLAIN:
        return {"type": _PLAIN[kind]}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}  # it may hold itself
        definitions[kind.__name__] = _of_object(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _of_object(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    summary, texts = described(kind)
    properties: dict[str, Any] = {}
    if isinstance(getattr(kind, "kind", None), str):
        properties["kind"] = {"const": kind.kind}
    for name, hint in {**codec.fields(kind), **codec.derived(kind)}.items():
        text = texts.get(name)
        properties[name] = {**({"description": text} if text else {}), **_of(hint, definitions)}
    return {
        "description": summary,
        "type": "object",
        "additionalProperties": dataclasses.is_dataclass(kind),
        "required": list(properties),
        "properties": properties,
    }


def _explanation(definitions: dict[str, Any]) -> dict[str, Any]:
    """Thresholds, or what the method of another package explains its masks by."""
    other = {"kind": {"type": "string", "not": {"const": Thresholds.kind}}}
    return {"anyOf": [_of(Thresholds, definitions), {"type": "object", "required": ["kind"], "properties": other}]}


def described(kind: type) -> tuple[str, dict[str, str]]:
    """The first paragraph of a class's docstring, and what its section "Parameters" says of each field.

    Fields that come from a base class need no second description: what the base says of them counts.
    """
    texts: dict[str, str] = {}
    entry = re.compile(r"^(\w[\w, ]*)(?: : [^\n]*)?\n((?:    [^\n]+\n?)*)", re.MULTILINE)
    for each in (base for base in reversed(kind.__mro__) if base is not object):
        summary, _, rest = inspect.cleandoc(each.__doc__ or "").partition("\n\n")
        section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n[A-Z]\w+\n-+\n|\Z)", rest, re.DOTALL)
        for names, text in entry.findall(section[1]) if section else ():
            for name in names.split(", "):
                texts[name] = _plain(text)
    return _plain(summary), {name: text for name, text in texts.items() if text}


def _plain(text: str) -> str:
    """A docstring's words on one line, without its mark-up."""
    return re.sub(r":\w+:`~?\.*([^`]+)`|`+([^`]+)`+", lambda found: found[1] or found[2], " ".join(text.split()))
