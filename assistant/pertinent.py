"""Does a sentence answer the question at all? One that only says the question again is no answer, nor is one without
a number where a number is asked for, nor one about another year than the one asked about. Pure.

A small model that does not find what is asked for says something near it, which may well stand in a source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

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
_MONTH = rf"(?:{'|'.join(MONTHS)})"
_YEAR = r"(?:1[4-9]|20|21)\d\d(?![\d.,/–%-]*\d|s\b|%)"
_IN = r"\b(?:[Ii]n|[Dd]uring|[Ii]m|[Ee]n|[Ee]m|[Nn]el)"
_IN_YEAR = re.compile(  # "in 2019" or "2019年", but neither "since 2019" nor "the 2019 election"
    rf"{_IN} (?:(?:the )?year |Jahre? |el año |{_MONTH} (?:\d{{1,2}},? |of )?)?(?P<year>{_YEAR})(?! words\b)"
    rf"|(?<![从從自至到])(?P<cjk>{_YEAR}) ?[年년](?!以|之?[前后後]|[至到起开開か])"
)
_OTHER_TIMES = re.compile(  # what such a question asks about may be of another year than the one it names
    r"\b(?:since|after|before|until|till|by|from|between|than|following|later|when|years?|how long|dates?|seit|nach|"
    r"vor|bis|wann|ab|desde|después|antes|hasta|cuándo|año|depuis|après|avant|quand)\b|[何几哪][时時年]|什么时候|[前后後]",
    re.IGNORECASE,
)
_UNIT = r"(?:[kMGT]?W|[kMG]?Hz|[kMGT]i?B|[kcm]?m|[km]?g|°C|%)"

Carrying = Callable[[str], Sequence[str]]


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

    def fits(self, sentence: str, carrying: Carrying | None = None, failed: Sequence[str] = ()) -> bool:
        """Whether a sentence may be an answer, or stand beside one: once a number is given, others need none, unless
        the sentence that gave it is among the `failed`.

        `carrying` gives what carries the sentence, each with what is known of its document: what tells of another year
        than the one asked about is no answer where none of them speaks of that one.
        """
        if self._open and self._repeats(sentence):
            return False
        if self._year and carrying and self._is_of_another_year(sentence, carrying):
            return False
        self._given = [one for one in self._given if not any(one in text for text in failed)]
        has_number = self._has_number(sentence)
        self._given += [sentence] if has_number else []
        return has_number or bool(self._given)

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

    def _is_of_another_year(self, sentence: str, carrying: Carrying) -> bool:
        if not _IN_YEAR.search(sentence) or self._speaks_of_it(sentence):
            return False
        passages = carrying(sentence)
        return bool(passages) and not any(map(self._speaks_of_it, passages))

    def _speaks_of_it(self, text: str) -> bool:
        """Whether a text has the year that is asked about, be it as 2018/19 or FY19."""
        year = self._year or ""
        short = rf"[/'’–-]{year[2:]}(?!\d)|\bFY ?{year[2:]}(?!\d)"
        return bool(re.search(rf"(?<!\d){year}(?!\d)|{short}", unicodedata.normalize("NFKC", text)))

    def _counts(self, sentence: str, what: str) -> bool:
        """Whether it gives a number that is not the question's, nor a rank, nor a measure: "500 MW turbines"."""
        bare = re.sub(rf"\d[\d.,]*\s*{_UNIT}\s+{re.escape(what)}\b", "", sentence)
        numbers = {term for term in terms(_ORDINAL.sub("", bare)) if term[0].isdigit()}
        return bool(numbers - self._terms) or bool(_SOME.search(bare))


class NoAnswer:
    """The check of a sentence that answers nothing."""

    done = True

    def verdict(self) -> Verdict:
        return "unsupported"


def _year(question: str) -> str | None:
    """The year that a question asks about, where it names one alone."""
    asked = [match["year"] or match["cjk"] for match in _IN_YEAR.finditer(question)]
    alone = len(asked) == 1 and len(set(re.findall(rf"(?<!\d){_YEAR}", question))) == 1
    return asked[0] if alone and not _OTHER_TIMES.search(question.replace(f"year {asked[0]}", "")) else None


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))
