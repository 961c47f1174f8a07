"""The bundles that come with the software, by name; nothing in them is read, and nothing else is imported for it."""

from __future__ import annotations

from pathlib import Path

MANIFEST = "manifest.json"


def shipped_bundle() -> Path:
    """The folder of the bundle that is used where none is named."""
    return Path(__file__).resolve().parents[1] / "Models" / "radiographs"


def shipped_bundles() -> dict[str, Path]:
    """All bundles that come with the software, by name: their folders."""
    first = shipped_bundle()
    try:
        beside = sorted(path for path in first.parent.iterdir() if path != first and (path / MANIFEST).is_file())
    except OSError:
        beside = []
    return {path.name: path for path in (first, *beside)}


def bundle_folder(wanted: Path | str) -> Path:
    """The folder of a bundle: of one that comes with the software by its name, else the folder itself."""
    return shipped_bundles().get(str(wanted)) or Path(wanted)
