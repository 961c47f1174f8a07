"""How far drawn films alone carry, and what a few real images add.

    python -m training.transfer --data ../shared/data --films FILMS FORMULA --output runs/transfer [--parts alone ...]

``alone``: detector and surfaces trained on drawn films only, from nothing, beside the shipped model: on val of the
real sets, and on the clinical films with boxes to train with (which this model has never seen; those to judge by stay
sealed). ``few``: the same, trained on with 5 and 20 real images of each of three sets. ``unknown``: a detector that was
trained without any film of two classes, on real films of these.

Everything is kept in --output: finished trainings and finished rows are not made again, a training that was cut off
goes on. FILMS are folders of ``training.simulate.bones``, FORMULA one of ``training.films.formula``.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.pipeline import Pipeline

from ..clinical.judge import Count, read_boxes
from ..clinical.judge import table as judged_table
from ..compare.records import Store, cases_digest, code_digest, weights_digest
from ..compare.session import spread
from ..compare.tables import table
from ..data import Case, load_set
from ..films.knowledge import CARDS
from ..films.marked import marked
from ..films.real import TRAINING_BOXES
from . import figures, models

PARTS = ("alone", "few", "unknown")
COUNTS = (5, 20)
FEW_SETS = ("jsrt_heart_clavicles", "elbow_humerus_lat", "knee_femur")
DRAWN = 5
"""Beside real images, one drawn film in so many is shown on."""
UNKNOWN = ("hand", "teeth", "tooth")
"""Classes that the third model is trained without: hands, and teeth in rows or one by one."""
JAWS = ("ufba425_teeth", "periapical_teeth")


class Transfer:
    """One run of the command in its folder."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.folder = options, options.output
        self.store = Store(options.output / "records")
        self._training = ["--threads", "1", "--workers", str(options.workers), "--precision", options.precision]

    @cached_property
    def shipped(self) -> Pipeline:
        return load_pipeline(self.options.model, "cpu", "torch")

    def cases(self, set_name: str) -> list[Case]:
        """Val of a set, as the classes call it."""
        folder = self.options.data / set_name
        return [marked(case, folder) for case in spread(load_set(folder, "val"), self.options.most)]

    def trained(self, network: str, name: str, config: str, films: list[Path], start: Path | None = None) -> Path:
        """The run OUTPUT/NAME/NETWORK, see ``models.trained``."""
        output = self.folder / name / network
        return models.trained(network, config, self.options.data, films, output, start, self._training)

    def alone(self) -> Pipeline:
        """The model of drawn films alone."""
        runs = [self.trained(network, "alone", f"{network}_simulated.toml", self.options.films)
                for network in models.TRAININGS]  # fmt: skip
        return models.pipeline_of(self.shipped, *runs)

    def few(self, count: int) -> Pipeline:
        """The model of drawn films, trained on with `count` real images of each of three sets."""
        self.alone()
        name = f"few_{count}"
        real = models.few_real_films(self.options.data, FEW_SETS, count, self.folder / name / "films")
        drawn = models.films_without(self.options.films, (), self.folder / "few_drawn", every=DRAWN)
        runs = {network: self.folder / "alone" / network for network in models.TRAININGS}
        for network in self.options.learning:
            runs[network] = self.trained(network, name, f"{network}_few_real.toml", [drawn, real], runs[network])
        return models.pipeline_of(self.shipped, *runs.values())

    def rows(self, name: str, pipeline: Pipeline, sets: tuple[str, ...]) -> list[dict]:
        """Figures of a model on val, object by object, kept for each set."""
        weights = weights_digest(pipeline.roi_detector.network, pipeline.methods["surfaces"].detector.network)
        found = []
        for set_name in sets:
            cases = self.cases(set_name)
            depends = {"weights": weights, "images": cases_digest(cases), "code": code_digest(Path(figures.__file__))}

            def compute(cases: list[Case] = cases) -> list[dict]:
                return [record for case in cases for record in figures.object_records(pipeline, case)]

            found += self.store.rows(f"{name}/{set_name}", depends, compute)
            print(f"{name}: {set_name} done", file=sys.stderr, flush=True)
        return found

    def shipped_rows(self, sets: tuple[str, ...]) -> list[dict]:
        """Figures of the shipped model on the same images: measured, or as ``training.evaluate`` has kept them."""
        if self.options.evaluated is None:
            return self.rows("shipped", self.shipped, sets)
        looked_at = {(case.set_name, case.name) for name in sets for case in self.cases(name)}
        return figures.evaluated_records(self.options.evaluated, looked_at)

    def false_rows(self, name: str, pipeline: Pipeline, find: Callable) -> list[dict]:
        """A row for every film: its name, and how many regions are false on it."""
        depends = {"weights": weights_digest(pipeline.roi_detector.network)}

        def compute() -> list[dict]:
            return [{"name": film, "class": ", ".join(labels), "false": number} for film, number, labels in find()]

        return self.store.rows(f"unknown/{name}", depends, compute)


