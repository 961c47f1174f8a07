"""Pictures like the article's Fig. 12 and 13: the stages of our method, and the masks of all methods side by side.

They show the data: they stay in the folder of the comparison.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph

from ..data import Case
from ..metrics import overlap
from .compared import ComparedMethod
from .plots import save

RANKS = ("best", "median", "worst")
RIGHT, MISSED, WRONG = (0.16, 0.67, 0.42), (0.10, 0.38, 0.95), (0.98, 0.55, 0.05)
"""Colours (red, green, blue) of pixels that are right, missed and wrongly taken."""
TILE, TALLEST = 1.45, 2.2
"""Inches of a picture's width, and the most that its height may be of that: squeezed long legs are 8 times as high."""
POINTS = 2500


def ranked(rows: list[dict], cases: list[Case]) -> dict[str, Case]:
    """The cases of one set with the best, the median and the worst mean IoU of `rows`; fewer where a set is small."""
    ious: dict[str, list[float]] = {}
    for row in rows:
        ious.setdefault(row["name"], []).append(row["iou"])
    order = sorted((case for case in cases if case.name in ious), key=lambda case: -np.mean(ious[case.name]))
    if not order:
        return {}
    chosen = dict(zip(RANKS, (order[0], order[(len(order) - 1) // 2], order[-1])))
    return {rank: case for rank, case in chosen.items() if rank == "best" or case is not chosen["best"]}


def coloured(gray: np.ndarray, masks: dict[str, np.ndarray], truths: dict[str, np.ndarray]) -> np.ndarray:
    """Gray levels (rows, columns) with what is right, missed and wrong laid over it, class by class; (.., .., 3), 0..1.

    Parameters
    ----------
    masks, truths : dict of str to ndarray of bool (rows, columns)
        By class.
    """
    picture = np.repeat(gray[..., None] / 255.0, 3, axis=2)
    for label, truth in truths.items():
        mask = masks.get(label, np.zeros_like(truth))
        for where, colour in ((mask & truth, RIGHT), (truth & ~mask, MISSED), (mask & ~truth, WRONG)):
            share = 0.35 if colour is RIGHT else 0.7
            picture[where] = (1.0 - share) * picture[where] + share * np.array(colour)
    return picture


def mean_iou(masks: dict[str, np.ndarray], truths: dict[str, np.ndarray]) -> float:
    """The mean over the classes that are there."""
    return float(np.mean([overlap(masks[label], truth).iou for label, truth in truths.items() if truth.any()]))


def side_by_side(cases: dict[str, Case], compared: list[ComparedMethod], path: Path) -> None:
    """Like Fig. 13: a row for each case, the truth and every method's mask with its IoU."""
    titles = ["image", "truth", *(item.name for item in compared)]
    figure, axes = _grid(cases, titles)
    for row, (rank, case) in zip(axes, cases.items()):
        gray, truths = case.radiograph().gray(), _truths(case)
        _show(row[0], gray, f"{rank}: {case.name}", below=True)
        _show(row[1], coloured(gray, truths, truths))
        for axis, item in zip(row[2:], compared):
            masks = item.masks(case)
            _show(axis, coloured(gray, masks, truths), f"IoU {mean_iou(masks, truths):.3f}", below=True)
    _save_small(figure, path)


STAGES = ("image", "truth", "regions", "x, y, gray; taken: green", "mask in the region", "mask in the image")


def stages(cases: dict[str, Case], pipeline: Pipeline, method: str, path: Path) -> None:
    """Like Fig. 12: a row for each case, from the image over regions and point cloud to the mask."""
    figure, axes = _grid(cases, STAGES, clouds=(3,))
    for row, (rank, case) in zip(axes, cases.items()):
        gray, truths = case.radiograph().gray(), _truths(case)
        result = pipeline.segment(Radiograph.from_array(case.pixels), method=method)
        objects = [item for item in result.objects if item.label in truths]
        _show(row[0], gray, f"{rank}: {case.name}", below=True)
        _show(row[1], coloured(gray, truths, truths))
        _show(row[2], gray)
        for item in objects:
            x0, y0, x1, y1 = item.region
            row[2].plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color=WRONG, linewidth=1.2)
        masks = {label: np.zeros(gray.shape, bool) for label in truths}
        for item in objects:
            masks[item.label] |= item.mask
        _show(row[5], coloured(gray, masks, truths), f"IoU {mean_iou(masks, truths):.3f}", below=True)
        if objects:
            first = max(objects, key=lambda item: np.count_nonzero(item.mask))
            window = boxes.pixel_slices(first.region, gray.shape)
            _show(row[4], np.where(first.mask[window], gray[window], 0.0), first.label, below=True)
            _cloud(row[3], gray[window], first.mask[window])
    _save_small(figure, path)


def _truths(case: Case) -> dict[str, np.ndarray]:
    return {label: case.mask_of(label) for label in case.labels}


def _grid(cases: dict[str, Case], titles, clouds: tuple[int, ...] = ()):
    """A figure with a row for each case and a column for each title; columns in `clouds` are three-dimensional."""
    from matplotlib import pyplot

    heights = [TILE * min(TALLEST, case.pixels.shape[0] / case.pixels.shape[1]) + 0.25 for case in cases.values()]
    figure = pyplot.figure(figsize=(TILE * len(titles), sum(heights) + 0.3), layout="constrained")
    grid = figure.add_gridspec(len(cases), len(titles), height_ratios=heights)
    axes = []
    for row in range(len(cases)):
        axes.append([])
        for column, title in enumerate(titles):
            axis = figure.add_subplot(grid[row, column], projection="3d" if column in clouds else None)
            if row == 0:
                axis.set_title(title, fontsize=7)
            if column not in clouds:
                axis.set_xticks([])
                axis.set_yticks([])
            axes[-1].append(axis)
    return figure, axes


def _show(axis, picture: np.ndarray, text: str = "", below: bool = False) -> None:
    tall = min(TALLEST, picture.shape[0] / picture.shape[1])
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="antialiased")
    axis.set_box_aspect(tall)
    if below:
        axis.set_xlabel(text, fontsize=6, labelpad=2)


def _cloud(axis, gray: np.ndarray, mask: np.ndarray) -> None:
    """Points of a region over its place and gray level; those between the thresholds in colour."""
    step = max(1, int(np.ceil(np.sqrt(gray.size / POINTS))))
    row, column = np.mgrid[: gray.shape[0] : step, : gray.shape[1] : step].reshape(2, -1)
    taken = mask[row, column]
    for where, colour in ((~taken, "0.75"), (taken, RIGHT)):
        axis.scatter(column[where], row[where], gray[row, column][where], s=1.5, color=colour, linewidths=0)
    axis.set_zlim(0, 255)
    axis.set_box_aspect((1.0, 1.0, 1.0), zoom=1.2)
    axis.invert_yaxis()
    axis.tick_params(labelsize=4, pad=-4)


def _save_small(figure, path: Path, colours: int = 128) -> None:
    """Write a figure as a PNG with few colours: a third of the size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save(figure, path)
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
