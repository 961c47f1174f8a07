"""The end of a fine-tuning: a model bundle with its card, measured on val beside the ceiling."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from GrayscaleDetSegLib.core.errors import WeightsError
from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.weights import FORMAT, MANIFEST, Bundle

from ..bundle import count
from ..data import Case
from ..evaluate import FINAL, SINGLE, evaluate_case, summarise, table
from ..weights import save_weights
from .context import Context, write_json
from .steps import Trained

_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
CARD = """# Model card: {name} {version}

**Research use only.** Not a medical device; not tested for any clinical purpose.

Finds and segments in radiographs: {classes}.

Made by `grayscale-detseg train` (version {code}) on {date}, from {start}.

| network | what it is | parameters | file |
|---|---|---|---|
{networks}

## Training data

| set | images to learn from | images to be judged by | objects |
|---|---|---|---|
{sets}

Validation images were chosen {how}. The terms of these images are for their owner to add here. The model that this one
started from was trained on {before}; the terms of those data go on to hold for this model.
{kept}
## Figures on the validation part

{figures}

ROI IoU and recall (at IoU 0.5) are of the 2D detector. `true ROI` is the mask IoU of the surfaces' rule in the object's
true region, `found ROI` in the region found from the file's pixels, `clean` to `FP` are the final masks; an object that
is not found counts with 0.

The single box on the same objects; no box can do better than the ceiling in the true region:

{single}

The best state of every network was chosen on these same images{warning}.

## Known limits

- It knows what its training images showed. Other views, devices, ages and implants were not seen.
- One interval per object cannot follow anatomy whose gray values overlap its surroundings: see the ceiling.
"""


def write(
    context: Context, trained: Mapping[str, Trained], method: str | None, output: Path, facts: dict[str, Any]
) -> list[dict]:
    """Write the bundle, measure it on val, and put it in its place complete; returns the figures, see ``summarise``.

    Parameters
    ----------
    output : Path
        A folder that is not there yet, or is replaced.
    facts : dict
        ``name``, ``version``, ``code``, ``date`` and ``how`` (the split) as the card says them.
    """
    aside = context.work / "bundle"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    manifest = _manifest(context, trained, method, aside, facts)
    write_json(aside / MANIFEST, manifest)
    rows = measure(context, aside)
    manifest["validation"] = rows
    write_json(aside / MANIFEST, manifest)
    (aside / "MODEL_CARD.md").write_text(_card(context, manifest, rows, facts), encoding="utf-8")
    _put(aside, output)
    return rows


def _put(aside: Path, output: Path) -> None:
    """Copy beside `output`, then rename: nobody ever sees half of a bundle, and one that was there goes last."""
    output.parent.mkdir(parents=True, exist_ok=True)
    near, old = output.with_name(f".{output.name}.part"), output.with_name(f".{output.name}.old")
    for leftover in (near, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(aside, near)
    if not output.exists():
        os.replace(near, output)
        return
    os.replace(output, old)
    try:
        os.replace(near, output)
    except BaseException:
        os.replace(old, output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def foreign(folder: Path) -> str | None:
    """Why a folder is not replaced by a bundle: what it is, or holds, that no bundle of ours does; None for a bundle.

    Many programs call a file manifest.json.
    """
    try:
        networks = Bundle.open(folder).manifest["networks"].values()
        files = {entry["file"] for entry in networks if isinstance(entry["sha256"], str)}
    except (WeightsError, AttributeError, KeyError, TypeError):
        return "is no model bundle"
    own = {MANIFEST, "MODEL_CARD.md", *files}
    for path in sorted(folder.iterdir()):
        if path.name not in own and path.name not in _LITTER and not path.name.startswith("LICENSE") or path.is_dir():
            return f"holds something else than a model bundle ({path.name})"
    return None


def _manifest(
    context: Context, trained: Mapping[str, Trained], method: str | None, folder: Path, facts: dict[str, Any]
) -> dict[str, Any]:
    start, entries = context.start.manifest["networks"], {}
    for key, network in trained.items():
        file = f"{key}.safetensors"
        # the refinement multiplies many features: it stays in single precision
        values = {name: each.float() if each.dtype == torch.float64 else each for name, each in network.tensors.items()}
        checksum = save_weights(values, folder / file, half=key != "refinement")
        changes = {**network.changes, "file": file, "sha256": checksum, "parameters": count(values)}
        entries[key] = {**start[key], **changes}
    sets = Counter(case.set_name for case in context.training + context.validation)
    return {
        "format": FORMAT,
        "name": facts["name"],
        "version": facts["version"],
        "use": "research only",
        "classes": list(context.classes),
        "networks": entries,
        **({"method": method} if method else {}),
        "clean_up": _clean_up(context),
        "started_from": context.start.name,
        "training_data": {
            **{f"{context.start.name}: {name}": terms for name, terms in _seen_before(context).items()},
            **{name: f"{number} images; terms: ask their owner" for name, number in sets.items()},
        },
        "validation": [],
    }


def _seen_before(context: Context) -> dict[str, str]:
    return context.start.manifest.get("training_data", {})


def _clean_up(context: Context) -> dict[str, Any]:
    """The start's settings; a class whose objects mostly have several large parts keeps all of them."""
    values = dict(context.start.manifest.get("clean_up", {}))
    known = set(context.start.manifest.get("classes", ())) - set(context.forgotten)
    largest = {label: k for label, k in values.get("largest_parts", {}).items() if label in context.classes}
    parts: dict[str, list[int]] = {}
    for case in context.training[:400]:
        for label, mask in case.objects():
            if label not in known:
                sizes = np.bincount(ndimage.label(mask)[0].ravel())[1:]
                parts.setdefault(label, []).append(int((sizes >= 0.1 * sizes.max()).sum()))
    largest.update({label: 0 for label, numbers in parts.items() if np.median(numbers) > 1})
    return {**values, "largest_parts": largest} if largest or "largest_parts" in values else values


