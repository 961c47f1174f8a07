"""A result kept on its segmentation node, so that a saved scene can be gone on with: all but the pixels."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import RadiographError
from ..core.gray import GrayMapping, Polarity
from ..core.radiograph import Radiograph, Spacing, area_of
from ..core.result import Candidate, SegmentationResult, SegmentedObject, Stability
from ..core.surfaces.field import ThresholdField
from .geometry import PixelGrid
from .masks import mask_of
from .nodes import attribute, set_attribute
from .segmentation import segment_ids
from .volumes import grid_of, read_volume

if TYPE_CHECKING:
    from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode

VERSION = 1
_NAME = "result"
_SAMPLE = 250  # pixels kept, about, to tell the image again
_MOST_CELLS = 2**22
_KEPT = (
    "name", "label", "roi_score", "roi", "proposal", "box", "box_score", "method", "box_agreement", "confidence",
    "interval_units", "interval_file", "rule_pixel_count",
)


def keep_result(
    node: vtkMRMLSegmentationNode,
    result: SegmentationResult,
    grid: PixelGrid,
    identities: Sequence[str] | None = None,
) -> None:
    """Store a result on the segmentation that shows it.

    Parameters
    ----------
    identities : sequence of str, optional
        The segments of the objects, in their order; those that ``segmentation.show_objects`` wrote if not given.
    """
    image = result.radiograph
    identities = segment_ids(node) if identities is None else identities
    document = {
        "version": VERSION,
        "slice": grid.index,
        "shape": list(grid.shape),
        "sample": _sample(image.polarity.apply(image.pixels)).tolist(),
        "fingerprint": image.fingerprint,
        "spacing": None if image.spacing is None else asdict(image.spacing),
        "polarity": asdict(image.polarity),
        "mapping": asdict(image.mapping),
        "notes": list(image.notes),
        "modality": image.modality,
        "best_candidate": None if result.best_candidate is None else asdict(result.best_candidate),
        "score_threshold": float(result.score_threshold),
        "clean_up": list(result.clean_up),
        "orientation": result.orientation,
        "device": result.device,
        "seconds": {stage: float(seconds) for stage, seconds in result.seconds.items()},
        "model": result.model,
        "objects": [
            {"segment": identity, **_object(item)} for identity, item in zip(identities, result.objects)
        ],
    }
    set_attribute(node, _NAME, json.dumps(document, default=np.generic.item))


def _is_of(document: dict, plain: Radiograph, image: Radiograph) -> bool:
    """Whether a result was made from `plain`, the volume's own values, which are those of `image` turned bone-bright.

    All pixels are compared, by their fingerprint. An even choice of them is where the record has nothing else, as those
    of earlier versions, and where values that are no whole numbers were inverted twice, which costs some digits.
    """
    if document.get("fingerprint") == image.fingerprint:
        return True
    if "fingerprint" in document and (image.polarity.inverted or np.issubdtype(image.pixels.dtype, np.integer)):
        return False
    kept = np.asarray(document.get("sample", ()), float)
    return kept.size == 0 or _alike(kept, _sample(plain.pixels))


def _sample(values: np.ndarray) -> np.ndarray:
    flat = values.ravel()
    return flat[:: max(1, flat.size // _SAMPLE)].astype(float)


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape:
        return False
    # inverting twice costs some digits of values that are no whole numbers
    return bool(np.abs(first - second).max() <= 1e-3 * max(np.ptp(first), 1e-30))


def kept_slice(node: vtkMRMLSegmentationNode) -> int | None:
    """The index of the slice that a segmentation belongs to; None where it holds none of our results."""
    try:
        document = _document(node)
    except RadiographError:
        return None
    return None if document is None else int(document["slice"])


def kept_document(node: vtkMRMLSegmentationNode) -> str | None:
    """What a segmentation says of its result, as text: another text means another result."""
    return attribute(node, _NAME)


def set_document(node: vtkMRMLSegmentationNode, document: str | None) -> None:
    """Let a segmentation say what :func:`kept_document` gave."""
    set_attribute(node, _NAME, document)


def kept_segments(node: vtkMRMLSegmentationNode) -> list[str]:
    """The ids of the segments that the objects of :func:`kept_result` have, in their order."""
    document = _document(node)
    entries = [] if document is None else document["objects"]
    return [entry["segment"] for entry in entries if node.GetSegmentation().GetSegment(entry["segment"]) is not None]


def objects_by_segment(node: vtkMRMLSegmentationNode, result: SegmentationResult) -> dict[str, SegmentedObject]:
    """The objects of a result by the ids of the segments that show them, in the order of the objects.

    Objects are told by their names, as :func:`keep_result` stored them, because segments may have been deleted since;
    where nothing is stored, by their order.
    """
    document = _document(node)
    if document is None:
        return dict(zip(segment_ids(node), result.objects))
    identities = {entry["name"]: entry["segment"] for entry in document["objects"]}
    return {identities[item.name]: item for item in result.objects if item.name in identities}


def kept_result(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode) -> SegmentationResult | None:
    """The result that a segmentation shows, its masks as the segments have them now, hand edits included.

    Objects whose segment is gone are left out. None where the node holds no result of ours, or one of a later version.

    Raises
    ------
    RadiographError
        If the volume is not the one that was segmented, or holds no pixels, or others, any more.
    """
    document = _document(node)
    if document is None:
        return None
    with _understood(node):
        return _restored(node, volume, document)


def _restored(node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, document: dict) -> SegmentationResult:
    grid = grid_of(volume, int(document["slice"]))
    if list(grid.shape) != document["shape"]:
        rows, columns = document["shape"]
        raise RadiographError(
            f"{node.GetName()} belongs to an image of {columns} x {rows} pixels, which {volume.GetName()} is not; "
            "segment again."
        )
    mapping = {key: tuple(value) if isinstance(value, list) else value for key, value in document["mapping"].items()}
    plain, polarity = read_volume(volume, grid.index, "as-is"), Polarity(**document["polarity"])
    image = replace(
        plain,
        pixels=polarity.apply(plain.pixels),
        mapping=GrayMapping(**mapping),
        polarity=polarity,
        spacing=None if document["spacing"] is None else Spacing(**document["spacing"]),
        modality=document["modality"],
        notes=tuple(document["notes"]),
    )
    if not _is_of(document, plain, image):
        raise RadiographError(
            f"{volume.GetName()} shows other pixels than those that {node.GetName()} was made from; segment again."
        )
    objects = []
    for entry in document["objects"]:
        if node.GetSegmentation().GetSegment(entry["segment"]) is not None:
            mask = mask_of(node, entry["segment"], volume, grid)
            mask.flags.writeable = False
            area = area_of(int(np.count_nonzero(mask)), image.spacing)
            objects.append(_restored_object(entry, mask, area))
    best = document["best_candidate"]
    return SegmentationResult(
        radiograph=image,
        objects=tuple(objects),
        best_candidate=None if best is None else Candidate(**{**best, "roi": tuple(best["roi"])}),
        score_threshold=document["score_threshold"],
        clean_up=tuple(document["clean_up"]),
        orientation=document["orientation"],
        device=document["device"],
        seconds=document["seconds"],
        model=document["model"],
    )


@contextmanager
def _understood(node: vtkMRMLSegmentationNode) -> Iterator[None]:
    """RadiographError for what a record lacks or holds that no version of ours has written."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, zlib.error) as error:
        raise RadiographError(f"What {node.GetName()} says of its result is damaged; segment again.") from error


