"""What is known about a radiograph, as a JSON-ready dictionary and as text."""

from __future__ import annotations

from ..codec import encode
from ..errors import one_line
from ..radiograph import Radiograph


def describe(radiograph: Radiograph) -> dict:
    """All that was found out about a radiograph, in types that json.dump takes.

    Keys: ``file``, ``modality``, ``size`` {rows, columns}, ``dtype``, ``value_range`` [lowest, highest] in own units,
    ``polarity`` {inverted, pivot, reason}, ``spacing`` {row_mm, column_mm, source, plane, magnification} or None,
    ``gray_mapping`` {source, units, gray}, ``geometry`` {spacing, origin, direction} as Slicer loads the file (LPS,
    mm), ``notes``, and ``lie``, see ``core.lie``.
    """
    rows, columns = radiograph.shape
    spacing, mapping, geometry = radiograph.spacing, radiograph.mapping, radiograph.geometry
    return {
        "file": None if radiograph.source is None else str(radiograph.source),
        "modality": radiograph.modality,
        "size": {"rows": rows, "columns": columns},
        "dtype": str(radiograph.pixels.dtype),
        "value_range": [radiograph.pixels.min().item(), radiograph.pixels.max().item()],
        "polarity": {"inverted": radiograph.polarity.inverted, "pivot": radiograph.polarity.pivot,
                     "reason": radiograph.polarity.reason},
        "spacing": None if spacing is None else
        {"row_mm": spacing.row, "column_mm": spacing.column, "source": spacing.source, "plane": spacing.plane,
         "magnification": spacing.magnification},
        "gray_mapping": {"source": mapping.source, "units": list(mapping.units), "gray": list(mapping.gray)},
        "geometry": {"spacing": list(geometry.spacing), "origin": list(geometry.origin),
                     "direction": list(geometry.direction)},
        "notes": list(radiograph.notes),
        "lie": encode(radiograph.lie),
    }


def describe_text(radiograph: Radiograph) -> str:
    """The same for people: aligned lines of a name and what it is, without a newline at the end."""
    facts = describe(radiograph)
    spacing, mapping, geometry = facts["spacing"], facts["gray_mapping"], facts["geometry"]
    low, high = facts["value_range"]
    inner = f", {len(mapping['units'])} knots" if len(mapping["units"]) > 2 else ""
    lines = [
        ("File", one_line(facts["file"] or "none")),
        ("Modality", facts["modality"] or "not said"),
        ("Size", f"{facts['size']['columns']} x {facts['size']['rows']} pixels (columns x rows)"),
        ("Values", f"{low:g} to {high:g}, {facts['dtype']}"),
        ("Polarity", ("" if facts["polarity"]["inverted"] else "not ") + f"inverted: {facts['polarity']['reason']}"),
        ("Spacing", "none" if spacing is None else
         f"{spacing['row_mm']:g} x {spacing['column_mm']:g} mm (row x column, {_said(spacing)})"),
        ("Lies", _lies(radiograph)),
        ("Gray levels", f"0 at {mapping['units'][0]:g}, 255 at {mapping['units'][-1]:g} ({mapping['source']}{inner})"),
        ("In Slicer", f"spacing {_numbers(geometry['spacing'])} mm, origin {_numbers(geometry['origin'])} (LPS)"),
    ]
    lines += [("Note" if index == 0 else "", note) for index, note in enumerate(facts["notes"])]
    return "\n".join(f"{title:<12} {text}" for title, text in lines)


def _said(spacing: dict) -> str:
    return ", ".join(filter(None, (spacing["source"], spacing["plane"])))


def _lies(radiograph: Radiograph) -> str:
    lie = radiograph.lie
    parts = ["not said"] if lie.turn is None else [f"looked at {lie.turn.words} ({lie.said_by})"]
    parts += [lie.sideless] if lie.sideless else []
    parts += [f"{lie.laterality} side ({lie.laterality_by})"] if lie.laterality else []
    return ", ".join(parts)


def _numbers(values: list[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)
