"""A second opinion on polarity: does the picture look bone-bright, whatever its tags say?

Files exist whose MONOCHROME1 tag is wrong, and photographs of films that were inverted on the way. A network of a few
thousand weights looks at the picture as a whole; only a confident contradiction overrules the file.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .yolo.letterbox import Letterbox

SIZE = 96
CONFIDENT = 0.9
"""Probability from which the picture overrules the file."""
DOUBTFUL = 0.5
"""Probability from which the user is told that the polarity is not certain."""


class PolarityNetwork(nn.Module):
    """Four convolutions with stride 2, the mean over the picture, one number: the logit of "inverted"."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 16), (16, 32), (32, 48), (48, 64)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.output = nn.Linear(2 * 64, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch,) of images (batch, 1, 96, 96) in 0..1."""
        features = self.layers(images)
        return self.output(torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1))[:, 0]


def fit_image(gray: np.ndarray) -> torch.Tensor:
    """The network's input (1, 1, 96, 96) of gray levels 0..255: stretched to a square, so that no border is added."""
    square = Letterbox(SIZE, (SIZE, SIZE), (SIZE / gray.shape[1], SIZE / gray.shape[0]), (0.0, 0.0))
    return square.image_to_input(gray)


class PolarityCheck:
    """The trained network in use."""

    def __init__(self, network: PolarityNetwork) -> None:
        self.network = network.eval()

    def inverted_probability(self, gray: np.ndarray) -> float:
        """How likely bone is dark (0..1) in gray levels 0..255, shape (rows, columns).

        The picture and its inversion are asked together: a picture that convinces both ways convinces neither.
        """
        image = fit_image(gray).to(next(self.network.parameters()).device)
        with torch.inference_mode():
            logits = self.network(torch.cat([image, 1.0 - image]))
        return float(torch.sigmoid(logits[0] - logits[1]))
