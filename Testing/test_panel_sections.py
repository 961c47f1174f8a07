"""The panel is made of sections, of which one can be added; what is under way is one state; Reload reloads all."""

from __future__ import annotations

import re
import sys

import pytest

from Testing import standins
from Testing.panel_helpers import MODULE, Bench

reason = standins.missing()
if reason:
    pytest.skip(reason, allow_module_level=True)

SECTION = '''
from GrayscaleDetSegLib.panel.section import Section

class Counting(Section):
    """Says how many objects there are, and selects the last one."""

    order = 550
    calls = []

    def attach(self, session, ui):
        super().attach(session, ui)
        self.calls.append("attach")
        session.refreshed.connect(self.count)
        ui.lastButton.connect("clicked(bool)", lambda _on=False: session.view.select(self.last))

    def enter(self):
        self.calls.append("enter")

    def update(self, state):
        self.calls.append(state.value)
        self.ui.lastButton.enabled = state.value != "busy"
        return self.session.node is not None

    def leave(self):
        self.calls.append("leave")

    def count(self, shown):
        self.last = None if shown is None else shown.identities[-1]
        self.ui.countLabel.text = "0" if shown is None else str(len(shown.identities))
'''
UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>counting</class>
 <widget class="qMRMLWidget" name="counting">
  <layout class="QHBoxLayout" name="countingLayout">
   <item><widget class="QLabel" name="countLabel"/></item>
   <item><widget class="QPushButton" name="lastButton"/></item>
  </layout>
 </widget>
 <customwidgets>
  <customwidget>
   <class>qMRMLWidget</class><extends>QWidget</extends><header>qMRMLWidget.h</header><container>1</container>
  </customwidget>
 </customwidgets>
</ui>
"""


@pytest.fixture
def folder(panel_session, tmp_path, monkeypatch):
    """A folder that is one of the sections'."""
    from GrayscaleDetSegLib.panel import sections

    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    yield tmp_path
    for name in [each for each in sys.modules if each.startswith(f"{sections.__name__}.counting")]:
        del sys.modules[name]
    vars(sections).pop("counting", None)


def test_a_section_is_one_file_and_its_ui(folder, panel_session):
    (folder / "counting.py").write_text(SECTION)
    (folder / "counting.ui").write_text(UI)
    bench = Bench(panel_session)
    section, ui = bench.panel.section("Counting"), bench.ui
    names = [type(each).__name__ for each in bench.panel.sections]
    assert names.index("Objects") + 1 == names.index("Counting") == names.index("Thresholds") - 1
    assert not ui.lastButton.isVisibleTo(bench.widget.parent), "there is nothing to count yet"
    bench.volume()
    bench.run()
    assert ui.countLabel.text == "2" and ui.lastButton.isVisibleTo(bench.widget.parent)
    ui.lastButton.click()
    assert bench.panel.session.selection == "tibia" and bench.ui.objectsTable.currentRow() == 1
    bench.leave()
    calls = list(dict.fromkeys(section.calls))
    assert calls[0] == "attach" and {"enter", "idle", "busy", "leave"} <= set(calls)
    assert section.calls.count("attach") == 1 and not ui.lastButton.isVisibleTo(bench.widget.parent)


def test_a_file_with_two_sections_is_refused(folder, panel_session):
    from GrayscaleDetSegLib.panel import sections

    (folder / "counting.py").write_text(SECTION + SECTION.replace("class Counting", "class Other"))
    with pytest.raises(TypeError, match="counting holds 2 sections"):
        sections.found()


def test_widgets_of_two_sections_have_names_of_their_own(folder, panel_session):
    (folder / "counting.py").write_text(SECTION)
    (folder / "counting.ui").write_text(UI.replace("countLabel", "statusLabel"))
    Bench(panel_session, enter=False)
    import qt
    import slicer

    from GrayscaleDetSegLib.logic.segmenter import Segmenter
    from GrayscaleDetSegLib.panel.widget import Panel

    parent = slicer.qMRMLWidget()
    qt.QVBoxLayout(parent)
    with pytest.raises(ValueError, match=r"counting\.ui names widgets that are there already: statusLabel"):
        Panel(parent, Segmenter(slicer.mrmlScene))


def test_sections_know_one_another_only_by_signals():
    """None imports another, and none asks the panel for one."""
    for path in (MODULE.parent / "GrayscaleDetSegLib" / "panel" / "sections").glob("*.py"):
        text = path.read_text()
        others = [each.stem for each in path.parent.glob("*.py") if each.stem not in (path.stem, "__init__")]
        assert not [name for name in others if re.search(rf"from \.{name} import|from \. import .*{name}", text)], path
        assert ".section(" not in text, path


