"""One way of writing each number, so that equal values are equal texts: 2,500, 2'500, 2.5 thousand, two thousand five
hundred. Pure.

A number may be read in two ways (1.200 is one and a fifth, or twelve hundred): `rewrite` takes the reading of English,
`readings` gives the others, which a source may mean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:[\u00a0\u2009\u202f'’]\d{3})+(?!\d)")  # 1 200 000; 1'200'000
_SPACED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?![\d.,]*\d)")
_COMMAS = re.compile(r"[1-9]\d{0,2}(?:,\d\d\d?)*,\d{3}(?:\.\d+)?")  # 2,500; 12,34,567 in India
_DOTS = re.compile(r"[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}")  # 1.234,5 and 1.234.567
_DOT = re.compile(r"(?<![\d.,])[1-9]\d{0,2}\.\d{3}(?!\d|[.,]\d)")  # either
_WHOLE = re.compile(r"(\d+)\.0+")
_LONGEST = 20  # digits of a number that is multiplied; what has more counts nothing, and would be rounded or refused

_SCALES = {
    "hundred": 100,
    "dozen": 12,
    "thousand|tausend|tsd|mil|mille|千": 1000,
    "万|萬": 10**4,
    "lakh": 10**5,
    "million|millions|mio|mn|millionen|millón|millones|milhão|milhões|milione|milioni|百万": 10**6,
    "crore": 10**7,
    "亿|億": 10**8,
    "billion|billions|bn|mrd|milliarde|milliarden|milliard|milliards|miliardo|miliardi|bilhão|bilhões": 10**9,
    "mil millones": 10**9,
    "trillion|trillions|tn|万亿|萬億": 10**12,
}
_SCALE = {name: value for names, value in _SCALES.items() for name in names.split("|")}
_LETTERS = {"k": 1000, "m": 10**6, "b": 10**9}
_NUMBER = r"\d+(?:[.,]\d+)*"
_LONGEST_FIRST = "|".join(sorted(_SCALE, key=len, reverse=True))
_SCALED = re.compile(
    rf"(?P<number>{_NUMBER})[\s-]?(?P<scale>{_LONGEST_FIRST})(?![^\W\d_\u3400-\u9fff])", re.IGNORECASE
)
_MONEY = re.compile(rf"(?<=[$€£¥])\s?(?P<number>{_NUMBER})\s?(?P<letter>[kmb])\b", re.IGNORECASE)

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_UNITS = {word: n for n, word in enumerate(f"{_SMALL} eighteen nineteen".split())}
_TENS = {
    word: n * 10
    for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_BIG = {"thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_FIRST = "|".join((*_UNITS, *_TENS))
_COUNTING = "|".join((_FIRST, *_BIG, "hundred", "dozen"))
_WORDED = re.compile(
    rf"(?<!\d[\s-])\b(?:{_FIRST}|an?\s+(?:hundred|dozen|{'|'.join(_BIG)}))"
    rf"(?:(?:-|\s+(?:and\s+)?)(?:{_COUNTING}))*\b(?!['’])",
    re.IGNORECASE,
)
# "one" counts nothing in "one of them", "the one", "one another"
_NO_COUNT = re.compile(r"\s+(?:of|another|day|that|who|which|or|thing|way|hand|side)\b", re.IGNORECASE)
_ONE_SUCH = re.compile(r"\b(?:no|the|this|that|any|every|each|some|which|another|only)[\s-]+$", re.IGNORECASE)


def rewrite(text: str) -> str:
    """The text with each number in digits, times the million or 万 that follows it."""
    text = _WORDED.sub(lambda match: _in_digits(text, match), text)
    text = _MONEY.sub(lambda match: " " + _times(match["number"], _LETTERS[match["letter"].lower()]), text)
    return _SCALED.sub(lambda match: _times(match["number"], _SCALE[match["scale"].lower()]), text)


def joined(text: str) -> str:
    """The text without the narrow spaces and apostrophes that group the digits of a number."""
    return _GROUPED.sub(lambda match: re.sub(r"\D", "", match[0]), text)


def plain(digits: str) -> str:
    """A number as English reads it, with a decimal point and nothing else: 2,500 and 2500, 1,5 and 1.5, 5.00 and 5 are
    the same. One dot is a decimal point and one comma before three digits groups, though some languages have it the
    other way round.
    """
    if not digits.isascii():
        digits = "".join(str(unicodedata.decimal(one, one)) for one in digits)
    if _COMMAS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _DOTS.fullmatch(digits):
        digits = digits.replace(".", "")
    digits = digits.replace(",", ".")
    whole = _WHOLE.fullmatch(digits)
    return whole[1] if whole else digits


def readings(text: str) -> Iterator[str]:
    """What else the numbers of a text may be: 1.200 twelve hundred, 1 200 too, the 3.5 of 3.5 million."""
    for match in _DOT.finditer(text):
        yield match[0].replace(".", "")
    for match in _SPACED.finditer(text):
        yield match[0].replace(" ", "")
    for match in _SCALED.finditer(text):
        yield plain(match["number"])
        yield from _sizes(match)[1:]


def scaled(text: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Each number before a million, 亿 or the like: its significant digits, and the values it may have. 2.500 millones
    are 2,500,000,000 or, as English reads it, 2,500,000.
    """
    for match in _SCALED.finditer(text):
        yield significant(plain(match["number"])), frozenset(_sizes(match))


