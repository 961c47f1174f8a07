"""How many files that lie about themselves are read wrongly without a word.

    python -m training.lies [--count 1000] [--seed 0] [--model BUNDLE] [--folder DIR]

Three simulated films, a chest, a knee, and the chest with the letter R on it, are written in random combinations: of
eight ways to store the picture, of formats and depths, of tags that say how it lies (rightly, wrongly, or not at all),
of ways to say which values are bright, and of spacings. Each file is read and segmented; what comes out is compared
with what the film shows. An error of side, scale or polarity counts as silent where the result has no note about it.
Wanted are none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.labels import side_in
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading import read_radiograph
from GrayscaleDetSegLib.core.reading.rasters import ITK_FLIPS
from GrayscaleDetSegLib.core.result import SegmentationResult

from .lying_files import FORMATS, SPACING, Film, Said, write
from .remembering import remembering
from .simulate.acquisition import add_marker

SURE = 0.6
"""Score from which an object of the film as it is hung must be found in every file."""
WORDS = {
    "side": ("side", "Sides", "check them"),
    "scale": ("spacing", "Spacing", "magnification"),
    "polarity": ("olarity", "inverts"),
}
"""What the notes about an error hold: one of these words."""
SAMPLES = Path(__file__).resolve().parent.parent / "GrayscaleDetSeg" / "Resources" / "Samples"
AXES = {
    ("L", "F"): Orientation(), ("R", "F"): Orientation(flip_columns=True), ("L", "H"): Orientation(flip_rows=True),
    ("R", "H"): Orientation(False, True, True), ("F", "L"): Orientation(True), ("H", "L"): Orientation(True, True),
    ("F", "R"): Orientation(True, False, True), ("H", "R"): Orientation(True, True, True),
}  # fmt: skip
"""What PatientOrientation says of a film that must be turned so to be upright."""
EXIF = {1: AXES["L", "F"], 2: AXES["R", "F"], 3: AXES["R", "H"], 4: AXES["L", "H"], 5: AXES["F", "L"],
        6: AXES["F", "R"], 7: AXES["H", "R"], 8: AXES["H", "L"]}  # fmt: skip


@dataclass(frozen=True)
class Combination:
    """One file, and what is right of it.

    Parameters
    ----------
    film : Film
    turn : Orientation
        What brings the stored picture upright.
    said : Said
        What the file says.
    true_tags : bool
        Whether the file says how it lies, and says it rightly.
    areas : float or None
        mm2 of a pixel; None where the file does not say, or contradicts itself.
    """

    film: Film
    turn: Orientation
    said: Said
    true_tags: bool
    areas: float | None


@dataclass
class Judgement:
    """What came of one combination: silent errors, errors that were said, and the least overlap of a mask."""

    silent: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    overlap: float = 1.0
    refused: str = ""


def films() -> list[Film]:
    """Chest, knee, and a chest with a letter, small, as they are hung: 12 bit values, bone bright."""
    found = []
    for name, step in (("chest", 2), ("knee", 3)):
        pixels = read_radiograph(SAMPLES / f"{name}.nrrd").pixels.astype(np.float64)
        rows, columns = (size // step for size in pixels.shape)
        small = pixels[: rows * step, : columns * step].reshape(rows, step, columns, step).mean((1, 3))
        low, high = small.min(), small.max()
        found.append(Film(name, np.round((small - low) / (high - low) * 4095).astype(np.uint16)))
    return [*found, Film("chest R", with_letter(found[0].pixels, "R"))]


def with_letter(pixels: np.ndarray, letter: str) -> np.ndarray:
    """A film with a letter of lead in its upper corner on the patient's right, on a patch that is as dark as air."""
    marked = pixels / 4095.0
    size = round(0.08 * max(pixels.shape))
    marked[: 2 * size, : 2 * size] = 0.1
    place = size / 2 / pixels.shape[0], size / 2 / pixels.shape[1]
    return np.round(np.clip(add_marker(marked, letter, place, size, 0.95), 0, 1) * 4095).astype(np.uint16)


