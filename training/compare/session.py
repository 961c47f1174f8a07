"""What the parts of a comparison share: options, data, compared methods and kept rows, each made when first needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import cached_property

import tomllib

from GrayscaleDetSegLib.core.loading import load_pipeline

from ..baselines import experiment
from ..baselines.experiment import Budget, Trained
from ..baselines.networks import build
from ..data import CLASSES, SETS, Case
from ..data.checking import Report, announce, check
from ..films.knowledge import CARDS
from ..films.knowledge import CLASSES as FILM_CLASSES
from ..films.marked import marked
from ..lsnet import rival
from ..networks import SurfaceConfig, SurfaceNetwork
from . import compared
from .accuracy import oracle_bounds, records_of
from .compared import CODE, HERE, RATES, ComparedMethod, Regions
from .records import Store, cases_digest, code_digest


class Session:
    """One comparison in its folder.

    Parameters
    ----------
    options : argparse.Namespace
        The command line, see ``__main__``.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.folder = options, options.output
        self.store = Store(options.output / "records")

    @cached_property
    def pipeline(self):
        """The model bundle's pipeline."""
        return load_pipeline(self.options.model, "cpu", "torch")

    @cached_property
    def training(self) -> list[Case]:
        """The train part of the sets."""
        return self._load("train")

    @cached_property
    def validation(self) -> list[Case]:
        """The val part of the sets."""
        return self._load("val")

    @cached_property
    def report(self) -> Report:
        """What the check says of the sets; it is printed, and DataError raised, as before a training."""
        report = check([self.options.data / name for name in self.options.sets], kept=self.folder)
        announce(report, self.options.skip_bad, stream=sys.stderr)
        report.keep(self.folder)
        return report

    def _load(self, split: str) -> list[Case]:
        cases = [case if case.set_name in SETS else marked(case, self.options.data / case.set_name)
                 for case in self.report.of(split)]  # fmt: skip
        absent = set(self.options.sets) - {case.set_name for case in cases}
        if absent:
            raise FileNotFoundError(f"No image for {split} in {', '.join(sorted(absent))}: split.csv has to name some.")
        return cases

    @cached_property
    def digests(self) -> dict[str, str]:
        """Part of the data -> digest of its images and labels."""
        return {"train": cases_digest(self.training), "val": cases_digest(self.validation)}

    @cached_property
    def settings(self) -> dict:
        """The experiment file of the surfaces."""
        return tomllib.loads(self.options.config.read_text(encoding="utf-8"))

    @cached_property
    def surface_config(self) -> SurfaceConfig:
        """The design of the surfaces."""
        return SurfaceConfig.from_dict({"classes": self.classes, **self.settings["network"]})

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What the methods that are trained here learn, see :func:`classes_of`."""
        return classes_of(self.options.sets)

    def rates(self, tried: tuple[float, ...]) -> tuple[float, ...]:
        """The learning rates to choose from: of those that are tried the second alone, where nothing is searched."""
        return tried if self.options.search_images else tried[1:2]

    @property
    def budget(self) -> Budget:
        """What every method may see."""
        return Budget(self.options.images, self.options.search_images, precision=self.options.precision)

    @cached_property
    def regions(self) -> Regions:
        """What the bundle's 2D detector finds."""
        return Regions(self.pipeline.roi_detector, self.training, self.validation, self.settings["margin"])

    @cached_property
    def compared(self) -> list[ComparedMethod]:
        """Ours, thresholds and baselines. Those that were not trained yet are, unless the options say otherwise."""
        return self._collect(training=not self.options.no_training)

    @cached_property
    def finished(self) -> list[ComparedMethod]:
        """The compared methods that are trained already."""
        return self._collect(training=False)

    def _collect(self, training: bool) -> list[ComparedMethod]:
        pipeline, found = self.pipeline, []
        surfaces = self._surfaces(training)
        if surfaces is not None:
            found.append(compared.of_surfaces("surfaces", pipeline, surfaces, self.folder / "surfaces"))
        if "surfaces" in pipeline.methods:
            found.append(compared.of_surfaces("shipped", pipeline))
        found.append(compared.of_single_box(pipeline))
        if not self.options.short:
            found.append(compared.of_thresholds("Otsu", pipeline))
            found.append(compared.of_thresholds("multi-Otsu", pipeline, self.threshold_parts))
        for name in self.options.rivals:
            trained, folder = self._baseline(name, training), self.folder / "rivals" / name
            if trained is not None and name == rival.NAME:
                found.append(rival.of_lsnet(trained, folder))
            elif trained is not None:
                found.append(compared.of_baseline(name, trained, self.classes, folder))
        return found

    def _surfaces(self, training: bool) -> Trained | None:
        folder = self.folder / "surfaces"
        if not training:
            return experiment.finished(lambda: SurfaceNetwork(self.surface_config), folder, self.rates(RATES))
        return compared.train_surfaces(
            self.surface_config, self.training, self.validation[::3], self.regions, self.budget, folder,
            self.rates(RATES),
        )  # fmt: skip

    def _baseline(self, name: str, training: bool) -> Trained | None:
        folder = self.folder / "rivals" / name
        if name == rival.NAME:
            rates = self.rates(rival.RATES)
            done = rival.finished_lsnet(self.classes, folder, rates)
            order = self.training, self.validation[::3], self.classes, self.budget, folder, rates
            return rival.train_lsnet(*order) if training and done is None else done
        rates = self.rates(experiment.RATES)
        if not training:
            return experiment.finished(lambda: build(name, len(self.classes)), folder, rates)
        return experiment.train(name, self.training, self.validation[::3], self.classes, self.budget, folder, rates)

    def rate_of(self, name: str) -> float:
        """The learning rate that val chose for the surfaces or a baseline in part accuracy; a middle one before."""
        if name == "surfaces":
            folder, rates = self.folder / name, RATES
        else:
            folder, rates = self.folder / "rivals" / name, experiment.RATES
        tried = experiment.scores_of_rates(folder)
        return experiment.best_rate(rates, tried) if tried else rates[1]

    @cached_property
    def threshold_parts(self) -> dict[str, int]:
        """How many of three gray classes multi-Otsu takes, by class: what is best on the training images."""
        depends = {"images": self.digests["train"], "code": code_digest(CODE["pipeline"][1], HERE / "compared.py")}
        rows = self.store.rows("multi-Otsu on train", depends, lambda: compared.best_parts(self.training))
        return compared.chosen_parts(rows)

    def rows(self, method: ComparedMethod) -> list[dict]:
        """The figures of a method on val, object by object."""
        return self.by_set(
            method.name, method.depends, lambda cases: records_of(method.name, method.masks, cases)
        )

    def oracle_bound_rows(self) -> list[dict]:
        """The figures of the best boxes on val, object by object."""
        code = code_digest(HERE / "oracle_bounds.py", *CODE["figures"])
        return self.by_set("ceilings", {"code": code}, oracle_bounds)

    def by_set(self, name: str, depends: dict[str, str], compute: Callable[[list[Case]], list[dict]]) -> list[dict]:
        """Rows on val, kept for each set, so that a set more or less leaves those of the others as they are."""
        rows = []
        for set_name in dict.fromkeys(case.set_name for case in self.validation):
            cases = [case for case in self.validation if case.set_name == set_name]

            def of_set(cases=cases, set_name=set_name) -> list[dict]:
                print(f"{name}: {set_name}, {len(cases)} images", file=sys.stderr, flush=True)
                return compute(cases)

            rows += self.store.rows(f"{name}/{set_name}", {**depends, "images": cases_digest(cases)}, of_set)
        return rows


def classes_of(sets: list[str]) -> tuple[str, ...]:
    """The classes of a comparison on some sets: version 2's, where one of its sets or an unknown one takes part, and
    what other sets mark.
    """
    known = CLASSES if any(name in SETS or name not in CARDS for name in sets) else ()
    further = {label for name in sets if name in CARDS for label in CARDS[name].marks.values()}
    return known + tuple(label for label in FILM_CLASSES if label in further and label not in known)


def spread(cases: list[Case], count: int) -> list[Case]:
    """Up to so many cases of every set, evenly spread over it."""
    chosen = []
    for name in dict.fromkeys(case.set_name for case in cases):
        members = [case for case in cases if case.set_name == name]
        step = max(1, -(-len(members) // count))
        chosen += members[::step]
    return chosen


def data_facts(cases: list[Case]) -> list[dict]:
    """Set by set: how many images of which labels, and their digest."""
    facts = []
    for name in dict.fromkeys(case.set_name for case in cases):
        members = [case for case in cases if case.set_name == name]
        facts.append(
            {
                "set": name,
                "split": members[0].split,
                "images": len(members),
                "labels": ", ".join(members[0].labels),
                "digest": cases_digest(members),
            }
        )
    return facts

