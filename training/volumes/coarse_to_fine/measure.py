"""What finished runs do on val, volume by volume: every table is read from these figures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from GrayscaleDetSegLib.core.methods.organ_then_part import OrganThenPart
from GrayscaleDetSegLib.core.methods.volumetric import Found, Part
from GrayscaleDetSegLib.core.stopwatch import Stopwatch
from GrayscaleDetSegLib.core.volumes.iteration import IterationSettings, Outcome, fixed_point, fixed_points
from GrayscaleDetSegLib.core.volumes.networks import NetworkConfig, Networks
from GrayscaleDetSegLib.core.volumes.pipeline import VolumeSettings, settled
from GrayscaleDetSegLib.core.volumes.rounds import Rounds
from GrayscaleDetSegLib.core.volumes.views import dsc

from ...files import write_aside
from ..cases import VolumeCase
from ..data import Prepared, Target, prepared
from ..table import Judged, Scores, all_rounds, case_rows, opened

COARSE, END, TRUE_BOXES = "coarse", "as shipped", "true boxes in every round"
"""Rows that more than one table reads; the second is that of ``table.OWN``."""
SIMILARITIES = "d"
"""Not a row: of each round the least DSC of any label with the round before, in the place of DSC with the truth."""
REPEATS = 3


@dataclass(frozen=True)
class Finished:
    """A finished run with its networks and the volumes of val.

    Parameters
    ----------
    networks : Networks
        In evaluation mode.
    settings : IterationSettings
    target : Target
    cases : list of VolumeCase
    seen : VolumeSettings
    """

    networks: Networks
    settings: IterationSettings
    target: Target
    cases: list[VolumeCase]
    seen: VolumeSettings

    @classmethod
    def of(cls, run: Path, data: Path) -> Finished:
        """Open the folder of a run."""
        described, target, cases, seen = opened(run, data)
        networks = Networks(NetworkConfig.from_dict(described["config"]))
        networks.load_state_dict(torch.load(run / "network.pt", weights_only=True))
        return cls(networks.eval(), IterationSettings.from_dict(described["settings"]), target, cases, seen)

    @property
    def labels(self) -> tuple[str, ...]:
        """What it has learnt."""
        return tuple(name for name, _ in self.target.parts)

    @property
    def part(self) -> Part:
        """As the methods of the library take it."""
        several = self.labels if len(self.labels) > 1 else ()
        return Part(
            self.target.label, self.networks, self.settings, Rounds, self.target.within, self.target.reach, several
        )

    def judged(self, rows_of: Callable[[Prepared], Scores]) -> Judged:
        """The rows of every volume, around its true organ if the run's target lies in one."""
        rows, began = [], time.process_time()
        for case in self.cases:
            rows.append(rows_of(prepared(case, self.target, self.seen)))
        seconds = (time.process_time() - began) / len(self.cases)
        parameters = sum(each.numel() for each in self.networks.parameters())
        return Judged(self.labels, tuple(case.patient for case in self.cases), tuple(rows), parameters, seconds)


class Remembered(torch.nn.Module):
    """A network that is asked the same many times over: its last answers are kept.

    Every row of a volume begins with the same coarse look, which takes far longer than a round.
    """

    MOST = 64

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network
        self._kept: dict[bytes, torch.Tensor] = {}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        key = images.numpy().tobytes()
        if key not in self._kept:
            if len(self._kept) >= self.MOST:
                self._kept.clear()
            self._kept[key] = self.network(images)
        return self._kept[key]


def remembering(networks: Networks) -> Networks:
    """The same networks, whose coarse ones remember."""
    for each in networks.values():
        each.coarse = Remembered(each.coarse)
    return networks


def rounds(run: Path, data: Path) -> Judged:
    """Table 3.1's rows, each view's coarse look by itself, true boxes in every round, and how rounds agree."""
    finished = Finished.of(run, data)
    networks, settings = remembering(finished.networks), finished.settings

    def rows_of(case: Prepared) -> Scores:
        outcomes = all_rounds(case, networks, settings)
        rows = case_rows(case, networks, settings, outcomes)
        rows[SIMILARITIES] = np.min([each.similarities or [0.0] for each in outcomes], axis=0).tolist(), 0.0
        if networks.config.saliency is None:  # the same boxes lead to the same again
            rows[TRUE_BOXES] = rows["oracle boxes"]
        else:
            rows[TRUE_BOXES] = ended(case, networks, settings, boxes_of=case.mask)
        if len(networks) > 1:
            for view in networks:
                rows[f"coarse, {view}"] = ended(case, one_view(networks, view), replace(settings, rounds=0))
        return rows

    return kept(run / "rounds.json", lambda: finished.judged(rows_of))