STORY = [
    ("idle", "run", "busy"),
    ("busy", "run", None),
    ("busy", "draw", None),
    ("busy", "drag", "busy"),
    ("busy", "run ended", "idle"),
    ("idle", "drag", "dragging"),
    ("dragging", "draw", None),
    ("dragging", "run", "busy"),
    ("dragging", "drag ended", "idle"),
    ("idle", "draw", "drawing"),
    ("drawing", "run", "busy"),
    ("drawing", "drag", "drawing"),
    ("drawing", "draw ended", "idle"),
    ("idle", "run ended", "idle"),
    ("busy", "draw ended", "busy"),
]


@pytest.mark.parametrize("before, event, following", STORY)
def test_what_may_follow_what(before, event, following):
    from GrayscaleDetSegLib.panel.state import Event, State, after

    found = after(State(before), Event(event))
    assert (None if found is None else found.value) == following


def test_a_drag_outlasts_a_run_that_ends_meanwhile():
    from GrayscaleDetSegLib.panel.state import Event, State, StateMachine

    machine, seen = StateMachine(), []
    machine.changed.connect(seen.append)
    assert machine.send(Event.RUN) and machine.send(Event.DRAG) and machine.is_moving
    assert not machine.send(Event.DRAW) and machine.state is State.BUSY
    machine.send(Event.RUN_ENDED)
    assert machine.state is State.DRAGGING
    machine.send(Event.DRAG_ENDED)
    assert machine.state is State.IDLE and not machine.is_moving
    assert seen == [State.BUSY, State.DRAGGING, State.IDLE]


def test_a_drawing_outlasts_a_search_that_a_script_has_caused():
    from GrayscaleDetSegLib.panel.state import Event, State, StateMachine

    machine = StateMachine()
    for event, state in ((Event.DRAW, State.DRAWING), (Event.RUN, State.BUSY), (Event.RUN_ENDED, State.DRAWING)):
        assert machine.send(event) and machine.state is state
    machine.send(Event.DRAW_ENDED)
    assert machine.state is State.IDLE


def test_the_state_is_what_is_under_way(bench):
    bench.volume()
    session = bench.panel.session
    bench.begin()
    assert session.state.value == "busy"
    bench.finish()
    bench.ui.grayRangeWidget.minimumValue = 200.0
    assert bench.session.wait(lambda: session.state.value == "dragging")
    assert bench.ui.nextLabel.text.startswith("Next: let go")
    bench.rest()
    assert session.state.value == "idle"
    region = bench.workspace.outcome(bench.node).regions["femur"]
    region.InvokeEvent(region.PointStartInteractionEvent)
    assert session.state.value == "dragging"
    region.InvokeEvent(region.PointEndInteractionEvent)
    bench.rest()
    bench.ui.drawButton.click()
    assert session.state.value == "drawing" and bench.ui.nextLabel.text.startswith("Next: click two opposite corners")
    bench.ui.drawButton.click()
    assert session.state.value == "idle"


def test_signals_call_in_order_and_may_be_cut_meanwhile():
    from GrayscaleDetSegLib.panel.signals import Signal

    signal, seen = Signal(), []

    def first(value):
        seen.append(value)
        signal.disconnect(first)

    signal.connect(first)
    signal.connect(seen.append)
    signal.emit(1)
    signal.emit(2)
    assert seen == [1, 1, 2] and len(signal) == 1


def test_reload_reads_the_library_again(bench):
    """As after an edit of any file below the module; the panel is that of the new files, and works."""
    from GrayscaleDetSegLib.logic.engine import Engine as Former

    before = {name: module for name, module in sys.modules.items() if name.startswith("GrayscaleDetSegLib.")}
    bench.volume()
    kind, widget = type(bench.panel), bench.widget
    widget.onReload()
    assert type(bench.panel) is not kind and bench.panel.is_entered
    for name in ("core.errors", "scene.volumes", "logic.workspace", "logic.segmenter", "panel.session"):
        again = sys.modules[f"GrayscaleDetSegLib.{name}"]
        assert again is not before.get(f"GrayscaleDetSegLib.{name}"), name
        assert sys.modules["GrayscaleDetSegLib"].__path__ and again.__spec__ is not None
    sections = sys.modules["GrayscaleDetSegLib.panel.sections"]
    assert all(isinstance(each, sections.Section) for each in bench.panel.sections), "no class of the former library"
    workspace = sys.modules["GrayscaleDetSegLib.logic.workspace"].Workspace
    assert type(bench.panel.segmenter.workspace) is workspace
    from GrayscaleDetSegLib.logic.engine import Engine

    assert Engine is not Former
    bench.panel.segmenter.engine = Engine(bench.rig.load)
    bench.run()
    assert bench.names() == ["Femur", "Tibia"] and "Traceback" not in bench.log
