"""Does the answer say what it should? Compared by normal form (see normal.py), without the citations' markers.

Exact match and token F1 are SQuAD's (Rajpurkar et al. 2016), each the best over the gold answers; a sentence about the
answer scores low on both. `right` is the figure to go by: the answer has one of the gold answers, and one way of
saying each of the facts. To abstain from a question that has an answer is wrong. Questions without an answer are
unscored here; see abstention.py.
"""

from __future__ import annotations

from collections import Counter

from evals.records import Case, Result, Score, Texts
from evals.scorers.normal import holds, normal, written

METRICS = {
    "right": "has a gold answer and every gold fact",
    "exact": "equals a gold answer",
    "f1": "words shared with the nearest gold answer",
    "contains": "has a gold answer",
    "fact_recall": "share of the gold facts in the answer",
}


def score(result: Result, texts: Texts) -> dict[str, Score]:  # noqa: ARG001
    case = result.case
    if result.answer is None or case.answerable is False:
        return dict.fromkeys(METRICS, Score(None, "failed" if result.answer is None else "unanswerable"))
    values = _values(written(result.answer), case)
    if result.answer["abstained"]:  # it speaks of passages that it does not stand by
        values = dict.fromkeys(values, 0.0)
    return {name: Score(values[name]) if name in values else Score(None, "no gold") for name in METRICS}


def _values(said: str, case: Case) -> dict[str, float]:
    """The metrics for which the case has gold."""
    values = {}
    if case.answers:
        values["exact"] = float(normal(said) in map(normal, case.answers))
        values["f1"] = max(_f1(normal(said).split(), normal(gold).split()) for gold in case.answers)
        values["contains"] = float(any(holds(said, gold) for gold in case.answers))
    if case.facts:
        found = [any(holds(said, way) for way in ways) for ways in case.facts]
        values["fact_recall"] = sum(found) / len(found)
    if values:
        values["right"] = float(values.get("contains", 1.0) == values.get("fact_recall", 1.0) == 1.0)
    return values


def _f1(said: list[str], gold: list[str]) -> float:
    if not said or not gold:
        return float(said == gold)
    shared = (Counter(said) & Counter(gold)).total()
    return 2 * shared / (len(said) + len(gold))
