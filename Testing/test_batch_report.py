"""The result as JSON: it validates against the schema we ship, whatever the result holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch import report
from GrayscaleDetSegLib.core.gray import GrayMapping, Polarity
from GrayscaleDetSegLib.core.radiograph import Spacing
from Testing.fakes import GEOMETRIES, SHAPE, found, letter_l, radiograph, result

jsonschema = pytest.importorskip("jsonschema")


def checked(document: dict) -> dict:
    """The document after a trip through JSON text, validated."""
    document = json.loads(report.dumps(document))
    jsonschema.Draft202012Validator(report.schema()).validate(document)
    return document


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(report.schema())


def test_all_numbers_are_there():
    image = radiograph(spacing=Spacing(0.2, 0.1, "PixelSpacing"), source=Path("a/b.dcm"), modality="DX")
    document = checked(report.report(result(image)))
    assert (document["schema"], document["schema_version"]) == ("grayscale-detseg/result", 1)
    assert document["input"]["size"] == {"rows": SHAPE[0], "columns": SHAPE[1]}
    assert document["input"]["spacing"] == {"row_mm": 0.2, "column_mm": 0.1, "source": "PixelSpacing"}
    lung = document["objects"][0]
    assert (lung["name"], lung["segment"]) == ("right lung", {"id": "right_lung", "label_value": 1})
    assert lung["pixel_count"] == letter_l().sum()
    assert lung["area_mm2"] == pytest.approx(0.02 * letter_l().sum())
    assert lung["terminology"]["modifier"]["meaning"] == "Right"
    assert lung["roi"]["x0"] == lung["box"]["x0"] and lung["box"]["g0"] == lung["interval_gray"]["bottom"] == 150
    assert lung["interval_units"] == {"bottom": pytest.approx(200 + 3600 * 150 / 255), "top": None}


def test_an_open_end_is_null_on_the_other_side_of_inverted_values():
    image = radiograph(polarity=Polarity(True, 4095.0, "MONOCHROME1 in the file"))
    lung = checked(report.report(result(image)))["objects"][0]
    assert lung["interval_file"]["bottom"] is None
    assert lung["interval_file"]["top"] == pytest.approx(4095 - lung["interval_units"]["bottom"])


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries(name):
    document = checked(report.report(result(radiograph(geometry=GEOMETRIES[name]))))
    assert document["input"]["geometry"]["direction"] == list(GEOMETRIES[name].direction)


def test_nothing_found():
    document = checked(report.report(result(objects=())))
    assert document["objects"] == [] and "0.31" in document["message"]
    assert document["best_candidate"]["label"] == "femur"
    assert checked(report.report(result(objects=(), best_candidate=None)))["best_candidate"] is None


def test_numpy_numbers_and_unknown_anatomy():
    image = radiograph(mapping=GrayMapping((np.float32(1.0), np.float32(3000.0)), (0.0, 255.0), "VOI window"))
    item = found(image, "paw", "paw", letter_l(), np.float32(10), np.float64(20), np.float32(0.5))
    assert checked(report.report(result(image, (item,))))["objects"][0]["label"] == "paw"


def test_file_names_that_are_no_text():
    document = checked(report.report(result(radiograph(source=Path("a\udcff.dcm")))))
    assert report.dumps(document).encode("utf-8")


def test_the_schema_describes_every_field():
    """Documentation does not fall behind: no field of a report is unknown to the schema."""
    schema = report.schema()
    document = report.report(result())
    assert set(document) == set(schema["properties"]) == set(schema["required"])
    known = schema["$defs"]["object"]["properties"]
    assert set(document["objects"][0]) == set(known)
    assert set(document["input"]) == set(schema["properties"]["input"]["properties"])
