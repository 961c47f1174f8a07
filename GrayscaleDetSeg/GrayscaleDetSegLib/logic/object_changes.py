"""Changes of single objects of a result in the scene: write, add, remove. Each is one change for undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.errors import GrayscaleDetSegError
from ..core.labels import display_name
from ..core.results import AnyResult, leaving, objects_of, with_objects
from ..core.volumes.editing import changed_names
from ..core.volumes.result import VolumeResult
from ..scene import segmentation
from ..scene.locks import is_locked

if TYPE_CHECKING:
    from slicer import vtkMRMLSegmentationNode

    from .store import ResultStore
    from .workspace import Workspace


def write_object(
    workspace: Workspace,
    node: vtkMRMLSegmentationNode,
    result: AnyResult,
    name: str,
    identity: str | None = None,
    instead_of: str | None = None,
) -> str:
    """See ``Workspace.write_object``."""
    store = workspace.store(node)
    workspace.settle(node)
    before = store.load()
    if before is None:
        raise GrayscaleDetSegError(f"The image of {node.GetName()} is gone; load it and segment again.")
    check_unlocked(node, identity, instead_of)
    volume, grid = store.volume, store.grid
    (item,) = (each for each in objects_of(result) if each.name == name)
    pairs = list(zip(before.identities, objects_of(before.result)))
    kept = {each.name: other for other, each in pairs if other != instead_of}
    order = {each.name: each for each in objects_of(before.result) if each.name in kept}
    item = leaving(item, [each for each in order.values() if each.name != name], result)
    result = with_objects(before.result, {**order, name: item}.values(), model=result.model, notes=result.notes)
    with workspace.change(node):
        for each in filter(None, (identity, instead_of)):
            held = before.object_of(each)
            store.keep_edited(each, name if held is None else held.name)
        if instead_of is not None:
            segmentation.remove_object(node, instead_of)
        written = segmentation.write_object(node, volume, grid, item, identity)
        identities = [written if each is item else kept[each.name] for each in objects_of(result)]
        workspace.refresh(node, store.save(result, identities, grid, before.stamp, written=(written,)))
    return written


def write_objects(
    workspace: Workspace, node: vtkMRMLSegmentationNode, result: AnyResult, names: Sequence[str]
) -> dict[str, str]:
    """See ``Workspace.write_objects``."""
    store = workspace.store(node)
    workspace.settle(node)
    before = store.load()
    if before is None:
        raise GrayscaleDetSegError(f"The image of {node.GetName()} is gone; load it and segment again.")
    segments = before.by_name
    check_unlocked(node, *(segments.get(name) for name in names))
    held = {item.name: item for item in objects_of(before.result)}
    wanted = {item.name: item for item in objects_of(result)}
    others = [item for name, item in held.items() if name not in names]
    changed = {name: leaving(wanted[name], others, result) for name in names if name in wanted}
    order = {name: item for name, item in held.items() if name not in names or name in changed}
    order.update(changed)
    with workspace.change(node):
        for name in names:
            if name in segments:
                store.keep_edited(segments[name], name)
                if name not in changed:
                    segmentation.remove_object(node, segments.pop(name))
        for name, item in changed.items():
            segments[name] = segmentation.write_object(node, store.volume, store.grid, item, segments.get(name))
        whole = with_objects(before.result, order.values(), model=result.model, notes=result.notes)
        identities = [segments[name] for name in order]
        written = [segments[name] for name in changed]
        workspace.refresh(node, store.save(whole, identities, store.grid, before.stamp, written=written))
    return {name: segments[name] for name in changed}


def write_found(
    workspace: Workspace,
    node: vtkMRMLSegmentationNode,
    before: VolumeResult,
    after: VolumeResult,
    wanted: str,
) -> dict[str, str]:
    """See ``Workspace.write_found``."""
    shown = workspace.shown(node)
    held = {} if shown is None else shown.by_name
    names = [
        name
        for name in changed_names(before, after)
        if name == wanted or name not in held or not is_locked(node, held[name])
    ]
    return write_objects(workspace, node, after, names)


def remove_object(workspace: Workspace, node: vtkMRMLSegmentationNode, identity: str) -> None:
    """See ``Workspace.remove_object``."""
    store: ResultStore = workspace.store(node)
    workspace.settle(node)
    before = store.load()
    item = None if before is None else before.object_of(identity)
    if before is None or item is None:
        return
    check_unlocked(node, identity)
    with workspace.change(node):
        segmentation.remove_object(node, identity)
        identities = [each for each in before.identities if each != identity]
        result = with_objects(before.result, (each for each in objects_of(before.result) if each is not item))
        workspace.refresh(node, store.save(result, identities, store.grid, before.stamp))


def check_unlocked(node: vtkMRMLSegmentationNode, *identities: str | None) -> None:
    """Check that no segment of these ids is locked; those that do not exist, and None, are ignored.

    Raises
    ------
    GrayscaleDetSegError
        If one is.
    """
    for identity in identities:
        if identity is not None and is_locked(node, identity):
            name = display_name(node.GetSegmentation().GetSegment(identity).GetName())
            raise GrayscaleDetSegError(f"{name} is locked; unlock it in the table first.")
