"""The fourth stage: PointNet (Qi et al. 2017) scores the points in every anchor box.

The network is the published one: input T-Net, shared MLP, feature T-Net, shared MLP, max pooling, fully connected head.
Per-point features do not depend on the anchor, except through the two T-Nets, whose transforms come from the point
set as a whole. :meth:`PointNet.point_features` therefore computes both transforms from the ROI's whole cloud, once, and
:meth:`PointNet.pool_anchors` max-pools the features of each anchor's points: all anchors for the price of one pass.
:meth:`PointNet.pool_anchors_separately` is the article's way, one pass per anchor with T-Nets of its own points.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import nn

from .anchors import AnchorConfig


@dataclass(frozen=True)
class PointNetConfig:
    """What defines the network.

    Parameters
    ----------
    classes : tuple of str
        Without the background, which is output 0.
    width : float
        Factor on the channel counts; 1 is the published network with 1024 features.
    context : bool
        Whether the head also sees the features pooled over the whole ROI beside those of the anchor: what lies
        outside the interval tells whether it should be wider. False is the article's head.
    """

    classes: tuple[str, ...]
    width: float = 1.0
    context: bool = True

    @classmethod
    def from_dict(cls, values: dict) -> PointNetConfig:
        """The inverse of :meth:`to_dict`, from parsed JSON."""
        return cls(**{**values, "classes": tuple(values["classes"])})

    def to_dict(self) -> dict:
        """The parameters for a JSON file."""
        return asdict(self)

    def channels(self, published: int) -> int:
        """A published channel count times the width."""
        return max(1, round(published * self.width))


class SharedLayers(nn.Sequential):
    """Linear, batch norm and ReLU, repeated; applied to every row (a point, or a pooled feature vector) alike."""

    def __init__(self, *sizes: int) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)]
        super().__init__(*layers)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(..., last size) of (..., first size)."""
        # two dimensions: a batch of clouds is one tall matrix, several times faster than a 1 x 1 convolution
        return super().forward(rows.flatten(0, -2)).unflatten(0, rows.shape[:-1])


class TransformNet(nn.Module):
    """T-Net: from a cloud (batch, points, size) a matrix (batch, size, size) to align it, the identity at the start."""

    def __init__(self, size: int, config: PointNetConfig) -> None:
        super().__init__()
        self.size = size
        features = config.channels(1024)
        self.points = SharedLayers(size, config.channels(64), config.channels(128), features)
        self.dense = SharedLayers(features, config.channels(512), config.channels(256))
        self.output = nn.Linear(config.channels(256), size * size)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        matrix = self.output(self.dense(self.points(points).amax(dim=1))).view(-1, self.size, self.size)
        return matrix + torch.eye(self.size, device=points.device)


def bin_index(gray: torch.Tensor, anchors: AnchorConfig) -> torch.Tensor:
    """The gray bin (int64, same shape) of gray levels 0..255."""
    return (gray / anchors.bin_width).long().clamp(0, anchors.bins - 1)


def pool_bins(features: torch.Tensor, gray: torch.Tensor, anchors: AnchorConfig) -> torch.Tensor:
    """Maximum of the features of the points in every gray bin, (batch, bins, features); 0 in an empty bin.

    Parameters
    ----------
    features : tensor (batch, points, features), 0 or more
    gray : tensor (batch, points)
        Gray levels 0..255.
    """
    batch, bins = len(gray), anchors.bins
    index = (bin_index(gray, anchors) + bins * torch.arange(batch, device=gray.device)[:, None]).flatten()
    rows = features.flatten(0, 1)[index.argsort()]
    lengths = torch.bincount(index, minlength=batch * bins)
    if rows.device.type == "mps":  # PyTorch has no segment_reduce there (pytorch/pytorch issue 197880)
        rows, lengths = rows.cpu(), lengths.cpu()
    reduced = torch.segment_reduce(rows, "max", lengths=lengths, axis=0, initial=0.0)
    return reduced.view(batch, bins, -1).to(features.device)


class PointNet(nn.Module):
    """PointNet over the anchors of a ROI."""

    def __init__(self, config: PointNetConfig) -> None:
        super().__init__()
        self.config = config
        narrow, self.features = config.channels(64), config.channels(1024)
        self.input_transform = TransformNet(3, config)
        self.first = SharedLayers(3, narrow, narrow)
        self.feature_transform = TransformNet(narrow, config)
        self.second = SharedLayers(narrow, narrow, config.channels(128), self.features)
        self.head = SharedLayers(self.pooled_features, config.channels(512), config.channels(256))
        self.dropout = nn.Dropout(0.3)
        self.classifier = nn.Linear(config.channels(256), len(config.classes) + 1)

    @property
    def pooled_features(self) -> int:
        """Length of an anchor's feature vector f(P)."""
        return self.features * (2 if self.config.context else 1)

    def point_features(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (batch, points, features), 0 or more, and the feature transform, of points (batch, points, 3)."""
        features = self.first(torch.bmm(points, self.input_transform(points)))
        transform = self.feature_transform(features)
        return self.second(torch.bmm(features, transform)), transform

    def pool_anchors(self, features: torch.Tensor, gray: torch.Tensor, anchors: AnchorConfig) -> torch.Tensor:
        """Max-pooled features f(P) of every anchor.

        Parameters
        ----------
        features : tensor (batch, points, features)
            From :meth:`point_features`.
        gray : tensor (batch, points)
            Gray levels 0..255 of the points.

        Returns
        -------
        tensor (batch, anchors, pooled features)
            Anchors in the order of ``AnchorConfig.intervals``; 0 for one without points.
        """
        pooled, width = {}, 1
        reached = pool_bins(features, gray, anchors)  # entry i: the maximum over bins i to i + width - 1
        for scale in sorted(anchors.scales):
            while 2 * width <= scale:
                reached = torch.maximum(reached[:, :-width], reached[:, width:])
                width *= 2
            starts = torch.arange(anchors.positions(scale), device=features.device) * anchors.stride
            # two windows of the doubled width cover any scale between it and its double
            pooled[scale] = torch.maximum(reached[:, starts], reached[:, starts + scale - width])
        pooled = torch.cat([pooled[scale] for scale in anchors.scales], dim=1)
        return self._with_context(pooled, features.amax(dim=1))

    def pool_anchors_separately(self, points: torch.Tensor, gray: torch.Tensor, anchors: AnchorConfig) -> torch.Tensor:
        """As :meth:`pool_anchors`, with a pass of the whole network per anchor, T-Nets included (one cloud only).

        Parameters
        ----------
        points : tensor (1, points, 3)
            Normalised.
        gray : tensor (1, points)
        """
        context = self.point_features(points)[0].amax(dim=1)
        bins = bin_index(gray, anchors)[0]
        pooled = []
        for scale in anchors.scales:
            for start in range(0, anchors.positions(scale) * anchors.stride, anchors.stride):
                inside = (bins >= start) & (bins < start + scale)
                if inside.any():
                    pooled.append(self.point_features(points[:, inside])[0].amax(dim=1))
                else:
                    pooled.append(torch.zeros_like(context))
        return self._with_context(torch.stack(pooled, dim=1), context)

    def _with_context(self, pooled: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
        if not self.config.context:
            return pooled
        return torch.cat([pooled, whole[:, None].expand(-1, pooled.shape[1], -1)], dim=2)

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        """Logits (batch, anchors, 1 + classes) of pooled features (batch, anchors, pooled features)."""
        return self.classifier(self.dropout(self.head(pooled)))