def _document(node: vtkMRMLSegmentationNode) -> dict | None:
    with _understood(node):
        document = json.loads(attribute(node, _NAME) or "null")
        if not isinstance(document, dict) or document.get("version") != VERSION:
            return None
        int(document["slice"])
        for entry in document["objects"]:
            if not isinstance(entry["segment"], str) or not isinstance(entry["name"], str):
                raise TypeError("segment or name")
        return document


def _object(item: SegmentedObject) -> dict:
    field = item.field
    return {
        **{name: getattr(item, name) for name in _KEPT},
        "stability": asdict(item.stability),
        "field": {
            "roi": field.roi, "shape": field.shape, "low": _packed(field.low), "high": _packed(field.high),
            "moved": [field.bottom, field.top], "reach": field.reach,
        },
    }


def _restored_object(entry: dict, mask: np.ndarray, area: float | None) -> SegmentedObject:
    kept = {name: tuple(entry[name]) if isinstance(entry[name], list) else entry[name] for name in _KEPT}
    field = entry["field"]
    low, high = (_unpacked(field[name], tuple(field["shape"])) for name in ("low", "high"))
    return SegmentedObject(
        **kept,
        field=ThresholdField(
            tuple(field["roi"]), low, high, *field["moved"], reach=field["reach"] and tuple(field["reach"])
        ),
        mask=mask,
        area_mm2=area,
        stability=Stability(**entry["stability"]),
    )


def _packed(values: np.ndarray) -> str:
    """Thresholds (float32) as text, bit for bit."""
    return base64.b64encode(zlib.compress(values.astype("<f4").tobytes(), 9)).decode()


def _unpacked(text: str, shape: tuple[int, ...]) -> np.ndarray:
    """The thresholds of :func:`_packed`; as a scene may come from anyone, `_MOST_CELLS` are unpacked at most."""
    rows, columns = shape
    if not (0 < rows and 0 < columns and rows * columns <= _MOST_CELLS):
        raise ValueError("shape of the thresholds")
    size = 4 * rows * columns
    data = zlib.decompressobj().decompress(base64.b64decode(text), size + 1)
    if len(data) != size:
        raise ValueError("number of thresholds")
    return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)
