"""Intervals and tests against what is known of them."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.stats import (
    auroc,
    balanced_accuracy,
    mcnemar,
    mean_interval,
    paired_interval,
    paired_p,
    quantile_interval,
    ratio_interval,
)

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
RATES = st.lists(st.booleans(), min_size=1, max_size=40)


@given(VALUES)
@settings(deadline=None)
def test_an_interval_holds_its_figure_and_stays_among_the_values(values: list[float]) -> None:
    mean, low, high = mean_interval(values, resamples=200)
    slack = 1e-6
    assert mean == pytest.approx(sum(values) / len(values), abs=slack)
    assert low - slack <= mean <= high + slack
    if set(values) not in ({0.0}, {1.0}):
        assert min(values) - slack <= low <= high <= max(values) + slack


@given(st.floats(0.01, 0.99), st.integers(1, 30))
@settings(deadline=None)
def test_equal_values_between_the_ends_leave_no_width(value: float, n: int) -> None:
    assert mean_interval([value] * n, resamples=50) == pytest.approx((value, value, value))


def test_all_and_none_are_no_certainty() -> None:
    assert mean_interval([1.0] * 30) == pytest.approx((1.0, 0.8843, 1.0), abs=1e-4)  # Clopper and Pearson's table
    assert mean_interval([0.0] * 30) == pytest.approx((0.0, 0.0, 0.1157), abs=1e-4)
    assert mean_interval([0.0, 0.0])[2] == pytest.approx(0.8419, abs=1e-4)
    assert mean_interval([1.0] * 30, ["a", "b", "c"] * 10) == mean_interval([1.0] * 3)
    assert ratio_interval([1.0, 0.0, 1.0], [1.0, 0.0, 1.0]) == mean_interval([1.0] * 2)
    assert ratio_interval([0.0, 0.0], [1.0, 0.0]) == mean_interval([0.0])


def test_cases_of_one_group_are_no_further_evidence() -> None:
    """Ten conversations of ten turns each, alike within: as good as ten cases and not as a hundred."""
    values = [float(group % 2) for group in range(10) for _ in range(10)]
    groups = [str(group) for group in range(10) for _ in range(10)]
    _, low, high = mean_interval(values)
    mean, wide_low, wide_high = mean_interval(values, groups)
    assert mean == 0.5
    assert wide_high - wide_low > 2.5 * (high - low)
    assert (wide_low, wide_high) == mean_interval(values[::10])[1:]
    assert mean_interval(values, [""] * 100) == mean_interval(values)
    with pytest.raises(ValueError, match="group"):
        mean_interval(values, ["a"])


def test_pairs_of_one_group_are_no_further_evidence() -> None:
    a, b = [0.0] * 40, [1.0] * 30 + [-1.0] * 10
    groups = [str(place // 10) for place in range(40)]
    assert paired_p(a, b) < 0.01
    assert paired_p(a, b, groups) == pytest.approx(10 / 16, abs=0.05)
    _, low, high = paired_interval(a, b)
    _, wide_low, wide_high = paired_interval(a, b, groups)
    assert low > 0 >= wide_low
    assert wide_high - wide_low > 2 * (high - low)


def test_an_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(1).normal(0, 1, 400).tolist()
    mean, low, high = mean_interval(values)
    half = 1.96 * np.std(values) / math.sqrt(400)
    assert (low, high) == (pytest.approx(mean - half, abs=0.01), pytest.approx(mean + half, abs=0.01))


def test_the_true_mean_lies_inside_about_95_times_of_100() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(200):
        _, low, high = mean_interval(rng.binomial(1, 0.7, 100).tolist(), resamples=400)
        inside += low <= 0.7 <= high
    assert 0.90 <= inside / 200 <= 0.99


def test_the_same_values_give_the_same_interval() -> None:
    values = [0.0, 1.0, 1.0, 0.5]
    assert mean_interval(values) == mean_interval(values)
    assert quantile_interval(values, 0.5) == quantile_interval(values, 0.5)


def test_many_cases_are_quick() -> None:
    values = np.random.default_rng(3).random(1000).tolist()
    start = time.process_time()
    mean_interval(values)
    assert time.process_time() - start < 0.5


def test_no_values_have_no_interval() -> None:
    for broken in (
        lambda: mean_interval([]),
        lambda: quantile_interval([], 0.5),
        lambda: ratio_interval([], []),
        lambda: ratio_interval([0.0], [0.0]),
        lambda: ratio_interval([1.0], [1.0, 1.0]),
    ):
        with pytest.raises(ValueError, match=r"values|ratio"):
            broken()


def test_a_quantile() -> None:
    values = [float(value) for value in range(101)]
    median, low, high = quantile_interval(values, 0.5)
    assert median == 50
    assert low < 50 < high
    assert quantile_interval(values, 0.95)[0] == 95


def test_a_ratio_is_of_sums() -> None:
    ratio, low, high = ratio_interval([1, 0, 2], [1, 1, 2])
    assert ratio == 0.75
    assert 0 <= low <= ratio <= high <= 1


def test_draws_with_nothing_to_divide_by_are_left_out() -> None:
    ratio, low, high = ratio_interval([1.0, 0.0] + [0.0] * 30, [1.0, 1.0] + [0.0] * 30)
    assert (ratio, low, high) == (0.5, 0.0, 1.0)


def test_a_paired_difference_sees_what_separate_means_do_not() -> None:
    a = np.random.default_rng(4).random(50)
    difference, low, high = paired_interval(a.tolist(), (a + 0.01).tolist())
    assert (difference, low, high) == pytest.approx((0.01, 0.01, 0.01))
    assert paired_p(a.tolist(), (a + 0.01).tolist()) < 0.001


def test_no_difference_is_no_evidence() -> None:
    assert paired_p([0.1, 0.7, 0.3], [0.1, 0.7, 0.3]) == 1.0
    noise = np.random.default_rng(5).normal(0, 1, (2, 200))
    assert paired_p(noise[0].tolist(), noise[1].tolist()) > 0.01


def test_few_cases_prove_little() -> None:
    assert paired_p([0.0, 0.0], [0.1, 0.1]) == pytest.approx(2 / 4, abs=0.05)
    assert paired_p([0.0] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]) == pytest.approx(2 / 32, abs=0.02)


@given(RATES)
@settings(deadline=None)
def test_the_p_of_a_difference_is_two_sided(changed: list[bool]) -> None:
    a, b = [0.0] * len(changed), [float(change) for change in changed]
    assert paired_p(a, b, resamples=100) == paired_p(b, a, resamples=100)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (0, 5, 2 / 32), (1, 9, 2 * 11 / 1024), (10, 2, 2 * (1 + 12 + 66) / 4096)],
)
def test_mcnemar(b: int, c: int, p: float) -> None:
    assert mcnemar(b, c) == pytest.approx(p)
    assert mcnemar(c, b) == mcnemar(b, c)


def test_mcnemar_of_many() -> None:
    assert 0 < mcnemar(900, 1100) < 1e-4
    assert mcnemar(0, 2000) == 0.0 or mcnemar(0, 2000) < 1e-300


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.9]), st.booleans()), min_size=2, max_size=30))
def test_auroc_counts_pairs(cases: list[tuple[float, bool]]) -> None:
    true = [score for score, label in cases if label]
    false = [score for score, label in cases if not label]
    scores, labels = [score for score, _ in cases], [label for _, label in cases]
    if not true or not false:
        with pytest.raises(ValueError, match="both kinds"):
            auroc(scores, labels)
        return
    wins = sum((t > f) + 0.5 * (t == f) for t in true for f in false)
    assert auroc(scores, labels) == pytest.approx(wins / len(true) / len(false))


def test_balanced_accuracy() -> None:
    assert balanced_accuracy([True, True, True, False], [True, True, True, False]) == 1.0
    assert balanced_accuracy([True] * 10, [True] * 9 + [False]) == 0.5
    with pytest.raises(ValueError, match="both kinds"):
        balanced_accuracy([True], [True])