def significant(number: str) -> str:
    """The digits of a number without the zeros around them: what 2.5, 2500 and 0.25 have in common."""
    return number.replace(".", "").strip("0")


def _sizes(match: re.Match[str]) -> list[str]:
    """What a number and its scale may come to, English's reading first."""
    number, scale = match["number"], _SCALE[match["scale"].lower()]
    dotless = [number.replace(".", "")] if _DOT.fullmatch(number) else []
    return [_times(one, scale) for one in (number, *dotless)]


def _times(number: str, scale: int) -> str:
    value = plain(number)
    if value.count(".") > 1 or len(value) > _LONGEST:
        return number
    return f"{Decimal(value) * scale:f}".rstrip("0").rstrip(".") if "." in value else str(int(value) * scale)


def _in_digits(text: str, match: re.Match[str]) -> str:
    words = re.findall(r"[a-z]+", match[0].lower())
    alone = words == ["one"] and (_NO_COUNT.match(text, match.end()) or _ONE_SUCH.search(text, 0, match.start()))
    return match[0] if alone else " ".join(map(str, _values([word for word in words if word not in ("a", "an")])))


def _values(words: list[str]) -> Iterator[int]:
    """The numbers that words give: "twenty five" one, "two three" two, "nineteen eighty-four" two."""
    total = current = 0
    begun, room, scale = False, 100, 10**15  # what may still be added to `current`: less than `room`
    for at, word in enumerate(words):
        joins = at > 0 and words[at - 1] in ("hundred", *_BIG)
        if word == "and":
            if begun and not joins:
                yield total + current
                total, current, begun, room, scale = 0, 0, False, 100, 10**15
            continue
        if word in _BIG and begun and _BIG[word] < scale:
            total, current, room, scale = total + max(current, 1) * _BIG[word], 0, 100, _BIG[word]
        elif word in ("hundred", "dozen") and begun and 0 < current < 100:
            current, room = current * (100 if word == "hundred" else 12), 100 if word == "hundred" else 1
        else:
            value = _UNITS.get(word, _TENS.get(word, _BIG.get(word, 100 if word == "hundred" else 12)))
            if begun and value >= room:
                yield total + current
                total, current, scale = 0, 0, 10**15
            current, begun = current + value, True
            room = 10 if word in _TENS else 1 if word in _UNITS else 100 if word == "hundred" else 1
    if begun:
        yield total + current
