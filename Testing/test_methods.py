"""The registry of methods: what is wrong with one is said in a sentence, the others go on; and nobody names any."""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from GrayscaleDetSegLib.batch import main as command
from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError, MethodError, UnknownClassError
from GrayscaleDetSegLib.core.loading import ModelMethods, load_pipeline
from GrayscaleDetSegLib.core.methods.base import Method
from GrayscaleDetSegLib.core.methods.registry import BUILT_IN, Entry, Registry, built_in, methods_of, registry
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.regions import RegionMask, RegionProposal, Regions
from GrayscaleDetSegLib.core.weights import Bundle
from Testing.fakes import FakePipeline, fake_reader, radiograph
from Testing.strangers import OTSU, installed, site

LIBRARY = Path(__file__).resolve().parents[1] / "GrayscaleDetSeg" / "GrayscaleDetSegLib"
ROI = (10.0, 5.0, 60.0, 45.0)

BROKEN = {
    "import": ("import not_there_at_all", "cannot be imported (ModuleNotFoundError"),
    "raises": ("raise RuntimeError('no luck')", "cannot be imported (RuntimeError: no luck)"),
    "absent": ("x = 1", "cannot be imported (AttributeError"),
    "no method": ("class Own: name = title = 'mine'", "no class derived from methods.base.Method"),
    "unmade": (
        "from GrayscaleDetSegLib.core.methods.base import Method\nclass Own(Method):\n    name = title = 'mine'",
        "its class lacks classes, from_bundle, segment",
    ),
    "another name": (
        "from GrayscaleDetSegLib.core.methods.base import Method\nclass Own(Method):\n    name = title = 'yours'",
        "its class calls itself 'yours'",
    ),
    "no title": (
        "from GrayscaleDetSegLib.core.methods.base import Method\nclass Own(Method):\n    name = 'mine'",
        "its class says no title",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_package_that_is_broken(kind, tmp_path, capsys):
    source, reason = BROKEN[kind]
    packages = {"mine_package": {"mine": "mine_package:Own"}, **OTSU}
    with installed(site(tmp_path / "site", packages, {"mine_package": source})):
        assert registry().problems == () and "mine" in registry().names, "nobody has asked for it yet"
        with pytest.raises(MethodError) as raised:
            registry().get("mine")
        text = str(raised.value)
        assert text.startswith("The method 'mine' of the package mine-package cannot be used: ") and reason in text
        assert text.endswith("; update or uninstall it.") and "\n" not in text and registry().problems == (text,)
        assert [method.name for method in methods_of(Bundle.open())] == ["surfaces", "box", "otsu"]
        (tmp_path / "a.dcm").touch()

        def call(*more: str) -> int:
            arguments = ["segment", str(tmp_path / "a.dcm"), "--json", "-", *more]
            return command.main(arguments, lambda *_: FakePipeline(methods=("box", "otsu")), fake_reader)

        assert call("--method", "mine") == 2
        assert text in capsys.readouterr().err
        assert call("--method", "otsu") == 0
        assert text in capsys.readouterr().err, "said, while the others go on"


class Named(Method):
    name = title = "mine"
    classes = ("femur",)

    @classmethod
    def from_bundle(cls, bundle, device):
        return cls()

    def segment(self, radiograph, regions, stopwatch):
        return []


def entries(*named: tuple[str, str]) -> list[Entry]:
    return [Entry(name, source, lambda: Named) for name, source in named]


def test_two_of_one_name():
    known = Registry([*built_in(), *entries(("mine", "the package a"), ("mine", "the package b"), ("box", "c"))])
    assert known.names == tuple(BUILT_IN), "neither can be meant; what comes with the software stays"
    assert known.get("box").name == "box" and known.get("box").__module__.startswith("GrayscaleDetSegLib")
    with pytest.raises(MethodError, match="Two methods are called 'mine', by the package a and the package b"):
        known.get("mine")
    assert len(known.problems) == 2 and all("uninstall one of them." in text for text in known.problems)


def test_each_is_imported_once_and_only_when_asked_for():
    loaded = []
    known = Registry([*built_in(), Entry("mine", "a", lambda: (loaded.append(1), Named)[1])])
    assert known.names == (*BUILT_IN, "mine") and not loaded
    assert known.get("mine") is known.get("mine") is Named and len(loaded) == 1
    with pytest.raises(MethodError, match="There is no method 'magic': choose one of surfaces, box, .*, mine"):
        known.get("magic")


def test_a_method_that_cannot_be_loaded_keeps_nobody_else_from_it():
    class Broken(Named):
        @classmethod
        def from_bundle(cls, bundle, device):
            raise OSError("no licence")

    known = Registry([*built_in(), Entry("mine", "a", lambda: Broken)])
    methods = ModelMethods(Bundle.open(), "cpu", known)
    assert list(methods) == ["surfaces", "box", "mine"]
    made = Pipeline(None, methods, model="radiographs 2")
    with pytest.raises(MethodError, match="'mine' cannot be loaded .OSError: no licence.; use another one"):
        made.check_class("femur", "mine")
    made.check_class("femur", "box")
    with pytest.raises(UnknownClassError, match="The model radiographs 2 does not know 'meniscus': choose one of"):
        made.check_class("meniscus")


def test_methods_of_volumes_are_not_for_radiographs():
    class Volume(Named):
        dimensions = 3

    known = Registry([*built_in(), Entry("mine", "a", lambda: Volume)])
    assert [method.name for method in methods_of(Bundle.open(), known)] == ["surfaces", "box"]


@dataclass(frozen=True)
class Unstorable:
    kind: ClassVar[str] = "unstorable"
    value: Any = None


def part(region, mask=None, explanation=None) -> RegionMask:
    window = RegionMask(region, region.roi, np.zeros(0, bool)).window(radiograph().shape)
    full = np.ones([each.stop - each.start for each in window], bool)
    return RegionMask(region, region.roi, full if mask is None else mask(full), explanation)


FAULTS = {
    "too few": (lambda region: [], "0 results for 1 regions"),
    "no list": (lambda region: None, "results of another type"),
    "no parts": (lambda region: [np.ones((3, 3), bool)], "results of another type"),
    "wrong type": (lambda region: [part(region, lambda mask: mask.astype(np.uint8))], "an array of uint8, not an"),
    "no array": (lambda region: [part(region, lambda mask: mask.tolist())], "a mask is list, not an array of bool"),
    "wrong shape": (lambda region: [part(region, lambda mask: mask[1:])], "the window of its extent has"),
    "explanation": (
        lambda region: [part(region, explanation=Unstorable(object()))], "its explanation cannot be stored (object"
    ),
    "no explanation": (lambda region: [part(region, explanation={"low": 3})], "dict is no dataclass with a kind"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_method_that_gives_back_something_else(kind):
    given, reason = FAULTS[kind]

    class Wrong(Named):
        def segment(self, image, regions, stopwatch):
            return given(regions.found[0])

    class Right(Named):
        name = "right"

        def segment(self, image, regions, stopwatch):
            return [part(regions.found[0])]

    made = Pipeline(None, [Wrong(), Right()])
    regions = Regions((RegionProposal("femur", 0.9, ROI),), None, Orientation())
    with pytest.raises(GrayscaleDetSegError) as raised:
        made.segment_regions(radiograph(), regions, method="mine")
    text = str(raised.value)
    assert text.startswith("The method 'mine' is at fault: ") and reason in text and "\n" not in text
    (item,) = made.segment_regions(radiograph(), regions, method="right", clean_up=False).objects
    assert (item.method, item.pixel_count, item.explanation) == ("right", 50 * 40, None)


def test_the_built_in_methods_are_light_and_complete():
    for method in Registry(built_in()).usable():
        assert method.title and method.summary and method.stages and method.networks and method.explanation
        assert issubclass(method, Method)
    made = load_pipeline(None, "cpu")
    assert made.methods["surfaces"].box.detector is made.methods["box"].detector, "networks that are shared load once"


ALIKE = {"scene/outcome.py", "logic/threshold_view.py", "core/explanations/thresholds.py"}
"""Here it is the box that is dragged, and surfaces as model nodes, as saved scenes have them: no methods."""
OWN = (*(f"core/methods/{name}/" for name in BUILT_IN), "core/single_box/", "core/surfaces/", "core/yolo/")
KNOWS_FORMER = "core/old_formats.py"


def strings(path: Path):
    """The texts in a Python file that are no docstrings, and the lines that they stand on."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value, node.lineno


@pytest.mark.parametrize("path", sorted(LIBRARY.rglob("*.py")), ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_no_file_of_the_product_names_a_method(path):
    name = path.relative_to(LIBRARY).as_posix()
    if name.startswith(OWN) or name == KNOWS_FORMER:
        return
    named = [(text, line) for text, line in strings(path) if text in BUILT_IN]
    if name in ALIKE:
        named = [each for each in named if "method" in path.read_text().splitlines()[each[1] - 1]]
    if name == "core/methods/registry.py":
        assert sorted(text for text, _ in named) == sorted(BUILT_IN), "the table, and nothing else"
    else:
        assert not named
    titles = [method.title for method in Registry(built_in()).usable()]
    assert not [text for text, _ in strings(path) if text in titles]


def test_the_schema_and_the_panel_list_no_methods():
    schema = json.loads((LIBRARY / "batch" / "result.schema.json").read_text(encoding="utf-8"))
    assert schema["$defs"]["ReportedObject"]["properties"]["method"]["type"] == "string"
    pages = sorted((LIBRARY.parent / "Resources" / "UI").glob("*.ui"))
    panel = "".join(path.read_text(encoding="utf-8") for path in pages)
    assert "methodComboBox" in panel
    assert "enum" not in schema["$defs"]["ReportedObject"]["properties"]["method"]
    assert not [method.title for method in Registry(built_in()).usable() if f">{method.title}<" in panel]