def ends(run: Path, data: Path) -> Judged:
    """Only the coarse look, the end, and true boxes in every round: what takes ten rounds is not done."""
    finished = Finished.of(run, data)
    networks, settings = remembering(finished.networks), finished.settings

    def rows_of(case: Prepared) -> Scores:
        outcomes = fixed_points(case.working, networks, settings)
        truths = [case.mask_of(number) for number in range(len(outcomes))]
        used = float(len(outcomes[0].similarities))
        return {
            COARSE: ([dsc(each.masks[0], truth) for each, truth in zip(outcomes, truths)], 0.0),
            END: ([dsc(each.mask, truth) for each, truth in zip(outcomes, truths)], used),
            TRUE_BOXES: ended(case, networks, settings, boxes_of=case.mask),
        }

    return kept(run / "ends.json", lambda: finished.judged(rows_of))


def ended(
    case: Prepared, networks: Networks, settings: IterationSettings, boxes_of: np.ndarray | None = None
) -> tuple[list[float], float]:
    """DSC of each label where the settings end it, and the rounds that it took."""
    outcomes = fixed_points(case.working, networks, settings, boxes_of=boxes_of)
    scores = [dsc(each.mask, case.mask_of(number)) for number, each in enumerate(outcomes)]
    return scores, float(len(outcomes[0].similarities))


def one_view(networks: Networks, view: str) -> Networks:
    """The networks of one view; the weights are the same tensors."""
    alone = Networks(replace(networks.config, views=(view,)))
    alone[view] = networks[view]
    return alone.eval()


def exchanged(coarse: Networks, fine: Networks) -> Networks:
    """The coarse networks of one run before the fine ones (and the saliency) of another."""
    mixed = Networks(fine.config)
    state = {name: values for name, values in fine.state_dict().items() if ".coarse." not in name}
    state |= {name: values for name, values in coarse.state_dict().items() if ".coarse." in name}
    mixed.load_state_dict(state)
    return mixed.eval()


def mixed(coarse: Path, fine: Path, data: Path, folder: Path) -> Judged:
    """The coarse look of one run, and the rounds of another on it by that one's settings."""
    first, second = Finished.of(coarse, data), Finished.of(fine, data)
    networks = exchanged(first.networks, second.networks)
    every = replace(second.settings, rounds=0)

    def rows_of(case: Prepared) -> Scores:
        return {COARSE: ended(case, networks, every), END: ended(case, networks, second.settings)}

    return kept(folder / f"{coarse.name}_then_{fine.name}.json", lambda: second.judged(rows_of))


def within(organ: Path, part: Path, data: Path) -> Judged:
    """A part by the four stages, whole volumes: in the organ as it was found, and in the true one.

    The label of the result is the part's; the organ's own figures are in the rows that begin with its name.
    """
    outer, inner = Finished.of(organ, data), Finished.of(part, data)
    method = OrganThenPart({str(inner.target.within): outer.part}, {inner.target.label: inner.part})

    def rows_of(case: VolumeCase) -> Scores:
        whole = prepared(case, outer.target, outer.seen)
        truth = prepared(case, replace(inner.target, within=None), inner.seen).mask
        found_organ, found = method.segment_volume(whole.working, Stopwatch())
        near_truth = prepared(case, inner.target, inner.seen)
        rows = {"organ, coarse": ([dsc(found_organ.outcome.masks[0], whole.mask)], 0.0)}
        rows["organ"] = [dsc(found_organ.outcome.mask, whole.mask)], float(len(found_organ.outcome.similarities))
        if found.outcome is None:
            rows |= {COARSE: ([0.0], 0.0), END: ([0.0], 0.0)}
        else:
            rows[COARSE] = [dsc(found.outcome.masks[0], truth)], 0.0
            rows[END] = [dsc(found.outcome.mask, truth)], float(len(found.outcome.similarities))
        rows["in the true organ"] = ended(near_truth, inner.networks, inner.settings)
        return rows

    def judge() -> Judged:
        cases = tuple(rows_of(case) for case in inner.cases)
        parameters = sum(
            each.numel() for networks in (outer.networks, inner.networks) for each in networks.parameters()
        )
        return Judged(inner.labels, tuple(case.patient for case in inner.cases), cases, parameters, 0.0)

    return kept(part / f"within_{organ.name}.json", judge)


CLAIMED = "claimed by others"
"""Not DSC: the share of each label's voxels that another network claims as well."""


