"""What tags say of how a picture lies: looked at upright, masks on the stored grid, sides by the tags."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.editing import with_object, with_region
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.labels import anatomy, of_class, side_in, without_side
from GrayscaleDetSegLib.core.lie import UNSAID, Lie, by_dicom, by_exif
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.regions import RegionProposal, Regions
from GrayscaleDetSegLib.core.sides import settled
from GrayscaleDetSegLib.core.single_box.detected import DetectedBox
from GrayscaleDetSegLib.core.yolo.detector import DetectionSettings
from Testing.pipelines import rigged

TURNS = [Orientation(*each) for each in itertools.product((False, True), repeat=3)]
GRAY = {"large lung": 100, "small lung": 150, "heart": 200, "femur": 230}


def chest(with_heart: bool = True, bone: bool = False) -> np.ndarray:
    """A film as it is hung: the larger lung, the patient's right one, on the left, and the heart left of the middle."""
    gray = np.full((100, 90), 20, np.uint8)
    gray[10:80, 8:38] = GRAY["large lung"]
    gray[10:60, 55:80] = GRAY["small lung"]
    if with_heart:
        gray[62:85, 45:70] = GRAY["heart"]
    if bone:
        gray[90:98, 5:85] = GRAY["femur"]
    return gray


class ChestFake:
    """Finds the objects by their gray levels in any view, and calls the lung on the left of the view the right one."""

    def __init__(self) -> None:
        self.settings, self.seen = DetectionSettings(), []

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        self.seen.append(np.array(gray))
        found = {}
        for name, level in GRAY.items():
            mask = np.abs(gray - level) < 2
            if mask.any():
                found[name] = tuple(map(float, boxes.of_mask(mask)))
        lungs = sorted((found[name] for name in found if "lung" in name), key=lambda box: box[0])
        named = [(f"{side} lung", box) for side, box in zip(("right", "left"), lungs)]
        named += [(name, box) for name, box in found.items() if "lung" not in name]
        return [RegionProposal(name, 0.9, box) for name, box in named]


class BoxFake:
    classes = ("right lung", "left lung", "heart", "femur")

    def detect(self, gray, roi, label):
        box = tuple(map(float, boxes.extrude(np.asarray(roi), 90.0, 255.0)))
        return DetectedBox(box, box, 0.7)


def film(gray: np.ndarray, lie: Lie = UNSAID) -> Radiograph:
    return Radiograph(gray, GrayMapping.window(0, 255, "full range"), lie=lie)


def segmented(gray: np.ndarray, lie: Lie = UNSAID):
    return rigged(ChestFake(), BoxFake()).segment(film(gray, lie))


def tags(notes=None, direction=None, **values) -> Lie:
    return by_dicom(values.get, [] if notes is None else notes, direction)


def place(result, name: str) -> tuple[int, int]:
    """Middle (column, row) of an object."""
    rows, columns = np.nonzero(next(item.mask for item in result.objects if item.name == name))
    return round(columns.mean()), round(rows.mean())


AXES = {("L", "F"): TURNS[0], ("R", "F"): Orientation(flip_columns=True), ("L", "H"): Orientation(flip_rows=True),
        ("R", "H"): Orientation(flip_rows=True, flip_columns=True), ("F", "L"): Orientation(True),
        ("H", "L"): Orientation(True, flip_rows=True), ("F", "R"): Orientation(True, flip_columns=True),
        ("H", "R"): Orientation(True, True, True)}  # fmt: skip


@pytest.mark.parametrize("axes", AXES, ids="".join)
def test_a_film_stored_any_way_gives_the_same_masks_and_sides(axes):
    hung = chest()
    turn = AXES[axes]
    assert tags(PatientOrientation=list(axes)).turn == turn == tags(PatientOrientation="\\".join(axes)).turn
    stored = np.ascontiguousarray(turn.stored(hung))
    result = segmented(stored, tags(PatientOrientation=axes))
    expected = segmented(hung, tags(PatientOrientation="L\\F"))
    assert {item.name: item.side for item in result.objects} == {"right lung": "right", "left lung": "left",
                                                                  "heart": None}  # fmt: skip
    for item, other in zip(result.objects, expected.objects):
        assert item.name == other.name
        np.testing.assert_array_equal(turn.view(item.mask), other.mask)
    assert result.orientation == ("stored" if turn.is_identity else "upright") and result.view == turn
    notes = [note for note in result.notes if turn.words in note and "PatientOrientation " + "\\".join(axes) in note]
    assert len(notes) == len(result.notes) == (0 if turn.is_identity else 1)


def test_a_mirrored_film_without_tags_is_given_away_by_its_heart():
    assert segmented(chest()).notes == ()
    (note,) = segmented(np.ascontiguousarray(chest()[:, ::-1])).notes
    assert "may be mirrored" in note
    (note,) = segmented(chest(with_heart=False)).notes
    assert "no tag of the file says them" in note


