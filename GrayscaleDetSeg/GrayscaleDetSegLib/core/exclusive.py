"""A result as a plain label map needs it: every pixel has one object at most, and it is said who won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .overlaps import EXCLUSIVE
from .result import SegmentationResult, SegmentedObject
from .windowed import WindowedMask


@dataclass(frozen=True)
class Settlement:
    """Pixels that two objects shared and one of them keeps.

    Parameters
    ----------
    winner, loser : SegmentedObject
        As they were before.
    pixel_count : int
        How many pixels the winner keeps and the loser loses.
    """

    winner: SegmentedObject
    loser: SegmentedObject
    pixel_count: int

    @property
    def text(self) -> str:
        """A part of a sentence."""
        return (
            f"{self.winner.name} ({self.winner.precedence:.2f}) over {self.loser.name} ({self.loser.precedence:.2f}), "
            f"{self.pixel_count} px"
        )


def made_exclusive(result: SegmentationResult) -> SegmentationResult:
    """The result in which no two objects share a pixel; a shared one stays with the object of higher precedence.

    Of equal ones the first wins. Objects that lose all of their pixels stay, without any. A note
    says who won; later edits keep the objects apart, too, because the result's `overlaps` say so.
    """
    objects, settled = disjoint(result.objects)
    spacing = result.radiograph.spacing
    changed = tuple(
        old if new is old.windowed else old.with_mask(new, spacing) for old, new in zip(result.objects, objects)
    )
    notes = result.notes
    if settled:
        said = "; ".join(item.text for item in settled)
        notes = (*notes, f"Shared pixels went to the object with the higher score x confidence: {said}.")
    lost = [old.name for old, new in zip(result.objects, changed) if old.pixel_count and not new.pixel_count]
    if lost:
        notes = (*notes, f"Nothing is left of {', '.join(lost)}.")
    return replace(result, objects=changed, notes=notes, overlaps=EXCLUSIVE)


def disjoint(objects: Sequence[SegmentedObject]) -> tuple[list[WindowedMask], list[Settlement]]:
    """The masks of objects without shared pixels, and who kept which, see :func:`made_exclusive`."""
    order = sorted(range(len(objects)), key=lambda index: -objects[index].precedence)
    masks, settled = [item.windowed for item in objects], []
    for place, index in enumerate(order):
        for other in order[:place]:
            if not masks[index].meets(masks[other]):
                continue
            left = masks[index].without([masks[other]])
            settled.append(Settlement(objects[other], objects[index], masks[index].count - left.count))
            masks[index] = left
    return masks, settled
