"""Training of the polarity check: every training image both ways round.

python -m training.polarity --data ../shared/data --output runs/polarity
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.polarity_check import CONFIDENT, SIZE, PolarityCheck, fit_image

from .augmentation import AugmentationSettings, random_gray, random_warp
from .data import SETS, Case
from .data.checking import announce, check
from .films.collection import all_films
from .films.real import training_films
from .networks import PolarityNetwork
from .runs import command
from .sampling import seeded_generator

# Close-ups and wide borders of any brightness: what counts is that bone is brighter than what surrounds it, not how a
# picture of one of the training sets is laid out.
SETTINGS = AugmentationSettings(invert=0.0, log_scale=(-0.2, 1.1), collimate=0.0, gamma=0.8, rotation=45.0, shift=0.3)
WIDEST_BORDER = 0.35
SIMULATED = 3000
"""Simulated films at most: as many as twice the real ones."""


def training_batch(images: list[torch.Tensor], seed: int, step: int, size: int) -> torch.Tensor:
    """A batch of augmented, bone-bright images (size, 1, 96, 96); the loss sees them both ways round."""
    generator = seeded_generator(seed, step)
    batch = []
    for index in torch.randint(len(images), (size,), generator=generator).tolist():
        grid, _ = random_warp((SIZE, SIZE), SIZE, SETTINGS, generator)
        warped = functional.grid_sample(images[index], grid, padding_mode="border", align_corners=False)[0, 0]
        batch.append(_border(random_gray(warped, SETTINGS, generator), generator)[None])
    return torch.stack(batch)


def _border(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Some sides covered by uniform bands, as shutters, unexposed film and direct exposure make them, of any gray."""
    rows, columns = image.shape
    for side in range(4):
        chance, width, gray = torch.rand(3, generator=generator).tolist()
        if chance < 0.3:
            band = round(WIDEST_BORDER * width * (rows if side < 2 else columns))
            where = (
                (slice(0, band), slice(None)),
                (slice(rows - band, rows), slice(None)),
                (slice(None), slice(0, band)),
                (slice(None), slice(columns - band, columns)),
            )[side]
            image[where] = min(max(1.5 * gray - 0.25, 0.0), 1.0)
    return image


def train(images: list[torch.Tensor], steps: int, seed: int = 0, rate: float = 2e-3) -> PolarityNetwork:
    """A network that tells images (1, 1, 96, 96), bone-bright, from their inversions."""
    torch.manual_seed(seed)
    network = PolarityNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    for step in range(steps):
        batch = training_batch(images, seed, step, 32)
        logits = network(torch.cat([batch, 1.0 - batch]))
        wanted = torch.cat([torch.zeros(len(batch)), torch.ones(len(batch))])
        loss = functional.binary_cross_entropy_with_logits(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 200 == 0:
            print(f"step {step + 1}: loss {loss.item():.4f}", flush=True)
    return network.eval()


def evaluate(network: PolarityNetwork, cases: list[Case]) -> dict[str, float]:
    """Shares of images that the check treats rightly, as hung and inverted, and that it turns over wrongly."""
    check, counts = PolarityCheck(network), {"upright kept": 0, "inverted found": 0, "wrongly turned": 0}
    for case in cases:
        radiograph = case.radiograph()
        probability = check.inverted_probability(radiograph.gray())
        turned = check.inverted_probability(radiograph.inverted("for the test").gray())
        counts["upright kept"] += probability < CONFIDENT
        counts["wrongly turned"] += probability >= CONFIDENT
        counts["inverted found"] += turned >= CONFIDENT
    return {name: count / len(cases) for name, count in counts.items()}


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.polarity", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--simulated", type=Path, help="folder with the simulated set, to train on as well")
    parser.add_argument("--films", type=Path, nargs="*", default=[], help="folders of simulated films; real ones join")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip-bad", action="store_true", help="train without what the check of the data rejects")
    options = parser.parse_args(arguments)
    further = [options.simulated / "simulated"] if options.simulated else []
    torch.set_num_threads(1)
    # the network that looks for inverted images is the one to be trained
    report = check([options.data / name for name in SETS] + further, look_at_polarity=False)
    announce(report, options.skip_bad)
    cases = report.of("train")
    if options.films:
        films = list(all_films(options.films, None, options.seed))
        films = films[:: max(1, len(films) // SIMULATED)] + training_films(options.data, options.seed)
        images = [torch.from_numpy(fit_image(film.image.astype(np.float32))) for film in films]
    else:
        images = [torch.from_numpy(fit_image(case.radiograph().gray())) for case in cases]
    network = train(images, options.steps, options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), options.output / "network.pt")
    for name, share in evaluate(network, report.of("val", SETS)).items():
        print(f"{name}: {share:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
