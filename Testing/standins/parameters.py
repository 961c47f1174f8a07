"""`slicer.parameterNodeWrapper`: typed access to a real vtkMRMLScriptedModuleNode, tied to widgets.

Confirmed against Slicer's Base/Python/slicer/parameterNodeWrapper: what is written to the node is the same text under
the same name (numbers and paths by `str`, "True" and "False", an enum's name, a node as a reference), so scenes saved
here open there. Stands for int, float, str, bool, Path, Enum and MRML nodes, and for the widgets in `CONNECTORS`;
unions, lists, dictionaries, parameter packs (FloatRange) and the creation of widgets raise, here only.
"""

from __future__ import annotations

import enum
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import slicer.util

from . import ctk, mrml_widgets
from .pythonqt import QtCore, QtWidgets

SlicerParameterNamePropertyName = "SlicerParameterName"


@dataclass(eq=False)
class Default:
    value: Any = None


@dataclass(eq=False)
class Decimals:
    value: int


@dataclass(eq=False)
class SingleStep:
    value: float


class Validator:
    """Base of what an annotation can demand of a value; `validate` raises."""


@dataclass(eq=False)
class WithinRange(Validator):
    minimum: float
    maximum: float

    def validate(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} lies outside of [{self.minimum}, {self.maximum}]")


class Minimum(WithinRange):
    def __init__(self, minimum):
        super().__init__(minimum, float("inf"))


class Maximum(WithinRange):
    def __init__(self, maximum):
        super().__init__(float("-inf"), maximum)


@dataclass(eq=False)
class Choice(Validator):
    choices: typing.Sequence

    def validate(self, value):
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


SIMPLE = (int, float, str, bool)
FAMILIES = (enum.Enum, Path, slicer.vtkMRMLNode)  # types that stand for all below them


def fits(kind: Any, kinds: tuple[type, ...]) -> bool:
    families = tuple(each for each in kinds if each in FAMILIES)
    return kind in kinds or (isinstance(kind, type) and issubclass(kind, families))


class Parameter:
    """One field: how it is checked, written to the node and read from it."""

    def __init__(self, name: str, declared: Any, owner: type):
        annotated = typing.get_origin(declared) is typing.Annotated
        self.name, self.declared, self.notes = name, declared, declared.__metadata__ if annotated else ()
        self.kind = typing.get_args(declared)[0] if annotated else declared
        if not fits(self.kind, (*SIMPLE, *FAMILIES)):
            raise TypeError(f"the stand-in of parameterNodeWrapper does not know the type of '{name}', {declared}")
        self.is_node, self.is_enum = fits(self.kind, (slicer.vtkMRMLNode,)), fits(self.kind, (enum.Enum,))
        first = None if self.is_node else next(iter(self.kind)) if self.is_enum else self.kind()
        self.default = self.note(Default) or Default(first)
        if hasattr(owner, name):
            self.default = Default(getattr(owner, name))

    def note(self, kind: type) -> Any:
        return next((note for note in self.notes if isinstance(note, kind)), None)

    def check(self, value: Any) -> None:
        if value is None and not self.is_node:
            raise ValueError(f"{self.name} must not be None")
        if value is not None and not isinstance(value, (int, float) if self.kind is float else self.kind):
            raise TypeError(f"{self.name} must be of type {self.kind}, is {type(value)} {value!r}")
        for note in self.notes:
            if isinstance(note, Validator):
                note.validate(value)

    def write(self, node: Any, value: Any) -> None:
        self.check(value)
        with slicer.util.NodeModify(node):
            if self.is_node:
                node.SetParameter(self.name, "")
                node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            else:
                node.SetParameter(self.name, value.name if self.is_enum else str(value))

    def read(self, node: Any) -> Any:
        if self.is_node:
            return node.GetNodeReference(self.name)
        if not node.HasParameter(self.name):
            self.write(node, self.default.value)
        text = node.GetParameter(self.name)
        if self.kind is bool:
            return text == "True"
        return self.kind[text] if self.is_enum else self.kind(text)


