"""Made-up results and a pipeline that needs no weights, shared by the tests of what comes after the pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core import boxes
from GrayscaleDetSegLib.core.errors import MethodError
from GrayscaleDetSegLib.core.explain import Stability
from GrayscaleDetSegLib.core.explanations.threshold_map import ThresholdMap
from GrayscaleDetSegLib.core.explanations.thresholds import ThresholdRule, Thresholds
from GrayscaleDetSegLib.core.gray import GrayMapping
from GrayscaleDetSegLib.core.radiograph import Geometry, Radiograph, Spacing
from GrayscaleDetSegLib.core.regions import RegionProposal
from GrayscaleDetSegLib.core.result import SegmentationResult, SegmentedObject
from GrayscaleDetSegLib.core.types import Box2D, Interval
from GrayscaleDetSegLib.core.windowed import WindowedMask

SHAPE = (90, 130)
TURNED = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
SIDEWAYS = (0.8, 0.0, -0.6, 0.6, 0.0, 0.8, 0.0, -1.0, 0.0)  # the row index runs head-down, the slice index obliquely
FLIPPED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)  # left-handed
GEOMETRIES = {
    "plain": Geometry(),
    "anisotropic": Geometry((0.15, 0.4, 2.5), (-12.3, 45.6, 7.89)),
    "turned": Geometry((0.2, 0.3, 1.0), (100.25, -3.5, 12.0), TURNED),
    "sideways": Geometry((0.143, 0.143, 3.0), (-50.0, 20.0, 800.5), SIDEWAYS),
    "flipped": Geometry((0.5, 0.5, 1.0), (10.0, 20.0, 30.0), FLIPPED),
}


def letter_l(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """An upright L in the upper left: it has no symmetry, so that every flip and transposition shows."""
    rows, columns = shape
    mask = np.zeros(shape, bool)
    mask[rows // 9 : rows // 2, columns // 8 : columns // 5] = True
    mask[rows * 2 // 5 : rows // 2, columns // 8 : columns // 2] = True
    return mask


def bar(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A flat bar in the lower right."""
    rows, columns = shape
    mask = np.zeros(shape, bool)
    mask[rows * 7 // 10 : rows * 8 // 10, columns * 6 // 10 : columns * 9 // 10] = True
    return mask


def radiograph(shape: tuple[int, int] = SHAPE, **fields) -> Radiograph:
    """L and bar, bright on a shaded ground, in 12 bit units; `fields` replace those of the Radiograph."""
    ground = np.linspace(300, 1200, shape[1])[None] + np.linspace(0, 200, shape[0])[:, None]
    pixels = np.where(letter_l(shape) | bar(shape), 3000, ground).astype(np.uint16)
    return Radiograph(pixels, fields.pop("mapping", GrayMapping.window(200, 3800, "percentile")), **fields)


def found(image: Radiograph, name: str, label: str, mask: np.ndarray, low=150.0, high=255.0, score=0.93, field=None):
    """An object with the pixels of `mask` and plausible figures; with a `field`, one that the surfaces made."""
    x0, y0, x1, y1 = (float(v) for v in boxes.of_mask(mask)) if mask.any() else (1.0, 2.0, 9.0, 8.0)
    roi = (x0 - 2.5, y0 - 2.5, x1 + 2.5, y1 + 2.5)
    units = image.mapping.interval_to_units(low, high)
    rule = ThresholdRule(
        box=(roi[0], roi[1], low, roi[2], roi[3], high),
        field=ThresholdMap.uniform(roi, low, high) if field is None else field,
        single=field is None,
        proposal=(roi[0], roi[1], low - 6, roi[2], roi[3], high),
        box_score=0.81,
    )
    explanation = Thresholds(
        rule=rule,
        interval_units=Interval(*units),
        interval_file=Interval(*image.polarity.interval_to_file(*units)),
        rule_pixel_count=int(mask.sum()) + 5,
        confidence=0.9,
        stability=Stability(0.012, 0.0),
        box_agreement=1.0 if field is None else 0.64,
    )
    return painted(image, name, label, mask, roi, score, "box" if field is None else "surfaces", explanation)


def painted(image: Radiograph, name, label, mask: np.ndarray, roi, score=0.93, method="paint", explanation=None):
    """An object with the pixels of `mask`, by a method that explains it so, or not at all."""
    return SegmentedObject(
        name=name,
        label=label,
        region=Box2D(*roi),
        score=score,
        windowed=WindowedMask.of(mask),
        area_mm2=None if image.spacing is None else float(mask.sum() * image.spacing.pixel_area),
        method=method,
        explanation=explanation,
    )


def result(image: Radiograph | None = None, objects=None, **fields) -> SegmentationResult:
    """A result with the L as right lung and the bar as femur 2, or with `objects`."""
    image = radiograph() if image is None else image
    if objects is None:
        shape = image.shape
        objects = (
            found(image, "right lung", "right lung", letter_l(shape)),
            found(image, "femur 2", "femur", bar(shape), score=0.71),
        )
    given = {
        "best_candidate": RegionProposal("femur", 0.31, (5.0, 6.0, 30.0, 40.0)),
        "score_threshold": 0.5,
        "clean_up": ("fill holes", "largest part"),
        "orientation": "stored",
        "device": "cpu",
        "seconds": {"roi": 0.05, "mask": 0.01},
        "model": "fake 1.0",
    }
    return SegmentationResult(image, tuple(objects), **{**given, **fields})


class FakePipeline:
    """Finds L and bar wherever it is told to; what it is called with is kept in `calls`."""

    device = "cpu"
    device_note = None
    engine = "numpy"

    def __init__(self, effect=None, methods=("surfaces", "box")) -> None:
        self.effect, self.calls, self.methods = effect, [], methods

    def check_method(self, method) -> None:
        if method is not None and method not in self.methods:
            raise MethodError(f"The model fake 1.0 has no method '{method}'.")

    def segment(
        self,
        image: Radiograph,
        *,
        method=None,
        clean_up=True,
        score_threshold=None,
        check_polarity=True,
        exclusive=False,
        progress=None,
    ):
        self.calls.append((image, method, clean_up, score_threshold))
        if progress is not None:
            progress("regions")
        if self.effect is not None:
            self.effect(image)
        return result(image, clean_up=("fill holes",) if clean_up else (), score_threshold=score_threshold or 0.5)


def fake_reader(path: Path, *, window: str = "percentile", polarity: str = "auto") -> Radiograph:
    """Stands in for `read_radiograph`: any file is the L image, unless its name says that it is bad."""
    from GrayscaleDetSegLib.core.errors import RadiographError

    if "bad" in Path(path).name:
        raise RadiographError(f"{path} is not a radiograph: it is bad.")
    if "bug" in Path(path).name:
        raise ZeroDivisionError("a fault of ours")
    return radiograph(spacing=Spacing(0.2, 0.1, "PixelSpacing"), source=Path(path), modality="CR", notes=("A note.",))
