"""The sixth stage: the linear map that refines a proposal's interval (Ge et al. 2022, equations 2 to 7).

With the proposal's centre height P_lh and width P_lw, and its pooled features f(P):

    G_lh = P_lw d_lh(P) + P_lh,   G_lw = P_lw exp(d_lw(P)),   d_*(P) = T_* f(P)          (eq. 2, 3)
    t_lh = (G_lh - P_lh) / P_lw,  t_lw = log(G_lw / P_lw)                                (eq. 4, 5)

T_* minimises sum (t - T f)^2 + lambda T^2 (eq. 6, 7). f is extended by a constant 1, which the penalty spares.
"""

from __future__ import annotations

import numpy as np

from ..gray import GRAY_MAX

LARGEST_OFFSET = 3.0
"""Offsets are cut off here (in widths, and as a log factor): a cloud unlike any in training must not run away."""


def apply_offsets(proposals: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The refined intervals (n, 2) of eq. 2 and 3, cut off at gray levels 0 and 255; the inverse of eq. 4 and 5."""
    offsets = np.clip(offsets, -LARGEST_OFFSET, LARGEST_OFFSET)
    width = proposals[:, 1] - proposals[:, 0]
    centre = width * offsets[:, 0] + proposals.mean(axis=1)
    half = 0.5 * width * np.exp(offsets[:, 1])
    return np.clip(np.stack([centre - half, centre + half], axis=1), 0.0, GRAY_MAX)


def with_constant(features: np.ndarray) -> np.ndarray:
    """Features (n, m) extended by a last column of ones, float64."""
    return np.hstack([features, np.ones((len(features), 1))]).astype(np.float64)


def refine(proposals: np.ndarray, features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Refined intervals (n, 2) of proposals (n, 2) with pooled features (n, m), by T (m + 1, 2)."""
    return apply_offsets(proposals, with_constant(features) @ weights)