class Connector:
    """Ties one widget to one parameter."""

    def __init__(self, widget: QtWidgets.QWidget, parameter: Parameter):
        self.widget, self.parameter, self.values = widget, parameter, None
        for widgets, kinds, self.property, self.signal, prepare in CONNECTORS:
            if type(widget) in widgets and fits(parameter.kind, kinds):
                prepare(self)
                return
        raise RuntimeError(f"no connector from {parameter.declared} to {type(widget).__name__} '{widget.name}'")

    def nothing(self):
        pass

    def bounds(self):
        limits = [note for note in self.parameter.notes if isinstance(note, WithinRange)]
        low = max([each.minimum for each in limits], default=float("-inf"))
        high = min([each.maximum for each in limits], default=float("inf"))
        if float("inf") in (-low, high) and isinstance(self.widget, (QtWidgets.QSlider, ctk.ctkSliderWidget)):
            raise RuntimeError(f"'{self.parameter.name}' needs bounds to be tied to a slider")
        decimals, step = self.parameter.note(Decimals), self.parameter.note(SingleStep)
        if isinstance(self.widget, (QtWidgets.QSlider, QtWidgets.QSpinBox)):
            low, high = int(max(low, -(2**31))), int(min(high, 2**31 - 1))
        elif self.parameter.kind is int or decimals:
            self.widget.decimals = 0 if self.parameter.kind is int else decimals.value
        if step:
            self.widget.singleStep = step.value
        self.widget.minimum, self.widget.maximum = low, high

    def items(self):
        choice = self.parameter.note(Choice)
        if not (choice or self.parameter.is_enum):
            raise RuntimeError(f"'{self.parameter.name}' needs a Choice to be tied to a combo box")
        self.values = list(self.parameter.kind if self.parameter.is_enum else choice.choices)
        label = getattr(self.parameter.kind, "label", lambda value: value.name) if self.parameter.is_enum else str
        self.widget.clear()
        self.widget.addItems([label(value) for value in self.values])

    def node_types(self):
        self.widget.nodeTypes = (self.parameter.kind.__name__,)

    def checkable(self):
        self.widget.checkable = True

    def read(self) -> Any:
        if self.parameter.is_node:
            return self.widget.currentNode()
        value = getattr(self.widget, self.property)
        return self.values[value] if self.values else self.parameter.kind(value)

    def write(self, value: Any) -> None:
        if self.parameter.is_node:
            self.widget.setCurrentNode(value)
            return
        value = self.values.index(value) if self.values else str(value) if isinstance(value, Path) else value
        if getattr(self.widget, self.property) != value:
            setattr(self.widget, self.property, value)


NUMBER, TEXT = ("value", "valueChanged", Connector.bounds), ("text", "textChanged", Connector.nothing)
INDEX = ("currentIndex", "currentIndexChanged", Connector.items)
CONNECTORS = (  # widgets by their exact type, types of parameters, property, signal, preparation: as there
    ({QtWidgets.QCheckBox, ctk.ctkCheckBox}, (bool,), "checked", "stateChanged", Connector.nothing),
    ({QtWidgets.QPushButton}, (bool,), "checked", "toggled", Connector.checkable),
    ({QtWidgets.QSlider, QtWidgets.QSpinBox}, (int,), *NUMBER),
    ({QtWidgets.QDoubleSpinBox, ctk.ctkSliderWidget, mrml_widgets.qMRMLSliderWidget}, (float, int), *NUMBER),
    ({QtWidgets.QComboBox, ctk.ctkComboBox}, (*SIMPLE, enum.Enum), *INDEX),
    ({QtWidgets.QLineEdit}, (str,), *TEXT),
    ({QtWidgets.QLabel}, (str,), "text", None, Connector.nothing),
    ({QtWidgets.QTextEdit}, (str,), "plainText", "textChanged", Connector.nothing),
    ({ctk.ctkPathLineEdit}, (Path,), "currentPath", "currentPathChanged", Connector.nothing),
    ({mrml_widgets.qMRMLNodeComboBox}, (slicer.vtkMRMLNode,), "", "currentNodeChanged", Connector.node_types),
)


