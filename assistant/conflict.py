"""Where a source gives another number for what an answer says. Pure: no model is asked.

Two sentences disagree when one says all that the other says, in the same words, but for one number. So it finds a
figure that two reports give differently. A contradiction in other words it does not see, nor another name in the same
words: that may be another person who says the same. One figure that is written in two ways (rounded, in thousands, by
another clock) is no disagreement.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from assistant import dates, sentences
from assistant.cite import Candidate, terms
from assistant.evidence import numbers, replaced
from assistant.sentences import ITEM

_LEAST = 3  # terms besides the number; a frame of fewer words fits too much
_MORE = 8  # of them, for each of which a source may have one word more and still speak of the same
_TOLD = 0.5  # share of them beside which a sentence tells the same
_YEARS = range(1000, 2200)
_SCALE = 1000  # of thousands, millions and 万: by this or more, written beside the number or in its zeros
_CLOSE = 0.05  # a number rounded by more than this share tells something else: 10 is not 12, 30% not 32%
_CLOCK = re.compile(r"\d:\d\d")
_LABEL = re.compile(r"[^\W\d_]*[A-Z][^\W\d_]*[ -](\d+)\b")  # Terminal 2, Chang'e-6: a part of a name


def disagreeing(sentence: str, carried_by: Sequence[Candidate], candidates: Iterable[Candidate]) -> Candidate | None:
    """The first sentence of another document that gives another number than the sentence does, None without one.

    `carried_by` are the spans that support the sentence: their documents agree with it. Another year is none, as
    things change, nor another number that is a part of a name.
    """
    agreeing = {candidate.hit.chunk.document_id for candidate in carried_by}
    for candidate in candidates:
        if (
            candidate.hit.chunk.document_id not in agreeing
            and not candidate.joined
            and _disagree(sentence, candidate.quote)
            and _comparable(sentence, candidate.quote)
        ):
            return candidate
    return None


def refuted(sentence: str, texts: Sequence[str]) -> bool:
    """Whether the texts give another number than the sentence does, and none gives its own: not beside the other one,
    not as the year of a date, not in a sentence with half of the sentence's words.
    """
    sentence = ITEM.sub("", sentence)
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
    """Whether the other says all that the sentence says but for one number, and has another one in its place."""
    said, there = numbers(sentence), numbers(other)
    frame = terms(sentence) - said
    return (
        len(said - there) == len(there - said) == 1
        and len(frame) >= _LEAST
        and frame <= terms(other)
        and not (_CLOCK.search(sentence) and _CLOCK.search(other))
        and not _same(*(said - there), *(there - said))
        and replaced(sentence, other)
    )


def _comparable(sentence: str, other: str) -> bool:
    """Whether two sentences that disagree can hardly both be true: the other says little more, which might be why."""
    said, there = numbers(sentence), numbers(other)
    frame = terms(sentence) - said
    differing = [*(said - there), *(there - said)]
    labels = {match[1] for text in (sentence, other) for match in _LABEL.finditer(text)}
    return (
        len(terms(other) - there - frame) <= len(frame) // _MORE
        and not labels.intersection(differing)
        and not all(map(_is_year, differing))
    )


def _same(said: str, there: str) -> bool:
    """Whether two numbers may stand for one value: 1.50 and 1.5; 49 and 49.3, 190 and 193, rounded; 2.1 (million) and
    2,103,000, or 1.500 and 1,500, by a power of ten.
    """
    try:
        one, other = float(said), float(there)
    except ValueError:  # a date
        return False
    if not one or not other:
        return one == other
    power = round(math.log10(other / one)) if abs(math.log10(other / one)) >= math.log10(_SCALE) - 0.5 else 0
    return _rounds(said, other / 10**power) or _rounds(there, one * 10**power)


def _rounds(number: str, value: float) -> bool:
    """Whether the number is the value, rounded as it is: to its decimals, or to its zeros if it is no year."""
    digits = number.partition(".")[2]
    zeros = 0 if digits or _is_year(number) else len(number) - len(number.rstrip("0"))
    unit = 10.0 ** (-len(digits) if digits else zeros)
    return abs(float(number) - value) <= unit / 2 and abs(float(number) - value) <= _CLOSE * value


def _is_year(number: str) -> bool:
    return number.isdigit() and int(number) in _YEARS
