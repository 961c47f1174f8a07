"""`qt`: all of QtCore, QtGui and QtWidgets in one module, as PythonQt gives them (see `pythonqt`)."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any
from xml.etree import ElementTree

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from .pythonqt import connect

NATIVE = object()
LINK = ("sender", "signal", "receiver", "slot")


def __getattr__(name: str) -> Any:
    for module in (QtCore, QtGui, QtWidgets):
        found = getattr(module, name, NATIVE)
        if found is not NATIVE:
            return found
    raise AttributeError(f"Qt 6 has no {name} in QtCore, QtGui or QtWidgets (or PySide6 does not wrap it)")


class QSettings:
    """QSettings, of which all objects share one dictionary in memory; nothing is read from or written to the disk.

    Values keep their types, while an .ini file gives back texts: convert what you read.
    """

    stored: dict[str, Any] = {}

    def __init__(self, *_):
        self._group: list[str] = []

    def _key(self, key: str) -> str:
        return "/".join([*self._group, key])

    def value(self, key: str, default: Any = None) -> Any:
        return self.stored.get(self._key(key), default)

    def setValue(self, key: str, value: Any) -> None:
        self.stored[self._key(key)] = value

    def contains(self, key: str) -> bool:
        return self._key(key) in self.stored

    def remove(self, key: str) -> None:
        for each in [each for each in self.stored if each == self._key(key) or each.startswith(self._key(key) + "/")]:
            del self.stored[each]

    def allKeys(self) -> list[str]:
        start = self._key("")
        return [each[len(start) :] for each in self.stored if each.startswith(start)]

    def beginGroup(self, name: str) -> None:
        self._group.append(name)

    def endGroup(self) -> None:
        self._group.pop()

    def sync(self) -> None:
        pass


class QUiLoader(QtUiTools.QUiLoader):
    """QUiLoader with Slicer's and CTK's designer plugins: makes their stand-ins, and the file's connections to them."""

    custom: dict[str, type] = {}  # filled by the session

    def createWidget(self, className, parent=None, name=""):
        if className not in self.custom:
            return super().createWidget(className, parent, name)
        widget = self.custom[className](parent)
        widget.setObjectName(name)
        return widget

    def _read_flags(self, widget):
        """Sets such as ctkPathLineEdit::Dirs as numbers: Qt knows no flags of classes in Python."""
        kind = self.custom.get(widget.get("class"))
        for each in widget.findall("property") if kind is not None else ():
            flags = each.find("set")
            if flags is not None and flags.text.startswith(f"{kind.__name__}::"):
                values = [getattr(kind, name.rpartition("::")[2]) for name in flags.text.split("|")]
                flags.tag, flags.text = "number", str(reduce(or_, values))

    def load(self, device, parent=None):
        root = ElementTree.fromstring(bytes(device.readAll().data()))
        for each in root.iter("widget"):
            kind = each.get("class")
            if kind.startswith(("ctk", "qMRML", "qSlicer")) and kind not in self.custom:
                raise LookupError(f"there is no stand-in for {kind}: add one to Testing/standins")
        for widget in root.iter("widget"):
            self._read_flags(widget)
        links = [[each.findtext(tag) for tag in LINK] for each in root.iter("connection")]
        for each in root.findall("connections"):
            root.remove(each)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        named = {each.objectName: each for each in [widget, *widget.findChildren(QtCore.QObject)]}
        for sender, signal, receiver, slot in links:
            connect(named[sender], signal, named[receiver], slot)
        return widget
