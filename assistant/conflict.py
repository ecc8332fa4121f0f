"""Where another source gives another value for what an answer says. Pure: no model is asked.

Two sentences disagree when they are put in the same words and differ in just one number. Where they also tell of
different years they do not: things change. So it finds a figure that two reports give differently. A contradiction in
other words it does not see, nor another name in the same words: that may be another person who says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.cite import Candidate, terms
from assistant.evidence import numbers, replaced

_SAME = 0.75  # share of the sentence's other terms that the other source has to have
_LEAST = 3  # such terms; a frame of fewer words fits too much


def disagreeing(sentence: str, carried_by: Sequence[Candidate], candidates: Iterable[Candidate]) -> Candidate | None:
    """The first sentence of another document that gives another number than the sentence does, None without one.

    `carried_by` are the spans that support the sentence: their documents agree with it.
    """
    agreeing = {candidate.hit.chunk.document_id for candidate in carried_by}
    for candidate in candidates:
        if candidate.hit.chunk.document_id not in agreeing and not candidate.joined and _disagree(sentence, candidate):
            return candidate
    return None


def _disagree(sentence: str, candidate: Candidate) -> bool:
    """Whether all that differs is one number here and another one there, in its place."""
    said, there = numbers(sentence), numbers(candidate.quote)
    frame = terms(sentence) - said
    return (
        len(said - there) == len(there - said) == 1
        and len(frame) >= _LEAST
        and len(frame & candidate.terms) >= _SAME * len(frame)
        and replaced(sentence, candidate.quote)
    )
