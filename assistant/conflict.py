"""Where a source gives another number for what an answer says. Pure: no model is asked.

Two sentences disagree when they are put in the same words and differ in just one number. Where they also tell of
different years they do not: things change. So it finds a figure that two reports give differently. A contradiction in
other words it does not see, nor another name in the same words: that may be another person who says the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from assistant import dates, sentences
from assistant.cite import Candidate, terms
from assistant.evidence import numbers, replaced

_SAME = 0.75  # share of the sentence's other terms that the other source has to have
_LEAST = 3  # such terms; a frame of fewer words fits too much
_ITEM = re.compile(r"^\W*\d{1,2}[.):](?!\d)")  # of a list: its number says nothing
_TOLD = 0.5  # share of them beside which a sentence tells the same


def disagreeing(sentence: str, carried_by: Sequence[Candidate], candidates: Iterable[Candidate]) -> Candidate | None:
    """The first sentence of another document that gives another number than the sentence does, None without one.

    `carried_by` are the spans that support the sentence: their documents agree with it.
    """
    agreeing = {candidate.hit.chunk.document_id for candidate in carried_by}
    for candidate in candidates:
        if (
            candidate.hit.chunk.document_id not in agreeing
            and not candidate.joined
            and _disagree(sentence, candidate.quote)
        ):
            return candidate
    return None


def refuted(sentence: str, texts: Sequence[str]) -> bool:
    """Whether the texts give another number than the sentence does, and none gives its own: not beside the other one,
    not as the year of a date, not in a sentence with half of the sentence's words.
    """
    sentence = _ITEM.sub("", sentence)
    said = numbers(sentence)
    frame = terms(sentence) - said
    if not said or len(frame) < _LEAST:
        return False
    parts = [[text[span.start : span.end] for span in sentences.spans(text)] for text in texts]
    years = {date.iso[:4] for text in texts for date in dates.find(text)}
    telling = [numbers(part) for one in parts for part in one if len(frame & terms(part)) >= _TOLD * len(frame)]
    for one in parts:
        for at, part in enumerate(one):
            if _disagree(sentence, part):
                strange = said - numbers(part)
                beside = frozenset[str]().union(years, *map(numbers, one[max(at - 1, 0) : at + 2]))
                if not any(strange <= has for has in (beside, *telling)):
                    return True
    return False


def _disagree(sentence: str, other: str) -> bool:
    """Whether all that differs is one number here and another one there, in its place."""
    said, there = numbers(sentence), numbers(other)
    frame = terms(sentence) - said
    return (
        len(said - there) == len(there - said) == 1
        and _value(*(said - there)) != _value(*(there - said))
        and len(frame) >= _LEAST
        and len(frame & terms(other)) >= _SAME * len(frame)
        and replaced(sentence, other)
    )


def _value(number: str) -> float | str:
    """1.50 and 1.5 are the same."""
    try:
        return float(number)
    except ValueError:
        return number