def measure(context: Context, folder: Path) -> list[dict]:
    """The bundle's figures on val, a row per set and class; objects are kept in the run's folder as well."""
    pipeline, records, total = load_pipeline(folder, "cpu"), [], len(context.validation)
    for number, case in enumerate(context.validation, start=1):
        records += [record for record in evaluate_case(pipeline, case) if record["class"] in context.classes]
        context.reporter.draw(number, total, f"measuring on val, {number} of {total}")
    if not records:
        return []
    place = context.work / "validation"
    place.mkdir(exist_ok=True)
    with open(place / "objects.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    rows = summarise(records)
    (place / "summary.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return rows


def _card(context: Context, manifest: dict, rows: list[dict], facts: dict[str, Any]) -> str:
    networks = "\n".join(
        f"| {key} | {entry.get('what', key)} | {entry['parameters']:,} | `{entry['file']}` |"
        for key, entry in manifest["networks"].items()
    )
    kept = ""
    if context.kept:
        kept = (
            f"\nKept from {context.start.name} without training data, and not measured: {', '.join(context.kept)}. "
            "Only the last layers were trained, so that they change no more than needed; check them before use.\n"
        )
    is_same = context.validation is context.training
    return CARD.format(
        **facts,
        classes=", ".join(context.classes),
        start=context.start.name,
        networks=networks,
        sets="\n".join(_set_lines(context)),
        before=", ".join(_seen_before(context)) or "data that its manifest does not name",
        kept=kept,
        figures=table(rows, FINAL) if rows else "There was nothing to measure.",
        single=table(rows, SINGLE) if rows else "",
        warning=", which are the training images: there were too few for others" if is_same else "",
    )


def _set_lines(context: Context) -> list[str]:
    lines = []
    for name in dict.fromkeys(case.set_name for case in context.training + context.validation):
        sides = [[case for case in cases if case.set_name == name] for cases in (context.training, context.validation)]
        objects = Counter(label for case in _unique(sides) for label in case.object_labels())
        shown = ", ".join(f"{label} {number}" for label, number in objects.items())
        lines.append(f"| {name} | {len(sides[0])} | {len(sides[1])} | {shown} |")
    return lines


def _unique(sides: list[list[Case]]) -> list[Case]:
    return sides[0] + [case for case in sides[1] if not any(case is other for other in sides[0])]
