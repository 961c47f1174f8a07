"""Save a result, with its corrections by hand, as a training case: the slice, and its segments named by class.

``core.training_case`` describes what a case is and how training reads it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import OutputError, RadiographError
from ..core.gray import Polarity
from ..core.labels import TISSUE, anatomy
from ..core.radiograph import Geometry, Radiograph
from ..core.result import SegmentationResult
from ..core.training_case import IMAGE_EXTENSION, MARK, SEGMENTATION_EXTENSION, class_of, safe_name
from ..scene.files import quiet, write_node
from ..scene.geometry import WHOLE, PixelGrid, ijk_to_ras, vtk_matrix
from ..scene.masks import binary, mask_of
from ..scene.nodes import attribute, set_attribute
from ..scene.record import kept_placement, kept_result, kept_slice
from ..scene.segmentation import fill_image, segment_id, terminology_entry
from ..scene.volumes import read_volume, reading_attributes
from .dicom_context import context_of

if TYPE_CHECKING:
    from slicer import (
        vtkMRMLScalarVolumeNode,
        vtkMRMLScene,
        vtkMRMLSegmentationNode,
        vtkOrientedImageData,
        vtkSegment,
    )

FORM = "1"
_FORMER = re.compile(r"(.+?)( \(edited\))+")  # as ``scene.kept_copies`` names them


@dataclass(frozen=True, eq=False)
class CaseSegment:
    """A segment of a case.

    Parameters
    ----------
    label : str
        Class of the object.
    mask : ndarray of bool, shape (rows, columns)
    color : tuple of 3 float
        Colour, 0..1.
    terminology : str
        Terminology entry, as Slicer stores it in the segment's tag; may be empty.
    """

    label: str
    mask: np.ndarray
    color: tuple[float, float, float]
    terminology: str


def save_case(
    segmentation_node: vtkMRMLSegmentationNode,
    volume: vtkMRMLScalarVolumeNode,
    folder: Path,
    grid: PixelGrid,
    name: str | None = None,
    classes: Iterable[str] | None = None,
    *,
    radiograph: Radiograph | None = None,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """Write ``FOLDER/NAME.nrrd`` and ``FOLDER/NAME.seg.nrrd``, both complete, or none.

    The image is the slice in the image's own units, bone bright whatever the polarity of the volume's values; its
    header says so and why. Both files have the geometry of the slice in the volume's coordinates, before any transform.
    The segments are those of :func:`case_segments`. Neither node is changed.

    The files contain no date, and of the volume only pixels, position and spacing. NAME alone may identify the patient:
    a volume that was loaded from DICOM is often named after the series or the patient. Show NAME to the user and make
    it editable.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    grid : PixelGrid
        Grid of the slice, see ``volumes.grid_of``.
    name : str, optional
        The volume's name by default; characters that file systems refuse are replaced. If a file has this name already,
        a number is appended ("knee-2").
    classes : iterable of str, optional
        As for :func:`case_segments`.
    radiograph : Radiograph, optional
        The slice as it was read. By default it is read as the stored result says, else as the volume node says, else as
        ``volumes.read_volume`` reads it.
    overwrite : bool
        Replace the case of this name instead of numbering. Files that are no case are never replaced.

    Returns
    -------
    tuple of 2 Path
        Image and segmentation.

    Raises
    ------
    OutputError
        If there is nothing to save, a segment's name does not say what it shows, or the files cannot be written.
    RadiographError
        If the volume has no pixels, or is not the one that was segmented.
    """
    if grid.index == WHOLE:
        raise OutputError("Training cases are single slices; save the volume and its segmentation (File, Save Data).")
    segments, kept = case_segments(segmentation_node, volume, grid, classes), _kept(segmentation_node, volume, grid)
    if radiograph is None:
        radiograph = _understood(volume, grid) if kept is None else kept.radiograph
    folder, stem = Path(folder), safe_name(name or volume.GetName() or "")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".case-", dir=folder))
    except OSError as error:
        raise OutputError(
            f"Nothing can be saved in {folder} ({error.strerror or error}); choose another folder."
        ) from error
    try:
        drafts = aside / "image.nrrd", aside / "labels.seg.nrrd"
        targets = _overwritten(folder, stem) if overwrite else _free(folder, stem)
        header = _header(radiograph, targets[0].name[: -len(IMAGE_EXTENSION)], None if kept is None else kept.model)
        _write(drafts, radiograph, grid.geometry, segments, header)
        if not overwrite:
            targets = _free(folder, stem)  # somebody else may have saved meanwhile
        _put_in_place(drafts, targets, aside)
    except OSError as error:
        raise OutputError(
            f"The case {stem} cannot be saved in {folder} ({error.strerror or error}); choose another folder."
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return targets


def case_segments(
    node: vtkMRMLSegmentationNode,
    volume: vtkMRMLScalarVolumeNode,
    grid: PixelGrid,
    classes: Iterable[str] | None = None,
) -> list[CaseSegment]:
    """The segments of a case, with the pixels that they have now, edits by hand included.

    The name determines the class, so that renaming a segment corrects its class: "femur 2" is a femur, and an unknown
    name is a new class. Hidden segments are included. If an object has two segments, "femur" and "femur (edited)" from
    before its thresholds were moved, the visible one is used, and "femur" if both are visible or both hidden; a hidden
    "femur (edited)" is never used. Segments without pixels in this slice are omitted.

    Parameters
    ----------
    classes : iterable of str, optional
        Names of known classes in addition to those of the result and of the shipped model. If "patella" is known,
        "patella 2" is a patella; else it is a new class.

    Raises
    ------
    OutputError
        If no segment has pixels in this slice, or a segment still has its default name ("Segment_1").
    RadiographError
        If a transform between segmentation and volume is not linear.
    """
    segmentation, kept, found = node.GetSegmentation(), _kept(node, volume, grid), []
    labels = {} if kept is None else {item.name: item.label for item in kept.objects}
    known = {*(classes or ()), *labels.values()}
    for identity in _counted(node):
        segment = segmentation.GetSegment(identity)
        mask = mask_of(node, identity, volume, grid)
        if not mask.any():
            continue
        name = _plain(segment.GetName())
        label = labels.get(name) or class_of(name, known)
        if label is None:
            raise OutputError(
                f"The segment {segment.GetName()} has no name that says what it shows; "
                "name it after its class or delete it, then save again."
            )
        found.append(CaseSegment(label, mask, tuple(segment.GetColor()), _terminology(segment, label)))
    if not found:
        raise OutputError(
            f"{node.GetName()} has no segment with pixels in this slice; segment or paint an object, then save again."
        )
    return found


def _kept(
    node: vtkMRMLSegmentationNode, volume: vtkMRMLScalarVolumeNode, grid: PixelGrid
) -> SegmentationResult | None:
    """The result of ours that a segmentation shows on this slice, if there is one; its image must lie where it lay."""
    if kept_slice(node) != grid.index:
        return None
    kept, place = kept_result(node, volume), kept_placement(node)
    if place is not None and not place.is_of(grid):
        raise RadiographError(f"{volume.GetName()} was moved since; look at the result in the module first.")
    return kept if isinstance(kept, SegmentationResult) else None


def _counted(node: vtkMRMLSegmentationNode) -> list[str]:
    """The ids of the segments that count, in order: of an object and its former states, one."""
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    present = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    names = {identity: segmentation.GetSegment(identity).GetName() for identity in present}
    states: dict[str, list[str]] = {}
    for identity in present:
        if _FORMER.fullmatch(names[identity]):
            states.setdefault(_plain(names[identity]), []).append(identity)
    left_out: set[str] = set()
    for plain, former in states.items():
        now = [identity for identity in present if names[identity] == plain]
        shown = [
            identity for identity in (*now, *former[::-1]) if display is None or display.GetSegmentVisibility(identity)
        ]
        left_out |= {*now, *former}
        if shown and shown[0] not in now:
            left_out.remove(shown[0])
        else:  # two segments of the very same name are two objects
            left_out -= {*now}
    return [identity for identity in present if identity not in left_out]


def _plain(name: str) -> str:
    former = _FORMER.fullmatch(name)
    return former.group(1) if former else name


def _terminology(segment: vtkSegment, label: str) -> str:
    import slicer
    import vtk

    kind = anatomy(label)
    if kind.structure != TISSUE:  # a segment that was renamed may still have that of its former name
        return terminology_entry(kind)
    key, value = slicer.vtkSegment.GetTerminologyEntryTagName(), vtk.reference("")
    return str(value) if segment.GetTag(key, value) else ""


def _understood(volume: vtkMRMLScalarVolumeNode, grid: PixelGrid) -> Radiograph:
    """A slice as ``volumes.note_reading`` says that the volume is to be understood; read anew where it says nothing."""
    reason = attribute(volume, "PolarityReason") or ""
    if attribute(volume, "Polarity") is None:
        return read_volume(volume, grid.index, context=context_of(volume, grid))
    plain = read_volume(volume, grid.index, "as-is", context_of(volume, grid))
    if attribute(volume, "Polarity") != "inverted":
        return replace(plain, polarity=Polarity(reason=reason))
    polarity = Polarity(True, float(attribute(volume, "PolarityPivot") or ""), reason)
    mapping = plain.mapping.turned_over(polarity.pivot)
    return replace(plain, pixels=polarity.apply(plain.pixels), mapping=mapping, polarity=polarity)


def _header(radiograph: Radiograph, name: str, model: str | None) -> dict[str, str]:
    """What the image's header says, in the words that a volume read by us has on its node."""
    reason = radiograph.polarity.reason
    if radiograph.polarity.inverted:
        reason = f"turned over when the case was saved: {reason}"
    said = reading_attributes(replace(radiograph, polarity=Polarity(reason=reason)))
    return {
        "Case": FORM,
        "Source": name,
        "Polarity": said["Polarity"],
        "PolarityReason": reason,
        "Spacing": said["Spacing"],
        "SpacingSource": said["SpacingSource"] or "unknown",
        "Model": model or "none",
    }


