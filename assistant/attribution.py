"""Who says what an answer says, where its source reports it as somebody's words and the answer does not. Pure.

A model that is asked to name who says it often does not; so what a ministry claims would stand as a fact. Only English
forms are known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant import sentences
from assistant.dates import MONTHS
from assistant.names import is_outlet, is_person
from assistant.terms import readings, terms

_CARRIED = 0.5  # share of a sentence's terms that the reported words have
_LONGEST = 60  # characters of who says it
_BACK = 3  # neighbouring sentences of one speaker, of which the first names who is "she" in the last
_SAY = (
    r"(?:said|says|noted|notes|stated|states|told|added|adds|announced|claimed|claims|argued|argues|warned|warns|"
    r"stressed|stresses|emphasi[sz]ed|emphasi[sz]es|explained|explains|insisted|insists|reiterated|remarked|declared|"
    r"pointed out|points out|believes|believed)\b"
)
_VERBS = rf"(?:(?:has|have|had|also|later|further)\s+)*{_SAY}"
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
    rf"(?<![\w'’-])(?P<who>{_NAME}|{_OFFICE}|s?he|it)\s+"
    rf"(?:{_VERBS}(?:\s+[a-z]+){{0,2}}?,?\s*(?:that\b)?|{_SHOWS}(?:\s+[a-z]+){{0,2}}?\s+that\b)"
)
_SAID_BY = re.compile(  # “...,” said Jane Doe
    rf"[,!?][”’\"']\s+{_SAY}\s+(?P<who>{_NAME}|{_OFFICE})"
    r"(?=\s*[,.;:(“\"]|\s+(?:who|in|on|at|as|during|after|before|when|while|and|but)\b|\s*$)"
)
_ACCORDING = re.compile(
    rf"\b(?:[Aa]ccording to|[Aa]s (?:\w+ly )?(?:{_VERBS}|{_SHOWS}) by) "
    rf"(?P<who>(?:the |an? |(?:Dr|Mrs?|Ms|Prof|St)\. )?[^,.;:()\n]{{2,{_LONGEST}}}?)(?=[,.;:()\n]|$)"
)
_QUOTED = re.compile(r"[“\"](?P<said>[^”\"?]+)[”\"]")
_SOMEBODY = re.compile(r"(?<!\w)[A-Z][\w'’-]+ [A-Z][\w'’-]+")
_NAMED = re.compile(r"\w\W+[A-Z]\w")  # a capital that does not begin it
_TOLD = re.compile(rf"\b(?:according to|{_SAY})", re.IGNORECASE)
_NOT_THEIRS = re.compile(r"\b(?:of|for|and|or)\s+$")  # "The Bank of England said": England is not who
_WHEN = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|" + "|".join(MONTHS), re.IGNORECASE)
_OPENERS = frozenset(
    """On In At Yesterday Today However Meanwhile But And Also Earlier Later Moreover Then Still When While As After
    Before Since For Instead Recently Now Thus So
    """.split()  # noqa: SIM905 - a list of so many quoted words reads worse
)
_NOBODY = frozenset(  # nor is who "might have said"
    """He She It They We I You Who This That These Those There What Her Him Them Us Me Which Whom Nobody None No Some
    Few Many Most Others Everyone Everybody Someone Somebody Anyone People If Had Whether Unless Did Does Has Dr Mr Mrs
    Ms Prof St
    """.split()  # noqa: SIM905 - as above
)
_MANY = frozenset(
    """Experts Officials Analysts Critics Scientists Researchers Authorities Economists Police Doctors Residents
    """.split()  # noqa: SIM905 - as above
)


def attributed(sentence: str, quote: str, before: Sequence[str], above: str = "") -> str:
    """The sentence with ", according to ..." at its end, where the source quotes somebody for it who is named neither
    in it nor in the sentences before; else the sentence. `above` is what stands before the quote in its passage.
    """
    if not sentence.endswith(".") or _TOLD.search(sentence):
        return sentence
    who = speaker(sentence, quote, above)
    named = terms(" ".join([sentence, *before]))
    return f"{sentence[:-1]}, according to {who}." if who and not terms(who) & named else sentence


def speaker(sentence: str, quote: str, above: str = "") -> str | None:
    """Who the quote gives as saying what the sentence says; None where it is nobody, or not clear who."""
    wanted, text = terms(sentence), above + quote
    earlier: list[str] = []
    end = 0
    for span in sentences.spans(text):
        part = text[span.start : span.end]
        if span.end > len(above):
            for match in _matches(part):
                if any(_carries(reported, wanted) for reported in _reported(part, match)) and (
                    who := _who(match, earlier)
                ):
                    return who
            quoted = _QUOTED.fullmatch(part)
            if quoted and "\n" not in text[end : span.start] and _carries(quoted["said"], wanted):
                return _last(earlier)
        earlier.append(part)
        end = span.end
    return None


def _who(match: re.Match[str], earlier: Sequence[str]) -> str | None:
    """The name, in full; for "he", "she" and "it" that of the last speaker, where it can be."""
    if match["who"].lower() not in ("he", "she", "it"):
        name = _name(match["who"])
        return _in_full(name, earlier) if name else None
    beginning = _QUOTED.sub("", match.string[: match.start()])
    last = None if _NAMED.search(beginning) or _SOMEBODY.search(beginning) else _last(earlier)
    return last if last and is_person(last) == (match["who"].lower() != "it") else None


def _last(earlier: Sequence[str]) -> str | None:
    """Who speaks in the last of these sentences; None where none is named there, or somebody else too."""
    for part in reversed(earlier[-_BACK:]):
        matches = _matches(part)
        named = [match for match in matches if _name(match["who"])]
        if not matches or len(named) > 1:
            return None
        if named:
            others = _SOMEBODY.search(_QUOTED.sub("", part[named[0].end() :]))
            return None if others else _who(named[0], earlier)
    return None


def _in_full(who: str, earlier: Sequence[str]) -> str:
    """A person's name as it was when it came first: Mao Ning, who is Mao after that."""
    named = {_name(match["who"]) or "" for part in earlier for match in _matches(part)}
    full = [name for name in named if is_person(name) and not is_outlet(name) and who in name.split()]
    return full[0] if len(full) == 1 else who


def _matches(part: str) -> list[re.Match[str]]:
    found = (match for form in (_SAYS, _SAID_BY, _ACCORDING) for match in form.finditer(part))
    return [match for match in found if not _NOT_THEIRS.search(part[: match.start("who")])]


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
    opener = ""
    while words and words[0] in _OPENERS:
        opener, *words = words
    if opener in ("On", "In", "At"):
        dated = [word for word in words if not _WHEN.fullmatch(word)]
        if dated == words:  # a place, and nobody knows where its name ends
            return None
        words = dated
    if not words or words[0].capitalize() in _NOBODY or not any(map(str.isalpha, words[-1])):
        return None
    lower = words[0] == "The" or words[0] in _MANY
    return " ".join([words[0].lower() if lower else words[0], *words[1:]])