def test_wrong_tags_are_followed_and_said():
    """A film as hung, whose tag says that it is mirrored: the heart then lies on the right."""
    result = segmented(chest(), tags(PatientOrientation="R\\F"))
    assert place(result, "left lung")[0] < place(result, "right lung")[0]
    assert any("The heart lies on the right by PatientOrientation R\\F" in note for note in result.notes)


class StoredOnly(ChestFake):
    """Finds nothing in a view in which the heart is above: one that only knows films as they are hung."""

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        heart = np.nonzero(np.abs(gray - GRAY["heart"]) < 2)[0]
        return super().candidates(gray) if heart.mean() > gray.shape[0] / 2 else []


def test_a_tag_against_which_everything_is_found_gets_a_sentence():
    result = rigged(StoredOnly(), BoxFake()).segment(film(chest(), tags(PatientOrientation="R\\H")))
    assert result.orientation == "stored" and len(result.objects) == 3
    assert place(result, "left lung")[0] < place(result, "right lung")[0], "sides follow the tag"
    assert "much more was found" in result.notes[0] and "heart lies on the right" in result.notes[1]


@pytest.mark.parametrize("said", [
    {"PatientOrientation": "A\\F"}, {"PatientOrientation": "P\\F"}, {"ViewPosition": "LL"}, {"ViewPosition": "RAO"},
    {"ViewCodeMeaning": "left lateral"}, {"PatientOrientation": "LA\\F"},
])  # fmt: skip
def test_lateral_and_oblique_films_have_no_sides(said):
    notes: list[str] = []
    result = segmented(chest(bone=True), tags(notes, **said, ImageLaterality="R"))
    assert [item.name for item in result.objects] == ["lung", "lung 2", "heart", "femur"]
    assert [item.side for item in result.objects] == [None] * 4
    assert anatomy("lung").laterality is None and anatomy("lung").structure == anatomy("left lung").structure
    assert len(notes) == 1 and "no sides are given" in notes[0]
    pipeline = rigged(ChestFake(), BoxFake())
    moved = with_region(pipeline, result, "lung", (8, 10, 30, 40))
    assert moved.objects[0].label == "lung" and moved.objects[0].pixel_count == 22 * 30
    assert with_object(pipeline, result, "lung", (60, 20, 70, 30)).objects[-1].name == "lung 3"


@pytest.mark.parametrize("said, sentence", [
    ({"PatientOrientation": "A\\F", "ViewPosition": "PA"}, "contradict each other, so no sides"),
    ({"PatientOrientation": "L\\F", "ViewPosition": "LL"}, "contradict each other, so no sides"),
    ({"PatientOrientation": "L\\R"}, "makes no sense"),
    ({"PatientOrientation": "X\\F"}, "makes no sense"),
    ({"PatientOrientation": "L"}, "makes no sense"),
    ({"ImageLaterality": "R", "Laterality": "L"}, "contradict each other, so neither"),
    ({"ImageLaterality": "Q"}, "neither R nor L"),
    ({"FieldOfViewHorizontalFlip": "YES"}, "check sides"),
    ({"FieldOfViewRotation": "90"}, "check sides"),
    ({"FieldOfViewRotation": "turned"}, "no number"),
])  # fmt: skip
def test_contradictions_get_one_sentence(said, sentence):
    notes: list[str] = []
    tags(notes, **said)
    assert len(notes) == 1 and sentence in notes[0]


@pytest.mark.parametrize("said", [
    {}, {"PatientOrientation": ""}, {"PatientOrientation": ["", ""]},
    {"PatientOrientation": "L\\F", "ViewPosition": "PA"},
    {"PatientOrientation": "L\\F", "FieldOfViewHorizontalFlip": "YES", "FieldOfViewRotation": "180"},
    {"FieldOfViewHorizontalFlip": "NO", "FieldOfViewRotation": "0"}, {"ImageLaterality": "U"}, {"Laterality": "B"},
    {"ViewPosition": "LLD"},
])  # fmt: skip
def test_what_is_in_order_gets_none(said):
    notes: list[str] = []
    assert tags(notes, **said).sideless == "" and notes == []


def test_directions_of_the_axes_say_sides_too_and_can_contradict():
    coronal, mirrored = (1, 0, 0, 0, 0, 1, 0, -1, 0), (-1, 0, 0, 0, 0, 1, 0, -1, 0)
    assert tags(direction=coronal).to_left == (1, 0) and tags(direction=mirrored).to_left == (-1, 0)
    notes: list[str] = []
    assert tags(notes, direction=mirrored, PatientOrientation="L\\F").to_left == (1, 0)
    assert "contradict each other" in notes[0]


