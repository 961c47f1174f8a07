"""What the article puts L-SNet beside: networks of one stage with its encoder, and coarse-to-fine with hard crops."""

from __future__ import annotations

import torch
from torch import nn

from GrayscaleDetSegLib.core.lsnet.networks import SNet, UNetDecoder
from GrayscaleDetSegLib.core.lsnet.recalibration import of_boxes, recalibrated
from GrayscaleDetSegLib.core.lsnet.settings import LAYOUTS, MARGIN, LSNetConfig

from ..runs import StagedTraining
from .data import Batch
from .losses import KINDS

ROUNDING = 1e-3
"""Px by which an edge may miss a whole px and still lie on it."""


class AttentionGate(nn.Module):
    """The additive gate of Attention U-Net (Oktay et al. 2018): what share of the encoder's features passes, by place.

    Parameters
    ----------
    skip, before : int
        Channels of the encoder's features, and of the decoder's, which are of the same size here.
    """

    def __init__(self, skip: int, before: int) -> None:
        super().__init__()
        between = max(1, skip // 2)
        self.of_skip = nn.Sequential(nn.Conv2d(skip, between, 1, bias=False), nn.BatchNorm2d(between))
        self.of_before = nn.Sequential(nn.Conv2d(before, between, 1, bias=False), nn.BatchNorm2d(between))
        self.passing = nn.Conv2d(between, 1, 1)

    def forward(self, skip: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        return skip * self.passing(torch.relu(self.of_skip(skip) + self.of_before(before))).sigmoid()


class AttentionDecoder(UNetDecoder):
    """A U-Net's decoder with a gate before each of the encoder's features."""

    def __init__(self, channels: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__(channels, widths)
        skips = tuple(reversed(channels[:-1]))
        self.gates = nn.ModuleList(map(AttentionGate, skips, (channels[-1], *widths)))

    def joined(self, number: int, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return super().joined(number, features, self.gates[number](skip, features))


class AttentionUNet(SNet):
    """S-Net on the whole image, with attention gates."""

    def __init__(self, config: LSNetConfig) -> None:
        super().__init__(config)
        self.decoder = AttentionDecoder(self.encoder.channels, LAYOUTS[config.segmenter].decoder)


class WholeTraining(StagedTraining):
    """A network of one stage learns from whole images.

    Parameters
    ----------
    kind : str
        Of the loss, one of ``losses.KINDS``.
    """

    def __init__(self, network: nn.Module, stages: list, steps_per_epoch: int, kind: str = "focal") -> None:
        super().__init__(network.to(memory_format=torch.channels_last), stages, steps_per_epoch, weight_decay=1e-4)
        self.kind = kind

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        images, masks = self.seen(batch)
        logits = self.network(images.contiguous(memory_format=torch.channels_last))
        loss = KINDS[self.kind](logits.float(), masks, batch.settled)
        self.log("train/loss", loss.detach(), batch_size=len(images))
        return loss

    def seen(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Images (n, 1, s, s) and masks (n, classes, s, s) that a step learns from."""
        return batch.images, batch.masks


class FineTraining(WholeTraining):
    """The second network of coarse-to-fine learns from hard crops around true boxes, whose edges are shifted at random.

    Where an image shows nothing it gets a box of another image of the batch, so that what is no object is learnt, too.

    Parameters
    ----------
    side : int
        Px of what the network sees.
    margin : float
        What a crop is wider and higher than a box, as a share of the image's side.
    shift : float
        How far each edge of a box is shifted at most, as a share of its size.
    """

    def __init__(
        self, network: nn.Module, stages: list, steps_per_epoch: int, side: int, margin: float = MARGIN,
        shift: float = 0.15,
    ) -> None:  # fmt: skip
        super().__init__(network, stages, steps_per_epoch)
        self.side, self.margin, self.shift = side, margin, shift

    def seen(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        whole = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0]])
        every, chosen = torch.cat(batch.boxes), []
        for own in batch.boxes:
            among = own if len(own) else every if len(every) else whole
            box = among[int(torch.randint(len(among), ())), 1:]
            chosen.append(box + self.shift * (box[2:] - box[:2]).repeat(2) * (2.0 * torch.rand(4).to(box) - 1.0))
        found = cropped(of_boxes(torch.stack(chosen), self.margin), batch.images.shape[-1]).to(batch.images)
        return recalibrated(batch.images, found, self.side), recalibrated(batch.masks, found, self.side)


def cropped(transformations: torch.Tensor, side: int) -> torch.Tensor:
    """Transformations (n, 4) whose edges are moved outwards to whole px of an image of `side`, and not beyond it.

    That is what cutting a box out and stretching it does, in the place of the article's recalibration.
    """
    scale, shift = transformations[..., :2], transformations[..., 2:]
    low = ((shift - scale + 1.0) * (side / 2.0) + ROUNDING).floor().clamp(0, side - 2)
    high = ((shift + scale + 1.0) * (side / 2.0) - ROUNDING).ceil().clamp(max=side)
    high = torch.maximum(high, low + 2.0)
    return torch.cat([(high - low) / side, (low + high) / side - 1.0], -1)
