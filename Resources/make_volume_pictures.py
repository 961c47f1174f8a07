"""Draws how rounds find a simulated organ, as Fig. 3.8 and 3.9 of article 002: no data of others is shown.

    python Resources/make_volume_pictures.py --data DATA --runs runs/article_002

DATA and the runs are those of ``python -m training.volumes.coarse_to_fine``. Of the first `LOOKED` volumes of val the
one is drawn on which the rounds gained most. Red: found and not there; green: there and not found; yellow: both.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "GrayscaleDetSeg")]

from GrayscaleDetSegLib.core.volumes.iteration import Outcome, fixed_point  # noqa: E402
from GrayscaleDetSegLib.core.volumes.views import along, dsc  # noqa: E402
from training.volumes.coarse_to_fine.measure import Finished  # noqa: E402
from training.volumes.data import Prepared, prepared  # noqa: E402

FOLDER = ROOT / "Resources" / "Documentation"
SIDE, GAP, TITLE = 168, 6, 18
"""Px of a panel, between panels, and of the line above each."""
LOOKED, AROUND = 6, 14
"""Volumes that are looked at, and px that are shown around the organ."""
RED, GREEN, YELLOW = (235, 60, 50), (60, 190, 70), (250, 220, 60)
FONT = ImageFont.load_default(12)


def panel(gray: np.ndarray, found: np.ndarray | None = None, truth: np.ndarray | None = None) -> Image.Image:
    """A slice (rows, columns; 0..1) enlarged, with what was found and what is there."""
    picture = np.repeat((np.clip(gray, 0.0, 1.0) * 255).astype(np.uint8)[..., None], 3, 2).astype(float)
    if truth is not None:
        found = np.zeros_like(truth) if found is None else found
        for where, colour in ((found & ~truth, RED), (truth & ~found, GREEN), (truth & found, YELLOW)):
            picture[where] = 0.45 * picture[where] + 0.55 * np.array(colour)
    image = Image.fromarray(np.rint(picture).astype(np.uint8))
    scale = SIDE / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.NEAREST)


def sheet(rows: list[list[tuple[str, Image.Image]]], path: Path) -> None:
    """Rows of panels with their titles, as one PNG."""
    across, down = max(len(row) for row in rows), len(rows)
    size = across * (SIDE + GAP) + GAP, down * (SIDE + TITLE + GAP) + GAP
    whole = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(whole)
    for number, row in enumerate(rows):
        top = GAP + number * (SIDE + TITLE + GAP)
        for column, (title, picture) in enumerate(row):
            left = GAP + column * (SIDE + GAP)
            draw.text((left, top), title, fill="black", font=FONT)
            whole.paste(picture, (left, top + TITLE))
    whole.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {whole.width} x {whole.height} px, {path.stat().st_size // 1000} kB")


def looked(finished: Finished, rounds: int | None = None) -> list[tuple[str, Prepared, Outcome]]:
    """Name, volume and outcome of every volume of val, those that the rounds gained most on first."""
    settings = finished.settings if rounds is None else replace(finished.settings, rounds=rounds, threshold=2.0)
    found = []
    for case in finished.cases[:LOOKED]:
        ready = prepared(case, finished.target, finished.seen)
        found.append((case.name, ready, fixed_point(ready.working, finished.networks, settings)))
    return sorted(found, key=lambda each: dsc(each[2].masks[0], each[1].mask) - dsc(each[2].mask, each[1].mask))


def by_rounds(finished: Finished, method: str) -> list[tuple[str, Image.Image]]:
    """As Fig. 3.8: around the organ a slice, the coarse look, the first rounds and the last."""
    _, case, outcome = looked(finished)[0]
    index = int(case.mask.sum((1, 2)).argmax())
    rows, columns = (np.flatnonzero(case.mask[index].any(axis)) for axis in (1, 0))
    place = index, *(slice(max(0, used[0] - AROUND), used[-1] + 1 + AROUND) for used in (rows, columns))
    truth, gray, last = case.mask[place], case.working[place], len(outcome.masks) - 1
    row = [(method, panel(gray))]
    for number in dict.fromkeys((0, 1, 2, last)):
        if number > last:
            continue
        title = f"round {number}" if number else "coarse"
        title = f"{title}: {100 * dsc(outcome.masks[number], case.mask):.1f}"
        row.append((title, panel(gray, outcome.masks[number][place], truth)))
    return [*row, ("reference", panel(gray, truth, truth))]


def by_saliency(finished: Finished, view: str = "axial") -> list[list[tuple[str, Image.Image]]]:
    """As Fig. 3.9: the coarse map, the weights of its three channels, and what the weighted image leads to."""
    name, case, outcome = looked(finished, rounds=1)[0]
    coarse = fixed_point(case.working, finished.networks, replace(finished.settings, rounds=0))
    index = int(along(outcome.mask, view).sum((1, 2)).argmax())
    gray, truth = along(case.working, view)[index], along(case.mask, view)[index]
    likely = along(coarse.probability, view)
    first = [
        (f"{name}, {view}", panel(gray)),
        (f"coarse: {100 * dsc(coarse.mask, case.mask):.1f}", panel(gray, along(coarse.mask, view)[index], truth)),
        ("its probability", panel(likely[index])),
        ("reference", panel(gray, truth, truth)),
    ]
    second = []
    networks = finished.networks[view]
    import torch

    half = networks.slices // 2
    with torch.inference_mode():
        stack = torch.from_numpy(np.stack([likely[index + step] for step in range(-half, half + 1)]))[None]
        weights = networks.saliency(stack)[0].numpy()
    for channel, values in enumerate(weights):
        low, high = float(values.min()), float(values.max())
        picture = panel((values - low) / max(high - low, 1e-6))
        second.append((f"weights {channel + 1}: {low:.2f} to {high:.2f}", picture))
    after = f"after round 1: {100 * dsc(outcome.mask, case.mask):.1f}"
    return [first, [*second, (after, panel(gray, along(outcome.mask, view)[index], truth))]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the set of phantoms")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs of the article's plan")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the pictures")
    options = parser.parse_args()
    both = {"step-wise": "organ_step_wise", "recurrent": "organ_rstn"}
    finished = {method: Finished.of(options.runs / run, options.data) for method, run in both.items()}
    rows = [by_rounds(each, method) for method, each in finished.items()]
    sheet(rows, options.output / "volume-rounds.png")
    sheet(by_saliency(finished["recurrent"]), options.output / "volume-saliency.png")


if __name__ == "__main__":
    main()
