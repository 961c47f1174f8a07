"""Texts without the names of images and people and without the paths of files, for others to read."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SHORTEST = 3
"""Letters of a name that is looked for; shorter ones would take pieces out of ordinary words."""

_IN_PATHS = r"[^\s\"'<>|*?,;:()]*"
# a drive, a share, a home or the root, and all that follows; with spaces, as far as there are folders
_PATH = re.compile(
    rf"(?:file:/*)?(?<![\w.])(?:[A-Za-z]:[\\/]|\\\\|~[\\/]|/){_IN_PATHS}(?:[ ]{_IN_PATHS}[\\/]{_IN_PATHS})*"
)
_CODE = re.compile(r"([\w-]+\.py)$")
_IMAGES = r"nii\.gz|seg\.nrrd|dicom|dcm|ima|nrrd|nhdr|mha|mhd|nii|png|jpe?g|tiff?|mrb|mrml"
_FILE = re.compile(rf"\b[^\s\\/\"'<>|*?:()]+\.(?:{_IMAGES})\b", re.IGNORECASE)


def redacted(text: str, names: Iterable[str]) -> str:
    """Replace `names`, paths and names of image files in `text`, and append a line that says what was replaced.

    The same name gets the same number everywhere, so that it can be followed. Of the program's own files, the last part
    of the path is kept.
    """
    stripped = {name.strip() for name in names}
    known = sorted((name for name in stripped if len(name) >= _SHORTEST), key=lambda name: (-len(name), name))
    left_out = {"path": 0, "name": 0, "file name": 0}

    def path(found: re.Match) -> str:
        if len(found[0]) < 2:
            return found[0]
        left_out["path"] += 1
        code = _CODE.search(found[0])
        return f"[path]/{code[1]}" if code else "[path]"

    def file(found: re.Match) -> str:
        left_out["file name"] += 1
        return f"[file].{found[0].rpartition('.')[2]}"

    text = _PATH.sub(path, text)
    for number, name in enumerate(known, start=1):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", re.IGNORECASE)
        text, count = pattern.subn(f"[name {number}]", text)
        left_out["name"] += count
    text = _FILE.sub(file, text)
    said = [f"{count} {what}{'s' * (count > 1)}" for what, count in left_out.items() if count]
    return f"{text}\nLeft out: {', '.join(said) if said else 'nothing'}. Look through it before you send it on.\n"
