"""PySide6 under the conventions of PythonQt, through which Slicer's Python sees Qt.

Confirmed against commontk/PythonQt (patched-9: PythonQtClassInfo, PythonQtInstanceWrapper, PythonQtStdDecorators,
PythonQtSignalReceiver). While `conventions` are applied, for all classes of QtCore, QtGui and QtWidgets:

- a Qt property is an attribute and comes before a method of its name (`button.text`, `widget.width`); `name` is the
  objectName; values are converted loosely (anything to text, a float to an int); setters stay (`setText`);
- `QTimer.singleShot` is the exception: the static method, never the property;
- an attribute that Qt does not know cannot be set on an object of Qt's own classes;
- `connect("signal(type)", callable)` and `obj.signal.connect(callable)` hold the callable strongly, pass a Python
  function no more arguments than it takes, and return whether it worked; calling a signal emits it;
- a method whose result is of a type that PythonQt does not know cannot be called: `widget.fontMetrics()` raises, and
  `qt.QFontMetrics(widget.font)` is the way (seen in Slicer 5.8.1);
- `findChildren` takes a class or a class name, and, as there, does not look below a child with another name.

Stricter than the real one: connecting to a signal that does not exist raises, instead of a line on the console.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets
from shiboken6 import Shiboken

CONVERT: dict[str, Callable[[Any], Any]] = {"bool": bool, "int": int, "double": float, "QString": str}
NATIVE_CONNECT, NATIVE_DISCONNECT = QtCore.QObject.connect, QtCore.QObject.disconnect
NATIVE_SETATTR, NATIVE_GETATTRIBUTE = QtCore.QObject.__setattr__, QtCore.QObject.__getattribute__
MISSING = object()


class Attribute:
    """A Qt property as an attribute; asked of the class it is what was there before."""

    def __init__(self, owner: type, meta: QtCore.QMetaProperty, original: Any):
        self.name, self.kind, self.original = meta.name(), meta.typeName(), original
        self.writable = meta.isWritable()
        named = self.name[:1].upper() + self.name[1:]
        getters = (original, *(getattr(owner, prefix + named, None) for prefix in ("is", "has")))
        self.getter = next((getter for getter in getters if inspect.ismethoddescriptor(getter)), None)
        self.setter = getattr(owner, "set" + named, None)

    def __get__(self, obj, owner=None):
        if obj is None:
            return self.original
        return obj.property(self.name) if self.getter is None else self.getter(obj)

    def __set__(self, obj, value):
        if not self.writable:
            raise AttributeError(f"Property '{self.name}' of {class_name(obj)} object is not writable")
        convert = CONVERT.get(self.kind, lambda same: same)
        try:
            accepted = obj.setProperty(self.name, convert(value))
        except (TypeError, ValueError):
            accepted = False
        if not accepted and isinstance(value, enum.Enum) and self.setter:  # which older PySide6 do not convert
            accepted = self.setter(obj, value) is None
        if not accepted:
            raise AttributeError(f"Property '{self.name}' of type '{self.kind}' does not accept {value!r}")


class SignalAttribute:
    """A signal as an attribute."""

    def __init__(self, name: str, original: Any):
        self.name, self.original = name, original

    def __get__(self, obj, owner=None):
        return self.original if obj is None else BoundSignal(obj, self)

    def __set__(self, obj, value):
        if not isinstance(value, QtCore.SignalInstance):  # which PySide6 would keep on the object
            raise AttributeError(f"Signal '{self.name}' can not be overwritten on {class_name(obj)} object")


class BoundSignal:
    """PythonQtSignalFunction: `connect`, `disconnect`, `emit`, and emitting by a call."""

    def __init__(self, obj: QtCore.QObject, attribute: SignalAttribute):
        self._obj, self._attribute = obj, attribute

    def connect(self, callable_: Callable) -> bool:
        return connect(self._obj, self._attribute.name, callable_)

    def disconnect(self, callable_: Callable | None = None) -> bool:
        return disconnect(self._obj, self._attribute.name, callable_)

    def emit(self, *arguments) -> None:
        """The first overload with as many arguments; `emit_overload` takes another."""
        known = [text for text in signals_of(type(self._obj)) if text.startswith(self._attribute.name + "(")]
        fits = [text for text in known if len(parameters(text)) == len(arguments)]
        if not fits:
            raise ValueError(f"{' or '.join(known)} does not take {arguments!r}")
        emit_overload(self._obj, fits[0], *arguments)

    __call__ = emit


# Signals

_links: dict[int, list[tuple[str, Callable, QtCore.QMetaObject.Connection]]] = {}


def class_name(obj: QtCore.QObject) -> str:
    return type(obj).__name__


@cache  # and never obj.metaObject(): PySide6 takes that away from the class when the object is deleted
def signals_of(kind: type) -> list[str]:
    """The signatures of its signals, of its base classes first."""
    meta = kind.staticMetaObject
    methods = [meta.method(index) for index in range(meta.methodCount())]
    signals = [each for each in methods if each.methodType() == QtCore.QMetaMethod.Signal]
    return [each.methodSignature().data().decode() for each in signals]


def find_signal(obj: QtCore.QObject, wanted: str) -> str:
    """The signature of a signal given by signature or by name (then its first overload)."""
    known = signals_of(type(obj))
    if "(" in wanted:
        wanted = re.sub(r"\b(vtk|qMRML|qSlicer)\w+\s*\*", "PyObject", wanted)  # as stand-ins in Python declare them
        wanted = re.sub(r"const\s+([^,()]*?)\s*&|\s+", r"\1", wanted)  # as Qt normalizes them
        found = [signature for signature in known if signature == wanted]
    else:
        found = [signature for signature in known if signature.startswith(wanted + "(")]
    if not found:
        raise ValueError(f"the signal '{wanted}' does not exist on {class_name(obj)}")
    return found[0]


def parameters(signature: str) -> list[str]:
    inside = signature.partition("(")[2].rstrip(")")
    return inside.split(",") if inside else []


def emit_overload(obj: QtCore.QObject, signature: str, *arguments) -> None:
    obj.emit(QtCore.SIGNAL(signature), *arguments)


def accepted_arguments(callable_: Callable) -> int | None:
    """How many arguments of a signal a Python function or method takes; None for all."""
    function = callable_.__func__ if inspect.ismethod(callable_) else callable_
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return None
    return function.__code__.co_argcount - (function is not callable_)


def connect(sender: QtCore.QObject, signal: str, receiver: Any, slot: str | None = None, *_) -> bool:
    """`connect(signal, callable)`, or `connect(signal, receiver, "slot()")`."""
    signature = find_signal(sender, signal)
    callable_ = receiver if slot is None else getattr(receiver, slot.partition("(")[0])
    count = accepted_arguments(callable_) if slot is None else (0 if slot.endswith("()") else None)

    def call(*arguments):
        callable_(*arguments[:count])

    key = Shiboken.getCppPointer(sender)[0]
    if key not in _links:
        _links[key] = []
        NATIVE_CONNECT(sender, QtCore.SIGNAL("destroyed()"), lambda: _links.pop(key, None))
    _links[key].append((signature, callable_, NATIVE_CONNECT(sender, QtCore.SIGNAL(signature), call)))
    return True


def disconnect(sender: QtCore.QObject, signal: str, receiver: Any = None, slot: str | None = None) -> bool:
    """Ends the first connection to that callable, or all without one; False where there is none."""
    signature = find_signal(sender, signal)
    callable_ = receiver if slot is None else getattr(receiver, slot.partition("(")[0])
    links = _links.get(Shiboken.getCppPointer(sender)[0], [])
    found = [link for link in links if link[0] == signature and callable_ in (None, link[1])]
    for link in found if callable_ is None else found[:1]:
        links.remove(link)
        NATIVE_DISCONNECT(link[2])
    return bool(found)


def connections(obj: QtCore.QObject) -> list[tuple[str, Callable]]:
    """For tests: what is connected to the object's signals from Python."""
    return [(signature, callable_) for signature, callable_, _ in _links.get(Shiboken.getCppPointer(obj)[0], [])]


