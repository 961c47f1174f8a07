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


def targets(proposals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(t_lh, t_lw) of eq. 4 and 5, shape (n, 2), of intervals (low, high) in gray levels, each (n, 2)."""
    width = proposals[:, 1] - proposals[:, 0]
    centre = proposals.mean(axis=1)
    return np.stack([(truth.mean(axis=1) - centre) / width, np.log((truth[:, 1] - truth[:, 0]) / width)], axis=1)


def apply_offsets(proposals: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The refined intervals (n, 2) of eq. 2 and 3, cut off at gray levels 0 and 255; the inverse of `targets`."""
    offsets = np.clip(offsets, -LARGEST_OFFSET, LARGEST_OFFSET)
    width = proposals[:, 1] - proposals[:, 0]
    centre = width * offsets[:, 0] + proposals.mean(axis=1)
    half = 0.5 * width * np.exp(offsets[:, 1])
    return np.clip(np.stack([centre - half, centre + half], axis=1), 0.0, GRAY_MAX)


def with_constant(features: np.ndarray) -> np.ndarray:
    """Features (n, m) extended by a last column of ones, float64."""
    return np.hstack([features, np.ones((len(features), 1))]).astype(np.float64)


def solve_ridge(features: np.ndarray, offsets: np.ndarray, penalty: float) -> np.ndarray:
    """The exact minimum of eq. 6 and 7: T of shape (m + 1, 2).

    Parameters
    ----------
    features : ndarray (n, m)
    offsets : ndarray (n, 2)
        Targets t.
    penalty : float
        lambda, above 0.
    """
    extended = with_constant(features)
    gram = extended.T @ extended + penalty * np.diag([1.0] * features.shape[1] + [0.0])
    return np.linalg.solve(gram, extended.T @ offsets)


def descend_ridge(
    features: np.ndarray,
    offsets: np.ndarray,
    penalty: float,
    epochs: int = 200,
    learning_rate: float = 1e-4,
    batch: int = 32,
    seed: int = 0,
) -> np.ndarray:
    """The minimum of eq. 6 and 7 by stochastic gradient descent, as in the article: T of shape (m + 1, 2).

    Pooled features are many, alike and of very different size: on the features as they are, the article's learning
    rate creeps along some directions and diverges along others. The descent therefore runs in their principal axes,
    each scaled to unit spread, and T is mapped back. Axes are orthogonal, so the penalty stays what it is, and the
    result approaches :func:`solve_ridge`: the share exp(-2 learning_rate epochs n) of the way is left, 2 % for 100
    proposals and nothing for 1000, with 200 epochs at 1e-4.
    """
    generator = np.random.default_rng(seed)
    features = np.asarray(features, np.float64)
    count, mean = len(features), features.mean(axis=0)
    centred = features - mean
    variance, axes = np.linalg.eigh(centred.T @ centred / count)
    kept = variance > 1e-12 * max(variance[-1], 1e-12)  # along the others nothing varies: the penalty keeps T at 0
    axes = axes[:, kept] / np.sqrt(variance[kept])
    standard = with_constant(centred @ axes)
    shrink = np.append(penalty / variance[kept] / count, 0.0)[:, None]
    weights = np.zeros((standard.shape[1], offsets.shape[1]))
    for _ in range(epochs):
        order = generator.permutation(count)
        for start in range(0, count, batch):
            rows = standard[order[start : start + batch]]
            # a proposal unlike all others must not throw T further than it came: no step beyond the batch's optimum
            steepest = np.abs(rows @ rows.T).sum(axis=1).max()
            rate = min(learning_rate, 0.5 / steepest)
            weights -= 2.0 * rate * (rows.T @ (rows @ weights - offsets[order[start : start + batch]]))
            # the penalty's part of the step is taken implicitly, which is stable however small the spread
            weights /= 1.0 + 2.0 * rate * len(rows) * shrink
    weights = np.vstack([axes @ weights[:-1], weights[-1:]])
    weights[-1] -= mean @ weights[:-1]
    return weights


def refine(proposals: np.ndarray, features: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Refined intervals (n, 2) of proposals (n, 2) with pooled features (n, m), by T (m + 1, 2)."""
    return apply_offsets(proposals, with_constant(features) @ weights)
