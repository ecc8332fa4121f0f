"""The sentences of the hits that are most about the question. Pure: no model is asked.

Where chunks' cells are joined, no chunk has seen another, and the model mixes up what belongs to whom. Shown the
likely sentences once more, behind all chunks, it does so seldom (docs/lab.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant import sentences
from assistant.dates import is_month
from assistant.records import Hit, Message
from assistant.terms import terms

MOST = 2  # sentences
LONGEST = 400  # characters of one; what is longer is mostly a table or a list
TOGETHER = 200  # characters of all, unless the nearest has more: every question computes them anew
ALIKE = 0.8  # what the comparison token by token counts, where there is one; shared terms are the rest (docs/lab.md)
_BEFORE = 0.5  # what a term of the question before counts
_WHOLE = 2  # terms of a question that says what it is about; "And in 2019?" has one (docs/lab.md)
_BACK = 3  # questions that are looked at, for what another may refer to
_TYPICAL = 8  # terms, added to a sentence's own: without them the shortest would win


@dataclass(frozen=True, slots=True)
class Passage:
    chunk_id: str
    text: str


def nearest(question: str, hits: Sequence[Hit], before: str = "") -> list[Passage]:
    """At most MOST sentences, the nearest first: those most like the question, token by token (`Hit.near`), and with
    most of its terms for their length. The nearest is always there, others only as long as all together have at most
    TOGETHER characters. Where no sentence has any of the terms none is near.

    A term weighs by its rarity among the sentences (inverse document frequency, Spärck Jones 1972). The terms of the
    question `before` count less: of "And in 2019?" the year is what was asked anew.
    """
    parts = [(Passage(hit.chunk.id, text), near) for hit in hits for text, near in _sentences(hit)]
    found, alike = [passage for passage, _ in parts], [near for _, near in parts]
    has = [terms(passage.text) for passage in found]
    counts = Counter(term for one in has for term in one)
    wanted = dict.fromkeys(terms(before), _BEFORE) | dict.fromkeys(terms(question), 1.0)
    weights = {term: part * math.log1p(len(found) / counts[term]) for term, part in wanted.items() if term in counts}

    def score(number: int) -> float:
        shared = math.fsum(weight for term, weight in weights.items() if term in has[number])
        return shared / math.sqrt(len(has[number]) + _TYPICAL)

    shared = _scaled([score(number) for number in range(len(found))])
    if not any(shared):
        return []
    compared = _scaled(alike)
    share = ALIKE if any(compared) else 0.0
    total = [(1 - share) * one + share * other for one, other in zip(shared, compared, strict=True)]
    ranked = sorted(range(len(found)), key=lambda number: total[number], reverse=True)
    return _fitting([found[number] for number in ranked[:MOST] if total[number] > 0])


def before(history: Sequence[Message]) -> str:
    """What the next question may refer to: the last question of a conversation, and as long as it is a short one the
    one before, the oldest first; "" where there is none.
    """
    asked: list[str] = []
    for turn in reversed(history):
        if turn.role == "user" and len(asked) < _BACK:
            asked.insert(0, turn.content)
            if sum(not is_month(term) for term in terms(turn.content)) >= _WHOLE:  # "And in May 2019?" has one
                break
    return "\n".join(asked)


def _fitting(passages: Sequence[Passage]) -> list[Passage]:
    kept: list[Passage] = list(passages[:1])
    for passage in passages[1:]:
        if sum(len(one.text) for one in kept) + len(passage.text) <= TOGETHER:
            kept.append(passage)
    return kept


def _scaled(scores: Sequence[float]) -> list[float]:
    """Over their maximum; 0 for what is below 0."""
    best = max(scores, default=0.0)
    return [max(0.0, score) / best if best > 0 else 0.0 for score in scores]


def _sentences(hit: Hit) -> Iterator[tuple[str, float]]:
    """What may be a likely sentence, and how like the question it is. What a menu or a disclaimer says is none."""
    text, offset = hit.chunk.text, hit.chunk.start
    found = sentences.spans(text)
    alike = hit.near if len(hit.near) == len(found) else [0.0] * len(found)
    for span, near in zip(found, alike, strict=True):
        part = text[span.start : span.end].strip()
        if 0 < len(part) <= LONGEST and not _repeated(hit, span.start + offset, span.end + offset):
            yield part, near


def _repeated(hit: Hit, start: int, end: int) -> bool:
    inside = sum(max(0, min(end, span.end) - max(start, span.start)) for span in hit.repeated)
    return inside > (end - start) / 2