def _write(
    drafts: Sequence[Path],
    radiograph: Radiograph,
    geometry: Geometry,
    segments: Sequence[CaseSegment],
    header: dict[str, str],
) -> None:
    import slicer

    scene = slicer.vtkMRMLScene()
    with quiet():
        try:
            write_node(_volume(scene, radiograph.pixels, geometry, header), drafts[0])
            write_node(_segmentation(scene, geometry, segments), drafts[1])
        except OutputError as error:
            folder = drafts[0].parent.parent
            raise OutputError(
                f"The case cannot be saved in {folder}; check the folder and the space on the disk."
            ) from error
        finally:
            scene.Clear(True)


def _volume(scene: vtkMRMLScene, pixels: np.ndarray, geometry: Geometry, header: dict[str, str]):
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    if pixels.dtype == np.int8:  # which Slicer's writer does not know
        pixels = pixels.astype(np.int16)
    image = vtk.vtkImageData()
    image.SetDimensions(*pixels.shape[::-1], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(pixels).ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "image")
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(vtk_matrix(ijk_to_ras(geometry)))
    for key, value in header.items():
        set_attribute(node, key, value)
    return node


def _segmentation(
    scene: vtkMRMLScene, geometry: Geometry, segments: Sequence[CaseSegment]
) -> vtkMRMLSegmentationNode:
    """A segmentation with a label map of the slice's size for each segment; what does not overlap shares one in the
    file, by Slicer's own doing."""
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
    converter, segmentation = slicer.vtkSegmentationConverter, node.GetSegmentation()
    segmentation.SetSourceRepresentationName(binary())
    for number, item in enumerate(segments, start=1):
        image = _label_map(item.mask, geometry)
        segment = slicer.vtkSegment()
        segment.SetName(item.label)
        segment.SetNameAutoGenerated(False)
        segment.SetColor(*item.color)
        segment.SetColorAutoGenerated(False)
        if item.terminology:
            segment.SetTag(segment.GetTerminologyEntryTagName(), item.terminology)
        segment.AddRepresentation(binary(), image)
        segmentation.AddSegment(segment, f"{segment_id(item.label)}_{number}")
        segmentation.SetConversionParameter(
            converter.GetReferenceImageGeometryParameterName(), converter.SerializeImageGeometry(image)
        )
    node.CreateDefaultDisplayNodes()
    return node