def random_combination(rng: np.random.Generator, film: Film) -> Combination:
    """A file with one of everything."""
    turn = list(AXES.values())[rng.integers(8)]
    format = str(rng.choice(list(FORMATS)))
    inverted = bool(rng.random() < 0.4)
    honest = bool(rng.random() < 0.8)  # of the tags about polarity
    lie, axes, exif, more = str(rng.choice(["right", "right", "right", "none", "wrong"])), None, None, {}
    if FORMATS[format].is_dicom:
        names = {turn_: name for name, turn_ in AXES.items()}
        axes = {"right": names[turn], "none": None, "wrong": names[list(AXES.values())[rng.integers(8)]]}[lie]
        more, areas = _dicom_scale(rng)
        kind = rng.integers(8)
        if kind == 0:
            more["ViewPosition"] = str(rng.choice(["LL", "RAO"]))
        elif kind == 1:
            more["ViewPosition"] = str(rng.choice(["PA", "AP"]))
        elif kind == 2:
            more["FieldOfViewHorizontalFlip"] = "YES"
        if film.name == "knee" and rng.random() < 0.5:
            more["ImageLaterality"] = "R"
    else:
        numbers = {turn_: number for number, turn_ in EXIF.items()}
        if FORMATS[format].has_exif:
            exif = {"right": numbers[turn], "none": None, "wrong": int(rng.integers(1, 9))}[lie]
        unit = str(rng.choice(["mm", "um", "cm"])) if format == "nrrd" else "mm"
        more, areas = {"unit": unit}, SPACING**2 if FORMATS[format].has_spacing else None
    true_tags = axes is not None and AXES[axes] == turn or exif is not None and EXIF[exif] == turn
    return Combination(film, turn, Said(format, inverted, honest, axes, exif, more), true_tags, areas)


def _dicom_scale(rng: np.random.Generator) -> tuple[dict, float | None]:
    """Tags about the spacing, and mm2 of a pixel as they have it; None where a contradiction leaves it open."""
    detector = [f"{SPACING:g}"] * 2
    double = [f"{2 * SPACING:g}"] * 2
    return [
        ({}, None),
        ({"ImagerPixelSpacing": detector}, SPACING**2),
        ({"PixelSpacing": detector}, SPACING**2),
        ({"PixelSpacing": detector, "ImagerPixelSpacing": detector}, SPACING**2),
        ({"PixelSpacing": detector, "ImagerPixelSpacing": double, "PixelSpacingCalibrationType": "GEOMETRY"},
         SPACING**2),
        ({"PixelSpacing": detector, "ImagerPixelSpacing": double}, None),
        ({"ImagerPixelSpacing": detector, "EstimatedRadiographicMagnificationFactor": "1.25"}, SPACING**2),
        ({"PixelSpacing": ["0", "0"], "ImagerPixelSpacing": detector}, SPACING**2),
    ][rng.integers(8)]  # fmt: skip


