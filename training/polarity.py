"""Training of the polarity check: every training image both ways round.

python -m training.polarity --data ../shared/data --output runs/polarity
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch.nn import functional

from GrayscaleDetSegLib.core.polarity_check import CONFIDENT, SIZE, PolarityCheck, PolarityNetwork, fit_image

from .augmentation import AugmentationSettings, random_gray, random_warp
from .data import Case, load_sets
from .sampling import seeded_generator

SETTINGS = AugmentationSettings(invert=0.0, log_scale=(-0.1, 0.6), collimate=0.4, gamma=0.8)


def training_batch(images: list[torch.Tensor], seed: int, step: int, size: int) -> torch.Tensor:
    """A batch of augmented, bone-bright images (size, 1, 64, 64); the loss sees them both ways round."""
    generator = seeded_generator(seed, step)
    batch = []
    for index in torch.randint(len(images), (size,), generator=generator).tolist():
        grid, _ = random_warp((SIZE, SIZE), SIZE, SETTINGS, generator)
        warped = functional.grid_sample(images[index], grid, padding_mode="border", align_corners=False)[0, 0]
        batch.append(random_gray(warped, SETTINGS, generator)[None])
    return torch.stack(batch)


def train(images: list[torch.Tensor], steps: int, seed: int = 0, rate: float = 2e-3) -> PolarityNetwork:
    """A network that tells images (1, 1, 64, 64), bone-bright, from their inversions."""
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


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.polarity", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the sets")
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    images = [fit_image(case.radiograph().gray()) for case in load_sets(options.data, "train")]
    network = train(images, options.steps, options.seed)
    options.output.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), options.output / "network.pt")
    for name, share in evaluate(network, load_sets(options.data, "val")).items():
        print(f"{name}: {share:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
