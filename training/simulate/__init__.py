"""A simulator of radiographs: analytic bodies, Beer-Lambert, a detector with noise, and exact label maps.

``simulate("knee", seed=3, size=(300, 300))`` gives one image; ``python -m training.simulate --help`` writes sets.
"""

from __future__ import annotations

from .simulation import ANATOMIES, Simulation, default_size, simulate

__all__ = ["ANATOMIES", "Simulation", "default_size", "simulate"]
