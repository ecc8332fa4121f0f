"""Texts that say nearly the same, told by the words they share in order. Pure.

A text stands for the set of its runs of three words (shingles), and two texts are as like as the share of the runs in
either that are in both (resemblance, Broder 1997).
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

SAME = 0.7  # of the runs in either text, in both: one wording with a few changes
SKETCH = 128  # hashes that stand for a document's runs: its resemblance to another is then known to within 0.04

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]|\w+")
_RUN = 3  # words
_MEMBERS = 8  # of a group; comparing with all takes seconds where hundreds repeat one text
# Odd constants of the mixing steps of SplitMix64 (Steele, Lea and Flood 2014).
_PLACES = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def groups(texts: Iterable[str], most: int) -> list[int]:
    """For each text in order the place of the first of its group, its own place where it begins one. A text belongs to
    a group when it nearly repeats one of the first _MEMBERS there: two copies with changes of their own differ more
    from each other than from what they were made of.

    Ends before the text that would begin group `most` + 1, as nobody asks for more.
    """
    having: dict[int, list[int]] = {}  # run to the places of the compared texts that have it
    sizes: dict[int, int] = {}  # of the compared texts
    members: Counter[int] = Counter()
    found: list[int] = []
    for place, text in enumerate(texts):
        runs = _runs(text)
        shared = Counter(other for run in runs for other in having.get(run, ()))
        alike = (found[other] for other, both in shared.items() if both >= SAME * (len(runs) + sizes[other] - both))
        group = min(alike, default=place)
        if group == place and len(members) == most:
            break
        found.append(group)
        members[group] += 1
        if members[group] <= _MEMBERS:
            sizes[place] = len(runs)
            for run in runs:
                having.setdefault(run, []).append(place)
    return found


def sketch(text: str) -> list[int]:
    """The SKETCH smallest of the 64-bit hashes of a text's runs, sorted: a fair sample of them, and the same of the
    same runs in other texts (bottom-k sketch, Broder 1997). All of them where there are fewer.
    """
    words = [zlib.crc32(word.encode()) for word in _WORD.findall(text.lower())]
    words += [0] * (_RUN - len(words))
    hashes = np.array(words, np.uint64)
    mixed = np.zeros(len(words) - _RUN + 1, np.uint64)
    for place, constant in enumerate(_PLACES):
        mixed += hashes[place : place + len(mixed)]
        mixed *= np.uint64(constant)
        mixed ^= mixed >> np.uint64(31)
    smallest: list[int] = np.unique(mixed.view(np.int64))[:SKETCH].tolist()  # signed, as SQLite has its numbers
    return smallest


def resemblance(one: Sequence[int], other: Sequence[int]) -> float:
    """The resemblance of two texts, 0 to 1, as their sketches tell it."""
    first, second = set(one), set(other)
    sample = sorted(first | second)[:SKETCH]
    return len(first & second & set(sample)) / len(sample)


def _runs(text: str) -> set[int]:
    """Hashes of the runs: numbers are less work for the collector of garbage than so many tuples."""
    words = _WORD.findall(text.lower())
    return set(map(hash, zip(words, words[1:], words[2:], strict=False))) or {hash(tuple(words))}