def judged(combination: Combination, film: Radiograph, result: SegmentationResult, right: SegmentationResult
           ) -> Judgement:  # fmt: skip
    """What is wrong in a result, compared with that of the same film as it is hung with all tags right."""
    judgement, notes = Judgement(), (*film.notes, *result.radiograph.notes, *result.notes)

    def wrong(kind: str, what: str) -> None:
        is_told = any(word in note for note in notes for word in WORDS[kind])
        (judgement.told if is_told else judgement.silent).append(f"{kind}: {what}")

    turn = combination.turn
    if combination.said.format.startswith("tiff"):  # the grid is the one that Slicer loads
        turn = turn.of_flipped(ITK_FLIPS.get(combination.said.exif, Orientation()))
    upright = turn.view(result.radiograph.pixels).astype(float)
    if np.corrcoef(upright.ravel(), combination.film.pixels.ravel())[0, 1] < 0:
        wrong("polarity", "bone is dark")
    for item in right.objects:
        if item.score < SURE:
            continue
        mine = max(result.objects, key=lambda other: _iou(turn.view(other.mask), item.mask), default=None)
        overlap = 0.0 if mine is None else _iou(turn.view(mine.mask), item.mask)
        judgement.overlap = min(judgement.overlap, overlap)
        if mine is None or overlap < 0.5:
            continue
        side = side_in(item.label) or (combination.film.name == "knee" and "right") or None
        if mine.side is not None and mine.side != side:
            wrong("side", f"{item.name} is called {mine.name}, {mine.side}")
        if combination.areas is not None:
            area = mine.pixel_count * combination.areas
            if mine.area_mm2 is None or abs(mine.area_mm2 / area - 1) > 0.01:
                wrong("scale", f"{mine.name} has {mine.area_mm2} mm2, not {area:.4g}")
    spacing = film.spacing
    if combination.areas is None and spacing is not None:
        wrong("scale", f"{spacing.row:g} mm where the file leaves it open")
    if spacing is not None and "EstimatedRadiographicMagnificationFactor" in combination.said.more:
        if spacing.magnification is None:
            wrong("scale", "no corrected area")
    return judgement


def _iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / max(1, (first | second).sum()))


def references(pipeline: Pipeline, which: list[Film], folder: Path) -> dict[str, SegmentationResult]:
    """The result of every film as it is hung, all tags right."""
    said = Said("explicit", False, True, ("L", "F"), None, {"ImagerPixelSpacing": [f"{SPACING:g}"] * 2})
    return {film.name: pipeline.segment(read_radiograph(write(film.pixels, said, folder / film.name)))
            for film in which}  # fmt: skip


def run(combination: Combination, pipeline: Pipeline, right: SegmentationResult, path: Path) -> Judgement:
    """Write, read, segment and judge one combination."""
    path = write(np.ascontiguousarray(combination.turn.stored(combination.film.pixels)), combination.said, path)
    try:
        film = read_radiograph(path)
        result = pipeline.segment(film)
    except RadiographError as error:
        return Judgement(refused=str(error))
    return judged(combination, film, result, right)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="combinations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    parser.add_argument("--folder", type=Path, help="keep the files of silent errors there")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pipeline = remembering(load_pipeline(options.model, "cpu"))
    counts, overlaps, which = Counter(), [], films()
    with tempfile.TemporaryDirectory() as folder:
        right = references(pipeline, which, Path(folder))
        for number in range(options.count):
            rng = np.random.default_rng((options.seed, number))
            combination = random_combination(rng, which[number % len(which)])
            judgement = run(combination, pipeline, right[combination.film.name], Path(folder) / "film")
            counts.update({"silent": bool(judgement.silent), "told": bool(judgement.told and not judgement.silent),
                           "refused": bool(judgement.refused)})  # fmt: skip
            if combination.true_tags and not judgement.refused:
                overlaps.append(judgement.overlap)
            if combination.true_tags and judgement.overlap < 0.9 and not judgement.refused:
                print(f"{number}: least overlap {judgement.overlap:.3f}; {combination.said}")
            for text in (*judgement.silent, *filter(None, [judgement.refused])):
                print(f"{number}: {text}; {combination.film.name}, {combination.turn.words}, {combination.said}")
                if options.folder:
                    options.folder.mkdir(parents=True, exist_ok=True)
                    write(np.ascontiguousarray(combination.turn.stored(combination.film.pixels)), combination.said,
                          options.folder / str(number))  # fmt: skip
    print(f"{pipeline.model}: {counts['silent']} silent errors in {options.count} combinations (seed {options.seed})")
    print(f"{counts['told']} with a contradiction or an error that is said, {counts['refused']} refused")
    if overlaps:
        print(f"{len(overlaps)} whose tags say rightly how they lie: least overlap of a mask with that of the film as "
              f"it is hung {min(overlaps):.4f}, mean {np.mean(overlaps):.4f}")  # fmt: skip
    return 1 if counts["silent"] else 0


if __name__ == "__main__":
    sys.exit(main())
