"""Fits a small logistic regression: what `assistant.logistic` keeps; and a probe, what `assistant.probe` keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_STEPS = 100
_AXES = 400

Array = NDArray[np.float64]
Labels = NDArray[np.bool_]


def fit(rows: Array, true: Labels, counts: Array, signs: Sequence[int], penalty: float) -> tuple[Array, float]:
    """Weights [features] and bias of a logistic regression over `rows` [n, features], with `penalty` on the squares of
    the weights of standardised features (ridge; le Cessie and van Houwelingen 1992). Row i counts as much as
    `counts[i]`.

    A weight may not go against what its feature means: where it would not have the sign given, 1 or -1, the feature is
    left out, with weight 0. A feature with sign 0 may have either.
    """
    kept = np.arange(rows.shape[1])
    while True:
        part = rows[:, kept]
        middle, width = part.mean(axis=0), np.maximum(part.std(axis=0), 1e-9)
        found = _newton((part - middle) / width, true, counts, penalty)
        right = found[:-1] * np.array(signs)[kept] >= 0
        if right.all():
            break
        kept = kept[right]
    weights = np.zeros(rows.shape[1])
    weights[kept] = found[:-1] / width
    return weights, float(found[-1] - weights[kept] @ middle)


def fit_probe(states: Array, true: Labels, penalty: float) -> tuple[Array, float]:
    """Weights [width] and bias of a logistic regression on hidden states [n, width], with `penalty` on the squares of
    the weights of standardised numbers, counted along the first principal components: the others hold next to nothing.
    """
    middle, width = states.mean(axis=0), states.std(axis=0) + 1e-6
    scaled = (states - middle) / width
    axes = np.linalg.svd(scaled, full_matrices=False)[2][:_AXES]
    found = _newton(scaled @ axes.T, true, np.ones(len(true)), penalty)
    weights = found[:-1] @ axes / width
    return weights, float(found[-1] - weights @ middle)


def _newton(rows: Array, true: Labels, counts: Array, penalty: float) -> Array:
    """Newton's method: the weights, and last the bias, which has no penalty."""
    rows = np.column_stack([rows, np.ones(len(rows))])
    ridge = np.diag([penalty] * (rows.shape[1] - 1) + [0.0])
    found = np.zeros(rows.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-rows @ found))
        slope = rows.T @ (counts * (likely - true)) + ridge @ found
        step = np.linalg.solve((rows.T * (counts * likely * (1 - likely))) @ rows + ridge, slope)
        found = found - step
        if np.abs(step).max() < 1e-9:
            break
    return found
