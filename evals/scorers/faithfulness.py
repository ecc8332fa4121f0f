"""Do the sources say what the answer says? A judge decides, sentence by sentence.

`faithful` reads each sentence beside all the hits, which is what the model was given; `citation_support` reads each
sentence that cites beside its own citations only, as a reader does who follows the markers. The judge is not the one
that decided while answering, and how good it is the suite `checker` measures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from evals.records import Result, Score, Texts

METRICS = {
    "faithful": "share of the sentences that the sources support",
    "citation_support": "share of the sentences with citations that these support",
}


class Judge(Protocol):
    """Says how likely it is that `context` supports `claim`; NaN where it cannot say."""

    @property
    def threshold(self) -> float:
        """The probability from which a claim counts as supported."""
        ...

    def support(self, claim: str, context: str) -> float: ...


def score(result: Result, texts: Texts, judge: Judge) -> dict[str, Score]:  # noqa: ARG001
    answer = result.answer
    if answer is None or answer["abstained"]:
        return dict.fromkeys(METRICS, Score(None, "failed" if answer is None else "abstained"))
    if not answer["sentences"]:
        return dict.fromkeys(METRICS, Score(None, "no sentences"))
    by_citations = verdicts_by_citations(answer, judge)
    return {
        "faithful": _share(verdicts(answer, judge), judge.threshold),
        "citation_support": _share(by_citations, judge.threshold) if by_citations else Score(None, "no citations"),
    }


def verdicts(answer: Mapping[str, Any], judge: Judge) -> list[float]:
    """How likely it is that the hits support each sentence, in the order of the answer. No hits support nothing."""
    sources = _joined(hit["text"] for hit in answer["hits"])
    return [judge.support(sentence["text"], sources) if sources else 0.0 for sentence in answer["sentences"]]


def verdicts_by_citations(answer: Mapping[str, Any], judge: Judge) -> list[float]:
    """How likely it is that its own citations support a sentence, for each sentence that has some."""
    quotes = {citation["n"]: citation["quote"] for citation in answer["citations"]}
    return [
        judge.support(sentence["text"], _joined(quotes[number] for number in sentence["citations"]))
        for sentence in answer["sentences"]
        if sentence["citations"]
    ]


def _joined(texts: Iterable[str]) -> str:
    return "\n\n".join(texts)


def _share(probabilities: Sequence[float], threshold: float) -> Score:
    if any(math.isnan(probability) for probability in probabilities):
        return Score(None, "the judge gave no verdict")
    return Score(sum(probability >= threshold for probability in probabilities) / len(probabilities))
