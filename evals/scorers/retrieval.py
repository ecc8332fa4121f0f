"""Did the sources hold the gold? Measured on the answer's `hits`, the best score first.

A hit is relevant when it meets a gold span of its document (see gold.py), or is from a gold document of which no span
is known. Several documents may say the same, and then one of them is enough: `hit@k` asks for that. Recall, nDCG and
MRR count gold documents: the first hit that shows the gold of a document finds it, and more hits of the same gold find
nothing new. Hits are what stood in the prompt, mostly four to six of them, so what was ranked behind them counts as
not found. The figures come from ir_measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ir_measures
from ir_measures import RR, R, Success, nDCG

from evals.records import Result, Score, Texts
from evals.scorers.gold import Places, lacking, meets, places

METRICS = {
    "hit@1": "gold in the best hit",
    "hit@5": "gold in one of the best 5 hits",
    "recall@1": "share of the gold documents found by the best hit",
    "recall@5": "share of the gold documents found by the best 5 hits",
    "ndcg@10": "nDCG@10 of the hits in the prompt",
    "mrr": "1 / rank of the first hit with gold, 0 where none has it",
}
_OF_HITS = dict(zip(METRICS, (Success @ 1, Success @ 5, R @ 1, R @ 5, nDCG @ 10, RR), strict=True))
_OF_RANKING = {str(measure): measure for measure in (R @ 1, R @ 5, R @ 10, nDCG @ 10, RR @ 10)}


def score(result: Result, texts: Texts) -> dict[str, Score]:
    reason = "failed" if result.answer is None else lacking(result.case, texts)
    if result.answer is None or reason:
        return dict.fromkeys(METRICS, Score(None, reason))
    gold = places(result.case, texts)
    hits = sorted(result.answer["hits"], key=lambda hit: -hit["score"])
    return ranked({"": _names(hits, gold)}, {"": dict.fromkeys(gold, 1)}, _OF_HITS)[""]


def ranked(
    run: Mapping[str, Sequence[str]],
    qrels: Mapping[str, Mapping[str, int]],
    measures: Mapping[str, Any] = _OF_RANKING,
) -> dict[str, dict[str, Score]]:
    """R@1, R@5, R@10, nDCG@10 and RR@10 of each query in `run`, which has document ids by query id, best first.

    `qrels` are the relevant ones with their grades; a query for which they name none is unscored.
    """
    judged = {query: dict(qrels[query]) for query in run if max(qrels.get(query, {}).values(), default=0) > 0}
    scored = {query: _falling(run[query]) for query in judged}
    found = {query: dict.fromkeys(measures, Score(None, "no gold")) for query in run}
    names = {measure: name for name, measure in measures.items()}
    for metric in ir_measures.iter_calc(list(measures.values()), judged, scored):
        found[metric.query_id][names[metric.measure]] = Score(float(metric.value))
    return found


def _falling(documents: Sequence[str]) -> dict[str, float]:
    """A score for each document, so that none is tied with another; of a repeated one the first place counts."""
    return {document: -float(rank) for rank, document in enumerate(dict.fromkeys(documents))}


def _names(hits: Sequence[Mapping[str, Any]], gold: Places) -> list[str]:
    """The gold document that each hit finds first, else a name that is no file's."""
    names: list[str] = []
    for rank, hit in enumerate(hits):
        new = hit["file"] not in names and meets(gold, hit)
        names.append(hit["file"] if new else f"/{rank}")
    return names
