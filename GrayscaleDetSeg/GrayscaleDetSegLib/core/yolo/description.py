"""The YOLOv3 networks, described once: Darknet-53 (the article's), tiny, and tiny with three scales (what ships).

``blocks`` and ``networks`` are the same in PyTorch. Parts register their tensors in the order of Darknet's files.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Union

from ..layers.parts import BatchNorm, Convolution, MaxPool, Part, Parts, Sequence

ANCHORS = {"darknet53": 9, "tiny": 6, "tiny-3l": 9}
"""Anchors of each variant, three a scale."""


@dataclass(frozen=True)
class YoloConfig:
    """What defines a YOLOv3 network.

    Parameters
    ----------
    variant : str
        ``"darknet53"``, ``"tiny"`` or ``"tiny-3l"``.
    classes : tuple of str
    anchors : tuple of tuple of 2 float
        (width, height) in px of the network's input, smallest first; 6 for tiny and 9 for the others.
    input_size : int
        Side of the square input, a multiple of 32.
    channels : int
        3 to take Darknet's weights (the gray image is repeated), 1 otherwise.
    width : float
        Factor on all channel counts; 1 is the published network.
    """

    variant: str
    classes: tuple[str, ...]
    anchors: tuple[tuple[float, float], ...]
    input_size: int = 416
    channels: int = 3
    width: float = 1.0

    def __post_init__(self) -> None:
        expected = ANCHORS.get(self.variant)
        if expected is None:
            raise ValueError(f"There is no YOLOv3 variant {self.variant!r}: choose one of {', '.join(ANCHORS)}.")
        if len(self.anchors) != expected:
            raise ValueError(f"YOLOv3 {self.variant} needs {expected} anchors, not {len(self.anchors)}.")
        if self.input_size % 32:
            raise ValueError(f"The input size must be a multiple of 32, not {self.input_size}.")

    @classmethod
    def from_dict(cls, values: dict) -> YoloConfig:
        """The inverse of :meth:`to_dict`, from parsed JSON."""
        anchors = tuple((float(width), float(height)) for width, height in values["anchors"])
        return cls(**{**values, "classes": tuple(values["classes"]), "anchors": anchors})

    def to_dict(self) -> dict:
        """The parameters for a JSON file."""
        return asdict(self)


class ConvolutionBlock(Part):
    """Convolution without bias, batch norm, leaky ReLU with slope 0.1: Darknet's ``[convolutional]`` section."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        self.convolution = Convolution(inputs, outputs, size, stride, bias=False)
        self.norm = BatchNorm(outputs, momentum=0.03)

    def forward(self, features):
        """Maps of `outputs` channels."""
        return self.operations.leaky_relu(self.norm(self.convolution(features)), 0.1)


