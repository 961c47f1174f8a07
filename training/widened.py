"""A trained 2D detector with more channels that finds what it found before: it need not begin from nothing.

    python -m training.widened RUN --width 0.75 --output WIDER

In the spirit of Net2WiderNet (Chen et al., Net2Net, 2016), but with zeros in place of copies: the old channels keep
their weights and see nothing of the new ones, which begin at random; training then joins them. ``--from WIDER`` goes
on with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from .networks import Yolo, YoloV3Tiny3, build_yolo, trained_yolo

JOINED = {"neck_middle": (3, 4), "neck_fine": (2, 3)}
"""Layers that see the maps of two others, beside each other: which of `SIZES` each of the two has."""
SIZES = (16, 32, 64, 128, 256)


def widened(network: Yolo, width: float, seed: int = 0) -> Yolo:
    """The network with another `width`, which gives the same outputs.

    Parameters
    ----------
    network : YoloV3Tiny3
    width : float
        At least that of the network.
    seed : int
        Decides the new channels' weights.

    Returns
    -------
    YoloV3Tiny3
        In evaluation mode its outputs are those of the network.

    Raises
    ------
    ValueError
        If the network is of another variant, or wider.
    """
    config = network.config
    if not isinstance(network, YoloV3Tiny3):
        raise ValueError(f"Only networks of the variant tiny-3l can be widened, not {config.variant}.")
    if width < config.width:
        raise ValueError(f"The network has a width of {config.width}; a smaller one, {width}, would forget.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        wider = build_yolo(replace(config, width=width))
    old, new = network.state_dict(), wider.state_dict()
    for name, values in new.items():
        former = old[name]
        if former.dim() == 0:  # batches that a norm has seen
            continue
        if former.dim() == 1:
            values[: len(former)] = former
            continue
        seen = _places(name, former.shape[1], config.width, width)
        values[: len(former)] = 0.0
        values[: len(former), seen] = former
    wider.load_state_dict(new)
    return wider


def _places(name: str, count: int, before: float, after: float) -> list[int]:
    """Where a layer finds the channels that it knows among those that it sees now."""
    for layer, sizes in JOINED.items():
        if name.startswith(f"{layer}."):
            first, second = (SIZES[number] for number in sizes)
            begin = round(first * after)
            return [*range(round(first * before)), *range(begin, begin + round(second * before))]
    return list(range(count))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.widened", description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="folder of a finished run of training.detector")
    parser.add_argument("--width", type=float, required=True, help="factor on all channel counts; 1 is published")
    parser.add_argument("--output", type=Path, required=True, help="folder of the wider run, to start from")
    options = parser.parse_args(arguments)
    try:
        network = trained_yolo(options.run)
        wider = widened(network, options.width)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "network.json").write_text(json.dumps(wider.config.to_dict(), indent=1), encoding="utf-8")
    torch.save(wider.state_dict(), options.output / "network.pt")
    count = sum(parameter.numel() for parameter in wider.parameters())
    print(f"{options.output}: width {options.width} in place of {network.config.width}, {count} weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
