"""Who says what an answer says, where its source reports it as somebody's words and the answer does not. Pure.

A model that is asked to name who says it often does not; so what a ministry claims would stand as a fact. Only English
forms are known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant import sentences
from assistant.terms import readings, terms

_CARRIED = 0.5  # share of a sentence's terms that the reported words have
_LONGEST = 60  # characters of who says it
_BACK = 3  # sentences in which somebody may be named who is only "she" or quoted after that
_VERBS = (
    r"(?:(?:has|have|had|also|later|further)\s+)*(?:said|says|noted|notes|stated|states|told|added|adds|announced|claimed|"
    r"claims|argued|argues|warned|warns|stressed|stresses|emphasi[sz]ed|emphasi[sz]es|explained|explains|insisted|insists|"
    r"reiterated|remarked|declared|pointed out|points out|believes|believed)\b"
)
_SHOWS = (  # what they have for an object need not be words: "wrote that", not "wrote a book"
    r"(?:observed|observes|highlighted|highlights|reported|reports|wrote|writes|confirmed|confirms|admitted|admits|"
    r"acknowledged|acknowledges|revealed|reveals|estimated|estimates|predicted|predicts|concluded|concludes|suggested|"
    r"suggests|described|put)\b"
)
_NAME = r"(?:[A-Z][\w'’-]*\.?\s+){0,5}[A-Z][\w'’-]*"
_OFFICE = (
    r"(?<!of )[Tt]he\s+(?:company|ministry|government|agency|report|study|authors?|police|court|bank|union|group|"
    r"university|spokes(?:person|man|woman)|minister|president|commission|committee|firm|manufacturer|association|"
    r"institute|party)"
)
_SAYS = re.compile(
    rf"(?<![\w'’-])(?P<who>{_NAME}|{_OFFICE}|s?he|they|it)\s+"
    rf"(?:{_VERBS}(?:\s+[a-z]+){{0,2}}?,?\s*(?:that\b)?|{_SHOWS}(?:\s+[a-z]+){{0,2}}?\s+that\b)"
)
_SAID_BY = re.compile(rf"[,!?][”’\"']\s+{_VERBS}\s+(?P<who>{_NAME}|{_OFFICE})(?=[\s,.;(]|$)")  # “...,” said Jane Doe
_QUOTED = re.compile(r"[“\"](?P<said>[^”\"]+)[”\"]?")
_SOMEBODY = re.compile(r"[A-Z][\w'’-]+ [A-Z][\w'’-]+")
_ACCORDING = re.compile(
    rf"\b(?:[Aa]ccording to|[Aa]s (?:\w+ly )?(?:{_VERBS}|{_SHOWS}) by) "
    rf"(?P<who>(?:the |an? )?[^,.;:()\n]{{2,{_LONGEST}}}?)(?=[,.;:()\n]|$)"
)
_TOLD = re.compile(rf"\b(?:according to|{_VERBS})", re.IGNORECASE)
_OPENERS = frozenset(
    """On In At Yesterday Today However Meanwhile But And Also Earlier Later Moreover Then Still When While As After
    Before Since For Instead Recently Now Thus So
    """.split()  # noqa: SIM905 - a list of so many quoted words reads worse
)
_PRONOUNS = frozenset(
    """He She It They We I You Who This That These Those There What
    """.split()  # noqa: SIM905 - as above
)


def attributed(sentence: str, quote: str, before: Sequence[str], above: str = "") -> str:
    """The sentence with ", according to ..." at its end, where the source quotes somebody for it who is named neither
    in it nor in the sentences before; else the sentence.

    `above` is what stands before the quote in its passage: who is "she" there is named.
    """
    if not sentence.endswith(".") or _TOLD.search(sentence):
        return sentence
    who = speaker(sentence, quote, above)
    named = terms(" ".join([sentence, *before]))
    return f"{sentence[:-1]}, according to {who}." if who and not terms(who) & named else sentence


def speaker(sentence: str, quote: str, above: str = "") -> str | None:
    """Who the quote gives as saying what the sentence says; None where it is nobody, or nobody knows who."""
    wanted = terms(sentence)
    earlier = _parts(above)
    for part in _parts(quote):
        for match in _matches(part):
            if any(_carries(reported, wanted) for reported in _reported(part, match)):
                pronoun = match["who"].capitalize() in _PRONOUNS
                who = _last_named(earlier) if pronoun else _name(match["who"])
                if who:
                    return _in_full(who, earlier)
        quoted = _QUOTED.fullmatch(part)
        if quoted and _carries(quoted["said"], wanted) and (who := _last_named(earlier)):
            return _in_full(who, earlier)
        earlier.append(part)
    return None


def _last_named(earlier: Sequence[str]) -> str | None:
    """Who spoke last, where nobody else is named since: who is meant by "he said", or by a quotation that goes on."""
    for part in reversed(earlier[-_BACK:]):
        named = [who for match in _matches(part) if (who := _name(match["who"]))]
        if named or _SOMEBODY.search(part):
            return named[-1] if len(named) == 1 else None
    return None


def _in_full(who: str, earlier: Sequence[str]) -> str:
    """The name as it was when it came first: Mao Ning, who is Mao after that."""
    named = (_name(match["who"]) or "" for part in earlier for match in _matches(part))
    return next((full for full in named if who in full.split()), who)


def _matches(part: str) -> list[re.Match[str]]:
    return [match for form in (_SAYS, _SAID_BY, _ACCORDING) for match in form.finditer(part)]


def _parts(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences.spans(text)]


def _carries(reported: str, wanted: frozenset[str]) -> bool:
    """Whether somebody's words have most of the terms, and all numbers: nobody is to answer for another's figure."""
    has = terms(reported)
    figures = {term for term in wanted if term[0].isdigit()}
    return len(wanted & has) >= max(_CARRIED * len(wanted), 1) and figures <= has | readings(reported)


def _reported(part: str, match: re.Match[str]) -> list[str]:
    """What may be reported: all behind "X said that"; what stands before ", X said" or around "according to X"."""
    before, after = part[: match.start()].rstrip(), part[match.end() :]
    if match.re is not _SAYS:
        return [f"{before} {after}" if match.re is _ACCORDING else before]
    return [after, before] if before.endswith((",", "”", '"')) else [after]


def _name(who: str) -> str | None:
    words = who.split()
    while words and words[0] in _OPENERS:
        words = words[1:]
    if not words or words[0].capitalize() in _PRONOUNS or not any(map(str.isalpha, words[-1])):
        return None
    return " ".join(["the" if words[0] == "The" else words[0], *words[1:]])
