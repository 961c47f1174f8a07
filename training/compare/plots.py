"""The comparison's pictures."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from .statistics import Bootstrap

matplotlib.use("Agg")


def accuracy(statistics: Bootstrap, methods: list[str], path: Path) -> None:
    """A point per method in a panel per set and class, with its 95 % interval; the best that boxes can do as lines."""
    from matplotlib import pyplot

    columns = min(4, len(statistics.groups))
    rows = -(-len(statistics.groups) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(4.2 * columns, 2.9 * rows), squeeze=False)
    drawn = [method for method in methods if not method.endswith("best")]
    colours = pyplot.get_cmap("tab10")(np.arange(len(drawn)))
    for axis, group in zip(axes.flat, statistics.groups):
        found = np.array([statistics.estimate(method, [group]) for method in drawn])
        for place, (mean, low, high) in enumerate(found):
            axis.plot([place, place], [low, high], color=colours[place], linewidth=2)
            axis.plot(place, mean, "o", color=colours[place], markersize=5)
        for method in methods:
            if method.endswith("best"):
                style = "--" if method.startswith("one") else ":"
                axis.axhline(statistics.mean(method, [group]), color="0.4", linestyle=style, label=method)
        axis.set_title(f"{group[1]}, {group[0]}", fontsize=9)
        axis.grid(axis="y", color="0.9")
        axis.set_xticks(range(len(drawn)), drawn, rotation=40, ha="right", fontsize=7)
    for axis in axes.flat[len(statistics.groups) :]:
        axis.set_visible(False)
    if axes.flat[0].get_legend_handles_labels()[0]:
        axes.flat[0].legend(fontsize=6)
    axes.flat[0].set_ylabel("mean IoU")
    save(figure, path)


def robustness(rows: list[dict], methods: list[str], path: Path) -> None:
    """Mean IoU of every method under every alteration, as coloured cells."""
    from matplotlib import pyplot

    titles = list(dict.fromkeys(row["alteration"] for row in rows))
    values = np.empty((len(titles), len(methods)))
    for place, title in enumerate(titles):
        statistics = Bootstrap([row for row in rows if row["alteration"] == title], draws=1)
        values[place] = [statistics.mean(method, statistics.groups) for method in methods]
    figure, axis = pyplot.subplots(figsize=(2.2 + 0.85 * len(methods), 1.4 + 0.32 * len(titles)))
    axis.imshow(values, cmap="cividis", vmin=0.0, vmax=1.0, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > 0.5 else "white"
        axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(range(len(methods)), methods, rotation=30, ha="right", fontsize=8)
    axis.set_yticks(range(len(titles)), titles, fontsize=8)
    save(figure, path)


def curves(records: list[dict], path: Path) -> None:
    """Mean IoU over the number of training images, a line per method with its 95 % bootstrap interval."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4.5))
    counts = np.array(sorted({record["images"] for record in records}))
    statistics = Bootstrap([{**record, "method": (record["images"], record["method"])} for record in records])
    methods = list(dict.fromkeys(record["method"] for record in records))
    for place, method in enumerate(methods):
        lines = [statistics.estimate((count, method), statistics.groups) for count in counts]
        middle, low, high = np.array(lines).T
        beside = counts * 1.03 ** (place - (len(methods) - 1) / 2)  # intervals that overlap can be told apart
        errors = (middle - low, high - middle)
        axis.errorbar(beside, middle, errors, marker="o", markersize=4, capsize=2, linewidth=1, label=method)
    axis.set_xscale("log")
    axis.minorticks_off()
    axis.set_xticks(counts, [str(count) for count in counts])
    axis.set_xlabel("training images")
    axis.set_ylabel("mean IoU on val")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(figure, path)


def save(figure, path: Path) -> None:
    """Write a figure as PNG and close it."""
    from matplotlib import pyplot

    if figure.get_layout_engine() is None:
        figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
