"""What a question says of the document it wants: "in March 2025", "according to Xinhua"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from assistant.dates import find, value
from assistant.records import Chunk

_YEAR = re.compile(r"(?<![\d.,$€£-])(?:1[5-9]|20|21)\d\d(?![\d%]|[.,]\d)")
_WORDS_BEFORE = 1  # a month's name


@dataclass(frozen=True, slots=True)
class Hints:
    """`dates` as ISO 8601, whole or cut short; `publishers` as the documents state them."""

    dates: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()

    def meets(self, chunk: Chunk) -> int:
        """How many of the two kinds a chunk's document fits."""
        dated = chunk.date is not None and any(_agree(chunk.date, day) for day in self.dates)
        return dated + (chunk.publisher in self.publishers)


def read(question: str, publishers: Iterable[str]) -> Hints:
    """What a question names: dates and years, and those of `publishers` that it has as words."""
    lowered = question.casefold()
    named = (name for name in publishers if re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", lowered))
    return Hints(tuple(dict.fromkeys(_dates(question))), tuple(named))


def _dates(question: str) -> list[str]:
    whole = find(question)
    found = [stated.iso for stated in whole]
    for year in _YEAR.finditer(question):
        if any(stated.start <= year.start() < stated.end for stated in whole):
            continue
        month = question[: year.start()].split()[-_WORDS_BEFORE:]
        found.append(value(" ".join([*month, year.group()])) or year.group())
    return found


def _agree(one: str, other: str) -> bool:
    """Whether two dates are the same as far as both say."""
    return one.startswith(other) or other.startswith(one)
