"""The radiographs that the module registers with Slicer's Sample Data: compressed NRRD files and their thumbnails.

NRRD and not DICOM, because Sample Data loads files by themselves: what only a DICOM header says would be lost on the
way, and NRRD is half as large. `dicom.py` makes the sample for everything that reads files.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ..files import write_aside
from .dicom import NOTICE, sample_simulation
from .nrrd import nrrd
from .simulation import Simulation, simulate

THUMBNAIL = (260, 280)
"""Width and height in px, as Slicer's template advises."""
BONES = ("both_knees", "hand", "pelvis")
"""Samples of the analytic skeleton, see ``bones.samples.VIEWS``."""


def module_samples() -> dict[str, Simulation]:
    """The simulations by their names: a right knee, a chest, a leg whose pixels are not square, and `BONES`."""
    from .bones.samples import bone_sample

    return {
        "knee": sample_simulation((580, 480)),
        "chest": simulate("chest", 11, (512, 512)),
        "leg": simulate("longleg", 8, (960, 200)),
        **{name: bone_sample(name) for name in BONES},
    }


def icon(name: str) -> str:
    """The file of a sample's thumbnail: SampleBothKnees.png for both_knees."""
    return f"Sample{name.title().replace('_', '')}.png"


def write_module_samples(resources: Path) -> list[Path]:
    """Write Samples/NAME.nrrd and Icons/SampleNAME.png below a module's Resources; returns their paths."""
    contents = {}
    for name, simulation in module_samples().items():
        contents[resources / "Samples" / f"{name}.nrrd"] = nrrd(
            simulation.pixels, simulation.spacing, NOTICE, {"modality": "CR", "simulated": "yes"}
        )
        contents[resources / "Icons" / icon(name)] = _thumbnail(simulation)
    for path, content in contents.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, content)
    return list(contents)


def _thumbnail(simulation: Simulation) -> bytes:
    rows, columns = simulation.pixels.shape
    row, column = simulation.spacing
    scale = min(THUMBNAIL[0] / (columns * column), THUMBNAIL[1] / (rows * row))
    size = round(columns * column * scale), round(rows * row * scale)
    picture = Image.new("L", THUMBNAIL)
    low, high = np.percentile(simulation.gray8(), (1, 99.5))
    gray = np.clip((simulation.gray8() - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    image = Image.fromarray(gray).resize(size, Image.Resampling.LANCZOS)
    picture.paste(image, ((THUMBNAIL[0] - size[0]) // 2, (THUMBNAIL[1] - size[1]) // 2))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
