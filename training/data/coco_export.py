"""Write labelled images of any form as a COCO set: python -m training.data.coco_export FOLDER... OUTPUT

Every object has a mask of its own, as an uncompressed run-length code, so that objects may lie over each other and
objects of one class that touch stay apart. The images become PNG files, bone bright, with 8 or 16 bits. In COCO an
image's objects are all marked; where a set leaves a class open in some images, a line says so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from GrayscaleDetSegLib.core import boxes

from ..runs import command
from .labelled import SPLITS, Case
from .sets import load_set


def write_coco(cases: Sequence[Case], folder: Path) -> list[str]:
    """Write ``images/NAME.png`` and ``annotations/instances_SPLIT.json``, which ``data.coco`` reads.

    Parameters
    ----------
    cases : sequence of Case
        No two of one name.
    folder : Path
        Made; it must not exist.

    Returns
    -------
    list of str
        A sentence for each class that is not marked in all images, and so counts as absent where it is not.

    Raises
    ------
    FileExistsError
        If the folder exists.
    ValueError
        If two cases have the same name.
    """
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise ValueError(f"Two images have the name {max(names, key=names.count)}: export their sets apart.")
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; choose another folder.")
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    labels = list(dict.fromkeys(label for case in cases for label in case.labels))
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    written: dict[str, dict[str, list[Any]]] = {}
    for identity, case in enumerate(cases, start=1):
        pixels = _storable(case)
        Image.fromarray(pixels).save(folder / "images" / f"{case.name}.png")
        document = written.setdefault(case.split, {"images": [], "annotations": []})
        rows, columns = pixels.shape
        document["images"].append(
            {"id": identity, "file_name": f"{case.name}.png", "width": columns, "height": rows}
        )
        for label, mask in case.objects():
            number = 1 + sum(len(each["annotations"]) for each in written.values())
            document["annotations"].append(_annotation(number, identity, numbers[label], mask))
    categories = [{"id": number, "name": label, "supercategory": ""} for label, number in numbers.items()]
    for split in SPLITS:
        if split in written:
            text = json.dumps({**written[split], "categories": categories})
            (folder / "annotations" / f"instances_{split}.json").write_text(text, encoding="utf-8")
    open_in = {label: sum(not case.is_settled(label) for case in cases) for label in labels}
    return [
        f"{label} is not marked in {count} of {len(cases)} images, where COCO's form says that it is absent."
        for label, count in open_in.items()
        if count
    ]


def _annotation(number: int, image: int, category: int, mask: np.ndarray) -> dict[str, Any]:
    x0, y0, x1, y1 = boxes.of_mask(mask).tolist()
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "iscrowd": 0,
        "area": int(np.count_nonzero(mask)),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
    }


def run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's code of a mask: lengths of runs down the columns, those of background and object by turns."""
    values = mask.T.ravel()
    edges = np.flatnonzero(np.diff(values)) + 1
    counts = np.diff(np.concatenate([[0], edges, [values.size]])).tolist()
    return [0, *counts] if values[0] else counts


def _storable(case: Case) -> np.ndarray:
    """The pixels, bone bright, as a PNG file holds them; others than of 8 or 16 bits by their gray levels, in 16."""
    radiograph = case.radiograph()
    if radiograph.pixels.dtype in (np.uint8, np.uint16):
        return np.ascontiguousarray(radiograph.pixels)
    return np.round(radiograph.gray() * 257.0).astype(np.uint16)


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.data.coco_export",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", nargs="+", type=Path, help="sets in any form that training reads")
    parser.add_argument("output", type=Path, help="folder to make")
    options = parser.parse_args(arguments)
    try:
        cases = [case for folder in options.folders for case in load_set(folder)]
        notes = write_coco(cases, options.output)
    except (FileNotFoundError, FileExistsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(*notes, sep="\n", end="\n" if notes else "")
    print(f"{len(cases)} images, {sum(len(case.object_labels()) for case in cases)} objects -> {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
