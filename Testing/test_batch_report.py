"""The result as JSON: it validates against the schema we ship, whatever the result holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GrayscaleDetSegLib.batch import report
from GrayscaleDetSegLib.core import boxes, codec
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.explanations.thresholds import Thresholds
from GrayscaleDetSegLib.core.gray import GrayMapping, Polarity
from GrayscaleDetSegLib.core.labels import anatomy
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
    assert (document["schema"], document["schema_version"]) == ("grayscale-detseg/result", 3)
    assert document["input"]["size"] == {"rows": SHAPE[0], "columns": SHAPE[1]}
    assert document["input"]["spacing"] == {
        "row_mm": 0.2, "column_mm": 0.1, "source": "PixelSpacing", "plane": "", "magnification": None,
    }
    lung = document["objects"][0]
    assert (lung["name"], lung["segment"]) == ("right lung", {"id": "right_lung", "label_value": 1, "layer": 0})
    assert lung["pixel_count"] == letter_l().sum()
    assert lung["area_mm2"] == pytest.approx(0.02 * letter_l().sum())
    assert lung["terminology"]["modifier"]["meaning"] == "Right"
    thresholds = lung["explanation"]
    assert lung["region"]["x0"] == thresholds["rule"]["box"]["x0"]
    assert thresholds["rule"]["box"]["g0"] == thresholds["interval"]["bottom"] == 150
    assert thresholds["interval_units"] == {"bottom": pytest.approx(200 + 3600 * 150 / 255), "top": None}
    assert (lung["method"], thresholds["kind"], thresholds["rule"]["single"]) == ("box", "thresholds", True)
    assert (thresholds["box_agreement"], thresholds["confidence"]) == (1.0, 0.9)
    assert thresholds["stability"] == {"bottom": 0.012, "top": 0.0, "value": 0.988}


def surfaces(rows: int = 7, columns: int = 5) -> ThresholdMap:
    """Uneven thresholds over a ROI between pixels; some are open, some cells closed."""
    random = np.random.default_rng(0)
    low, high = random.normal(90, 50, (rows, columns)), random.normal(180, 60, (rows, columns))
    return ThresholdMap((10.25, 5.5, 121.0, 80.75), low, high)


def test_surfaces_redo_the_mask():
    """From the text alone, but for pixels whose gray level lies within the rounding of a threshold."""
    pixels = np.random.default_rng(1).integers(0, 4096, SHAPE).astype(np.uint16)
    image, field = Radiograph(pixels, GrayMapping.window(200, 3800, "percentile")), surfaces()
    window = boxes.pixel_slices(field.roi, SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[window] = field_mask(image, field)
    item = checked(report.report(result(image, [found(image, "paw", "paw", mask, field=field)])))["objects"][0]
    assert (item["method"], item["explanation"]["box_agreement"]) == ("surfaces", 0.64)
    given = item["explanation"]["rule"]["field"]
    assert np.shape(given["low"]) == np.shape(given["high"]) == (7, 5)
    roi = tuple(given["roi"][axis] for axis in ("x0", "y0", "x1", "y1"))
    again = ThresholdMap(roi, np.array(given["low"], np.float32), np.array(given["high"], np.float32))
    assert np.abs(again.low - field.low).max() < 0.0501 and np.abs(again.high - field.high).max() < 0.0501
    redone = field_mask(image, again)
    gray, (low, high) = image.gray()[window], field.surfaces(window)
    near = np.minimum(np.abs(gray - low), np.abs(gray - high)) < 0.0502
    assert near.mean() < 0.01 < mask.mean() < 0.99
    assert np.array_equal(redone[~near], mask[window][~near])


def test_numbers_are_written_briefly():
    """0.1 gray levels, a list of them on one line, and nothing else is touched."""
    low = np.array([[-0.04, 123.456], [7.0, 1e-9]], np.float32)
    field = ThresholdMap((0.0, 0.0, 9.0, 9.0), low, low + 300)
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
    lung = checked(report.report(result(image)))["objects"][0]["explanation"]
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


def test_the_schema_is_generated_from_the_types():
    assert report.schema() == report.generated_schema(), "make it anew: python -m GrayscaleDetSegLib.batch.report"


def test_the_schema_describes_every_field():
    """No field of a report is unknown to the schema, and each has words of its own or its type's."""
    schema, image = report.schema(), radiograph()
    document = report.report(result(image, [found(image, "paw", "paw", letter_l(), field=surfaces())]))
    known = schema["$defs"]
    assert set(document) == set(schema["properties"]) == set(schema["required"])
    thing = document["objects"][0]
    assert set(thing) == set(known["ReportedObject"]["properties"]) == set(known["ReportedObject"]["required"])
    assert set(thing["explanation"]) == set(known["Thresholds"]["properties"])
    assert set(thing["explanation"]["rule"]["field"]) == set(known["ThresholdMap"]["properties"])
    assert set(document["input"]) == set(known["Input"]["properties"])
    for properties in (schema["properties"], *(known[name]["properties"] for name in ("ReportedObject", "Thresholds"))):
        assert not [name for name, entry in properties.items() if name != "kind" and not entry.get("description")]


def test_the_schema_tells_wrong_documents():
    document = report.report(result())
    validator = jsonschema.Draft202012Validator(report.schema())
    for change in (
        lambda item: item.update(score=1.5),
        lambda item: item.pop("method"),
        lambda item: item["explanation"].pop("rule"),
        lambda item: item["explanation"]["rule"]["box"].update(g0="low"),
        lambda item: item["region"].update(z=1.0),
    ):
        wrong = json.loads(json.dumps(document))
        change(wrong["objects"][0])
        assert not validator.is_valid(wrong), change
    document["objects"][0]["explanation"] = {"kind": "saliency", "anything": [1]}
    assert validator.is_valid(document), "the explanation of another package"


def test_a_report_is_read_again():
    image = radiograph(spacing=Spacing(0.2, 0.1, "PixelSpacing"), source=Path("a.dcm"))
    document = report.report(result(image, [found(image, "paw", "paw", letter_l(), field=surfaces())]))
    again = report.read_report(json.loads(report.dumps(document)))
    assert codec.encode(again, exact=False) == document
    assert isinstance(again.objects[0].explanation, Thresholds) and again.objects[0].color == anatomy("paw").color
    for wrong in ({}, [], {**document, "schema_version": 99}, {**document, "objects": [{}]}):
        with pytest.raises(codec.CodecError):
            report.read_report(wrong)
