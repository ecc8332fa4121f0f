"""Lines that stand in many documents: menus, disclaimers, links to subscribe. They tell nothing of any of them. Pure.

A line is known by a hash of its words. A long line counts by its sentences, as a chunk may have only some of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from hashlib import blake2b

from assistant.records import Span

LEAST = 5  # documents: fewer may well quote one another
SHARE = 0.05  # of a collection's documents, at least,
ENOUGH = 20  # but this many are enough in any: one site's menu in a large collection

_STOPS = ".!?…。！？"
# Stops are taken from the first one on and as a whole: a long row of dots is gone through once.
_END = re.compile(rf"\n|(?<![{_STOPS}])[{_STOPS}]++[^\S\n]+|[。！？]+")
_SHORTEST = 4  # bytes: "Home", two Chinese characters; what is shorter is numbers, brackets, marks in tables


def needed(documents: int) -> int:
    """In how many of a collection's `documents` a line must stand to be one of many."""
    return max(LEAST, min(ENOUGH, round(SHARE * documents)))


def hashes(text: str) -> set[int]:
    """The lines of a text, each as a signed number of 64 bits."""
    return {line for line, _, _ in _lines(text)}


def spans(text: str, repeated: Collection[int]) -> tuple[Span, ...]:
    """Where the lines of `text` stand whose hashes are in `repeated`, in order, as offsets into `text`."""
    return tuple(Span(start, end) for line, start, end in _lines(text) if line in repeated)


def _lines(text: str) -> Iterator[tuple[int, int, int]]:
    """Each line's hash, and from where to where it stands."""
    start = 0
    for end, after in [*[match.span() for match in _END.finditer(text)], (len(text), len(text))]:
        line = " ".join(text[start:end].lower().rstrip(_STOPS).split()).encode()
        if len(line) >= _SHORTEST:
            yield int.from_bytes(blake2b(line, digest_size=8).digest(), signed=True), start, after
        start = after
