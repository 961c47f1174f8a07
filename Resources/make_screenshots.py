"""Draws the picture of what the command draws, from the sample radiograph; and makes pictures small.

python Resources/make_screenshots.py

The pictures of the module are drawn by 3D Slicer itself: ``make_slicer_pictures.py``.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "Resources" / "Screenshots"
OVERLAY = 880
"""Width of what the command draws, in px."""
LARGEST = 200_000
"""Bytes of a picture at most."""


def save(picture: Image.Image, name: str) -> None:
    """Write a picture with the palette that changes it least of those with which it fits into `LARGEST` bytes."""
    wanted, best, least = np.asarray(picture.convert("RGB"), float), None, np.inf
    for method in (Image.Quantize.FASTOCTREE, Image.Quantize.MAXCOVERAGE):
        for colors in (256, 192, 128, 96, 64):
            few = picture.convert("RGB").quantize(colors, method, kmeans=2, dither=Image.Dither.NONE)
            stream, error = io.BytesIO(), np.square(np.asarray(few.convert("RGB"), float) - wanted).mean()
            few.save(stream, "PNG", optimize=True)
            if stream.tell() <= LARGEST and error < least:
                best, least = stream.getvalue(), error
    if best is None:
        raise SystemExit(f"{name} has more than {LARGEST} bytes; draw it smaller.")
    (FOLDER / f"{name}.png").write_bytes(best)
    print(f"{name}.png: {picture.width} x {picture.height} px, {len(best) // 1000} kB, {least**0.5:.1f} off")


def overlay() -> None:
    """What the command draws."""
    sys.path.insert(0, str(ROOT / "GrayscaleDetSeg"))
    from GrayscaleDetSegLib.batch.main import main as command

    with tempfile.TemporaryDirectory() as folder:
        sample = ROOT / "Resources" / "Samples" / "knee.dcm"
        if command(["segment", str(sample), "--output", folder, "--device", "cpu"]):
            raise SystemExit("The command has failed.")
        with Image.open(Path(folder) / "knee.png") as picture:
            height = round(picture.height * OVERLAY / picture.width)
            save(picture.convert("RGB").resize((OVERLAY, height), Image.Resampling.LANCZOS), "knee-overlay")


if __name__ == "__main__":
    overlay()
