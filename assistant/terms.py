"""The words of a text that carry meaning, in one form each: what two texts are compared by. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from assistant import dates, numerals
from assistant.languages import CJK

_STOP = frozenset(
    """a an and are as at be been by for from had has have he her his in into is it its of on or she than that the
    their they this to was were which who whom will with can could may might must shall should would according said
    says state states stated source sources
    """.split()  # noqa: SIM905 - a list of fifty words in quotes is no better to read
)
_NAMES = frozenset(["may", "will"])  # with a capital within a sentence
_PIECE = re.compile(
    rf"(?=(?P<pair>[{CJK}]{{2}}))[{CJK}]|(?P<number>\d+(?:[.,]\d+)*)(?:st|nd|rd|th)?|"
    rf"(?P<word>[^\W\d_{CJK}]+(?:'[^\W\d_{CJK}]+)?)"
)
_SINGLE = re.compile(rf"[{CJK}]")
_RAISED = re.compile("([\u00b2\u00b3\u00b9\u2070-\u209c\u00bc-\u00be\u2150-\u218b]+)")  # NFKC makes 10⁶ 106
_ALIKE = str.maketrans({"’": "'", "ʼ": "'", "，": " , ", "、": " , "})
_PERCENT = re.compile(r"\s*%|\bper cent\b", re.IGNORECASE)
_OPENS = re.compile(r"(?:^|[.!?:;…]|[\"“”(\[*#|-])\s*$")  # what stands before the first word of a sentence
_KEPT = 1 << 14


def terms(text: str) -> frozenset[str]:
    """The words that carry meaning, lower case and without common endings; numbers; pairs of CJK characters, and
    single ones where a text has nothing else.
    """
    return frozenset(in_order(text))


@lru_cache(_KEPT)
def in_order(text: str) -> tuple[str, ...]:
    """The terms of a text as they follow each other."""
    text = numerals.rewrite(_same_dates(_folded(text)))
    return tuple(_terms(text)) or tuple(_SINGLE.findall(text))


def readings(text: str) -> frozenset[str]:
    """What else the numbers in a text may be, beside its terms: a source that says 1.200 may say twelve hundred."""
    return frozenset(numerals.readings(_folded(text)))


def _folded(text: str) -> str:
    """The text with one character for all that look or mean the same."""
    text = numerals.joined(text)
    if not text.isascii():
        parts = _RAISED.split(text.translate(_ALIKE))
        parts[::2] = (unicodedata.normalize("NFKC", part) for part in parts[::2])
        text = "".join(parts)
    return _PERCENT.sub(" percent", text)


def _same_dates(text: str) -> str:
    """The text with its full dates in one form."""
    parts, at = [], 0
    for date in dates.find(text):
        if date.start >= at:
            year, month, day = date.iso.split("-")
            parts += [text[at : date.start], f" {int(day)} {dates.MONTHS[int(month) - 1]} {year} "]
            at = date.end
    return "".join([*parts, text[at:]])


def _terms(text: str) -> Iterator[str]:
    shouted = text.isupper()
    for piece in _PIECE.finditer(text):
        if piece["number"]:
            yield numerals.plain(piece["number"])
        elif piece["pair"]:
            yield piece["pair"]
        elif _says(piece["word"], shouted) or (not shouted and _is_named(piece["word"], text, piece.start())):
            yield _stem(piece["word"])


def _says(word: str, shouted: bool) -> bool:
    """Whether a word means something of its own, as WHO and IT do beside small letters."""
    return word.lower() not in _STOP or (len(word) > 1 and word.isupper() and not shouted)


def _is_named(word: str, text: str, at: int) -> bool:
    """Whether it is the month or a name and no verb: "in May", "told Will", "May 5"."""
    if word.lower() not in _NAMES or not word[0].isupper():
        return False
    return not _OPENS.search(text, 0, at) or text[at + len(word) : at + len(word) + 2].strip().isdigit()


def _stem(word: str) -> str:
    word = re.sub(r"'s?$", "", word.lower())
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return re.sub(r"(?:ing|ed|e)$", "", word) if len(word) > 5 else word