def separate(parts: Sequence[Path], data: Path, folder: Path) -> Judged:
    """Networks of one label each on the same volumes (Table 3.4): a voxel claimed twice goes to the surer one."""
    each = [Finished.of(part, data) for part in parts]

    def scored(outcomes: list[Outcome], truths: list[np.ndarray]) -> list[float]:
        masks = settled([Found(one.target.label, outcome) for one, outcome in zip(each, outcomes)])
        return [dsc(mask, truth) for mask, truth in zip(masks.values(), truths)]

    def rows_of(case: VolumeCase) -> Scores:
        ready = [prepared(case, one.target, one.seen) for one in each]
        truths = [one.mask for one in ready]
        first, last = (
            [fixed_point(of.working, one.networks, settings) for of, one, settings in zip(ready, each, how)]
            for how in ([replace(one.settings, rounds=0) for one in each], [one.settings for one in each])
        )
        claims = np.sum([outcome.mask for outcome in last], axis=0)
        shared = [float((claims[outcome.mask] > 1).mean()) if outcome.mask.any() else 0.0 for outcome in last]
        used = float(np.mean([len(outcome.similarities) for outcome in last]))
        return {COARSE: (scored(first, truths), 0.0), END: (scored(last, truths), used), CLAIMED: (shared, used)}

    def judge() -> Judged:
        cases = tuple(rows_of(case) for case in each[0].cases)
        parameters = sum(weights.numel() for one in each for weights in one.networks.parameters())
        labels = tuple(label for one in each for label in one.labels)
        return Judged(labels, tuple(case.patient for case in each[0].cases), cases, parameters, 0.0)

    return kept(folder / f"{'_and_'.join(part.name for part in parts)}.json", judge)


def voted(run: Path, data: Path) -> Judged | None:
    """Coarse look and end by a majority of the views' masks, as the article's 3.3; None where there is one view."""
    finished = Finished.of(run, data)
    networks, settings = remembering(finished.networks), replace(finished.settings, vote="majority")
    if len(networks) == 1:
        return None

    def rows_of(case: Prepared) -> Scores:
        coarse = ended(case, networks, replace(settings, rounds=0))
        return {COARSE: coarse, END: ended(case, networks, settings)}

    return kept(run / "voted.json", lambda: finished.judged(rows_of))


def joined(judged: Sequence[Judged]) -> Judged:
    """Of folds: all their volumes, of one network's size and the mean of their times."""
    cases = tuple(case for each in judged for case in each.cases)
    patients = tuple(patient for each in judged for patient in each.patients)
    seconds = float(np.average([each.seconds for each in judged], weights=[len(each.cases) for each in judged]))
    return Judged(judged[0].labels, patients, cases, judged[0].parameters, seconds)


def seconds(run: Path, data: Path) -> dict[str, float]:
    """Processor seconds a volume of val: the coarse look, the first round, a later one, and all as shipped.

    The least of `REPEATS` measurements of all volumes; without reading files.
    """
    finished = Finished.of(run, data)
    ready = [prepared(case, finished.target, finished.seen).working for case in finished.cases]

    def taken(settings: IterationSettings) -> float:
        found = []
        for _ in range(REPEATS):
            began = time.process_time()
            for working in ready:
                fixed_points(working, finished.networks, settings)
            found.append(time.process_time() - began)
        return min(found) / len(ready)

    counts = {count: taken(replace(finished.settings, threshold=2.0, rounds=count)) for count in (0, 1, 3)}
    return {
        "coarse": counts[0], "first round": counts[1] - counts[0], "later round": (counts[3] - counts[1]) / 2.0,
        "as shipped": taken(finished.settings),
    }  # fmt: skip


def kept(path: Path, judge: Callable[[], Judged]) -> Judged:
    """What a file has of it, or else judged and kept there."""
    if path.is_file():
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Judged(**{key: tuple(value) if isinstance(value, list) else value for key, value in content.items()})
    found = judge()
    write_aside(path, json.dumps(asdict(found)).encode())
    return found


def scores(judged: Judged, row: str, labels: Sequence[str] = ()) -> np.ndarray:
    """DSC of every volume in a row: the mean of some labels, of all by default."""
    chosen = [judged.labels.index(label) for label in labels] if labels else range(len(judged.labels))
    return np.array([np.mean([case[row][0][at] for at in chosen]) for case in judged.cases])


def used(judged: Judged, row: str) -> np.ndarray:
    """The rounds of every volume in a row."""
    return np.array([case[row][1] for case in judged.cases])
