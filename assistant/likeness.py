"""Texts that say nearly the same, told by the words they share in order: near-duplicates among hits."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]|\w+")
_SHINGLE = 3  # words
_SAME = 0.7  # of the runs of words in either text, in both: one wording with a few changes


def crowding(texts: Sequence[str]) -> list[int]:
    """The places of texts that nearly repeat one before them (Broder 1997: shingles, and their resemblance)."""
    kept: list[frozenset[tuple[str, ...]]] = []
    repeated = []
    for place, text in enumerate(texts):
        runs = _shingles(text)
        if any(_resemblance(runs, other) >= _SAME for other in kept):
            repeated.append(place)
        else:
            kept.append(runs)
    return repeated


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    last = max(1, len(words) - _SHINGLE + 1)
    return frozenset(tuple(words[first : first + _SHINGLE]) for first in range(last))


def _resemblance(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both)