class ResidualBlock(Part):
    """A 1 x 1 convolution to half the channels, a 3 x 3 convolution back, and the input added (``[shortcut]``)."""

    def __init__(self, channels: int) -> None:
        self.squeeze = ConvolutionBlock(channels, channels // 2, 1)
        self.expand = ConvolutionBlock(channels // 2, channels, 3)

    def forward(self, features):
        """Maps of the same shape."""
        return features + self.expand(self.squeeze(features))


class PoolSameSize(Part):
    """2 x 2 max pooling with stride 1 that keeps the size: Darknet pads right and bottom with minus infinity."""

    def forward(self, features):
        """Maps of the same shape."""
        return self.operations.same_size_max_pool(features)


class OutputLayer(Convolution):
    """The 1 x 1 convolution, with bias and without norm, that ends a scale: anchors x (4 + 1 + classes) channels."""

    torch_module = "blocks"

    def __init__(self, inputs: int, anchors: int, classes: int) -> None:
        super().__init__(inputs, anchors * (5 + classes), 1)
        self.anchors, self.classes = anchors, classes

    def forward(self, features):
        """See :func:`by_anchor`; all before activation."""
        return by_anchor(super().forward(features), self.anchors, self.operations)


def by_anchor(raw, anchors: int, operations):
    """(batch, anchors, rows, columns, 5 + classes): x, y, w, h, objectness, classes, of an output layer's channels."""
    batch, channels, rows, columns = raw.shape
    return operations.permuted(raw.reshape(batch, anchors, channels // anchors, rows, columns), (0, 1, 3, 4, 2))


class _Scales(Part):
    """A network whose scales are put upon each other."""

    def _over(self, coarse, fine):
        """Maps of twice the size of `coarse`, which is repeated, with the channels of both."""
        return self.operations.joined([self.operations.enlarged(coarse, 2), fine], 1)


class Darknet53(Part):
    """The backbone: 52 convolutions with residual connections; features at strides 8, 16 and 32."""

    def __init__(self, channels: int, width: float) -> None:
        previous = round(32 * width)
        self.stem = ConvolutionBlock(channels, previous, 3)
        stages = []
        for outputs, repeats in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
            outputs = round(outputs * width)
            blocks = [ResidualBlock(outputs) for _ in range(repeats)]
            stages.append(Sequence(ConvolutionBlock(previous, outputs, 3, stride=2), *blocks))
            previous = outputs
        self.stages = Parts(stages)

    def forward(self, image):
        """The maps of the three scales, fine to coarse."""
        features, levels = self.stem(image), []
        for stage in self.stages:
            features = stage(features)
            levels.append(features)
        return levels[2:]


class Neck(Part):
    """Five convolutions of alternating size, shared by a scale's output and the next scale's upsampling path."""

    def __init__(self, inputs: int, outputs: int) -> None:
        sizes = [(inputs, outputs, 1), (outputs, 2 * outputs, 3), (2 * outputs, outputs, 1)]
        sizes += [(outputs, 2 * outputs, 3), (2 * outputs, outputs, 1)]
        self.layers = Sequence(*(ConvolutionBlock(*size) for size in sizes))

    def forward(self, features):
        """Maps of `outputs` channels."""
        return self.layers(features)


class Head(Part):
    """A 3 x 3 convolution and the output layer of one scale."""

    def __init__(self, inputs: int, hidden: int, anchors: int, classes: int) -> None:
        self.hidden = ConvolutionBlock(inputs, hidden, 3)
        self.output = OutputLayer(hidden, anchors, classes)

    def forward(self, features):
        """See :class:`OutputLayer`."""
        return self.output(self.hidden(features))


class YoloV3(_Scales):
    """YOLOv3 on Darknet-53: coarse, middle and fine scale; outputs in that order, as in Darknet's file."""

    strides = (32, 16, 8)
    anchor_indices = ((6, 7, 8), (3, 4, 5), (0, 1, 2))

    def __init__(self, config: YoloConfig) -> None:
        self.config = config
        classes = len(config.classes)
        deep, middle, fine = (round(size * config.width) for size in (512, 256, 128))
        self.backbone = Darknet53(config.channels, config.width)
        self.neck_coarse, self.head_coarse = Neck(2 * deep, deep), Head(deep, 2 * deep, 3, classes)
        self.lateral_middle = ConvolutionBlock(deep, middle, 1)
        self.neck_middle, self.head_middle = Neck(middle + deep, middle), Head(middle, deep, 3, classes)
        self.lateral_fine = ConvolutionBlock(middle, fine, 1)
        self.neck_fine, self.head_fine = Neck(fine + middle, fine), Head(fine, middle, 3, classes)

    def forward(self, image):
        """Raw outputs per scale, see :class:`OutputLayer`, of images (batch, channels, size, size) in 0..1."""
        fine, middle, coarse = self.backbone(image)
        coarse = self.neck_coarse(coarse)
        middle = self.neck_middle(self._over(self.lateral_middle(coarse), middle))
        fine = self.neck_fine(self._over(self.lateral_fine(middle), fine))
        return [self.head_coarse(coarse), self.head_middle(middle), self.head_fine(fine)]


class YoloV3Tiny(_Scales):
    """YOLOv3-tiny: seven convolutions with max pooling, a coarse and a middle scale."""

    strides = (32, 16)
    anchor_indices = ((3, 4, 5), (0, 1, 2))

    def __init__(self, config: YoloConfig) -> None:
        self.config = config
        classes = len(config.classes)
        sizes = [round(size * config.width) for size in (16, 32, 64, 128, 256, 512, 1024)]
        layers: list[Part] = []
        for inputs, outputs in zip([config.channels, *sizes[:3]], sizes[:4]):
            layers += [ConvolutionBlock(inputs, outputs, 3), MaxPool(2)]
        self.shallow = Sequence(*layers, ConvolutionBlock(sizes[3], sizes[4], 3))
        self.deep = Sequence(
            MaxPool(2),
            ConvolutionBlock(sizes[4], sizes[5], 3),
            PoolSameSize(),
            ConvolutionBlock(sizes[5], sizes[6], 3),
            ConvolutionBlock(sizes[6], sizes[4], 1),
        )
        self.head_coarse = Head(sizes[4], sizes[5], 3, classes)
        self.lateral = ConvolutionBlock(sizes[4], sizes[3], 1)
        self.head_middle = Head(sizes[3] + sizes[4], sizes[4], 3, classes)

    def forward(self, image):
        """Raw outputs per scale, see :class:`OutputLayer`, of images (batch, channels, size, size) in 0..1."""
        middle = self.shallow(image)
        coarse = self.deep(middle)
        joined = self._over(self.lateral(coarse), middle)
        return [self.head_coarse(coarse), self.head_middle(joined)]


class YoloV3Tiny3(_Scales):
    """YOLOv3-tiny with a third, fine scale, and Darknet-53's residual blocks where each scale begins.

    The fine scale finds small objects that stand close together (vertebrae, single teeth); the residual blocks give
    what the many classes and turned films of a whole skeleton need.
    """

    strides = (32, 16, 8)
    anchor_indices = ((6, 7, 8), (3, 4, 5), (0, 1, 2))

    def __init__(self, config: YoloConfig) -> None:
        self.config = config
        classes = len(config.classes)
        sizes = [round(size * config.width) for size in (16, 32, 64, 128, 256, 512, 1024)]
        self.widths = sizes[3], sizes[4], sizes[4]
        layers: list[Part] = []
        for inputs, outputs in zip([config.channels, *sizes[:2]], sizes[:3]):
            layers += [ConvolutionBlock(inputs, outputs, 3), MaxPool(2)]
        self.stem = Sequence(*layers, ConvolutionBlock(sizes[2], sizes[3], 3), ResidualBlock(sizes[3]))
        self.shallow = Sequence(MaxPool(2), ConvolutionBlock(sizes[3], sizes[4], 3), ResidualBlock(sizes[4]))
        self.deep = Sequence(
            MaxPool(2),
            ConvolutionBlock(sizes[4], sizes[5], 3),
            ResidualBlock(sizes[5]),
            PoolSameSize(),
            ConvolutionBlock(sizes[5], sizes[6], 3),
            ConvolutionBlock(sizes[6], sizes[4], 1),
        )
        self.head_coarse = Head(sizes[4], sizes[5], 3, classes)
        self.lateral = ConvolutionBlock(sizes[4], sizes[3], 1)
        self.neck_middle = ConvolutionBlock(sizes[3] + sizes[4], sizes[4], 3)
        self.head_middle = OutputLayer(sizes[4], 3, classes)
        self.lateral_fine = ConvolutionBlock(sizes[4], sizes[2], 1)
        self.neck_fine = ConvolutionBlock(sizes[2] + sizes[3], sizes[3], 3)
        self.head_fine = OutputLayer(sizes[3], 3, classes)

    def features(self, image):
        """The maps that the outputs are made of, coarse to fine, of `widths` channels read backwards."""
        fine = self.stem(image)
        middle = self.shallow(fine)
        coarse = self.deep(middle)
        middle = self.neck_middle(self._over(self.lateral(coarse), middle))
        fine = self.neck_fine(self._over(self.lateral_fine(middle), fine))
        return [coarse, middle, fine]

    def outputs(self, features):
        """Raw outputs per scale, see :class:`OutputLayer`, of `features`."""
        coarse, middle, fine = features
        return [self.head_coarse(coarse), self.head_middle(middle), self.head_fine(fine)]

    def forward(self, image):
        """Raw outputs per scale, see :class:`OutputLayer`, of images (batch, channels, size, size) in 0..1."""
        return self.outputs(self.features(image))


Yolo = Union[YoloV3, YoloV3Tiny, YoloV3Tiny3]
"""Any of the networks: they have ``config``, ``strides`` and ``anchor_indices``."""

VARIANTS: dict[str, type] = {"darknet53": YoloV3, "tiny": YoloV3Tiny, "tiny-3l": YoloV3Tiny3}


def described_yolo(config: YoloConfig) -> Yolo:
    """The network of a configuration, without weights."""
    return VARIANTS[config.variant](config)