def _label_map(mask: np.ndarray, geometry: Geometry) -> vtkOrientedImageData:
    import slicer

    image = fill_image(slicer.vtkOrientedImageData(), mask)
    image.SetImageToWorldMatrix(vtk_matrix(ijk_to_ras(geometry)))
    return image


def _pair(folder: Path, stem: str) -> tuple[Path, Path]:
    return folder / f"{stem}{IMAGE_EXTENSION}", folder / f"{stem}{SEGMENTATION_EXTENSION}"


def _free(folder: Path, stem: str) -> tuple[Path, Path]:
    """The files of the first case of this name, or of this name with a number, that are not there yet."""
    number, pair = 1, _pair(folder, stem)
    while any(os.path.lexists(path) for path in pair):
        number += 1
        pair = _pair(folder, f"{stem}-{number}")
    return pair


def _overwritten(folder: Path, stem: str) -> tuple[Path, Path]:
    """The files of the case of this name, which may be replaced; OutputError where they are not a case of ours."""
    image, labels = _pair(folder, stem)
    is_ours = False
    if image.is_file() and not labels.is_dir():
        with open(image, "rb") as file:
            is_ours = f"{MARK}:=".encode() in file.read(65536).partition(b"\n\n")[0]
    if not is_ours and (os.path.lexists(image) or os.path.lexists(labels)):
        raise OutputError(
            f"{folder / stem} has files that were not saved as a training case and would be lost; "
            "choose another name."
        )
    return image, labels


def _put_in_place(drafts: Sequence[Path], targets: Sequence[Path], aside: Path) -> None:
    """Rename all `drafts` to `targets`; if anything stops that, the folder is as it was."""
    former, placed = [], []
    try:
        for number, (draft, target) in enumerate(zip(drafts, targets)):
            if os.path.lexists(target):
                former.append((aside / f"former{number}", target))
                os.replace(target, former[-1][0])
            os.replace(draft, target)
            placed.append(target)
    except BaseException:
        for target in placed:
            target.unlink(missing_ok=True)
        for kept, target in former:
            if kept.exists():
                os.replace(kept, target)
        raise
