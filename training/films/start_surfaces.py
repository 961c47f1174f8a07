"""A run to start the surfaces from: those of a bundle, with rows for classes that it does not know.

    python -m training.films.start_surfaces RUN [--model BUNDLE]

Rows of known classes are copied; a new class begins as what looks most like it, a bone as the mean of the known bones.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from GrayscaleDetSegLib.core.weights import Bundle

from ..networks import SurfaceConfig, SurfaceNetwork
from .knowledge import CLASSES

LIKE = {"heart": ("right lung",), "tooth": ("teeth",)}
BONES = ("femur", "tibia")


def started(state: dict[str, torch.Tensor], config: SurfaceConfig, classes: tuple[str, ...]) -> SurfaceNetwork:
    """A network for `classes` that is that of `state` for the classes of `config`."""
    network = SurfaceNetwork(replace(config, classes=classes))
    state = dict(state)
    for name in ("head.weight", "head.bias"):
        rows = state[name].float().unflatten(0, (len(config.classes), 2))
        chosen = []
        for label in classes:
            like = (label,) if label in config.classes else LIKE.get(label, BONES)
            chosen.append(torch.stack([rows[config.classes.index(one)] for one in like]).mean(0))
        state[name] = torch.stack(chosen).flatten(0, 1)
    network.load_state_dict({name: value.float() if value.is_floating_point() else value
                             for name, value in state.items()})  # fmt: skip
    return network


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", help="bundle (default: the shipped one)")
    options = parser.parse_args(arguments)
    bundle = Bundle.open(options.model) if options.model else Bundle.open()
    entry = bundle.network("surfaces")
    config = SurfaceConfig.from_dict(entry["config"])
    network = started(bundle.tensors("surfaces"), config, CLASSES)
    options.run.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), options.run / "network.pt")
    described = {"config": network.config.to_dict(), "margin": entry["margin"]}
    (options.run / "network.json").write_text(json.dumps(described, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
