"""A simulator of radiographs: analytic bodies, Beer-Lambert, a detector with noise, and exact label maps.

``simulate("knee", seed=3, size=(300, 300))`` gives one image; ``python -m training.simulate --help`` writes sets.
"""

from __future__ import annotations

from .anatomies import ANATOMIES, default_size
from .simulation import Simulation, simulate

__all__ = ["ANATOMIES", "Simulation", "default_size", "simulate"]
