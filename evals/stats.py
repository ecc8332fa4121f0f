"""How sure a figure is: bootstrap intervals, paired tests, and how well scores tell two classes apart.

Intervals are percentile bootstrap intervals of 95% (Efron 1979): cases are drawn with replacement, `resamples` times.
Cases of one group (the turns of a conversation, the questions about one text) are alike, so groups are drawn, each
with all its cases (cluster bootstrap; Davison and Hinkley 1997, 3.8); a case whose group is "" is a group of its own.
All is seeded, so the same values give the same interval.

Where all values are equal the bootstrap has seen no other value and its interval has no width, which does not say that
there is none. Shares that are all 0 or all 1 therefore have the exact interval (see `_unanimous`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 2000
_BLOCK = 1 << 21  # numbers drawn at a time, to bound the memory
_ROUNDING = 1e-12  # sums of the same numbers in another order differ by less
_TAIL = 0.025  # what a 95% interval leaves out on either side

Interval = tuple[float, float, float]  # the figure, its low and its high end
_Array = npt.NDArray[np.float64]


def mean_interval(
    values: Sequence[float], groups: Sequence[str] = (), seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The mean of shares, numbers between 0 and 1; `groups` names the group of each. Raises ValueError where there are
    no values.
    """
    return ratio_interval(values, [1.0] * len(values), groups, seed, resamples)


def quantile_interval(values: Sequence[float], q: float, seed: int = 0, resamples: int = RESAMPLES) -> Interval:
    """The quantile `q`, 0.5 for the median. Raises ValueError where there are no values."""
    known = _array(values)
    quantiles = [np.quantile(known[drawn], q, axis=1) for drawn in _draws(len(known), seed, resamples)]
    return _ends(float(np.quantile(known, q)), np.concatenate(quantiles))


def ratio_interval(
    numerators: Sequence[float],
    denominators: Sequence[float],
    groups: Sequence[str] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Interval:
    """The sum of `numerators` by that of `denominators`, one of each a case, the first no larger than the second.
    Draws with nothing to divide by are left out. Raises ValueError where the denominators' sum is 0.
    """
    above, below = _array(numerators), _array(denominators)
    if len(above) != len(below) or below.sum() == 0:
        raise ValueError("A ratio needs a numerator and a denominator for each case, and not all denominators 0.")
    sums, bases = _by_group(above, groups), _by_group(below, groups)
    if not above.any() or np.array_equal(above, below):
        return _unanimous(bool(above.any()), int(np.count_nonzero(bases)))
    return _resampled(sums, bases, seed, resamples)


def paired_interval(
    a: Sequence[float], b: Sequence[float], groups: Sequence[str] = (), seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The mean of `b` - `a`, case by case."""
    differences = _array(b) - _array(a)
    sums, counts = _by_group(differences, groups), _by_group(np.ones(len(differences)), groups)
    return _resampled(sums, counts, seed, resamples)


def paired_p(
    a: Sequence[float], b: Sequence[float], groups: Sequence[str] = (), seed: int = 0, resamples: int = RESAMPLES
) -> float:
    """How likely a mean difference at least as large, either way, is when A and B do not differ: then each difference
    could as well have the other sign (randomisation test; Smucker et al. 2007), and those of one group all together.
    At least 1 / (`resamples` + 1).

    A bootstrap of few cases would find every small but even difference to be certain.
    """
    differences = _by_group(_array(b) - _array(a), groups)
    seen = abs(float(differences.sum())) - _ROUNDING * len(a)
    as_large = 0
    for drawn in _draws(len(differences), seed, resamples, below=2):
        as_large += int((abs((2 * drawn - 1) @ differences) >= seen).sum())
    return (1 + as_large) / (1 + resamples)


def mcnemar(b: int, c: int) -> float:
    """How likely so uneven a change is by chance, when `b` cases changed one way and `c` the other: exact, two-sided
    (McNemar 1947).
    """
    below = sum(math.comb(b + c, k) for k in range(min(b, c) + 1))
    return min(1.0, 2 * below / (1 << b + c))


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """The area under the ROC curve: how often a true case scores above a false one, ties counting half (Hanley and
    McNeil 1982). Raises ValueError where one kind is missing.
    """
    known, true = _array(scores), _both(labels)
    _, place, count = np.unique(known, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    wins = ranks[true].sum() - true.sum() * (true.sum() + 1) / 2
    return float(wins / (true.sum() * (~true).sum()))


def balanced_accuracy(predicted: Sequence[bool], labels: Sequence[bool]) -> float:
    """The mean of the shares of true and of false cases that were told rightly. Raises ValueError where one kind is
    missing.
    """
    said, true = np.asarray(predicted, dtype=bool), _both(labels)
    return float((said[true].mean() + (~said[~true]).mean()) / 2)


def _array(values: Sequence[float]) -> _Array:
    known = np.asarray(values, dtype=np.float64)
    if not known.size:
        raise ValueError("There are no values.")
    return known


def _by_group(values: _Array, groups: Sequence[str]) -> _Array:
    """The sum of each group's values, in the order in which the groups come."""
    if not groups:
        return values
    numbers: dict[str | int, int] = {}
    places = [numbers.setdefault(group or place, len(numbers)) for place, group in enumerate(groups)]
    if len(places) != len(values):
        raise ValueError("There must be a group for each of the values.")
    return np.bincount(places, weights=values).astype(np.float64)


def _unanimous(every: bool, n: int) -> Interval:
    """The interval of a share of which `n` of `n` were seen, or none: exact (Clopper and Pearson 1934). At a true
    share of less than `low` all `n` would be such by a chance of less than 2.5%. It holds for means of numbers between
    0 and 1 as well: those are 1 no more often than their mean is large.
    """
    low = _TAIL ** (1 / n)
    return (1.0, low, 1.0) if every else (0.0, 0.0, 1 - low)


def _resampled(sums: _Array, bases: _Array, seed: int, resamples: int) -> Interval:
    """The ratio of all sums by all bases, and its ends over draws of them."""
    ratios = []
    for drawn in _draws(len(sums), seed, resamples):
        above, below = sums[drawn].sum(axis=1), bases[drawn].sum(axis=1)
        ratios.append(above[below != 0] / below[below != 0])
    return _ends(float(sums.sum() / bases.sum()), np.concatenate(ratios))


def _both(labels: Sequence[bool]) -> npt.NDArray[np.bool_]:
    true = np.asarray(labels, dtype=bool)
    if not true.any() or true.all():
        raise ValueError("There must be cases of both kinds.")
    return true


def _draws(n: int, seed: int, resamples: int, below: int | None = None) -> Iterator[npt.NDArray[np.int64]]:
    """`resamples` rows of `n` whole numbers from 0 to under `below`, to under `n` where it is not given; some at a
    time."""
    rng = np.random.default_rng(seed)
    rows = max(1, _BLOCK // n)
    for done in range(0, resamples, rows):
        yield rng.integers(0, below or n, size=(min(rows, resamples - done), n))


def _ends(value: float, resampled: npt.NDArray[Any]) -> Interval:
    low, high = np.percentile(resampled, (2.5, 97.5))
    return value, float(low), float(high)
