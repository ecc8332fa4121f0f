"""Does a sentence answer the question at all? One that only says the question again is no answer, nor is one without
a number where a number is asked for, nor one about another year than the one asked about. Pure.

A small model that does not find what is asked for says something near it, which may well stand in a source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.dates import MONTHS
from assistant.records import Verdict
from assistant.terms import terms

_AGAIN = 0.6  # share of a question's terms that stand in a sentence which says it again
_BARE = 3  # words of an answer that may be a number alone
_ASKS = re.compile(  # for something that the question does not name
    r"\b(?:what|which|who|whom|whose|when|where|why|how|wer|wen|wem|wann|warum|wieso|welche[mnrs]?|wie|qué|quién(?:es)?|"
    r"cuál(?:es)?|cuándo|dónde|cómo|cuánt[oa]s?|quoi|quel(?:le)?s?|quand|où|pourquoi|combien)\b|[谁誰哪]|什[么麼]|多少|怎",
    re.IGNORECASE,
)
_POLAR = re.compile(  # yes or no
    r"\W*(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)(?:n['’]t)?\b",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\b(?:or|oder|ou|o|vs|versus|between|zwischen|entre)\b|还是|還是|或", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_GLUE = frozenset(
    """a an the is are was were be been being of in on at to for from by with and that this it its as has have had do
    does did because so which who whom whose what when where why how there their they he she his her according source
    sources document documents said say says state states
    """.split()  # noqa: SIM905 - a list of so many quoted words reads worse
)
_EMPTY = terms(" ".join(_GLUE))
_HOW_MANY = re.compile(r"\bhow many (?:of the |different |more |other )*(?P<what>[^\W\d_]+)", re.IGNORECASE)
_SHARE = re.compile(r"\b(?:what|which) (?:share|percentage|proportion|fraction|per ?cent)\b", re.IGNORECASE)
_A_SHARE = re.compile(
    r"%|\b(?:per ?cent|percentage|half|halves|thirds?|quarters?|fifths?|tenths?|majority|minority|most|all|none|no|"
    r"whole|entire|one in|out of)\b|\d\s*/\s*\d|\b0[.,]\d",
    re.IGNORECASE,
)
_SOME = re.compile(  # how many, without a number
    r"\b(?:no|none|nobody|nothing|never|single|one|both|all|every|each|several|many|few|some|most|dozens?|hundreds|"
    r"thousands|millions|billions|couple|pair|half|twice|once|numerous|multiple|various|countless|infinite(?:ly)?)\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_MONTH = "|".join(MONTHS)
_IN_YEAR = re.compile(  # "in 2019", but neither "since 2019" nor "the 2019 election"
    r"\b(?:in|during|im|en|em|nel)\s+(?:the year |year |jahr |el año |early |late |mid-?)?"
    rf"(?:(?:{_MONTH})(?: \d{{1,2}}(?:st|nd|rd|th)?)?,? (?:of )?)?(?P<year>[12]\d{{3}})(?![\d.,/–%-]*\d|s\b|%)"
    r"|(?P<chinese>[12]\d{3})\s?年(?!以|之?[前后後]|[至到起])",
    re.IGNORECASE,
)
_YEAR = re.compile(  # "in 2019", but neither "since 2019" nor "the 2019 election"
    rf"(?:\b(?:in|of|for|during|im|en|em|nel|del?)\s+(?:the year |year |jahr |el año |early |late |mid-?)?"
    rf"(?:(?:{_MONTH})(?: \d{{1,2}}(?:st|nd|rd|th)?)?,? (?:of |de )?)?)(?P<year>[12]\d{{3}})(?![\d.,%-]*\d|s\b|%)"
    r"|(?P<chinese>[12]\d{3})\s?年",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<![\d.,])[12]\d{3}(?![.,]?\d|%)")
_POWER = r"(?:[kMGT]?Wh?|[kMG]?Hz|[kMGT]i?B)"
_MEASURE = re.compile(r"(?:watts?|hertz|bytes?|watt-?hours?|[kMGT]?Wh?|[kMG]?Hz|[kMGT]i?B)$")
_UNIT = r"(?:[kMGT]?W|[kMG]?Hz|[kMGT]i?B|[kcm]?m|[km]?g|°C|%)"


class Pertinence:
    """What the sentences of one answer are held against, in their order."""

    def __init__(self, question: str) -> None:
        self._terms = terms(question)
        self._words = _words(question)
        asks = bool(_ASKS.search(question)) and not _POLAR.match(question)
        self._open = asks and not _CHOICE.search(question)
        self._many = _HOW_MANY.search(question) if asks else None
        self._share = asks and bool(_SHARE.search(question))
        self._year = _year(question)
        self._given: list[str] = []  # sentences that have the number

    def fits(self, sentence: str, passages: Sequence[str] = (), failed: Sequence[str] = ()) -> bool:
        """Whether a sentence may be an answer, or stand beside one: once a number is given, others need none, unless
        the sentence that gave it is among the `failed`.

        `passages` are what carries the sentence, each with what is known of its document: another year than the one
        asked about is no answer where none of them speaks of that one.
        """
        if self._open and self._repeats(sentence):
            return False
        if self._year and passages and self._is_of_another_year(sentence, passages):
            return False
        self._given = [one for one in self._given if not any(one in text for text in failed)]
        if not self._given and not self._has_number(sentence):
            return False
        self._given.append(sentence)
        return True

    def _has_number(self, sentence: str) -> bool:
        """Whether it has one where one is asked for."""
        if self._share and not _A_SHARE.search(sentence) and len(sentence.split()) > _BARE:
            return False
        return not self._many or self._counts(sentence, self._many["what"])

    def _repeats(self, sentence: str) -> bool:
        """Whether it says the question again, and adds nothing. A few words of the question may be its answer."""
        said = terms(sentence) - _EMPTY
        again = said <= self._terms and len(said) >= _AGAIN * len(self._terms - _EMPTY)
        added = _words(sentence) - self._words - _GLUE
        return again and not any(not terms(word) or terms(word) - self._terms for word in added)

    def _is_of_another_year(self, sentence: str, passages: Sequence[str]) -> bool:
        years = set(_YEAR.findall(sentence))
        return bool(years) and not any(self._year in _YEAR.findall(text) for text in (sentence, *passages))

    def _counts(self, sentence: str, what: str) -> bool:
        """Whether it gives a number that is not the question's, nor a rank, nor a measure: "500 MW turbines"."""
        bare = re.sub(rf"\d[\d.,]*\s*{_UNIT}\s+{re.escape(what)}\b", "", sentence)
        if not _MEASURE.search(what):
            bare = re.sub(rf"\d[\d.,]*\s*{_POWER}\b", "", bare)
        numbers = {term for term in terms(_ORDINAL.sub("", bare)) if term[0].isdigit()}
        return bool(numbers - self._terms) or bool(_SOME.search(bare))


class NoAnswer:
    """The check of a sentence that answers nothing."""

    done = True

    def verdict(self) -> Verdict:
        return "unsupported"


def _year(question: str) -> str | None:
    """The year that a question asks about, where it names one alone."""
    asked = [match["year"] or match["chinese"] for match in _IN_YEAR.finditer(question)]
    return asked[0] if len(asked) == 1 and set(_YEAR.findall(question)) == {asked[0]} else None


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))