class Wrapper:
    """What the decorator adds to a class."""

    def __init__(self, parameterNode):
        self.parameterNode, self._ties, self._updating = parameterNode, {}, False
        with slicer.util.NodeModify(parameterNode):
            for parameter in self.allParameters.values():
                if not parameterNode.HasParameter(parameter.name):
                    parameter.write(parameterNode, parameter.default.value)

    @classmethod
    def _parameter(cls, name):
        if name not in cls.allParameters:
            raise ValueError(f"there is no parameter '{name}', only {', '.join(cls.allParameters)}")
        return cls.allParameters[name]

    def getValue(self, name):
        return self._parameter(name).read(self.parameterNode)

    def setValue(self, name, value):
        self._parameter(name).write(self.parameterNode, value)

    def default(self, name):
        return self._parameter(name).default

    @classmethod
    def dataType(cls, name):
        return cls._parameter(name).declared

    def isCached(self, name):
        return self._parameter(name) is not None

    def connectGui(self, gui):
        """All widgets with the dynamic property, below a widget or among an object's attributes; no tag, as in 5.8."""
        widgets = gui.findChildren(QtWidgets.QWidget) if isinstance(gui, QtWidgets.QWidget) else vars(gui).values()
        named = {w.property(SlicerParameterNamePropertyName): w for w in widgets if isinstance(w, QtCore.QObject)}
        self.connectParametersToGui({name: widget for name, widget in named.items() if name})

    def connectParametersToGui(self, mapping):
        ties = [Connector(widget, self._parameter(name)) for name, widget in mapping.items()]
        slots = []
        for tie in ties:
            tie.write(self.getValue(tie.parameter.name))
            if tie.signal:
                slots.append((getattr(tie.widget, tie.signal), self._slot(tie)))
                slots[-1][0].connect(slots[-1][1])
        tag = max(self._ties, default=-1) + 1
        self._ties[tag] = ties, slots
        self.AddObserver("ModifiedEvent", lambda *_: self._show(), 0.0)
        return tag

    def disconnectGui(self, tag):
        """Unties the widgets; the observer stays on the node, as up to 5.10."""
        if tag in self._ties:
            _, slots = self._ties.pop(tag)
            for signal, slot in slots:
                signal.disconnect(slot)

    def _slot(self, tie):
        def changed():
            if not self._updating:
                self.setValue(tie.parameter.name, tie.read())

        return changed

    def _show(self):
        if not self._updating:
            self._updating = True
            try:
                for ties, _ in list(self._ties.values()):
                    for tie in ties:
                        tie.write(self.getValue(tie.parameter.name))
            finally:
                self._updating = False

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, before):
        return self.parameterNode.EndModify(before)

    def AddObserver(self, event, call, priority=0.0):
        return self.parameterNode.AddObserver(event, call, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)

    def Modified(self):
        self.parameterNode.Modified()


def field(name):
    return property(lambda self: self.getValue(name), lambda self, value: self.setValue(name, value))


def parameterNodeWrapper(kind=None):
    """The decorator, with or without parentheses."""
    if kind is None:
        return parameterNodeWrapper
    fields = typing.get_type_hints(kind, include_extras=True)
    kind.allParameters = {name: Parameter(name, declared, kind) for name, declared in fields.items()}
    for name, value in vars(Wrapper).items():
        if not name.startswith("__") or name == "__init__":
            setattr(kind, name, value)
    for name in fields:
        setattr(kind, name, field(name))
    kind._is_parameter_node_wrapper = True
    return kind


def isParameterNodeWrapper(thing):
    return getattr(thing, "_is_parameter_node_wrapper", False)


def findChildWidgetForParameter(widget, name):
    children = widget.findChildren(QtWidgets.QWidget)
    return next((each for each in children if each.property(SlicerParameterNamePropertyName) == name), None)
