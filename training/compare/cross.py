"""How methods do on a set that they were not trained on: trained on the others of its kind, tested on its val part.

The surfaces need regions. Those of the bundle's 2D detector come from a network that has seen training images of every
set, so that they alone would say too much. The same surfaces in the boxes of the masks of the network that was trained
alike depend on nothing that has seen the set.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.orientation import Orientation
from GrayscaleDetSegLib.core.pipeline import Pipeline
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.regions import Regions as FoundRegions

from ..baselines import experiment
from ..baselines.experiment import Budget, train
from ..baselines.networks import build
from ..data import Case
from ..markdown_table import markdown_table as table
from ..networks import SurfaceNetwork
from .accuracy import Masks, records_of
from .compared import RATES, ComparedMethod, Regions, of_baseline, of_surfaces, train_surfaces, with_surfaces
from .records import cases_digest, code_digest
from .session import Session
from .statistics import Bootstrap

BASELINE = "FCN"
"""Of the networks the one that did best over all sets of the shared data, and the fastest to train."""
IN_ITS_BOXES = f"surfaces in the {BASELINE}'s boxes"
METHODS = ("surfaces", IN_ITS_BOXES, BASELINE)


class NothingInCommon(ValueError):
    """The sets have no class that could be learnt from the others."""


def fold(session: Session, test: str, names: list[str], budget: Budget) -> list[dict]:
    """Rows of the methods that were trained on all of `names` but `test`, on the val part of `test`.

    Empty where nothing is to be trained and something is not.
    """
    training = [case for case in session.training if case.set_name in names and case.set_name != test]
    validation = [case for case in session.validation if case.set_name in names and case.set_name != test]
    classes = tuple(name for name in session.surface_config.classes if any(name in case.labels for case in training))
    cases = [_of_classes(case, classes) for case in session.validation if case.set_name == test]
    if not any(case.labels for case in cases):
        raise NothingInCommon(f"No class of '{test}' is marked in the other sets: leave it out of --cross-sets.")
    folders = {name: session.folder / "cross" / test / name for name in (BASELINE, "surfaces")}
    rates = {BASELINE: experiment.RATES, "surfaces": RATES}
    if not budget.search_images:
        rates = {name: (session.rate_of(name),) for name in rates}
        folders = {name: folder / f"rate {rates[name][0]:g}" for name, folder in folders.items()}
    config = replace(session.surface_config, classes=classes)
    if session.options.no_training:
        there = [
            experiment.finished(lambda: build(BASELINE, len(classes)), folders[BASELINE], rates[BASELINE]),
            experiment.finished(lambda: SurfaceNetwork(config), folders["surfaces"], rates["surfaces"]),
        ]
        if None in there:
            return []
    network = train(BASELINE, training, validation[::3], classes, budget, folders[BASELINE], rates[BASELINE])
    regions = Regions(session.pipeline.roi_detector, training, validation, session.settings["margin"])
    trained = train_surfaces(config, training, validation[::3], regions, budget, folders["surfaces"], rates["surfaces"])
    baseline = of_baseline(BASELINE, network, classes, folders[BASELINE])
    surfaces = of_surfaces("surfaces", session.pipeline, trained, folders["surfaces"])
    pipeline = with_surfaces(session.pipeline, trained.network)
    inside = ComparedMethod(
        IN_ITS_BOXES, in_boxes(pipeline, baseline.masks), {**surfaces.depends, "boxes": baseline.depends["weights"]}
    )
    images = {"images": cases_digest(cases), "cross": code_digest(Path(__file__))}
    rows = []
    for item in (surfaces, inside, baseline):
        rows += session.store.rows(
            f"cross/{test}/{item.name}",
            {**item.depends, **images},
            lambda item=item: records_of(item.name, item.masks, cases),
        )
    return rows


def _of_classes(case: Case, classes: tuple[str, ...]) -> Case:
    return replace(case, labels={name: value for name, value in case.labels.items() if name in classes})


def in_boxes(pipeline: Pipeline, guide: Masks) -> Masks:
    """The pipeline's masks in the boxes of the largest parts of other masks, instead of the regions that it finds."""

    def masks(case: Case) -> dict[str, np.ndarray]:
        found = {label: np.zeros(case.label_map.shape, bool) for label in case.labels}
        candidates = []
        for label, mask in guide(case).items():
            parts, count = ndimage.label(mask)
            if count:
                largest = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
                candidates.append(RegionProposal(label, 1.0, tuple(map(float, boxes.of_mask(largest)))))
        regions = FoundRegions(tuple(candidates), candidates[0] if candidates else None, Orientation())
        for item in pipeline.segment_regions(case.radiograph(), regions, method="surfaces").objects:
            found[item.label] |= item.mask
        return found

    return masks


def summary(folds: dict[str, list[dict]], together: list[dict]) -> list[str]:
    """Markdown: IoU, DSC, FN and FP by left-out set, beside the same methods trained on all sets.

    Parameters
    ----------
    folds : dict of str to list of dict
        Left-out set -> its rows.
    together : list of dict
        Rows of the methods that were trained on all sets; may be empty.
    """
    rows, blocks = [row for found in folds.values() for row in found], []
    statistics = Bootstrap(rows + [{**row, "method": ("all", row["method"])} for row in together])
    groups = sorted({(row["set"], row["class"]) for row in rows})
    figures = ("iou", "dsc", "fn", "fp")
    lines = []
    for test in (*folds, "mean"):
        chosen = [group for group in groups if test in (group[0], "mean")]
        for method in METHODS:
            cells = [statistics.estimate(method, chosen, figure).text() for figure in figures]
            lines.append([test, method, *cells])
    blocks += [table(["tested on", "method", "IoU", "DSC", "FN", "FP"], lines)]
    lines = []
    for test in (*folds, "mean"):
        chosen = [group for group in groups if test in (group[0], "mean")]
        cells = [statistics.difference(ours, BASELINE, chosen).text(signed=True) for ours in METHODS[:2]]
        lines.append([test, *cells])
    blocks += [f"IoU minus that of the {BASELINE}, on the same images:", table(["tested on", *METHODS[:2]], lines)]
    known = {row["method"] for row in together}
    if known:
        lines = []
        for test in (*folds, "mean"):
            chosen = [group for group in groups if test in (group[0], "mean")]
            for method in METHODS:
                same = BASELINE if method == BASELINE else "surfaces"
                if same in known:
                    before, change = ("all", same), statistics.difference(method, ("all", same), chosen)
                    cells = [statistics.estimate(before, chosen).text(), change.text(signed=True)]
                    lines.append([test, method, *cells])
        blocks += [
            "IoU of the same methods trained on all sets (part accuracy, its number of images), and the change:",
            table(["tested on", "method", "IoU, trained on all", "change"], lines),
        ]
    return blocks
