"""Stand-ins that let the panel of a Slicer scripted module run on PySide6, with slicer-core's real MRML. See README.md.

Importing this imports neither; `Session` does, and takes back all that it puts in place.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
if "PySide6" not in sys.modules:
    sys.pyside6_option_python_enum = 0x2  # enum values compare with ints, as in PythonQt

if sys.version_info < (3, 12):
    # PySide6 6.12 takes a reference from None at each call that returns it; before Python 3.12 None can die of that
    ctypes.c_ssize_t.from_address(id(None)).value += 1 << 30

NEEDED = ("PySide6.QtWidgets", "PySide6.QtUiTools", "slicer.util")


class Session:
    """A running "application": `with Session() as session:`.

    Parameters
    ----------
    main_window : bool
        Without one, `layoutManager()` and `mainWindow()` are None, as with `--no-main-window`.
    testing : bool
        What `slicer.app.testingEnabled()` says; `slicer.util` shows no message boxes where it is true.

    Attributes
    ----------
    app : what `slicer.app` is
    dialogs : the dialogs shown (`shown`), and the `answers` to give to the next ones
    errors : exceptions from slots and observers, which Qt and VTK only print; leaving the session raises the first
    exits : the codes that `slicer.util.exit` was called with
    installed, samples : what `slicer.packaging` was asked for, what was registered with Sample Data
    """

    def __init__(self, main_window: bool = True, testing: bool = False):
        self._options = {"main_window": main_window, "testing": testing}
        self.errors: list[BaseException] = []
        self.installed: list[str] = []
        self.samples: list[dict[str, Any]] = []

    def __enter__(self) -> Session:
        import slicer
        import slicer.util
        from PySide6.QtWidgets import QApplication

        from . import pythonqt

        gc.freeze()  # what was there before need not be looked through at the end
        self._qt_application = QApplication.instance() or QApplication([])  # stays: Qt allows one in a process
        self._before = dict(sys.modules), dict(vars(slicer)), list(sys.path), sys.excepthook
        sys.excepthook = self._record
        self.conventions = pythonqt.Conventions()
        self.conventions.apply()
        try:
            self._install(slicer)
        except BaseException:
            self._restore()
            gc.unfreeze()
            raise
        return self

    def _install(self, slicer) -> None:
        from . import application, ctk, dialogs, mrml_widgets, qt, scripted, small_modules, views

        widgets = {
            name: kind
            for module in (ctk, mrml_widgets)
            for name, kind in vars(module).items()
            if name.startswith(("ctk", "qMRML", "qSlicer"))
        }
        applied = [application.qSlicerScriptedLoadableModule, application.qSlicerScriptedLoadableModuleWidget]
        applied += [application.Application, application.ModuleManager, application.ModuleSelector, views.LayoutManager]
        self.conventions.apply(*dict.fromkeys([*widgets.values(), *applied]))
        self.dialogs = dialogs.Dialogs()
        self.dialogs.apply(self.conventions)
        qt.QUiLoader.custom = widgets
        qt.QSettings.stored.clear()
        for name, kind in [*widgets.items(), *((kind.__name__, kind) for kind in applied[:2])]:
            setattr(slicer, name, kind)
        sys.modules.update({"qt": qt, "ctk": ctk, "SampleData": small_modules.sample_data(self.samples)})
        self._slicer_module("ScriptedLoadableModule", scripted)
        self._slicer_module("i18n", small_modules.i18n())
        self._slicer_module("packaging", small_modules.packaging(self.installed))
        self.app = application.Application(**self._options)
        self.exits = self.app._exits
        from . import parameters

        self._slicer_module("parameterNodeWrapper", parameters)
        editor = application.qSlicerScriptedLoadableModule(Path("SegmentEditor.py"))
        sys.modules["SegmentEditor"] = scripted
        self.app._manager._add(editor)

    @staticmethod
    def _slicer_module(name: str, module: Any) -> None:
        sys.modules[f"slicer.{name}"] = module
        setattr(sys.modules["slicer"], name, module)

    def load(self, path: str | Path) -> Any:
        """Load a scripted module from its file and tell it that startup is completed; `slicer.modules.<name>`."""
        module = self.app._load(path)
        self.app.startupCompleted.emit()
        self.process()
        return module

    def process(self) -> None:
        """Let Qt handle what is due."""
        self._qt_application.processEvents()

    def wait(self, condition: Callable[[], Any], seconds: float = 5.0) -> bool:
        """Let Qt go on until `condition()` holds; whether it came to that in time."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.process()
            time.sleep(0.001)
        return bool(condition())

    def _record(self, kind, error, trace) -> None:
        traceback.print_exception(kind, error, trace)
        self.errors.append(error)

    def __exit__(self, *failure) -> None:
        from PySide6.QtCore import QCoreApplication, QEvent

        try:
            self.app._close()
            self.process()
            for widget in self._qt_application.topLevelWidgets():
                widget.close()
                widget.deleteLater()
            QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)
        finally:
            self._restore()
            gc.collect()  # now, rather than in the midst of something else
            gc.unfreeze()
        if self.errors and failure == (None, None, None):
            raise self.errors[0]

    def _restore(self) -> None:
        import slicer

        modules, attributes, paths, sys.excepthook = self._before
        self.conventions.take_back()
        for name in [each for each in sys.modules if each not in modules]:
            file = getattr(sys.modules[name], "__file__", None) or ""
            added = any(file.startswith(path + os.sep) for path in sys.path if path not in paths)
            if added or name in ("qt", "ctk", "SampleData", "SegmentEditor") or name.startswith("slicer."):
                del sys.modules[name]
        # a module that was reloaded has put others in their place, and some that know nothing of the former ones
        if sys.modules.get("GrayscaleDetSegLib") is not modules.get("GrayscaleDetSegLib"):
            for name in [each for each in sys.modules if each.partition(".")[0] == "GrayscaleDetSegLib"]:
                del sys.modules[name]
        for name, module in modules.items():
            if name.partition(".")[0] == "GrayscaleDetSegLib":
                sys.modules[name] = module
        sys.path[:] = paths
        for name in [each for each in vars(slicer) if each not in attributes]:
            delattr(slicer, name)
        vars(slicer).update(attributes)


def missing() -> str | None:
    """Why there can be no session here, or None."""
    for name in NEEDED:
        try:
            __import__(name)
        except ImportError as error:
            return f"the panel's stand-ins need PySide6_Essentials and slicer-core: {error}"
    return None


@pytest.fixture
def panel_session() -> Iterator[Session]:
    """A session with a main window; skips where PySide6 or slicer-core is missing."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Session() as session:
        yield session
