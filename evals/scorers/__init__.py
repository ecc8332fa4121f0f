"""What an answer scores. Each scorer is one small file with a pure function `score(result, texts)` and the names of
its metrics, each with what it says. `texts` are the documents' texts; hits and citations point into them.

A score that cannot be computed is None with the reason, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evals.records import Result, Score, Texts
from evals.scorers import (
    abstention,
    answer,
    attribution,
    citation,
    faithfulness,
    injection,
    latency,
    retrieval,
)
from evals.scorers.faithfulness import Judge

Scorer = Callable[[Result, Texts], dict[str, Score]]

SCORERS: tuple[Scorer, ...] = (
    answer.score,
    abstention.score,
    attribution.score,
    injection.score,
    citation.score,
    retrieval.score,
    latency.score,
)
METRICS: Mapping[str, str] = {
    **answer.METRICS,
    **abstention.METRICS,
    **attribution.METRICS,
    **injection.METRICS,
    **faithfulness.METRICS,
    **citation.METRICS,
    **retrieval.METRICS,
    **latency.METRICS,
}


def score_all(result: Result, texts: Texts, judge: Judge | None) -> dict[str, Score]:
    """Every score of one case, in the order of `METRICS`. Without a judge nothing is said of faithfulness."""
    scores: dict[str, Score] = {}
    for scorer in SCORERS:
        scores |= scorer(result, texts)
    if judge is None:
        scores |= dict.fromkeys(faithfulness.METRICS, Score(None, "failed" if result.answer is None else "no judge"))
    else:
        scores |= faithfulness.score(result, texts, judge)
    return {name: scores[name] for name in METRICS}
