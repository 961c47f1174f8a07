"""What model cards say of the sets of volumes, and of figures on them."""

from __future__ import annotations

from typing import Any

SETS = {
    "acdc_heart": "ACDC, cine MR of the heart in short-axis slices (Bernard et al. 2018); CC BY-NC-SA 4.0",
    "msd_hippocampus": "Medical Segmentation Decathlon, task 4, MR of the hippocampus, cut out of the head (Antonelli "
    "et al. 2022); CC BY-SA 4.0",
    "prostate_trus3d": "3D transrectal ultrasound of the prostate, test data of DeepReg (Fu et al. 2020), tiny and "
    "smoothed; Apache-2.0",
}  # fmt: skip
"""What a set is, whom to cite, and its terms as far as known."""

LIMITS = {
    "acdc_heart": "Learnt from 16 patients of one hospital, in volumes whose spacing is nominal (1.5 x 1.5 x 10 mm): "
    "lengths and volumes are no truer than the file's spacing. Short-axis slices only.",
    "msd_hippocampus": "Learnt from small volumes around one hippocampus (about 35 x 50 x 36 mm), cut out by hand: a "
    "whole head is not what it knows.",
    "prostate_trus3d": "Learnt from 17 volumes that are smaller and smoother (about 44 x 59 x 41 voxels of 0.4 mm, as "
    "the files say) than what a scanner makes.",
}  # fmt: skip

FIGURES = ("coarse", "after 1 round", "as shipped", "oracle boxes")
"""Rows of a table of ``training.volumes.table`` that a card shows."""


def sets_table(names: list[str]) -> str:
    """The sets of a model with their terms."""
    lines = ["| set | what it is, whom to cite, terms as far as known |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {SETS.get(name, 'not known here')} |" for name in names)])


def figures_table(tables: dict[str, list[dict[str, Any]]]) -> str:
    """DSC on val by method and label, of rows of ``training.volumes.table``; a sentence where there are none."""
    if not tables:
        return "Not measured yet."
    lines = ["| method | label | | DSC | 95 % | worst | volumes | patients |", "|---|---|---|---|---|---|---|---|"]
    for method, rows in tables.items():
        for row in rows:
            if row["row"] in FIGURES:
                lines.append(
                    f"| {method} | {row['label']} | {row['row']} | {row['mean']:.3f} | {row['low']:.3f} to "
                    f"{row['high']:.3f} | {row['worst']:.3f} | {row['volumes']} | {row['patients']} |"
                )
    return "\n".join(lines)


def limits(names: list[str]) -> str:
    """What is known to go wrong."""
    return "\n".join(f"- {LIMITS[name]}" for name in names if name in LIMITS) or "- Not known yet."
