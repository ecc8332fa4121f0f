"""Where a source says otherwise than an answer, in the same words. Pure: no model is asked.

Two sentences disagree when one says all that the other says, in the same words, but for one number. So it finds a
figure that two reports give differently. One figure that is written in two ways (rounded, in thousands, by another
clock) is no disagreement. An answer is refuted by another number, by its own numbers in each other's place, and by a
"not" that only one of the two has. A contradiction in other words it does not see, nor another name in the same words:
that may be another person who says the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from assistant import dates, sentences
from assistant.cite import Candidate
from assistant.evidence import DENIAL, numbers, replaced
from assistant.numerals import scaled, significant
from assistant.sentences import ITEM
from assistant.terms import in_order, readings, terms

_LEAST = 3  # terms besides the number; a frame of fewer words fits too much
_MORE = 8  # of them, for each of which a source may have one word more and still speak of the same
_TOLD = 0.5  # share of them beside which a sentence tells the same
_YEARS = range(1000, 2200)
_YEAR_DIGITS = 4
_SCALE = 1000  # of thousands, millions and 万: by this or more, written beside the number or in its zeros
_TELLING = 2  # digits of a number, without which another may have them by chance
_LARGE = 5  # digits of one that is written out
_CLOSE = 0.05  # a number rounded by more than this share tells something else: 10 is not 12, 30% not 32%
_CLOCK = re.compile(r"\d:\d\d")
_LABEL = re.compile(r"(?:(?P<before>[^\s.!?:]+) )?(?P<word>[^\W\d_]*[A-Z][^\W\d_]*)[ -](?P<number>\d+)\b")
_COUNTS = re.compile(  # with a capital at the beginning of a sentence, and the number is none of a name
    r"about|around|some|over|under|nearly|almost|only|exactly|approximately|roughly|just|more|fewer|up|than|at|least|most|"
    r"of|by|in|on|from|between|these|those|the|all|another|etwa|rund|mehr|fast|unter|über|unos|unas|cerca|environ|près",
    re.IGNORECASE,
)
_PLACED = re.compile(r"in|at|from|near|across|en|à|aus|bei|de", re.IGNORECASE)  # "In Germany 12 miners": a place
_NUMBERED = re.compile(
    r"terminal|phase|chapter|section|article|unit|group|line|route|building|block|room|level|stage|type|model|version|"
    r"series|figure|table|part|page|volume|flight|gate|platform|district|zone|class|grade|category|team|round|week|day|"
    r"paragraph|item|question|step|lot|site|highway|number|no|kapitel|artikel|abschnitt|capítulo|artículo|chapitre",
    re.IGNORECASE,
)
_ONCE = re.compile(  # what happens to a thing once, so that its year does not change
    r"\b(?:founded|established|born|died|invented|discovered|incorporated|built|gegründet|geboren|gestorben|erfunden|"
    r"fundad[ao]|nacid[ao]|nació|murió|fondée?|née?|mort)\b",
    re.IGNORECASE,
)
_NOT_DENIED = re.compile(  # "not only", "no later than": nothing is denied, or not what follows
    r"\W*(?:only|just|merely|least|until|yet|more|less|fewer|later|earlier|longer|doubt|matter|nur|solo|sólo|seulement)\b",
    re.IGNORECASE,
)
_AUXILIARIES = terms(
    "do does did don't doesn't didn't isn't aren't wasn't weren't won't can't couldn't wouldn't shouldn't hasn't "
    "haven't hadn't"
)
_LIST = re.compile(r"\d[\s%]*(?:[,;/、]|and\b|or\b|und\b|y\b|et\b|和|或)\s*(?:and\s+|or\s+)?\d", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:.!?()]|\b(?:but|and|or|which|that|who|aber|und|dass|pero|que|mais|et)\b", re.IGNORECASE)


def disagreeing(sentence: str, carried_by: Sequence[Candidate], candidates: Iterable[Candidate]) -> Candidate | None:
    """The first sentence of another document that gives another number than the sentence does, None without one.

    `carried_by` are the spans that support the sentence: their documents agree with it. Another year is none, as
    things change but for what happens once, nor another number that is a part of a name.
    """
    agreeing = {candidate.hit.chunk.document_id for candidate in carried_by}
    for candidate in candidates:
        if (
            candidate.hit.chunk.document_id not in agreeing
            and not candidate.joined
            and _disagree(sentence, candidate.quote)
            and _comparable(sentence, candidate.quote)
        ):
            return candidate
    return None


def refuted(sentence: str, texts: Sequence[str]) -> bool:
    """Whether the texts say otherwise than the sentence in its own words, and nowhere what it says."""
    sentence = ITEM.sub("", sentence)
    if _rescaled(sentence, texts):
        return True
    parts = [[text[span.start : span.end] for span in sentences.spans(text)] for text in texts]
    return _other_number(sentence, parts, texts) or any(
        any(rule(sentence, part) for one in parts for part in one)
        and not any(_says(sentence, part) and not rule(sentence, part) for one in parts for part in one)
        for rule in (_exchanged, _denied)
    )


def _rescaled(sentence: str, texts: Sequence[str]) -> bool:
    """Whether the sentence has a number of millions or the like with the digits of one that the texts have, but of
    another size, 2.5亿 for 2.5 billion, and no text has its value. So it goes wrong between languages, where words
    tell nothing.
    """
    whole = "\n".join(texts)
    has = terms(whole) | readings(whole)
    there = {digits for digits, _ in scaled(whole)} | {significant(term) for term in has if len(term) >= _LARGE}
    return any(
        len(digits) >= _TELLING and digits in there and has.isdisjoint(values) for digits, values in scaled(sentence)
    )


def _other_number(sentence: str, parts: Sequence[Sequence[str]], texts: Sequence[str]) -> bool:
    """Whether the texts give another number than the sentence does, and none gives its own: not beside the other one,
    not as the year of a date, not in a sentence with half of the sentence's words.
    """
    said, frame = _figures(sentence), _frame(sentence)
    if not said or len(frame) < _LEAST:
        return False
    years = {date.iso[:4] for text in texts for date in dates.find(text)}
    # a day of a month is told by a date, another number is not
    given = _has if any(map(dates.is_month, sentence.split())) else _figures
    telling = [given(part) for one in parts for part in one if len(frame & terms(part)) >= _TOLD * len(frame)]
    for one in parts:
        for at, part in enumerate(one):
            if _disagree(sentence, part):
                strange = said - _has(part)
                beside = frozenset[str]().union(years, *map(given, one[max(at - 1, 0) : at + 2]))
                if not any(strange <= has for has in (beside, *telling)):
                    return True
    return False


def _says(sentence: str, other: str) -> bool:
    """Whether the other has all words and numbers of the sentence."""
    return _stated(sentence) <= terms(other) | readings(other)


def _exchanged(sentence: str, other: str) -> bool:
    """Whether the other has all that the sentence says, its words in the same order but its numbers in another: 2019's
    figure for 2024. A year and its figure may be told before another pair of them.
    """
    order, there = in_order(sentence), in_order(other)
    said = [term for term in order if term[0].isdigit()]
    told = [term for term in there if term in said]
    words, own = [[term for term in one if not term[0].isdigit()] for one in (order, there)]
    if len(said) < 2 or len(set(said)) < len(said) or sorted(said) != sorted(told) or not words:
        return False
    rest = iter(own)
    if said == told or not all(word in rest for word in words):
        return False
    years = [number for number in said if _is_year(number)]
    if 2 * len(years) != len(said):
        return (not years or len(years) == len(said)) and not _LIST.search(sentence)
    return _couples(said) != _couples(told)


def _couples(numbers: Sequence[str]) -> set[frozenset[str]]:
    return {frozenset(numbers[at : at + 2]) for at in range(0, len(numbers), 2)}


def _denied(sentence: str, other: str) -> bool:
    """Whether the other has all that the sentence says, and one of them denies what the other says of it."""
    wanted = _stated(sentence)
    if len(wanted) < _LEAST or not wanted <= terms(other) | readings(other):
        return False
    ours, theirs = _denials(sentence), [told for told in _denials(other) if told in wanted]
    if ours and not theirs:  # a source may deny in words of its own: "refused to"
        return len(_stated(other) - wanted) <= len(wanted) // _MORE
    return bool(theirs) and not ours


def _denials(text: str) -> list[str]:
    """Of each "not" the term that follows it in its clause, or else the one before."""
    found: list[str] = []
    for match in DENIAL.finditer(text):
        if not _NOT_DENIED.match(text, match.end()):
            after = in_order(_CLAUSE.split(text[match.end() :], maxsplit=1)[0])
            found += after[:1] or in_order(_CLAUSE.split(text[: match.start()])[-1])[-1:]
    return found


def _stated(text: str) -> frozenset[str]:
    """The terms of a text but for what denies."""
    return terms(text) - _AUXILIARIES - terms(" ".join(match[0] for match in DENIAL.finditer(text)))


def _frame(text: str) -> frozenset[str]:
    """The terms of a text beside its numbers and the parts of its dates."""
    dated = frozenset(term for date in dates.find(text) for term in terms(text[date.start : date.end]))
    return frozenset(term for term in terms(text) - dated if not term[0].isdigit())


def _figures(text: str) -> frozenset[str]:
    """Its numbers, each full date being one."""
    return numbers(text, frozenset(date.iso for date in dates.find(text)))


def _has(text: str) -> frozenset[str]:
    """All numbers that it may be said to give."""
    return numbers(text) | readings(text)


def _disagree(sentence: str, other: str) -> bool:
    """Whether the other says all that the sentence says but for one number, and has another one in its place."""
    said, there = _figures(sentence) - _has(other), _figures(other) - _has(sentence)
    frame = _frame(sentence)
    return (
        len(said) == len(there) == 1
        and len(frame) >= _LEAST
        and frame <= terms(other)
        and not (_CLOCK.search(sentence) and _CLOCK.search(other))
        and not _same(*said, *there)
        and replaced(sentence, other)
    )


def _comparable(sentence: str, other: str) -> bool:
    """Whether two sentences that disagree can hardly both be true: the other says little more, which might be why."""
    frame = _frame(sentence)
    differing = [*(_figures(sentence) - _has(other)), *(_figures(other) - _has(sentence))]
    once = bool(_ONCE.search(sentence) and _ONCE.search(other))
    return (
        len(_frame(other) - frame) <= len(frame) // _MORE
        and not (_labels(sentence) | _labels(other)).intersection(differing)
        and (once or not all(map(_is_year, differing)))
    )


def _labels(text: str) -> frozenset[str]:
    """Numbers that are a part of a name: Terminal 2, Chang'e-6; not of "About 12", "March 5" or "In Germany 12"."""
    return frozenset(
        match["number"]
        for match in _LABEL.finditer(text)
        if _NUMBERED.fullmatch(match["word"])
        or not (
            _COUNTS.fullmatch(match["word"])
            or dates.is_month(match["word"])
            or _PLACED.fullmatch(match["before"] or "")
        )
    )


def _same(said: str, there: str) -> bool:
    """Whether two numbers may stand for one value: 1.50 and 1.5; 49 and 49.3, 190 and 193, rounded; 2.1 (million) and
    2,103,000, or 1.500 and 1,500, by a power of ten.
    """
    try:
        one, other = float(said), float(there)
    except ValueError:  # a date
        return False
    if not one or not other or math.inf in (one, other):
        return one == other
    power = round(math.log10(other / one)) if abs(math.log10(other / one)) >= math.log10(_SCALE) - 0.5 else 0
    return _rounds(said, other / 10**power) or _rounds(there, one * 10**power)


def _rounds(number: str, value: float) -> bool:
    """Whether the number is the value, rounded as it is: to its decimals, or to its zeros if it is no year."""
    digits = number.partition(".")[2]
    zeros = 0 if digits or _is_year(number) else len(number) - len(number.rstrip("0"))
    unit = 10.0 ** (-len(digits) if digits else zeros)
    return abs(float(number) - value) <= unit / 2 and abs(float(number) - value) <= _CLOSE * value


def _is_year(number: str) -> bool:
    return number.isdigit() and len(number) == _YEAR_DIGITS and int(number) in _YEARS
