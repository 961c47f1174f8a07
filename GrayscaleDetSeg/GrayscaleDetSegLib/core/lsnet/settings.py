"""How the two networks of L-SNet are built, and how they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ARTICLE_SIDE = 320
"""Px of the article's images, H = W: what it gives in px is kept as a share of this."""
MARGIN = 15 / ARTICLE_SIDE
"""The article's alpha: what the width and the height of a region grow by, in all."""
STRUCTURES = ("unet", "fcn")
VIEWS = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class Layout:
    """A ResNet with basic blocks.

    Parameters
    ----------
    blocks : tuple of 4 int
        Of each of its levels, from 1/4 to 1/32 of the image's side.
    widths : tuple of 4 int
        Their channels; the stem has as many as the first.
    decoder : tuple of 5 int
        Channels of a U-Net's decoder, from 1/16 to the full size.
    colours : int
        Channels that the image is given as: three equal ones where weights learnt from photographs fit.
    """

    blocks: tuple[int, int, int, int]
    widths: tuple[int, int, int, int]
    decoder: tuple[int, int, int, int, int]
    colours: int = 1


_WIDE, _DECODER = (64, 128, 256, 512), (256, 128, 64, 32, 16)
LAYOUTS = {
    "resnet18": Layout((2, 2, 2, 2), _WIDE, _DECODER, 3),
    "resnet34": Layout((3, 4, 6, 3), _WIDE, _DECODER, 3),
    "small": Layout((1, 1, 1, 1), (16, 32, 64, 96), (64, 48, 32, 16, 16)),
    "tiny": Layout((1, 1, 1, 1), (4, 8, 8, 8), (8, 8, 8, 4, 4)),
}
"""The article's two, one that two cores train, and one for tests."""


@dataclass(frozen=True)
class LSNetConfig:
    """How the networks are built.

    Parameters
    ----------
    classes : tuple of str
        Each has a heat map and a mask of its own; the article's model has one.
    locator, segmenter : str
        Names of `LAYOUTS`, for L-Net and S-Net; the article takes ResNet-18 and ResNet-34.
    structure : str
        What both do with their encoders' features: ``"unet"``, or ``"fcn"``.
    side : int
        Px of the square that each of the networks sees, a multiple of 32; the article's is 320.
    detail : int
        So many times finer is the image that regions are cut out of than the one that L-Net sees. The article cuts
        them out of the same, 1; with more, S-Net sees what was lost there.
    """

    classes: tuple[str, ...] = ("object",)
    locator: str = "resnet18"
    segmenter: str = "resnet34"
    structure: str = "unet"
    side: int = ARTICLE_SIDE
    detail: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        for name in (self.locator, self.segmenter):
            if name not in LAYOUTS:
                raise ValueError(f"there is no layout {name!r}, but {', '.join(LAYOUTS)}")
        if self.structure not in STRUCTURES:
            raise ValueError(f"there is no structure {self.structure!r}, but {', '.join(STRUCTURES)}")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise ValueError("there has to be a class, and each once")
        if self.side < 32 or self.side % 32:
            raise ValueError(f"the side is a multiple of 32, not {self.side}")
        if self.detail < 1:
            raise ValueError("the detail is 1 or more")

    @property
    def source(self) -> int:
        """Px of the square that regions are cut out of."""
        return self.side * self.detail

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LSNetConfig:
        """Of a manifest or a configuration file."""
        return cls(**content)

    def to_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)


@dataclass(frozen=True)
class LSNetSettings:
    """How the networks are used.

    Parameters
    ----------
    score : float
        Of the heat map: what lies above it is activated.
    margin : float
        What the width and the height of a region grow by in all, as a share of the image's side.
    views : tuple of str
        Of volumes: whose slices are looked at. The article looks at axial ones.
    vote : str
        How several views are put together: ``"mean"`` of their probabilities, or ``"majority"`` of their masks.
    largest : bool
        Of volumes: whether only the largest connected part counts, which the article does not do.
    """

    score: float = 0.5
    margin: float = MARGIN
    views: tuple[str, ...] = ("axial",)
    vote: str = "mean"
    largest: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", tuple(self.views))
        unknown = [view for view in self.views if view not in VIEWS]
        if unknown or not self.views or len(set(self.views)) < len(self.views):
            raise ValueError(f"the views are some of {', '.join(VIEWS)}, each once, not {', '.join(self.views)}")
        if self.vote not in ("mean", "majority"):
            raise ValueError(f"there is no vote {self.vote!r}, but mean and majority")
        if not 0.0 < self.score < 1.0 or not 0.0 <= self.margin < 1.0:
            raise ValueError("the score and the margin lie between 0 and 1")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> LSNetSettings:
        """Of a manifest or a configuration file."""
        return cls(**content)
