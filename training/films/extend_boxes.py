"""A run of the 3D detector with rows and refinements for classes that a bundle's does not know.

    python -m training.films.extend_boxes RUN --data DATA --films FILMS --model BUNDLE

The PointNet stays as it is; a new class begins as what looks most like it, and its refinement T is fitted on the clouds
of its objects. The shipped model's was made so from version 2: trained anew on all classes for so short a time, the
network lost more on the old ones than it won on the new.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from GrayscaleDetSegLib.core.single_box.anchors import AnchorConfig
from GrayscaleDetSegLib.core.weights import Bundle

from .. import refinement
from ..box_data import BoxAugmentation, BoxDataset
from ..data.folders import scan_folders
from ..data.labelled import Case
from ..networks import PointNet, PointNetConfig
from .cases import as_cases
from .collection import all_films
from .knowledge import CARDS, CLASSES
from .marked import marked
from .start_surfaces import LIKE

AN_OBJECT = 6
"""Objects of new classes that a film gives, at most: a spine would outweigh all others."""


def extended(state: dict[str, torch.Tensor], known: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """The network's tensors with rows for all `CLASSES`; the first row of its classifier is that of no object."""
    like = [known.index(name if name in known else LIKE.get(name, ("femur",))[0]) for name in CLASSES]
    rows = {}
    for name, tensor in state.items():
        tensor = tensor.float() if tensor.is_floating_point() else tensor
        if name.startswith("classifier"):
            tensor = torch.cat([tensor[:1], tensor[1:][like]])
        rows[name] = tensor
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--films", type=Path, nargs="+", required=True, help="folders of simulated films")
    parser.add_argument("--model", type=Path, required=True, help="bundle whose 3D detector is extended")
    parser.add_argument("--draws", type=int, default=5000, help="clouds that the refinements are fitted to")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    bundle = Bundle.open(options.model)
    entry = bundle.network("box_detector")
    known, side = tuple(entry["config"]["classes"]), entry["settings"]["side"]
    config = PointNetConfig.from_dict({**entry["config"], "classes": CLASSES})
    network = PointNet(config)
    network.load_state_dict(extended(bundle.tensors("box_detector"), known))
    new, films = set(CLASSES) - set(known), []
    for film in all_films(options.films, options.data, 1):
        objects = tuple(item for item in film.objects if item.label in new and not film.boxed)
        if objects:
            films.append(replace(film, objects=objects[:AN_OBJECT]))
    training = BoxDataset(as_cases(films), CLASSES, side, BoxAugmentation(), 2)
    cases = [marked(case, options.data / name) for name, card in CARDS.items() if set(card.marks.values()) & new
             for case in scan_folders(options.data / name, "val") if isinstance(case, Case)]  # fmt: skip
    refinement.DRAWS = options.draws
    fitted = refinement.fit(
        network.eval(), AnchorConfig.from_dict(entry["anchors"]), training, BoxDataset(cases, CLASSES, side), passes=2
    )
    tensors = {name: tensor for name, tensor in bundle.tensors("refinement").items() if name in known}
    tensors.update({name: torch.from_numpy(matrix) for name, matrix in fitted.items() if name in new})
    options.run.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), options.run / "network.pt")
    torch.save(tensors, options.run / "refinement.pt")
    described = {"config": config.to_dict(), "anchors": entry["anchors"], "side": side}
    (options.run / "network.json").write_text(json.dumps(described, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
