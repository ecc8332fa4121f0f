"""Do the citations lead to the gold, and are they there at all?

A citation is right when it meets a gold span of its document (see gold.py), or is of a gold document of which no span
is known. As for retrieval, several documents may say the same: `citation_hit` asks for one of them,
`citation_recall` for each. An answer that cites nothing has found no gold, but its precision is unknown. Whether a
citation supports its sentence is for a judge: see faithfulness.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evals.records import Result, Score, Texts
from evals.scorers.gold import lacking, meets, places

METRICS = {
    "citation_precision": "share of the citations that show gold",
    "citation_hit": "a citation shows gold",
    "citation_recall": "share of the gold documents whose gold is cited",
    "cited": "share of the sentences with a citation",
    "span_exact": "every quote stands where its citation says",
}
_Citations = Sequence[Mapping[str, Any]]


def score(result: Result, texts: Texts) -> dict[str, Score]:
    answer = result.answer
    if answer is None or answer["abstained"]:
        return dict.fromkeys(METRICS, Score(None, "failed" if answer is None else "abstained"))
    citations = answer["citations"]
    cited = [bool(sentence["citations"]) for sentence in answer["sentences"]]
    return _against_gold(result, citations, texts) | {
        "cited": Score(sum(cited) / len(cited)) if cited else Score(None, "no sentences"),
        "span_exact": _span_exact(citations, texts),
    }


def _against_gold(result: Result, citations: _Citations, texts: Texts) -> dict[str, Score]:
    if reason := lacking(result.case, texts):
        return dict.fromkeys(("citation_precision", "citation_hit", "citation_recall"), Score(None, reason))
    gold = places(result.case, texts)
    right = [citation for citation in citations if meets(gold, citation)]
    documents = {citation["file"] for citation in right}
    return {
        "citation_precision": Score(len(right) / len(citations)) if citations else Score(None, "no citations"),
        "citation_hit": Score(float(bool(right))),
        "citation_recall": Score(len(documents) / len(gold)),
    }


def _span_exact(citations: _Citations, texts: Texts) -> Score:
    if not citations:
        return Score(None, "no citations")
    cited = [(one, texts.get(one["file"], {}).get(one["document_id"])) for one in citations]
    if any(text is None for _, text in cited):
        return Score(None, "text of a cited document unknown")
    return Score(float(all(text and one["quote"] == text[one["start"] : one["end"]] for one, text in cited)))
