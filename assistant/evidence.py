"""What speaks for and against a claim in a text: words, numbers, names, likeness of meaning.

It sees whether a text speaks of what a claim says. It is weak where a claim says it in other words, and where the same
words are put together to say something else.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from assistant import dates, sentences
from assistant.terms import in_order, readings

FEATURES: Mapping[str, str] = {
    "words": "share of the claim's terms that the context has; rare terms weigh more (Spärck Jones 1972)",
    "window": "the largest such share that one to three neighbouring sentences have: those are the best window",
    "pairs": "share of the claim's pairs of neighbouring terms that are neighbours in a sentence of the context too",
    "likeness": "largest cosine of the claim with the best window and the two best sentences, all embedded",
    "together": "largest share of the claim's numbers, dates and names in one sentence; 1 where it has none",
    "numbers_missing": "share of the claim's numbers and dates that the context lacks; 0 where it has none",
    "names_missing": "share of the claim's names that the context lacks; 0 where it has none",
    "replaced": "1 where a number, date or name stands in the place of another in the best sentence, else 0",
    "denied": "1 where one of the claim and the best window denies something and the other does not, else 0",
}
AGAINST = frozenset(["numbers_missing", "names_missing", "replaced", "denied"])  # the others speak for a claim

_PLACE = 4  # terms of a name or number that stands for another
_WIDEST = 3  # sentences of a window
_WIDER = 0.05  # share that one more sentence must add
_BEST = 2  # sentences embedded beside the best window
_TEXTS_KEPT = 8
_VECTORS_KEPT = 4096
_NEAR = 0.65  # cosine that a text near a sentence has; three quarters of those that carry one in other words have it

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
# What denies in English, German, French, Spanish, Portuguese, Italian and Chinese. "No. 5" denies nothing, nor does
# 不仅 (not only), 无锡 (a town) or 未来 (the future).
DENIAL = re.compile(
    r"\b(?:not|never|none|nor|neither|nobody|nothing|without|cannot|lack(?:s|ed)?|fail(?:s|ed)?|unable|hardly|"
    r"no(?!\.\s?\d)|nicht|kein(?:e[nmrs]?)?|niemals|niemand|nichts|ohne|weder|nunca|jamás|ning[uú]n[ao]?|nadie|tampoco|"
    r"pas|jamais|aucune?|rien|non(?!-)|nessun[oa]?|não|nenhuma?)\b|n['’]t\b|[没沒]有?|不(?![仅僅但过過断斷久少同锈])|[未無无](?![来來锡])",
    re.IGNORECASE,
)

Vector = NDArray[np.float32]


class Embeds(Protocol):
    """What the checker needs of `assistant.embedder.Embedder`."""

    name: str
    sha256: str

    def embed(self, texts: Sequence[str]) -> Vector: ...


class Evidence:
    """Measures claims against texts. Safe to use from several threads."""

    def __init__(self, embedder: Embeds) -> None:
        self._embedder = embedder
        self._source = lru_cache(_TEXTS_KEPT)(_Source)
        self._vector = lru_cache(_VECTORS_KEPT)(lambda text: embedder.embed([text])[0])

    def features(self, claim: str, context: str) -> dict[str, float]:
        """FEATURES by name, each from 0 to 1 but for the cosine; empty where the claim has no terms. Those of a claim
        of several sentences are the means over its sentences.
        """
        source = self._source(context)
        said = [sentence for sentence in _sentences(claim) if in_order(sentence)]
        # "Yes." says nothing of its own beside other sentences.
        longer = [sentence for sentence in said if len(in_order(sentence)) > 1]
        found = [self._features(sentence, source) for sentence in longer or said]
        return {name: sum(one[name] for one in found) / len(found) for name in FEATURES} if found else {}

    def nearest(self, sentence: str, texts: Sequence[str]) -> int | None:
        """Which of the texts is the nearest in meaning; None where none is near."""
        if not texts:
            return None
        vectors = self._embedder.embed(texts)
        alike = vectors @ self._vector(sentence)
        best = int(alike.argmax())
        return best if alike[best] >= _NEAR else None

    def _features(self, claim: str, source: _Source) -> dict[str, float]:
        order = in_order(claim)
        wanted, counted, named = frozenset(order), numbers(claim, source.dates), names(claim)
        ranked = source.ranked(wanted)
        best = source.text(*ranked[0])
        nearest = next(source.text(*window) for window in ranked if window[1] == 1)
        facts = counted | named
        return {
            "words": source.share(wanted, source.terms),
            "window": source.share(wanted, frozenset(in_order(best))),
            "pairs": _part(frozenset(pairwise(order)), source.pairs, otherwise=0.0),
            "likeness": self._likeness(claim, source, ranked),
            "together": max(_part(facts, has) for has in source.facts),
            "numbers_missing": 1 - _part(counted, source.terms | source.dates),
            "names_missing": 1 - _part(named, source.terms),
            "replaced": float(replaced(claim, nearest)),
            "denied": float(denies(claim) != denies(best)),
        }

    def _likeness(self, claim: str, source: _Source, ranked: Sequence[tuple[int, int]]) -> float:
        single = [window for window in ranked if window[1] == 1][:_BEST]
        texts = {source.text(*window) for window in (ranked[0], *single)}
        return max(float(self._vector(claim) @ self._vector(text)) for text in texts)


class _Source:
    """A text to be checked against: its sentences, and what each of them has."""

    def __init__(self, text: str) -> None:
        self.sentences = _sentences(text)
        ordered = [in_order(sentence) for sentence in self.sentences]
        has = [frozenset(terms) | readings(text) for terms, text in zip(ordered, self.sentences, strict=True)]
        counts = Counter(chain.from_iterable(has))
        self.terms = frozenset(counts)
        self.pairs = frozenset(chain.from_iterable(map(pairwise, ordered)))
        self.dates = frozenset(date.iso for date in dates.find(text))
        self.facts = [terms | numbers(sentence) for terms, sentence in zip(has, self.sentences, strict=True)]
        self._has = has
        self._weights = {term: math.log1p(len(has) / count) for term, count in counts.items()}
        self._unknown = math.log1p(len(has) + 1)

    def text(self, first: int, count: int) -> str:
        return " ".join(self.sentences[first : first + count])

    def share(self, wanted: frozenset[str], has: frozenset[str]) -> float:
        """Share of the weight of the wanted terms that is had."""
        weights = {term: self._weights.get(term, self._unknown) for term in wanted}
        return math.fsum(weights[term] for term in wanted & has) / math.fsum(weights.values())

    def ranked(self, wanted: frozenset[str]) -> list[tuple[int, int]]:
        """All windows as first sentence and count of sentences, the best first."""
        return sorted(self._windows(), key=lambda window: (-self._worth(wanted, *window), window))

    def _windows(self) -> Iterator[tuple[int, int]]:
        for count in range(1, _WIDEST + 1):
            for first in range(len(self.sentences) - count + 1):
                yield first, count

    def _worth(self, wanted: frozenset[str], first: int, count: int) -> float:
        has = frozenset().union(*(terms & wanted for terms in self._has[first : first + count]))
        return self.share(wanted, has) - _WIDER * (count - 1)


def _sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences.spans(text)]


def numbers(text: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """Numbers, and full dates in ISO form; those among `known` need not have their day, month and year found too."""
    found = dates.find(text)
    for date in found:
        if date.iso in known:
            text = text[: date.start] + " " * (date.end - date.start) + text[date.end :]
    return frozenset(term for term in in_order(text) if term[0].isdigit()) | {date.iso for date in found}


def names(text: str) -> frozenset[str]:
    """Terms written with a capital; the first word of a text only where it has more than one, as an abbreviation."""
    words = _WORD.findall(text)
    named = [word for word in words[1:] if word[0].isupper()]
    named += [word for word in words[:1] if sum(character.isupper() for character in word) > 1]
    return frozenset(term for word in named for term in in_order(word) if not term[0].isdigit())


def denies(text: str) -> bool:
    """Whether something in a text is denied."""
    return bool(DENIAL.search(text))


def _part(wanted: frozenset[Any], has: frozenset[Any], otherwise: float = 1.0) -> float:
    """Share of what is wanted that is had; `otherwise` where nothing is wanted."""
    return len(wanted & has) / len(wanted) if wanted else otherwise


def replaced(claim: str, sentence: str) -> bool:
    """Whether, with the two aligned by their terms, one has a number or name where the other has another."""
    said, there = in_order(claim), in_order(sentence)
    has, said_too = frozenset(there) | readings(sentence), frozenset(said) | readings(claim)
    kinds = [(numbers(claim), numbers(sentence)), (names(claim), names(sentence))]
    for what, start, end, begin, stop in SequenceMatcher(None, said, there, autojunk=False).get_opcodes():
        if what == "replace" and end - start <= _PLACE and stop - begin <= _PLACE:
            gone, new = frozenset(said[start:end]), frozenset(there[begin:stop])
            if any((gone & ours) - has and (new & theirs) - said_too for ours, theirs in kinds):
                return True
    return False
