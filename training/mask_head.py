"""A help for the training of the 2D detector: it also says at every place which classes show there.

Boxes alone teach slowly what a femur looks like from every side; masks say it at every pixel. The head is one layer on
the detector's finest maps and is left behind when the detector ships.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .detection_sample import DetectionSample
from .films.outlined import IGNORE, SHAPELESS
from .networks import YoloV3Tiny3


class MaskHead(nn.Module):
    """Logits of every class from the detector's maps, middle and fine.

    Parameters
    ----------
    network : YoloV3Tiny3
    """

    def __init__(self, network: YoloV3Tiny3) -> None:
        super().__init__()
        classes = len(network.config.classes)
        coarse, middle, fine = reversed(network.widths)
        self.middle, self.fine = nn.Conv2d(middle, classes, 1), nn.Conv2d(fine, classes, 1)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Logits (batch, classes, size / 8, size / 8) of the maps that ``YoloV3Tiny3.features`` gives."""
        _, middle, fine = features
        return self.fine(fine) + functional.interpolate(self.middle(middle), scale_factor=2.0, mode="nearest")

    def loss(self, features: list[torch.Tensor], samples: list[DetectionSample]) -> torch.Tensor:
        """Cross-entropy and Dice where the labels speak."""
        logits = self(features).float()
        bits = torch.stack([sample.masks for sample in samples])
        number = torch.arange(logits.shape[1], device=bits.device).view(1, -1, 1, 1)
        truth = (bits[:, None] >> number & 1).float()
        truth = functional.avg_pool2d(truth, truth.shape[-1] // logits.shape[-1])
        known = torch.stack([sample.marked for sample in samples])[:, :, None, None].float()
        speaking = (bits[:, None] & (1 << IGNORE | 1 << SHAPELESS)) == 0
        known = known * functional.max_pool2d(speaking.float(), bits.shape[-1] // logits.shape[-1])
        entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        entropy = (entropy * known).sum() / (known.sum() + 1.0)
        likely, truth = logits.sigmoid() * known, truth * known
        dice = 1.0 - (2.0 * (likely * truth).sum((0, 2, 3)) + 20.0) / ((likely + truth).sum((0, 2, 3)) + 20.0)
        return 3.0 * entropy + dice.mean()
