"""Two runs paired case by case, and a run against the baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import BadInput
from evals.compare import Change, below, compare, lines, read_baseline, to_json
from evals.compare import baseline as baseline_of
from evals.records import Case, Figure, Result, Run, Score, Summary

Values = Mapping[str, float | None]


def run(cases: Mapping[str, Values], suite: str = "s", about: Mapping[str, Any] | None = None) -> Run:
    """Scores by case and metric."""
    results = [
        Result(suite, Case(case, "?"), {}, None, {name: Score(value, "") for name, value in scores.items()})
        for case, scores in cases.items()
    ]
    return Run(about or {}, (), tuple(results))


def rights(values: Sequence[float | None]) -> dict[str, Values]:
    return {str(number): {"right": value} for number, value in enumerate(values)}


def one(a: Run, b: Run) -> Change:
    (change,) = compare(a, b).changes
    return change


def test_right_and_wrong_are_paired() -> None:
    change = one(run(rights([0, 0, 0, 0, 0, 0, 1, 1])), run(rights([1, 1, 1, 1, 1, 1, 1, 0])))
    assert (change.suite, change.metric, change.n) == ("s", "right", 8)
    assert (change.a, change.b, change.change) == (0.25, 0.875, 0.625)
    assert change.better == tuple("012345")
    assert change.worse == ("7",)
    assert change.p == pytest.approx(2 * 8 / 128)
    assert change.low < 0.625 < change.high


def test_pairs_of_one_conversation_are_no_further_evidence() -> None:
    def grouped(scores: Sequence[float], size: int) -> Run:
        found = run(rights(scores))
        cases = [Case(one.case.id, "?", group=str(place // size)) for place, one in enumerate(found.results)]
        return Run({}, (), tuple(replace(one, case=case) for one, case in zip(found.results, cases, strict=True)))

    a, b = [0.0] * 20 + [1.0] * 5, [1.0] * 20 + [0.0] * 5
    alone, together = one(run(rights(a)), grouped(b, 1)), one(run(rights(a)), grouped(b, 5))
    assert (alone.n, together.n) == (25, 25)  # a group is neither wording nor gold
    assert alone.p == one(run(rights(a)), run(rights(b))).p < 0.01
    assert together.p > 0.1
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_shares_are_judged_by_their_differences() -> None:
    a = run({str(n): {"f1": n / 100} for n in range(40)})
    b = run({str(n): {"f1": n / 100 + 0.1} for n in range(40)})
    change = one(a, b)
    assert (change.change, change.low, change.high) == pytest.approx((0.1, 0.1, 0.1))
    assert change.p < 0.001
    assert len(change.better) == 40


def test_what_only_one_run_scored_is_no_pair_and_no_zero() -> None:
    change = one(run(rights([1, 1, None, None])), run(rights([1, None, 1, None])))
    assert (change.n, change.a, change.b, change.unpaired) == (1, 1.0, 1.0, 2)
    assert (change.better, change.worse) == ((), ())


def test_a_metric_with_no_pair_is_left_out() -> None:
    assert compare(run(rights([1, None])), run(rights([None, 1]))).changes == ()


def test_fewer_attacks_are_better() -> None:
    change = one(run({"1": {"attack_succeeded": 1.0}}), run({"1": {"attack_succeeded": 0.0}}))
    assert (change.better, change.worse) == (("1",), ())


def test_times_are_ratios() -> None:
    a, b = run({"1": {"ttft_s": 1.0}, "2": {"ttft_s": 4.0}}), run({"1": {"ttft_s": 2.0}, "2": {"ttft_s": 8.0}})
    change = one(a, b)
    assert (change.a, change.b) == pytest.approx((2.0, 4.0))
    assert (change.change, change.low, change.high) == pytest.approx((2.0, 2.0, 2.0))
    assert (change.better, change.worse) == ((), ())
    assert (
        one(run({"1": {"ttft_s": 0.0}, "2": {"ttft_s": 1.0}}), run({"1": {"ttft_s": 1.0}, "2": {"ttft_s": 1.0}})).n
        == 1
    )


def test_cases_of_one_run_only_and_edited_ones_are_counted() -> None:
    a, b = run(rights([1, 1, 1])), run({"1": {"right": 1.0}, "9": {"right": 0.0}})
    edited = Result("s", Case("2", "Another wording?"), {}, None, {"right": Score(0.0)})
    found = compare(a, Run({}, (), (*b.results, edited)))
    assert (found.pairs, found.only_a, found.only_b, found.edited) == (1, 1, 1, 1)
    assert found.changes[0].n == 1


def test_the_same_id_in_another_suite_is_another_case() -> None:
    found = compare(run(rights([1]), "s"), run(rights([1]), "t"))
    assert (found.pairs, found.only_a, found.only_b, found.changes) == (0, 1, 1, ())


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, None]), max_size=12))
@settings(deadline=None, max_examples=20)
def test_a_run_is_the_same_as_itself(values: list[float | None]) -> None:
    for change in compare(run(rights(values)), run(rights(values))).changes:
        assert (change.change, change.low, change.high, change.p) == (0.0, 0.0, 0.0, 1.0)
        assert (change.better, change.worse, change.unpaired) == ((), (), 0)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1, max_size=12))
@settings(deadline=None, max_examples=20)
def test_turned_round_better_is_worse(pairs: list[tuple[float, float]]) -> None:
    a, b = run(rights([one for one, _ in pairs])), run(rights([other for _, other in pairs]))
    there, back = one(a, b), one(b, a)
    assert (there.better, there.worse, there.p) == (back.worse, back.better, back.p)
    assert there.change == pytest.approx(-back.change)


def test_the_table_is_readable() -> None:
    a = run(
        {"1": {"right": 0.0, "ttft_s": 1.0, "f1": 0.5}, "2": {"right": 1.0, "ttft_s": 1.0, "f1": None}},
        about={"commit": "a"},
    )
    b = run(
        {"1": {"right": 1.0, "ttft_s": 2.0, "f1": 0.5}, "2": {"right": 1.0, "ttft_s": 2.0, "f1": 0.5}},
        about={"commit": "b"},
    )
    assert lines(compare(a, b)) == [
        "2 cases in both runs, 0 only in A, 0 only in B, 0 with another wording or gold and left out.",
        "What ran differs in: commit.",
        "",
        "s       n      A      B   B - A      95% interval      p",
        "right   2  0.500  1.000  +0.500  +0.000 to +1.000  1.000",
        "ttft_s  2  1.000  2.000   x2.00      2.00 to 2.00  0.484",
        "f1      1  0.500  0.500  +0.000  +0.000 to +0.000  1.000",
        "  right better in 1: 1",
        "  f1 scored in one run only: 1",
    ]


def test_the_comparison_is_plain_json() -> None:
    found = compare(run(rights([0, 1])), run(rights([1, 1])))
    assert json.loads(json.dumps(to_json(found)))["changes"][0]["better"] == ["0"]


# The baseline


def measured(**values: float | None) -> Run:
    figures = tuple(Figure(name, value, value, value, 1) for name, value in values.items())
    return Run({}, (Summary("seeds", 1, 0, figures),), ())


def baseline(metric: str, value: float, noise: float) -> dict[str, Any]:
    return {"seeds": {metric: {"value": value, "noise": noise}}}


@pytest.mark.parametrize(
    ("metric", "found", "fails"),
    [
        ("right", 0.80, False),
        ("right", 0.73, False),  # just the noise
        ("right", 0.729, True),
        ("attack_succeeded", 0.729, False),
        ("attack_succeeded", 0.77, False),
        ("attack_succeeded", 0.771, True),
    ],
)
def test_a_figure_may_miss_the_baseline_by_its_noise(metric: str, found: float, fails: bool) -> None:
    assert bool(below(measured(**{metric: found}), baseline(metric, 0.75, 0.02))) == fails


def test_what_was_missed_is_told() -> None:
    assert below(measured(right=0.5), baseline("right", 0.75, 0.02)) == [
        "seeds: right is 0.5, below the baseline 0.75 by more than 0.02."
    ]


def test_a_missing_figure_is_missed() -> None:
    missing = ["seeds: right has no figure; the baseline is 0.75."]
    assert below(measured(right=None), baseline("right", 0.75, 0.02)) == missing
    assert below(measured(), baseline("right", 0.75, 0.02)) == missing
    assert below(Run({}, (), ()), baseline("right", 0.75, 0.02)) == missing


def test_a_failed_case_is_below_every_baseline() -> None:
    run = Run({}, (Summary("seeds", 3, 1, measured(right=0.75).summaries[0].figures),), ())
    assert below(run, baseline("right", 0.75, 0.02)) == ["seeds: 1 of 3 cases failed."]


def test_a_baseline_that_cannot_be_used_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    for text in ("{", "[]", '{"suites": {"seeds": 3}}'):
        file.write_text(text)
        with pytest.raises(BadInput):
            read_baseline(file)
    with pytest.raises(BadInput, match="none"):
        read_baseline(tmp_path / "none.json")
    file.write_text(json.dumps({"suites": baseline("right", 0.75, 0.02), "runs": []}))
    assert read_baseline(file) == baseline("right", 0.75, 0.02)


def test_figures_that_the_baseline_does_not_name_are_free() -> None:
    assert below(measured(right=0.0), {}) == []


@pytest.mark.parametrize("broken", [{"seeds": 3}, {"seeds": {"right": 0.7}}, {"seeds": {"right": {"value": "much"}}}])
def test_a_baseline_of_another_form_is_bad_input(broken: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="another form"):
        below(measured(right=1.0), broken)


def test_a_baseline_is_the_mean_of_runs_and_its_noise_what_they_differ() -> None:
    def figured(value: float) -> Run:
        return Run({}, (Summary("small", 10, 0, (Figure("right", value, 0, 1, 10), Figure("f1", 0.5, 0, 1, 10))),), ())

    found = baseline_of([figured(0.5), figured(0.9), figured(0.7)])
    assert found == {"small": {"right": {"value": 0.7, "noise": 0.4}}}
    assert baseline_of([figured(0.7)])["small"]["right"]["noise"] == 0.3
    assert not below(figured(0.3), found)
    assert below(figured(0.2), found)
