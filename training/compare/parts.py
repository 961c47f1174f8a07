"""The parts of the comparison that measure all methods: accuracy, pictures, robustness; each as Markdown blocks."""

from __future__ import annotations

from pathlib import Path

from scipy.stats import spearmanr

from ..baselines.experiment import images_seen
from . import pictures as drawn
from . import plots, provenance, tables, times
from . import robustness as altered
from .accuracy import ORACLE_BOUNDS, confidences
from .compared import CODE, HERE
from .records import cases_digest, code_digest
from .session import Session, spread
from .statistics import DRAWS, Bootstrap


def accuracy(session: Session) -> list[str]:
    """The article's Tables 1 and 2, every set and class, costs, and what the confidence is worth."""
    bounds = () if session.options.short else ORACLE_BOUNDS
    rows = session.oracle_bound_rows() if bounds else []
    for item in session.compared:
        rows += session.rows(item)
    methods = [item.name for item in session.compared]
    baselines = [name for name in session.options.rivals if name in methods]
    absent = [name for name in ("surfaces", *session.options.rivals) if name not in methods]
    statistics, ours = Bootstrap(rows), methods[0]
    own = [name for name in methods if name not in baselines]
    plots.accuracy(statistics, [*methods, *bounds], session.folder / "accuracy.png")
    blocks = [
        "Whole pipelines, from the pixels of a file to masks at full size. In brackets are 95 % intervals by"
        f" {DRAWS} bootstrap draws over the images of each set. FN and FP are shares of the object's pixels. The"
        " networks that label every pixel are told which files are inverted; ours have to see it. An object is a class"
        " in an image (both femurs of an image count as one). Val also chose the learning rates, of all alike. The best"
        " network is chosen on the images that it is compared on, which favours it.",
        tables.legend("shipped" in methods),
    ]
    if absent:
        blocks.append(f"**Missing networks:** {', '.join(absent)}. They are trained without `--no-training`.")
    blocks += ["### As the article's Table 1", *tables.first(statistics, [*methods, *bounds])]
    blocks += ["The article's own figures, on other data that are not public:", tables.ARTICLE_1]
    blocks += ["### As the article's Table 2: IoU", tables.second(statistics, [*own, *baselines], ours, baselines)]
    if "shipped" in methods and ours != "shipped" and baselines:
        blocks += [
            "The shipped surfaces, trained longer, against the same networks:",
            tables.second(statistics, ["shipped"], "shipped", baselines),
        ]
    blocks += ["The article's own figures, on other data that are not public:", tables.ARTICLE_2]
    blocks += ["### IoU by set and class", tables.by_class(statistics, [*bounds, *methods], ours, baselines)]
    blocks.append("![Mean IoU with 95 % intervals; lines are the most that boxes can reach](accuracy.png)")
    blocks += ["### Cost", _costs(session)]
    if "surfaces" in session.pipeline.methods and bounds:
        blocks += ["### What the confidence says", _confidence(session)]
    return blocks


def _costs(session: Session) -> str:
    compared, cases = session.compared, spread(session.validation, session.options.timed)
    depends = {item.name: f"{item.depends}" for item in compared}
    depends |= {"images": cases_digest(cases), "threads": str(session.options.threads)}
    depends |= {"machine": provenance.machine(), "code": code_digest(HERE / "times.py")}
    rows = session.store.rows("times", depends, lambda: times.cpu_times(compared, cases))
    seen = {}
    for item in compared:
        if item.folder is not None:
            count = images_seen(item.folder / "final", session.budget.batch_size)
            seen[item.name] = "unknown" if count is None else str(count)
    note = (
        f"CPU time: median (5 % to 95 %) of {len(cases)} val images, {session.options.threads} thread(s), all methods"
        " in turn in one run. Ours look for all classes; the others enlarge the masks of those that a set marks alone."
    )
    return f"{note}\n\n{tables.costs(compared, times.summary(rows), seen)}"


def _confidence(session: Session) -> str:
    """Whether images that went wrong have a lower confidence: rank correlations with IoU on val."""
    shipped = next(item for item in session.compared if item.name == "shipped")
    rows = session.by_set("confidences", shipped.depends, lambda cases: confidences(session.pipeline, cases))
    lines = []
    for name in [*dict.fromkeys(row["set"] for row in rows), "all"]:
        members = [row for row in rows if name in (row["set"], "all")]
        if len(members) > 2:
            values = [
                spearmanr([row[key] for row in members], [row["iou"] for row in members]).statistic
                for key in ("confidence", "stability")
            ]
            lines.append([name, str(len(members)), *(f"{value:.2f}" for value in values)])
    title = "Rank correlation with IoU (shipped surfaces, objects that were found):"
    return f"{title}\n\n{tables.table(['set', 'objects', 'Spearman, confidence', 'Spearman, stability'], lines)}"


def robustness(session: Session) -> list[str]:
    """All compared methods on altered images."""
    compared, cases = session.finished, spread(session.validation, session.options.altered)
    rows = altered.robustness(compared, cases, cases_digest(cases), session.store)
    methods = [item.name for item in compared]
    plots.robustness(rows, methods, session.folder / "robustness.png")
    return [
        f"The same methods on {len(cases)} images of val, up to {session.options.altered} of each set, altered."
        " No method is told of it.",
        *altered.summary(rows, methods),
        "![Mean IoU of every method under every alteration](robustness.png)",
    ]


def pictures(session: Session) -> list[str]:
    """For the best, median and worst image of every set: the stages of our method, and all methods side by side."""
    compared = session.finished
    reference = compared[0]
    pipeline, method = reference.pipeline, reference.method
    rows = session.rows(reference)
    code = code_digest(HERE / "pictures.py", HERE / "plots.py", *CODE["figures"])
    blocks = [
        f"Of every set the images with the best, the median and the worst mean IoU of {reference.name}. Green is right,"
        " blue missed, orange wrongly taken. Narrow images are drawn wider than they are."
    ]
    for name in dict.fromkeys(case.set_name for case in session.validation):
        cases = [case for case in session.validation if case.set_name == name]
        chosen = drawn.ranked([row for row in rows if row["set"] == name], cases)
        if not chosen:
            continue
        wanted = {
            "stages": lambda path, chosen=chosen: drawn.stages(chosen, pipeline, method, path),
            "methods": lambda path, chosen=chosen: drawn.side_by_side(chosen, compared, path),
        }
        titles = {
            "stages": f"{name}, stages of {reference.name}, as in the article's Fig. 12",
            "methods": f"{name}, all methods, as in the article's Fig. 13",
        }
        blocks.append(f"### {name}")
        for kind, make in wanted.items():
            place = Path("pictures") / f"{name}_{kind}.png"
            shown = compared if kind == "methods" else [reference]
            depends = {item.name: f"{item.depends}" for item in shown} | {"images": cases_digest(cases), "code": code}
            session.store.file(session.folder / place, depends, make)
            blocks.append(f"![{titles[kind]}]({place.as_posix()})")
    return blocks
