"""What a model finds where there is nothing that it knows.

    python -m training.clinical.strangers --data ../shared/data [--model BUNDLE] [--pictures FOLDER]

Slices of the volume sets, side projections of a CT, films of ``strangers/``, and drawings (text, charts, shapes, noise,
gradients). Every region found on them is false, but for what a CT's projection really shows: that one is looked at from
the side, where the model has learnt nothing but vertebrae, hip bones and femora, and those are not counted.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK
from PIL import Image, ImageDraw

from GrayscaleDetSegLib.core.errors import RadiographError
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph
from GrayscaleDetSegLib.core.reading.reader import read_radiograph

VOLUMES = ("acdc_heart", "msd_hippocampus", "prostate_trus3d", "prostate_mr")
IN_TORSOS = ("vertebra", "hip bone", "sacrum", "femur", "scapula", "humerus", "right clavicle", "left clavicle")


def strangers(data: Path, each: int = 25) -> Iterator[tuple[str, str, Radiograph, tuple[str, ...]]]:
    """(kind, name, radiograph, classes that may be there) of every picture."""
    for name in VOLUMES:
        paths = sorted((data / name / "images").glob("*.nii.gz"))
        for number in np.linspace(0, len(paths) - 1, each).round().astype(int):
            volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(paths[number])))
            middle = volume[volume.shape[0] // 2].astype(np.float32)
            yield name, paths[number].name, Radiograph.from_array(middle), ()
    for path in sorted((data / "ct_torso").rglob("*.nii.gz")):
        if "label" in path.as_posix() or "seg" in path.name:
            continue
        volume = SimpleITK.GetArrayFromImage(SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "LPS"))
        depth = np.exp(-np.clip((volume.astype(np.float32) + 1000.0) / 1000.0, 0, None).sum(2) * 0.02)
        yield "side of a CT", path.name, Radiograph.from_array(1.0 - depth[::-1]), IN_TORSOS
    for path in sorted((data / "strangers").rglob("*")):
        if path.is_file() and path.suffix.lower() not in (".md", ".txt", ".csv"):
            try:
                yield "strangers", path.name, read_radiograph(path), ()
            except RadiographError as error:
                print(f"{path.name}: {error}", file=sys.stderr)
    for number in range(2 * each):
        yield "drawings", str(number), Radiograph.from_array(drawing(np.random.default_rng(number))), ()


def drawing(draw: np.random.Generator) -> np.ndarray:
    """A picture that shows nothing of a body, uint8 (400, 400)."""
    y, x = np.mgrid[:400, :400].astype(np.float32)
    kind = draw.integers(5)
    if kind == 0:
        return (255 * draw.random((400, 400))).astype(np.uint8)
    if kind == 1:
        wave = np.sin(x / draw.uniform(5, 60) + y / draw.uniform(5, 60))
        return (127 + 120 * wave).astype(np.uint8)
    picture = Image.new("L", (400, 400), int(draw.uniform(0, 60)))
    pen = ImageDraw.Draw(picture)
    for _ in range(draw.integers(3, 15)):
        box = np.sort(draw.uniform(0, 400, (2, 2)), axis=0).T.reshape(-1)
        box = box[0], box[2], box[1] + 2, box[3] + 2
        level = int(draw.uniform(60, 255))
        if kind == 2:
            pen.rectangle(box, fill=level)
        elif kind == 3:
            pen.ellipse(box, fill=level)
        else:
            pen.text((box[0], box[1]), "The quick brown fox 0123456789\nCHART " * int(draw.integers(1, 4)), fill=level)
            pen.line(draw.uniform(0, 400, 8).tolist(), fill=level, width=int(draw.integers(1, 6)))
    return np.asarray(picture)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--model", help="bundle (default: the shipped one)")
    parser.add_argument("--each", type=int, default=25, help="pictures of a volume set")
    parser.add_argument("--pictures", type=Path, help="folder for pictures with false regions")
    options = parser.parse_args(arguments)
    pipeline = load_pipeline(options.model)
    shown, wrong, classes = Counter(), Counter(), Counter()
    for kind, name, radiograph, allowed in strangers(options.data, options.each):
        settled = pipeline.settle_polarity(radiograph)
        false = [item for item in pipeline.find_regions(settled).found if item.label not in allowed]
        shown[kind] += 1
        wrong[kind] += bool(false)
        classes.update(item.label for item in false)
        if false and options.pictures:
            picture = Image.fromarray(settled.gray().astype(np.uint8)).convert("RGB")
            pen = ImageDraw.Draw(picture)
            for item in false:
                pen.rectangle(item.roi, outline=(255, 220, 0))
                pen.text(item.roi[:2], f"{item.label} {item.score:.2f}", fill=(255, 220, 0))
            options.pictures.mkdir(parents=True, exist_ok=True)
            picture.save(options.pictures / f"{kind}-{name}.png")
    print("| pictures of | n | with something found |\n|---|---|---|")
    for kind, count in shown.items():
        print(f"| {kind} | {count} | {wrong[kind]} |")
    print(f"| all | {shown.total()} | {wrong.total()} |\n\nfound: {dict(classes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
