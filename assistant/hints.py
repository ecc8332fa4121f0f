"""What a question says of the document it wants: "in March 2025", "according to Xinhua"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assistant.dates import find, value
from assistant.records import Chunk
from assistant.where import plain

_YEAR = re.compile(r"(?<![\d.,$€£-])(?:1[5-9]|20|21)\d\d(?![\d%]|[.,]\d)")
_WORDS_BEFORE = 1  # a month's name
# What a publisher's name has and a question leaves out.
_ARTICLE = re.compile(r"the\s+", re.IGNORECASE)
_FORM = re.compile(
    r"[\s,]+(?:news\s+agency|online|inc|ltd|limited|llc|plc|corp|corporation|co|company|gmbh|ag)\.?$", re.IGNORECASE
)
_WORD = re.compile(r"\w[\w'-]*")
_SAID_BY = re.compile(
    r"\b(?:according\s+to|(?:reported|published|written|stated)\s+(?:by|in))\s+(?:the\s+)?$", re.IGNORECASE
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:…]['\")\]]*\s)[^\w]*$")


@dataclass(frozen=True, slots=True)
class Hints:
    """`dates` as ISO 8601, whole or cut short; `publishers` as the documents state them."""

    dates: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()

    def meets(self, chunk: Chunk) -> int:
        """How many of the two kinds a chunk's document fits."""
        dated = chunk.date is not None and any(_agree(chunk.date, day) for day in self.dates)
        return dated + (chunk.publisher in self.publishers)


def read(question: str, publishers: Iterable[str], texts: Sequence[str] = ()) -> Hints:
    """What a question names: dates and years, and those of `publishers` that it has as words, be it without the
    article or the form of the firm. `texts` tell which names are words of the language, too: a question of the time
    is none of the magazine Time.
    """
    asked = plain(question)
    named = (name for name in publishers if _is_named(name, asked, texts))
    return Hints(tuple(dict.fromkeys(_dates(question))), tuple(named))


def _is_named(publisher: str, asked: str, texts: Sequence[str]) -> bool:
    name = _short(publisher)
    found = list(re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", asked, re.IGNORECASE))
    if len(name.split()) > 1 or not found:
        return bool(found)
    return any(_as_a_name(asked, match) for match in found) or (bool(texts) and not _is_word(name, texts))


def _short(publisher: str) -> str:
    """A publisher as people call it."""
    name = plain(publisher)
    while (shorter := _FORM.sub("", name)) != name:
        name = shorter
    return _ARTICLE.sub("", name, count=1) if _ARTICLE.match(name) else name


def _as_a_name(asked: str, found: re.Match[str]) -> bool:
    """Whether a word of a question is said of who published something, or has a capital that tells of a name."""
    before = asked[: found.start()]
    if _SAID_BY.search(before):
        return True
    others = [word for word in _WORD.findall(asked) if word != found[0]]
    capitals = sum(word[0].isupper() for word in others)
    return not found[0][0].islower() and not _SENTENCE_START.search(before) and 2 * capitals <= len(others)


def _is_word(name: str, texts: Sequence[str]) -> bool:
    """Whether a name stands in one of the texts in small letters."""
    small = re.compile(rf"(?<!\w){re.escape(name.lower())}(?!\w)")
    return any(small.search(text) for text in texts)


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
