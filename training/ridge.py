"""The fit of the 3D detector's linear refinement (Ge et al. 2022, equations 4 to 7): its targets and its minimum.

The map itself, and its equations, are in ``GrayscaleDetSegLib.core.single_box.refinement``.
"""

from __future__ import annotations

import numpy as np

from GrayscaleDetSegLib.core.single_box.refinement import with_constant


def targets(proposals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(t_lh, t_lw) of eq. 4 and 5, shape (n, 2), of intervals (low, high) in gray levels, each (n, 2)."""
    width = proposals[:, 1] - proposals[:, 0]
    centre = proposals.mean(axis=1)
    return np.stack([(truth.mean(axis=1) - centre) / width, np.log((truth[:, 1] - truth[:, 0]) / width)], axis=1)


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
