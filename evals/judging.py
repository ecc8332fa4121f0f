"""The suite `checker`: does the evaluation's own checker agree with people? Claims stand in for cases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evals.checker import Checker, said
from evals.claims import NAMES, SWAPPED
from evals.corpora import digest
from evals.records import Case, Claim, Figure, Result, Score
from evals.runner import Job
from evals.stats import auroc, balanced_accuracy
from evals.suites import CLAIMS

_RESAMPLES = 500
_LEAST = 2  # classes a measure needs
_SETS = ("", *NAMES, SWAPPED)  # of claims; "": all that people judged


def cases(claims: Sequence[Claim]) -> tuple[Case, ...]:
    """Each claim as a case: its source is a tag, what people said its reference, and its text its group."""
    return tuple(
        Case(
            claim.id,
            claim.claim,
            reference=_word(claim.supported),
            tags=(claim.source, _word(claim.supported)),
            group=digest(claim.context),
        )
        for claim in claims
    )


def job(claims: Sequence[Claim], checker: Checker) -> Job:
    by_id = {claim.id: claim for claim in claims}

    def ask(case: Case) -> dict[str, Any]:
        claim = by_id[case.id]
        support = checker.support(said(claim), claim.context)
        return _answer(claim, support, checker.threshold)

    return Job(CLAIMS, cases(claims), ask, _score)


def figures(results: Sequence[Result]) -> tuple[Figure, ...]:
    """Area under the ROC curve and balanced accuracy at the checker's threshold, of all claims that people judged, and
    of each set. Claims made false on purpose are easier and stand for themselves.
    """
    sets: dict[str, list[Result]] = {"": [result for result in results if result.case.tags[0] != SWAPPED]}
    for result in results:
        sets.setdefault(result.case.tags[0], []).append(result)
    return tuple(
        _figure(_name(measure, name), pick, found)
        for name, found in sets.items()
        for measure, pick in _MEASURES.items()
    )


def names() -> tuple[str, ...]:
    """The names of all figures that there may be."""
    return tuple(_name(measure, claims) for claims in _SETS for measure in _MEASURES)


def _name(measure: str, claims: str) -> str:
    return f"{measure}:{claims}".rstrip(":")


def _answer(claim: Claim, support: float, threshold: float) -> dict[str, Any]:
    """In the fixed JSON form, so that a report shows it like any other."""
    verdict = "unchecked" if math.isnan(support) else _word(support >= threshold)
    return {
        "question": claim.question,
        "answer": claim.claim,
        "abstained": False,
        "reason": None,
        "sentences": [{"text": claim.claim, "verdict": verdict, "citations": []}],
        "citations": [],
        "hits": [],
        "timings": {},
        "model": "",
        "finish_reason": "stop",
        "support": None if math.isnan(support) else support,
    }


def _score(result: Result) -> Mapping[str, Score]:
    if result.answer is None or result.answer["support"] is None:
        reason = "failed" if result.answer is None else "the judge gave no verdict"
        return {name: Score(None, reason) for name in ("support", "agrees")}
    said = result.answer["sentences"][0]["verdict"] == _word(True)
    return {
        "support": Score(float(result.answer["support"])),
        "agrees": Score(float(said == (result.case.reference == _word(True)))),
    }


def _word(supported: bool) -> str:
    return "supported" if supported else "unsupported"


_Measure = Callable[[Sequence[Result]], float]


def _auroc(results: Sequence[Result]) -> float:
    return auroc([result.scores["support"].value or 0.0 for result in results], _labels(results))


def _balanced_accuracy(results: Sequence[Result]) -> float:
    said = [
        (result.scores["agrees"].value == 1.0) == label
        for result, label in zip(results, _labels(results), strict=True)
    ]
    return balanced_accuracy(said, _labels(results))


def _labels(results: Sequence[Result]) -> list[bool]:
    return [result.case.reference == _word(True) for result in results]


_MEASURES: Mapping[str, _Measure] = {"balanced_accuracy": _balanced_accuracy, "auroc": _auroc}


def _support(result: Result) -> Score:
    return result.scores.get("support", Score(None, "failed"))


def _samples(results: Sequence[Result]) -> Iterator[list[Result]]:
    """Texts are drawn, each with all its claims: claims about one text are alike."""
    by_text: dict[str, list[Result]] = {}
    for result in results:
        by_text.setdefault(result.case.group or result.case.id, []).append(result)
    texts, rng = list(by_text.values()), np.random.default_rng(0)
    for _ in range(_RESAMPLES):
        yield [result for number in rng.integers(0, len(texts), len(texts)) for result in texts[number]]


def _figure(name: str, measure: _Measure, results: Sequence[Result]) -> Figure:
    known = [result for result in results if _support(result).value is not None]
    unscored = dict(Counter(_support(result).reason for result in results if _support(result).value is None))
    if len(set(_labels(known))) < _LEAST:
        alone = {"claims of one class alone": len(known)} if known else {}
        return Figure(name, None, None, None, 0, unscored | alone)
    found = [measure(sample) for sample in _samples(known) if len(set(_labels(sample))) == _LEAST]
    low, high = np.percentile(found, [2.5, 97.5])
    return Figure(name, measure(known), float(low), float(high), len(known), unscored)