# Objects


def is_kind(obj: QtCore.QObject, kind: type | str) -> bool:
    return obj.inherits(kind) if isinstance(kind, str) else isinstance(obj, kind)


def find_children(parent: QtCore.QObject, kind: type | str, name: str | None = None) -> list[QtCore.QObject]:
    found = []
    for child in parent.children():
        if name is None or child.objectName == name:
            found += [child] * is_kind(child, kind) + find_children(child, kind, name)
    return found


def find_child(parent: QtCore.QObject, kind: type | str, name: str | None = None) -> QtCore.QObject | None:
    for child in parent.children():
        if (name is None or child.objectName == name) and is_kind(child, kind):
            return child
    below = (find_child(child, kind, name) for child in parent.children())
    return next((child for child in below if child is not None), None)


def guarded_setattr(obj: QtCore.QObject, name: str, value: Any) -> None:
    """Python subclasses take any attribute, Qt's own classes and their stand-ins only what they know."""
    kind = type(obj)
    if kind.__module__.startswith(("PySide6.", "Testing.standins")) and not name.startswith("_"):
        known = isinstance(inspect.getattr_static(kind, name, None), (Attribute, SignalAttribute, QtCore.Property))
        child = isinstance(value, QtCore.QObject) and value.objectName == name  # as QUiLoader leaves them
        if not (known or child or name in obj.dynamicPropertyNames()):
            raise AttributeError(f"{class_name(obj)} has no property '{name}' to set")
    NATIVE_SETATTR(obj, name, value)


