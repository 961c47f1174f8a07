"""A second opinion on polarity: does the picture look bone-bright, whatever its tags say?

Files exist whose MONOCHROME1 tag is wrong, and photographs of films that were inverted on the way. A network of a few
thousand weights looks at the picture as a whole; only a confident contradiction overrules the file.
"""

from __future__ import annotations

import numpy as np

from .engines import answer, prepared
from .layers.operations import sigmoid
from .layers.parts import BatchNorm, Convolution, Linear, Part, Relu, Sequence
from .yolo.letterbox import Letterbox

SIZE = 96
CONFIDENT = 0.9
"""Probability from which the picture overrules the file."""
DOUBTFUL = 0.3
"""Probability from which the user is told that the polarity is not certain."""


class PolarityNetwork(Part):
    """Four convolutions with stride 2, the mean over the picture, one number: the logit of "inverted"."""

    def __init__(self) -> None:
        layers: list[Part] = []
        for inputs, outputs in ((1, 16), (16, 32), (32, 48), (48, 64)):
            layers += [Convolution(inputs, outputs, 3, 2, bias=False), BatchNorm(outputs), Relu()]
        self.layers = Sequence(*layers)
        self.output = Linear(2 * 64, 1)

    def forward(self, images):
        """Logits (batch,) of images (batch, 1, 96, 96) in 0..1."""
        features = self.layers(images)
        seen = [features.mean((2, 3)), self.operations.largest(features, (2, 3))]
        return self.output(self.operations.joined(seen, 1))[:, 0]


def fit_image(gray: np.ndarray) -> np.ndarray:
    """The network's input (1, 1, 96, 96), float32, of gray levels 0..255: stretched to a square, without a border."""
    square = Letterbox(SIZE, (SIZE, SIZE), (SIZE / gray.shape[1], SIZE / gray.shape[0]), (0.0, 0.0))
    return square.image_to_input(gray)


class PolarityCheck:
    """The trained network in use.

    Parameters
    ----------
    network : PolarityNetwork
        Of numpy or PyTorch.
    """

    def __init__(self, network: PolarityNetwork) -> None:
        self.network = prepared(network)

    def inverted_probability(self, gray: np.ndarray) -> float:
        """How likely bone is dark (0..1) in gray levels 0..255, shape (rows, columns).

        The picture and its inversion are asked together: a picture that convinces both ways convinces neither.
        """
        image = fit_image(gray)
        logits = answer(self.network, np.concatenate([image, 1.0 - image]))
        return float(sigmoid(logits[0] - logits[1]))
