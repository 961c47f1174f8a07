"""The fourth stage: PointNet (Qi et al. 2017) scores the points in every anchor box.

The network is the published one: input T-Net, shared MLP, feature T-Net, shared MLP, max pooling, fully connected head.
Per-point features do not depend on the anchor, except through the two T-Nets, whose transforms come from the point
set as a whole. :meth:`PointNet.point_features` therefore computes both transforms from the ROI's whole cloud, once, and
:meth:`PointNet.pool_anchors` max-pools the features of each anchor's points: all anchors for the price of one pass.
:meth:`PointNet.pool_anchors_separately` is the article's way, one pass per anchor with T-Nets of its own points.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ..layers import operations_of
from ..layers.parts import BatchNorm, Dropout, Linear, Part, Relu, Sequence
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


class SharedLayers(Sequence):
    """Linear, batch norm and ReLU, repeated; applied to every row (a point, or a pooled feature vector) alike."""

    def __init__(self, *sizes: int) -> None:
        layers: list[Part] = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [Linear(inputs, outputs, bias=False), BatchNorm(outputs, axes=0), Relu()]
        super().__init__(*layers)

    def forward(self, rows):
        """(..., last size) of (..., first size)."""
        # two dimensions: a batch of clouds is one tall matrix, several times faster than a 1 x 1 convolution
        found = rows.reshape(-1, rows.shape[-1])
        for name in self.names:
            found = getattr(self, name)(found)
        return found.reshape(*rows.shape[:-1], found.shape[-1])


class TransformNet(Part):
    """T-Net: from a cloud (batch, points, size) a matrix (batch, size, size) to align it, the identity at the start."""

    def __init__(self, size: int, config: PointNetConfig) -> None:
        self.size = size
        features = config.channels(1024)
        self.points = SharedLayers(size, config.channels(64), config.channels(128), features)
        self.dense = SharedLayers(features, config.channels(512), config.channels(256))
        self.output = Linear(config.channels(256), size * size)

    def forward(self, points):
        """The matrix of every cloud."""
        whole = self.operations.largest(self.points(points), (1,))
        matrix = self.output(self.dense(whole)).reshape(-1, self.size, self.size)
        return matrix + self.operations.identity(self.size, matrix)


def bin_index(gray, anchors: AnchorConfig):
    """The gray bin (int64, same shape) of gray levels 0..255."""
    operations = operations_of(gray)
    return operations.whole(operations.at_most(gray / anchors.bin_width, anchors.bins - 1))


def pool_bins(features, gray, anchors: AnchorConfig):
    """Maximum of the features of the points in every gray bin, (batch, bins, features); 0 in an empty bin.

    Parameters
    ----------
    features : ndarray or tensor (batch, points, features), 0 or more
    gray : of the same kind (batch, points)
        Gray levels 0..255.
    """
    batch, bins, operations = len(gray), anchors.bins, operations_of(gray)
    index = bin_index(gray, anchors)
    index = (index + bins * operations.counted(batch, index)[:, None]).reshape(-1)
    rows = features.reshape(-1, features.shape[-1])
    return operations.group_maxima(rows, index, batch * bins).reshape(batch, bins, -1)


class PointNet(Part):
    """PointNet over the anchors of a ROI."""

    def __init__(self, config: PointNetConfig) -> None:
        self.config = config
        narrow, self.features = config.channels(64), config.channels(1024)
        self.input_transform = TransformNet(3, config)
        self.first = SharedLayers(3, narrow, narrow)
        self.feature_transform = TransformNet(narrow, config)
        self.second = SharedLayers(narrow, narrow, config.channels(128), self.features)
        self.head = SharedLayers(self.pooled_features, config.channels(512), config.channels(256))
        self.dropout = Dropout(0.3)
        self.classifier = Linear(config.channels(256), len(config.classes) + 1)

    @property
    def pooled_features(self) -> int:
        """Length of an anchor's feature vector f(P)."""
        return self.features * (2 if self.config.context else 1)

    def forward(self, points, gray, anchors: AnchorConfig, separate: bool = False):
        """Class probabilities (batch, anchors, 1 + classes) and pooled features (batch, anchors, pooled features).

        Parameters
        ----------
        points : ndarray or tensor (batch, points, 3)
            Normalised.
        gray : of the same kind (batch, points)
            Their gray levels, 0..255.
        separate : bool
            As :meth:`pool_anchors_separately`, instead of once for all anchors.
        """
        if separate:
            pooled = self.pool_anchors_separately(points, gray, anchors)
        else:
            pooled = self.pool_anchors(self.point_features(points)[0], gray, anchors)
        return self.operations.softmax(self.classify(pooled)), pooled

    def point_features(self, points):
        """Features (batch, points, features), 0 or more, and the feature transform, of points (batch, points, 3)."""
        features = self.first(points @ self.input_transform(points))
        transform = self.feature_transform(features)
        return self.second(features @ transform), transform

    def pool_anchors(self, features, gray, anchors: AnchorConfig):
        """Max-pooled features f(P) of every anchor.

        Parameters
        ----------
        features : ndarray or tensor (batch, points, features)
            From :meth:`point_features`.
        gray : of the same kind (batch, points)
            Gray levels 0..255 of the points.

        Returns
        -------
        ndarray or tensor (batch, anchors, pooled features)
            Anchors in the order of ``AnchorConfig.intervals``; 0 for one without points.
        """
        pooled, width, larger = {}, 1, self.operations.larger
        reached = pool_bins(features, gray, anchors)  # entry i: the maximum over bins i to i + width - 1
        for scale in sorted(anchors.scales):
            while 2 * width <= scale:
                reached = larger(reached[:, :-width], reached[:, width:])
                width *= 2
            end = (anchors.positions(scale) - 1) * anchors.stride + 1
            # two windows of the doubled width cover any scale between it and its double
            pooled[scale] = larger(*(reached[:, k : k + end : anchors.stride] for k in (0, scale - width)))
        together = self.operations.joined([pooled[scale] for scale in anchors.scales], 1)
        return self._with_context(together, self.operations.largest(features, (1,)))

    def pool_anchors_separately(self, points, gray, anchors: AnchorConfig):
        """As :meth:`pool_anchors`, with a pass of the whole network per anchor, T-Nets included (one cloud only).

        Parameters
        ----------
        points : ndarray or tensor (1, points, 3)
            Normalised.
        gray : of the same kind (1, points)
        """
        largest = self.operations.largest
        context = largest(self.point_features(points)[0], (1,))
        bins = bin_index(gray, anchors)[0]
        pooled = []
        for scale in anchors.scales:
            for start in range(0, anchors.positions(scale) * anchors.stride, anchors.stride):
                inside = (bins >= start) & (bins < start + scale)
                if inside.any():
                    pooled.append(largest(self.point_features(points[:, inside])[0], (1,)))
                else:
                    pooled.append(0.0 * context)
        return self._with_context(self.operations.joined([each[:, None] for each in pooled], 1), context)

    def _with_context(self, pooled, whole):
        if not self.config.context:
            return pooled
        return self.operations.joined([pooled, self.operations.spread(whole, pooled.shape[1])], 2)

    def classify(self, pooled):
        """Logits (batch, anchors, 1 + classes) of pooled features (batch, anchors, pooled features)."""
        return self.classifier(self.dropout(self.head(pooled)))