def getattribute(obj: QtCore.QObject, name: str) -> Any:
    """PySide6 keeps these two out of the class, so they are taken here."""
    if name in ("connect", "disconnect"):
        return partial(connect if name == "connect" else disconnect, obj)
    return NATIVE_GETATTRIBUTE(obj, name)


def font_metrics(obj: QtWidgets.QWidget) -> None:
    raise ValueError("Called fontMetrics() -> QFontMetrics, return type 'QFontMetrics' is ignored: it is unknown")


EXTRA = {
    "__getattribute__": getattribute,
    "connect": connect,
    "disconnect": disconnect,
    "findChildren": find_children,
    "findChild": find_child,
    "className": class_name,
    "delete": lambda obj: Shiboken.delete(obj),
}


class Conventions:
    """Applies the conventions to PySide6's classes, and takes them back."""

    def __init__(self):
        self._before: list[tuple[type, str, Any]] = []

    def apply(self, *more: type) -> None:
        """To Qt's classes, or to `more`, which are stand-ins."""
        for kind in more or qt_classes():
            for name, value in changes(kind):
                self.replace(kind, name, value)
        for name, value in EXTRA.items():
            self.replace(QtCore.QObject, name, value)
        self.replace(QtWidgets.QWidget, "fontMetrics", font_metrics)

    def replace(self, kind: type, name: str, value: Any) -> None:
        self._before.append((kind, name, kind.__dict__.get(name, MISSING)))
        setattr(kind, name, value)

    def take_back(self) -> None:
        for kind, name, value in reversed(self._before):
            if value is MISSING:
                delattr(kind, name)
            else:
                setattr(kind, name, value)
        self._before.clear()
        _links.clear()


@cache
def changes(kind: type) -> list[tuple[str, Any]]:
    """What the conventions put in place in one class."""
    meta, names = kind.staticMetaObject, range(kind.staticMetaObject.propertyCount())
    properties = {meta.property(index).name(): meta.property(index) for index in names}
    found: list[tuple[str, Any]] = []
    if kind.__module__.startswith("PySide6."):
        own = {meta.property(index).name() for index in range(meta.propertyOffset(), meta.propertyCount())}
        for name in own | (properties.keys() & kind.__dict__.keys()):
            if (kind.__name__, name) != ("QTimer", "singleShot"):
                found.append((name, Attribute(kind, properties[name], getattr(kind, name, None))))
        if kind is not QtCore.QObject:  # whose own __setattr__ is the one that Python lets us end in
            found.append(("__setattr__", guarded_setattr))
    if kind is QtCore.QObject:
        found.append(("name", Attribute(kind, properties["objectName"], kind.objectName)))
    for name in {signature.partition("(")[0] for signature in signals_of(kind)}:
        if name not in properties and name in kind.__dict__:
            found.append((name, SignalAttribute(name, kind.__dict__[name])))
    return found


@cache
def qt_classes() -> list[type]:
    found: dict[type, None] = {}
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            kind = getattr(module, name)
            if isinstance(kind, type) and issubclass(kind, QtCore.QObject):
                found[kind] = None
    return sorted(found, key=lambda kind: len(kind.__mro__))
