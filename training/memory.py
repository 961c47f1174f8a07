"""Peak memory of segmenting one image, for a process of its own: it imports no more than the pipeline needs."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np

from GrayscaleDetSegLib.core.loading import load_pipeline
from GrayscaleDetSegLib.core.radiograph import Radiograph


def peak(path: str, method: str) -> float:
    """Megabytes that this process has held at most, after it segmented the pixels in a .npy file."""
    load_pipeline(None, "cpu").segment(Radiograph.from_array(np.load(path)), method=method)
    status = Path("/proc/self/status")
    if status.exists():  # Linux' rusage also counts what the parent held when it forked
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024.0
    unit = 1.0 if sys.platform == "darwin" else 1024.0  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
