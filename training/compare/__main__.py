"""Our methods beside FCN, U-Net, Res-UNet, Attention U-Net and U-Net++, as one report.

    python -m training.compare --data ../shared/data --output runs/comparison [--parts accuracy pictures ...]

Everything is trained on the train part of the sets and measured on val. Every network, ours among them, sees the same
number of images and has its learning rate chosen on val in short runs. The ROIs are those that the shipped 2D detector
finds. Parts can be done one by one in any order; what was finished before is not done again, and figures are computed
again only where weights, images or code have changed. The report is OUTPUT/report.html.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from GrayscaleDetSegLib.core.errors import GrayscaleDetSegError

from .. import benchmark
from ..baselines.experiment import Budget
from ..baselines.networks import NETWORKS
from ..data import SETS
from ..lsnet import rival
from ..runs.machine import PRECISIONS
from . import cross, plots, provenance, report
from .compared import CODE, HERE
from .curves import BASELINES as CURVE_BASELINES
from .curves import curve
from .curves import summary as curve_summary
from .parts import accuracy, pictures, robustness
from .records import cases_digest, code_digest, files_digest, weights_digest
from .session import Session, data_facts

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "surfaces.toml"
CHESTS = ("montgomery_lungs", "shenzhen_lungs", "jsrt_lungs")
IGNORED = ("runs", "output")
"""Folders of the repository that git leaves out."""


def main(arguments: list[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _options(arguments)
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    session = Session(options)
    for name in report.PARTS:
        if name in options.parts:
            start = time.perf_counter()
            try:
                blocks = STEPS[name](session)
            except (FileNotFoundError, GrayscaleDetSegError, cross.NothingInCommon) as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
            facts = provenance.facts(arguments, time.perf_counter() - start)
            facts["model"] = f"{session.pipeline.model} ({options.model or 'as shipped'})"
            if name != "time":
                facts["data"] = data_facts(session.training) + data_facts(session.validation)
                facts["data digest"] = session.digests["train"][:8] + session.digests["val"][:8]
            report.keep(options.output, name, "\n\n".join(blocks), facts)
    print(report.write(options.output, arguments))
    print(f"{options.output / 'report.html'} holds it with all pictures.", file=sys.stderr)
    return 0


def _cross(session: Session) -> list[str]:
    options = session.options
    budget = Budget(options.cross_images, options.cross_search_images)
    folds = {test: cross.fold(session, test, options.cross_sets, budget) for test in options.cross_sets}
    absent = [test for test, rows in folds.items() if not rows]
    folds = {test: rows for test, rows in folds.items() if rows}
    if not folds:
        return ["**Missing.** Nothing was trained yet: run this part without `--no-training`."]
    chosen = "the rate that part accuracy chose (a middle one, where that was not done)"
    if options.cross_search_images:
        chosen = "a learning rate chosen on their val part"
    together = []
    for item in session.finished:
        if item.name in ("surfaces", cross.BASELINE):
            together += session.rows(item)
    return [
        f"Of {', '.join(options.cross_sets)} each is left out once. The methods are trained on the others, with"
        f" {options.cross_images} images seen and {chosen}, and tested on the val part"
        " of the one left out. The surfaces work in the regions of the bundle's 2D detector, which has seen training"
        f" images of all sets; in the boxes of the {cross.BASELINE}'s masks nothing has seen the one left out.",
        *([f"**Missing:** {', '.join(absent)}, not trained yet."] if absent else []),
        *cross.summary(folds, together),
    ]


def _curves(session: Session) -> list[str]:
    options = session.options
    parts = session.training, session.validation
    kept = [[case for case in cases if case.set_name == options.curve_set] for cases in parts]
    folder, budget = options.output / "curves", Budget(options.curve_images, 0)
    rates = {name: session.rate_of(name) for name in ("surfaces", *CURVE_BASELINES)}

    def depends() -> dict[str, str]:
        design = session.surface_config, session.settings["margin"]
        chosen = (options.curve_class, options.counts, budget, *design, rates)
        return {
            "settings": str(chosen),
            "images": "".join(cases_digest(cases) for cases in kept),
            "weights": files_digest(folder, "network.pt"),
            "regions": weights_digest(session.pipeline.roi_detector.network),
            "code": code_digest(HERE / "curves.py", *(path for paths in CODE.values() for path in paths)),
        }

    def compute() -> list[dict]:
        label, surface = options.curve_class, session.surface_config
        return curve(label, *kept, session.regions, surface, budget, options.counts, folder, rates)

    records = [{**row, "images": int(row["images"])} for row in session.store.rows("curves", depends, compute)]
    plots.curves(records, options.output / "curves.png")
    return [
        f"{options.curve_class}, {options.curve_set}, mean IoU on val. Every network was trained from nothing and has"
        f" seen {options.curve_images} images, at the learning rate that part accuracy chose for it"
        " (a middle one, where that was not done).",
        curve_summary(records),
        "![Mean IoU by number of training images, with 95 % bootstrap intervals](curves.png)",
    ]


def _time(session: Session) -> list[str]:
    return [benchmark.report(session.pipeline, session.options.sizes, session.options.repeats)]


STEPS = {
    "accuracy": accuracy,
    "pictures": pictures,
    "robustness": robustness,
    "cross": _cross,
    "curves": _curves,
    "time": _time,
}


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.compare", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of the comparison; finished parts are kept")
    parser.add_argument(
        "--parts", nargs="*", choices=list(report.PARTS), default=list(report.PARTS),
        help="what to do, in any order (default: all); none: the report alone, of the parts that are there",
    )  # fmt: skip
    parser.add_argument("--sets", nargs="+", default=list(SETS), help="names of the sets (default: all)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out what the check of the data rejects")
    parser.add_argument(
        "--rivals", nargs="+", choices=[*NETWORKS, rival.NAME], default=list(NETWORKS),
        help=f"networks to compare with (default: all but {rival.NAME})",
    )  # fmt: skip
    parser.add_argument("--no-training", action="store_true", help="leave out networks that are not trained yet")
    parser.add_argument("--model", type=Path, help="model bundle (default: the shipped one)")
    parser.add_argument("--config", type=Path, default=CONFIG, help="design of the surfaces, a TOML file")
    parser.add_argument("--images", type=int, default=9600, help="images that every network sees (default 9600)")
    parser.add_argument(
        "--search-images", type=int, default=960,
        help="images for every learning rate (default 960; 0: the second of those that are tried, without a search)",
    )  # fmt: skip
    parser.add_argument("--precision", choices=tuple(PRECISIONS), default="32", help="of the trainings (default 32)")
    parser.add_argument("--short", action="store_true", help="leave out Otsu, the oracle bounds and the confidences")
    parser.add_argument("--timed", type=int, default=3, help="images of each set for CPU times (default 3)")
    parser.add_argument("--altered", type=int, default=8, help="images of each set for robustness (default 8)")
    parser.add_argument("--cross-sets", nargs="+", default=list(CHESTS), help="sets of which each is left out once")
    parser.add_argument("--cross-images", type=int, default=3200, help="images seen with a set left out (default 3200)")
    parser.add_argument(
        "--cross-search-images", type=int, default=0,
        help="images for every learning rate with a set left out (default 0: the rate that part accuracy chose)",
    )  # fmt: skip
    parser.add_argument("--curve-set", default="jsrt_lungs", help="set of the learning curves")
    parser.add_argument("--curve-class", default="right lung", help="class of the learning curves")
    parser.add_argument("--curve-images", type=int, default=1600, help="images seen for each point of a learning curve")
    parser.add_argument("--counts", type=int, nargs="+", default=[5, 10, 20, 50], help="training images of the curves")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048, 4096], help="image sides, px")
    parser.add_argument("--repeats", type=int, default=7, help="of every timed run")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default 1)")
    options = parser.parse_args(arguments)
    below = options.output.resolve().parts[len(provenance.ROOT.parts) :]
    if options.output.resolve().is_relative_to(provenance.ROOT) and (not below or below[0] not in IGNORED):
        parser.error("The report shows images of the data: choose an --output outside the repository, or below runs/.")
    if "cross" in options.parts and (len(options.cross_sets) < 2 or set(options.cross_sets) - set(options.sets)):
        parser.error("--cross-sets needs two or more of --sets; leave 'cross' out of --parts otherwise.")
    return options


if __name__ == "__main__":
    sys.exit(main())
