"""The article's tables on public data, in Markdown, from the rows of all methods."""

from __future__ import annotations

from ..markdown_table import markdown_table as table
from .accuracy import ORACLE_BOUNDS
from .compared import ComparedMethod
from .statistics import Bootstrap, Group

DATASETS = {
    "chest radiographs": ("montgomery_lungs", "shenzhen_lungs", "jsrt_lungs", "jsrt_heart_clavicles"),
    "musculoskeletal radiographs": ("knee_femur", "knee_tibia", "longleg_femur_tibia", "elbow_humerus_lat"),
    "dental radiographs": ("ufba425_teeth",),
    "small parts": ("aasce_spine_ap", "periapical_teeth"),
}
"""The sets that stand for the article's kinds of data; any other set stands for itself."""

FIGURES = {"iou": "IoU", "dsc": "DSC", "fn": "FN", "fp": "FP"}

ARTICLE_1 = """| data (private, the article's own) | IoU | DSC | FN | FP |
|---|---|---|---|---|
| musculoskeletal radiographs | 0.92 | 0.96 | 0.05 | 0.02 |
| chest radiographs | 0.88 | 0.93 | 0.11 | 0.15 |
| images from a portable X-ray machine | 0.94 | 0.94 | 0.06 | 0.08 |"""

ARTICLE_2 = """| data (private, the article's own) | proposed | FCN | U-Net | U-Net++ | Res-UNet | Attention U-Net |
|---|---|---|---|---|---|---|
| musculoskeletal radiographs | 0.92 | 0.82 | 0.85 | 0.84 | 0.91 | 0.90 |
| chest radiographs | 0.88 | 0.76 | 0.81 | 0.83 | 0.88 | 0.86 |
| images from a portable X-ray machine | 0.94 | 0.72 | 0.82 | 0.87 | 0.85 | 0.91 |"""


def datasets(statistics: Bootstrap) -> dict[str, list[Group]]:
    """Kind of data -> its sets and classes, of those that there are figures for."""
    kinds = {name: title for title, members in DATASETS.items() for name in members}
    found: dict[str, list[Group]] = {title: [] for title in DATASETS}
    for group in statistics.groups:
        found.setdefault(kinds.get(group[0], group[0]), []).append(group)
    return {title: groups for title, groups in found.items() if groups}


def first(statistics: Bootstrap, methods: list[str]) -> list[str]:
    """The article's Table 1 for every kind of data: IoU, DSC, FN and FP of all methods, with 95 % intervals."""
    blocks = []
    for title, groups in datasets(statistics).items():
        sets = ", ".join(dict.fromkeys(name for name, _ in groups))
        blocks.append(f"**{title}** ({sets}; {statistics.number_of_images(groups)} images)")
        rows = [
            [method, *(statistics.estimate(method, groups, figure).text() for figure in FIGURES)] for method in methods
        ]
        blocks.append(table(["method", *FIGURES.values()], rows))
    return blocks


def second(statistics: Bootstrap, methods: list[str], ours: str, baselines: list[str]) -> str:
    """The article's Table 2: IoU by kind of data, with 95 % intervals and the difference to the best baseline."""
    kinds = {**datasets(statistics), "all sets and classes": statistics.groups}
    rows = []
    for title, groups in kinds.items():
        cells = [title, *(statistics.estimate(method, groups).text() for method in methods)]
        rows.append(cells + _against(statistics, groups, ours, baselines))
    return table(["data", *methods, *_against_titles(ours, baselines)], rows)


def by_class(statistics: Bootstrap, methods: list[str], ours: str, baselines: list[str]) -> str:
    """Mean IoU of every set and class, beside the oracle bounds, with the best baseline and the difference to it."""
    rows = []
    for group in statistics.groups:
        figures = (f"{statistics.mean(method, [group]):.3f}" for method in methods)
        rows.append([*group, str(statistics.number_of_images([group])), *figures])
        rows[-1] += _against(statistics, [group], ours, baselines)
    means = (f"{statistics.mean(method, statistics.groups):.3f}" for method in methods)
    rows.append(["mean", "", "", *means, *_against(statistics, statistics.groups, ours, baselines)])
    return table(["set", "class", "n", *methods, *_against_titles(ours, baselines)], rows)


def _against_titles(ours: str, baselines: list[str]) -> list[str]:
    return ["best network", f"{ours} minus it"] if baselines else []


def _against(statistics: Bootstrap, groups: list[Group], ours: str, baselines: list[str]) -> list[str]:
    if not baselines:
        return []
    best = max(baselines, key=lambda name: statistics.mean(name, groups))
    return [best, statistics.difference(ours, best, groups).text(signed=True)]


def costs(compared: list[ComparedMethod], times: dict[str, tuple[float, float, float]], seen: dict[str, str]) -> str:
    """Parameters, CPU time per image, and how each was trained."""
    rows = []
    for item in compared:
        middle, low, high = (f"{1e3 * value:.0f}" for value in times[item.name])
        rate = "" if item.rate is None else f"{item.rate:g}"
        weights = item.depends["weights"][:12]
        parameters = f"{item.parameters:,}".replace(",", " ")
        rows.append([item.name, parameters, f"{middle} ({low} to {high})", rate, seen.get(item.name, ""), weights])
    titles = ["method", "parameters", "CPU time per image, ms", "learning rate", "images seen", "digest of weights"]
    return table(titles, rows)


def legend(has_shipped: bool) -> str:
    """What the names of the methods mean."""
    lines = [
        "- surfaces: the whole pipeline with threshold surfaces trained here, on as many images as the baselines.",
        "- single box: the article's method: the whole pipeline with one box for each object, of the model bundle.",
        "- Otsu, multi-Otsu: their thresholds in the place of the 3D detector, in the same regions, with the same"
        " post-processing. Of the three gray classes of multi-Otsu, one or two are the object: what is best on train.",
        "- FCN, U-Net, U-Net++, Res-UNet, Attention U-Net: networks that label every pixel (MONAI's blocks).",
        f"- {' and '.join(ORACLE_BOUNDS)}: the most that the rule of these boxes can reach in the true region, known"
        " from the truth. No methods; post-processing after the rule can exceed them.",
        "- The 2D detector, which finds the regions of all pipelines, and the single box are those of the model bundle:"
        " trained on the same train part and on simulated radiographs.",
    ]
    if has_shipped:
        longer = "- shipped: the same with the surfaces of the model bundle: trained longer, and on simulated ones too."
        lines.insert(1, longer)
    return "\n".join(lines)
