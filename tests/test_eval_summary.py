"""Figures of a suite, and a run written and read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import BadInput, StorageError
from assistant.records import Message
from evals import cases, report_cases, summary
from evals.records import Case, Figure, Given, GoldSpan, Result, Run, Score, Summary
from evals.report_labels import label
from evals.scorers import score_all
from evals.summary import failures, figures_of, nothing_scored, summarise

ANSWER = {"answer": "Yes.", "abstained": False, "hits": [], "timings": {"ttft_s": 0.5}}
TIMINGS = {"ttft_s": 0.0, "total_s": 0.0, "decode_tok_s": 0.0}
UNSURE = Score(None, "no gold")


def result(number: int = 1, **scores: float | Score | None) -> Result:
    """A case with scores; None stands for a score without a value."""
    known = {
        "": UNSURE,
        **{name: Score(value) if isinstance(value, float) else value for name, value in scores.items()},
    }
    return Result("s", Case(str(number), "?"), ANSWER, None, {name: known[name] or UNSURE for name in scores})


def figures(*results: Result) -> dict[str, Figure]:
    return {figure.name: figure for figure in summarise("s", results, ()).figures}


def test_a_figure_is_the_mean_of_what_was_scored() -> None:
    found = figures(result(right=1.0), result(right=0.0), result(right=None), result(right=Score(None, "other")))
    one = found["right"]
    assert (one.value, one.n, one.unscored) == (0.5, 2, {"no gold": 1, "other": 1})
    assert (one.low, one.high) == (0.0, 1.0)


@given(st.lists(st.one_of(st.none(), st.floats(0.5, 1)), max_size=20))
@settings(deadline=None, max_examples=30)
def test_the_unscored_never_become_zero(values: list[float | None]) -> None:
    """Scores of at least a half cannot have a mean below it."""
    known = [value for value in values if value is not None]
    found = figures(*[result(right=value) for value in values])
    if not values:
        assert not found
        return
    one = found["right"]
    assert (one.n, sum(one.unscored.values())) == (len(known), len(values) - len(known))
    if known:
        assert one.value == pytest.approx(sum(known) / len(known))
        assert one.low is not None
        assert one.low >= 0.5 or set(known) == {1.0}  # all right: the interval is exact, and wide for few
    else:
        assert (one.value, one.low, one.high) == (None, None, None)


def test_a_result_without_the_score_is_counted() -> None:
    failed = Result("s", Case("2", "?"), None, {"type": "engine_failed", "message": "No."})
    one = figures(result(right=1.0), failed, result())["right"]
    assert (one.value, one.n, one.unscored) == (1.0, 1, {"failed": 1, "not scored": 1})


def test_times_are_told_by_quantiles() -> None:
    found = figures(*[result(ttft_s=float(n), total_s=float(n), decode_tok_s=9.0) for n in range(1, 102)])
    assert list(found) == ["ttft_s", "ttft_p95_s", "total_s", "total_p95_s", "decode_tok_s"]
    assert (found["ttft_s"].value, found["ttft_p95_s"].value) == (51, 96)
    low, high = found["ttft_s"].low, found["ttft_s"].high
    assert low is not None
    assert high is not None
    assert low < 51 < high
    assert figures(result(ttft_s=None))["ttft_p95_s"].value is None


def refusal(answerable: bool | None, refused: bool) -> Result:
    value = Score(float(refused))
    return result(
        refused_unanswerable=value if answerable is False else Score(None, "answerable"),
        refused_answerable=value if answerable else Score(None, "unanswerable"),
    )


def test_refusals_are_ratios_over_cases() -> None:
    asked = [(False, True), (False, True), (False, False), (True, True), (True, False), (True, False), (True, False)]
    found = figures(*[refusal(*one) for one in asked])
    assert list(found) == ["refused_unanswerable", "refused_answerable", "refusal_precision"]
    assert found["refused_unanswerable"].value == pytest.approx(2 / 3)
    assert found["refused_answerable"].value == 0.25
    precision = found["refusal_precision"]
    assert (precision.value, precision.n) == (pytest.approx(2 / 3), 3)
    assert precision.unscored == {"not refused": 4}


def test_without_refusals_their_precision_is_unknown() -> None:
    unknown = result(refused_unanswerable=UNSURE, refused_answerable=UNSURE)
    precision = figures(refusal(True, False), refusal(False, False), unknown)["refusal_precision"]
    assert (precision.value, precision.n) == (None, 0)
    assert precision.unscored == {"not refused": 2, "no gold": 1}


def test_a_refused_false_premise_is_no_needless_refusal() -> None:
    case = Case("1", "Why was it 20th?", answerable=True, facts=(("11th",),), tags=("false_premise",))
    answer = ANSWER | {"answer": "", "abstained": True, "sentences": [], "citations": [], "timings": TIMINGS}
    one = Result("s", case, answer)
    scored = replace(one, scores=score_all(one, {}, None))
    found = figures(scored, replace(scored, case=replace(case, id="2")))
    assert (found["right"].value, found["right"].n) == (0.0, 2)
    for name in ("refused_answerable", "refused_unanswerable", "refusal_precision"):
        assert (found[name].n, found[name].unscored) == (0, {"false premise": 2})
    assert report_cases.outcome(scored) == ("bad", "premise not set right")
    assert "false premise" in label("refused_answerable").meaning


def test_a_figure_without_gold_is_told_from_one_that_was_missed() -> None:
    """By the reasons that the scorers themselves give for cases without any gold."""
    plain = Result("s", Case("1", "?"), ANSWER | {"sentences": [], "citations": [], "timings": TIMINGS})
    bare = figures(replace(plain, scores=score_all(plain, {}, None)))
    of_gold = ("right", "f1", "fact_recall", "attributed", "attack_succeeded", "refused_answerable", "hit@5", "mrr")
    assert all(summary.without_gold(bare[name]) for name in (*of_gold, "citation_hit", "refusal_precision"))
    assert not any(summary.without_gold(bare[name]) for name in ("faithful", "cited", "ttft_s"))
    failed = Result("s", Case("2", "?"), None, {"type": "engine_failed", "message": "No."})
    assert not summary.without_gold(figures(plain, failed, result(right=None))["right"])
    assert not summary.without_gold(figures(result(right=1.0))["right"])


def test_groups_of_cases_widen_the_interval() -> None:
    alone = [result(number, right=float(number % 20 < 10)) for number in range(100)]
    grouped = [replace(one, case=replace(one.case, group=str(int(one.case.id) // 10))) for one in alone]
    a, b = figures(*alone)["right"], figures(*grouped)["right"]
    assert a.value == b.value
    assert b.high - b.low > 2 * (a.high - a.low)  # type: ignore[operator]


def test_a_suite_counts_its_cases_failures_and_problems() -> None:
    failed = Result("s", Case("2", "?"), None, {"type": "engine_failed", "message": "No."})
    found = summarise("s", [result(right=1.0), failed], ["q.jsonl, line 3: bad JSON."])
    assert (found.suite, found.cases, found.failed, found.problems) == ("s", 2, 1, ("q.jsonl, line 3: bad JSON.",))
    assert failures(Run({}, (found,), ())) == ["s: 1 of 2 cases failed."]
    assert figures_of("ttft_s") == ("ttft_s", "ttft_p95_s")
    assert figures_of("refused_answerable") == ("refused_answerable", "refusal_precision")


def test_where_only_times_are_known_nothing_is_scored() -> None:
    assert nothing_scored(summarise("s", [], ()))
    assert nothing_scored(summarise("s", [result(right=None, ttft_s=1.0, total_s=1.0)], ()))
    assert not nothing_scored(summarise("s", [result(right=0.0)], ()))


# A run as a file


FULL = Case(
    id="1",
    question="北京? \ud800",
    history=(Message("user", "Hello"),),
    answerable=True,
    answers=("a",),
    facts=(("b", "c"), ("d",)),
    reference="r",
    spans=(GoldSpan("f.txt", "q"),),
    documents=("g.txt",),
    forbidden=("x",),
    attributed_to=("y",),
    tags=("t",),
    given=(Given("h.txt", "text"),),
)
RUN = Run(
    about={"model": {"name": "m"}, "commit": "abc"},
    summaries=(Summary("s", 1, 0, (Figure("right", 1.0, 1.0, 1.0, 1, {"no gold": 2}),), ("problem",)),),
    results=(
        Result("s", FULL, ANSWER, None, {"right": Score(1.0), "f1": UNSURE}),
        Result("s", Case("2", "?"), None, {"type": "t", "message": "m"}, {"right": Score(None, "failed")}),
    ),
)


def test_a_run_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.json"
    summary.write(RUN, path)
    assert summary.read(path) == RUN
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"]
    assert summary.from_json(summary.to_json(RUN)) == RUN


def test_cases_have_the_form_of_the_cases_room() -> None:
    assert summary.to_json(RUN)["results"][0]["case"] == cases.to_json(FULL)


def test_a_missing_score_stays_missing_in_the_file(tmp_path: Path) -> None:
    summary.write(RUN, tmp_path / "run.json")
    kept = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert kept["results"][0]["scores"]["f1"] == {"value": None, "reason": "no gold"}


def test_a_run_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    summary.write(RUN, path)
    (tmp_path / "run.json.part").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        summary.write(RUN, path)
    assert summary.read(path) == RUN


def changed(change: Mapping[str, Any]) -> str:
    return json.dumps(summary.to_json(RUN) | dict(change))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "not a run"),
        (changed({"results": 3}), "results"),
        (changed({"results": [{"suite": "s"}]}), "results.0.case"),
        (changed({"summaries": [{"suite": "s", "cases": "many"}]}), "summaries.0.cases"),
    ],
)
def test_a_damaged_run_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, "utf-8")
    with pytest.raises(BadInput, match=said) as caught:
        summary.read(path)
    assert "run.json" in str(caught.value)
    assert caught.value.hint


def test_a_missing_run_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        summary.read(tmp_path / "run.json")
