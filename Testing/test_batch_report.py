"""The result as JSON: it validates against the schema we ship, whatever the result holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch import report
from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.explanations.threshold_field import ThresholdField
from GrayscaleDetSegLib.core.gray import GrayMapping, Polarity
from GrayscaleDetSegLib.core.mask import field_mask
from GrayscaleDetSegLib.core.radiograph import Radiograph, Spacing
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
    assert (document["schema"], document["schema_version"]) == ("grayscale-detseg/result", 2)
    assert document["input"]["size"] == {"rows": SHAPE[0], "columns": SHAPE[1]}
    assert document["input"]["spacing"] == {"row_mm": 0.2, "column_mm": 0.1, "source": "PixelSpacing"}
    lung = document["objects"][0]
    assert (lung["name"], lung["segment"]) == ("right lung", {"id": "right_lung", "label_value": 1})
    assert lung["pixel_count"] == letter_l().sum()
    assert lung["area_mm2"] == pytest.approx(0.02 * letter_l().sum())
    assert lung["terminology"]["modifier"]["meaning"] == "Right"
    assert lung["roi"]["x0"] == lung["box"]["x0"] and lung["box"]["g0"] == lung["interval_gray"]["bottom"] == 150
    assert lung["interval_units"] == {"bottom": pytest.approx(200 + 3600 * 150 / 255), "top": None}
    assert (lung["method"], lung["surfaces"]) == ("box", None)
    assert (lung["box_agreement"], lung["confidence"]) == (1.0, 0.9)


def surfaces(rows: int = 7, columns: int = 5) -> ThresholdField:
    """Uneven thresholds over a ROI between pixels; some are open, some cells closed."""
    random = np.random.default_rng(0)
    low, high = random.normal(90, 50, (rows, columns)), random.normal(180, 60, (rows, columns))
    return ThresholdField((10.25, 5.5, 121.0, 80.75), low, high)


def test_surfaces_redo_the_mask():
    """From the text alone, but for pixels whose gray level lies within the rounding of a threshold."""
    pixels = np.random.default_rng(1).integers(0, 4096, SHAPE).astype(np.uint16)
    image, field = Radiograph(pixels, GrayMapping.window(200, 3800, "percentile")), surfaces()
    window = boxes.pixel_slices(field.roi, SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[window] = field_mask(image, field)
    item = checked(report.report(result(image, [found(image, "paw", "paw", mask, field=field)])))["objects"][0]
    assert (item["method"], item["box_agreement"]) == ("surfaces", 0.64)
    given = item["surfaces"]
    assert (given["rows"], given["columns"]) == np.shape(given["low"]) == np.shape(given["high"]) == (7, 5)
    roi = tuple(given["roi"][axis] for axis in ("x0", "y0", "x1", "y1"))
    again = ThresholdField(roi, np.array(given["low"], np.float32), np.array(given["high"], np.float32))
    assert np.abs(again.low - field.low).max() < 0.0501 and np.abs(again.high - field.high).max() < 0.0501
    redone = field_mask(image, again)
    gray, (low, high) = image.gray()[window], field.surfaces(window)
    near = np.minimum(np.abs(gray - low), np.abs(gray - high)) < 0.0502
    assert near.mean() < 0.01 < mask.mean() < 0.99
    assert np.array_equal(redone[~near], mask[window][~near])


def test_numbers_are_written_briefly():
    """0.1 gray levels, a list of them on one line, and nothing else is touched."""
    low = np.array([[-0.04, 123.456], [7.0, 1e-9]], np.float32)
    field = ThresholdField((0.0, 0.0, 9.0, 9.0), low, low + 300)
    image = radiograph(source=Path("a [ 1, 2 ].dcm"), notes=("[\n1,\n2]", "[1,  2]"))
    document = report.report(result(image, [found(image, "paw", "paw", letter_l(), field=field)]))
    text = report.dumps(document)
    assert json.loads(text) == document
    lines = [line.strip() for line in text.splitlines()]
    assert '"low": [' in lines and "[0.0, 123.5]," in lines and "[7.0, 0.0]" in lines and "[300.0, 423.5]," in lines
    assert '"direction": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]' in lines
    assert not [line for line in lines if line.rstrip(",").replace(".", "").isdigit()]
    with pytest.raises(ValueError):
        report.dumps([float("nan")])
    for numbers in ([], [1e300, -2.5e-7], [[1], [], [None, 2]], [True, 1], ["1", 2]):
        assert json.loads(report.dumps(numbers)) == numbers


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
    image = radiograph()
    document = report.report(result(image, [found(image, "paw", "paw", letter_l(), field=surfaces())]))
    assert set(document) == set(schema["properties"]) == set(schema["required"])
    known = schema["$defs"]["object"]
    assert set(document["objects"][0]) == set(known["properties"]) == set(known["required"])
    assert set(document["objects"][0]["surfaces"]) == set(schema["$defs"]["surfaces"]["properties"])
    assert set(document["input"]) == set(schema["properties"]["input"]["properties"])
