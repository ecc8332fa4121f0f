"""Does the assistant refuse where it should, and only there? From the answer's `abstained`.

A question without an answer in the documents should be refused, one with an answer should not; where that is not
known, there is no score. A question whose premise the documents contradict (tag `false_premise`) may be set right or
refused: to refuse it is not needless, so it is unscored here; `right` asks for the correction. The mean of
`refused_unanswerable` is the recall of refusal. Its precision is a ratio over all cases of a suite: summary.py makes
it of these two.
"""

from __future__ import annotations

from evals.records import Result, Score, Texts

METRICS = {
    "refused_unanswerable": "refused, where there is no answer",
    "refused_answerable": "refused, where there is an answer",
}


def score(result: Result, texts: Texts) -> dict[str, Score]:  # noqa: ARG001
    answerable = result.case.answerable
    if result.answer is None or answerable is None:
        reason = "failed" if result.answer is None else "not known whether answerable"
        return dict.fromkeys(METRICS, Score(None, reason))
    if "false_premise" in result.case.tags:
        return dict.fromkeys(METRICS, Score(None, "false premise"))
    refused = Score(float(result.answer["abstained"]))
    if answerable:
        return {"refused_unanswerable": Score(None, "answerable"), "refused_answerable": refused}
    return {"refused_unanswerable": refused, "refused_answerable": Score(None, "unanswerable")}