def test_the_laterality_of_a_picture_is_that_of_its_bones():
    def bone(**said):
        gray = np.full((100, 90), 20, np.uint8)
        gray[10:80, 30:60] = GRAY["femur"]
        return segmented(gray, tags(**said))

    assert [item.side for item in bone().objects] == [None]
    result = bone(ImageLaterality="R", PatientOrientation="L\\F")
    assert [item.side for item in result.objects] == ["right"] and "ImageLaterality R" in result.notes[0]
    assert anatomy("femur", "right").laterality[2] == "Right" and anatomy("femur").laterality is None
    assert [item.side for item in bone(Laterality="L").objects] == ["left"]
    both = segmented(chest(), tags(ImageLaterality="R", PatientOrientation="L\\F"))
    assert "names one side, but lungs of both" in both.notes[0] and both.objects[1].side in ("left", "right")


@pytest.mark.parametrize(
    "labels, said",
    [
        (["tibia"], "The side of tibia is right"),
        (["tibia", "femur"], "The side of tibia and femur is right"),
        (["tibia", "femur", "fibula"], "The side of tibia, femur and fibula is right"),
    ],
)
def test_what_has_the_side_of_the_picture_is_listed_as_people_do(labels, said):
    found = tuple(RegionProposal(label, 0.9, (1.0, 1.0, 9.0, 9.0)) for label in labels)
    image = Radiograph.from_array(np.arange(100.0).reshape(10, 10))
    image = replace(image, lie=Lie(laterality="right", laterality_by="ImageLaterality R"))
    assert settled(Regions(found, None, Orientation()), image).notes[-1].startswith(said)


EXIF = {1: TURNS[0], 2: Orientation(flip_columns=True), 3: Orientation(False, True, True), 4: Orientation(False, True),
        5: Orientation(True), 6: Orientation(True, False, True), 7: Orientation(True, True, True),
        8: Orientation(True, True)}  # fmt: skip


@pytest.mark.parametrize("value", range(1, 9))
def test_exif_turns_the_view_as_pillow_does(value):
    import io

    from PIL import Image, ImageOps

    stored = chest()
    exif = Image.Exif()
    exif[274] = value
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "PNG", exif=exif)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
    lie = by_exif(value)
    assert (lie.turn or TURNS[0]) == EXIF[value] and lie.to_left is None
    np.testing.assert_array_equal((lie.turn or TURNS[0]).view(stored), shown)


def test_nonsense_in_exif_says_nothing():
    assert by_exif(None) == by_exif(0) == by_exif(9) == by_exif(1) == UNSAID


@pytest.mark.parametrize("turn", TURNS, ids=str)
@pytest.mark.parametrize("flips", [each for each in TURNS if not each.transpose], ids=str)
def test_a_turn_of_a_flipped_grid(turn, flips):
    image = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(turn.of_flipped(flips).view(flips.view(image)), turn.view(image))


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_boxes_go_to_the_view_and_back(turn):
    box, shape = (1.5, 2.0, 7.25, 9.0), (30, 20)
    assert turn.roi_to_stored(turn.roi_to_view(box, shape), shape) == box
    assert turn.is_mirrored == (np.linalg.det(np.eye(2)[[1, 0]] if turn.transpose else np.eye(2))
                                * (-1) ** (turn.flip_rows + turn.flip_columns) < 0)  # fmt: skip


def test_names_with_and_without_sides():
    assert [side_in(name) for name in ("right lung", "Left_hip", "leftover", "femur")] == ["right", "left", None, None]
    assert [without_side(name) for name in ("right lung", "Left_hip", "leftover")] == ["lung", "hip", "leftover"]
    assert of_class("lung", ("femur", "left lung", "right lung")) == "left lung"
    assert of_class("hip", ("femur", "left lung")) is None and of_class("femur", ("femur",)) == "femur"


@pytest.mark.parametrize("shape", [(16, 16), (31, 200), (200, 31)])
def test_an_image_too_small_to_know_anything_gives_nothing(shape):
    pipeline = rigged(ChestFake(), BoxFake())
    result = pipeline.segment(film(np.resize(chest(), shape)))
    assert result.objects == () and "too few to know anything" in result.message
    assert pipeline.roi_detector.seen == []


class ShyFake(ChestFake):
    """As unsure of the heart as of nothing that is shown."""

    score = 0.2

    def candidates(self, gray, pixel_aspect=1.0, score_threshold=None):
        found = super().candidates(gray)
        return [RegionProposal(item.label, self.score, item.roi) if item.label == "heart" else item for item in found]


def test_a_heart_that_is_not_shown_tells_sides_too():
    shy = rigged(ShyFake(), BoxFake())
    result = shy.segment(film(chest()))
    assert [item.name for item in result.objects] == ["right lung", "left lung"] and result.notes == ()
    (note,) = shy.segment(film(np.ascontiguousarray(chest()[:, ::-1]))).notes
    assert "may be mirrored" in note
    shy.roi_detector.score = 0.05
    (note,) = shy.segment(film(chest())).notes
    assert "nothing in it has confirmed them" in note