def part_alone(run: Transfer) -> list[str]:
    """Drawn films alone beside the shipped model: val of all sets, and clinical films."""
    pipeline, sets = run.alone(), tuple(run.options.sets)
    rows = {"drawn alone": run.rows("drawn_alone", pipeline, sets), "shipped": run.shipped_rows(sets)}
    blocks = [figures.table_of_sets(rows)]
    if run.options.clinical:
        films = read_boxes(TRAINING_BOXES)
        depends = {"weights": weights_digest(pipeline.roi_detector.network), "films": str(len(films))}

        def compute() -> list[dict]:
            counts = figures.clinical_counts(pipeline, films, run.options.data)
            return [{"class": label, **vars(count)} for label, count in counts.items()]

        counts = {row.pop("class"): Count(**{key: int(value) for key, value in row.items()})
                  for row in run.store.rows("clinical", depends, compute)}  # fmt: skip
        blocks.append(f"{len(films)} clinical films with boxes, regions of the 2D detector:\n\n{judged_table(counts)}")
    return blocks


def part_few(run: Transfer) -> list[str]:
    """The learning curve with 0, 5 and 20 real images of each set."""
    rows = {"0": run.rows("drawn_alone", run.alone(), FEW_SETS)}
    for count in COUNTS:
        rows[str(count)] = run.rows(f"few_{count}", run.few(count), FEW_SETS)
    rows["shipped"] = run.shipped_rows(FEW_SETS)
    return [f"Real images of each of {', '.join(FEW_SETS)}:\n\n{figures.table_of_sets(rows)}"]


def part_unknown(run: Transfer) -> list[str]:
    """A detector that was trained without two classes, on real films of them."""
    films = models.films_without(run.options.films, UNKNOWN, run.folder / "unknown" / "films")
    pipeline = models.pipeline_of(run.shipped, run.trained("detector", "unknown", "detector_unknown.toml", [films]))
    hands = figures.films_with(read_boxes(TRAINING_BOXES), "hand")
    looks: dict[str, Callable] = {"clinical films with a hand": lambda: figures.false_on_boxed(
        pipeline, hands, run.options.data)}  # fmt: skip
    for name in JAWS:
        looks[name] = lambda name=name: figures.false_on_cases(pipeline, run.cases(name))
    lines = []
    for name, find in looks.items():
        rows = run.false_rows(name, pipeline, find)
        wrong = sum(row["false"] > 0 for row in rows)
        regions = int(sum(row["false"] for row in rows))
        lines.append([name, str(len(rows)), str(wrong), str(regions), figures.share_text(wrong, len(rows))])
    return [table(["films", "n", "with a false object", "false objects", "share (95 %)"], lines)]


STEPS = {"alone": part_alone, "few": part_few, "unknown": part_unknown}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.transfer", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="folders of drawn films")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run; what is finished is kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to do (default: all)")
    parser.add_argument("--sets", nargs="+", default=list(CARDS), help="names of the sets (default: all)")
    parser.add_argument("--model", type=Path, help="model bundle to compare with (default: the shipped one)")
    parser.add_argument("--evaluated", type=Path, help="objects.csv of training.evaluate, instead of measuring the "
                        "shipped model anew")  # fmt: skip
    parser.add_argument("--most", type=int, default=1000, help="val images of each set, evenly spread (default: all)")
    parser.add_argument("--learning", nargs="+", choices=list(models.TRAININGS), default=list(models.TRAININGS),
                        help="what a few real images teach: detector, surfaces (default: both)")  # fmt: skip
    parser.add_argument("--no-clinical", dest="clinical", action="store_false", help="leave out the clinical films")
    parser.add_argument("--workers", type=int, default=1, help="processes that prepare samples (default 1)")
    parser.add_argument("--precision", choices=("32", "bf16", "16"), default="32", help="of the trainings (default 32)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    run = Transfer(options)
    for part in options.parts:
        text = "\n\n".join(STEPS[part](run))
        print(f"## {part}\n\n{text}\n", flush=True)
        (run.folder / f"{part}.md").write_text(text + "\n", encoding="utf-8")
    print(f"Python {platform.python_version()}, torch {torch.__version__}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
