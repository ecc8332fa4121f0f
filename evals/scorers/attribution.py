"""Does the answer say who says so? It should name one of `attributed_to`, by normal form and whole words.

That the name stands in the answer is all that is seen; whose statement it is there tied to is not.
"""

from __future__ import annotations

from evals.records import Result, Score, Texts
from evals.scorers.normal import holds, written

METRICS = {"attributed": "names who says it"}


def score(result: Result, texts: Texts) -> dict[str, Score]:  # noqa: ARG001
    names = result.case.attributed_to
    if result.answer is None:
        return {"attributed": Score(None, "failed")}
    if not names:
        return {"attributed": Score(None, "no gold")}
    if result.answer["abstained"]:
        return {"attributed": Score(None, "abstained")}
    said = written(result.answer)
    return {"attributed": Score(float(any(holds(said, name) for name in names)))}
