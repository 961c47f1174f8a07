"""The comparison's pictures."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from .accuracy import means

matplotlib.use("Agg")


def accuracy(records: list[dict], methods: list[str], path: Path) -> None:
    """A bar per method in a panel per set and class; the best that boxes can do as dashed lines."""
    from matplotlib import pyplot

    groups = means(records)
    columns = 4
    rows = -(-len(groups) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4.2 * columns, 2.9 * rows), squeeze=False)
    drawn = [method for method in methods if not method.endswith("best")]
    colours = pyplot.get_cmap("tab10")(np.arange(len(drawn)))
    for axis, ((set_name, label), found) in zip(axes.flat, groups.items()):
        axis.bar(range(len(drawn)), [found[method] for method in drawn], color=colours)
        for method in methods:
            if method.endswith("best"):
                style = "--" if method.startswith("one") else ":"
                axis.axhline(found[method], color="0.4", linestyle=style, label=method)
        axis.set_title(f"{label}, {set_name}", fontsize=9)
        axis.set_ylim(0.3, 1.0)
        axis.set_xticks(range(len(drawn)), drawn, rotation=40, ha="right", fontsize=7)
    for axis in axes.flat[len(groups) :]:
        axis.set_visible(False)
    axes.flat[0].legend(fontsize=6, loc="lower left")
    axes.flat[0].set_ylabel("mean IoU")
    _save(figure, path)


def curves(records: list[dict], path: Path) -> None:
    """Mean IoU over the number of training images, a line per method with its 95 % bootstrap interval."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6, 4))
    generator = np.random.default_rng(0)
    counts = sorted({record["images"] for record in records})
    for method in dict.fromkeys(record["method"] for record in records):
        lines = []
        for count in counts:
            found = np.array([r["iou"] for r in records if r["method"] == method and r["images"] == count])
            drawn = generator.choice(found, (1000, len(found))).mean(1)
            lines.append((found.mean(), *np.percentile(drawn, (2.5, 97.5))))
        middle, low, high = np.array(lines).T
        (line,) = axis.plot(counts, middle, marker="o", label=method)
        axis.fill_between(counts, low, high, color=line.get_color(), alpha=0.15)
    axis.set_xscale("log")
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.set_xlabel("training images")
    axis.set_ylabel("mean IoU on val")
    axis.legend()
    _save(figure, path)


def _save(figure, path: Path) -> None:
    from matplotlib import pyplot

    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
