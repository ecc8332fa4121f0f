"""What an answer says, in the form in which texts are compared. The only place that normalises.

The form is that of SQuAD's evaluation script (Rajpurkar et al. 2016): lower case, no punctuation, no English articles,
single spaces. It differs in four ways, all for texts that SQuAD does not have: a point between digits stays (5.2 is
not 52), and so does a minus before a number (-3 is not 3; the hyphen of 2010-2015 is none); punctuation and symbols
outside ASCII part words, but quotation marks, which fall away as in ASCII; and in scripts that put no spaces between
words each character is a word, as in MLQA's script (Lewis et al. 2020).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# All of ASCII's but a point between digits and a minus before a digit.
_PUNCTUATION = re.compile(r"(?<!\d)\.|\.(?!\d)|(?<=\w)-|-(?!\d)|[!-,/:-@\[-`{-~]")
_MINUS = re.compile(r"(?<!\w)\N{MINUS SIGN}(?=\d)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_POSSESSIVE = re.compile(r"['’]s\b")
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_UNSPACED = re.compile(  # Thai and Lao, Burmese, Khmer, kana, Han
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff])"
)


class _Foreign(dict[int, str]):
    """Maps characters for `str.translate`: punctuation and symbols outside ASCII to a space, quotation marks to
    nothing, all else to itself."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        if code < 128 or kind[0] not in "PS":
            self[code] = character
        else:
            self[code] = "" if kind in ("Pi", "Pf") else " "
        return self[code]


_FOREIGN = _Foreign()


def written(answer: Mapping[str, Any]) -> str:
    """The answer's text without the markers of its citations: " [2]" is no word of it."""
    numbers = "|".join(str(citation["n"]) for citation in answer["citations"])
    text: str = answer["answer"]
    return re.sub(rf" \[(?:{numbers})\]", "", text) if numbers else text


def normal(text: str) -> str:
    """The normal form of `text`: words with one space between them, "" where there is none."""
    return _words(_PUNCTUATION.sub("", _plain(text)))


def holds(text: str, phrase: str) -> bool:
    """Whether `text` has the phrase as whole words of the normal form.

    Punctuation may join words, as in the normal form, or part them: "1,318-kilometre" has "1,318", "Xinhua's" has
    "Xinhua". A phrase without a normal form ("$", "The", or "A" of four choices) has to stand there as it is, in its
    own case and not within a word; an empty one never does.
    """
    if not normal(phrase):
        there = re.escape(phrase.strip())
        return bool(there) and bool(re.search(rf"(?!\B\w){there}(?!\B\w)", text))
    return any(f" {form(phrase)} " in f" {form(text)} " for form in (normal, _parted))


def _parted(text: str) -> str:
    """The normal form, but that punctuation parts words and does not join them; 1,000 stays one word."""
    text = _POSSESSIVE.sub(" ", _THOUSANDS.sub("", text))
    return _words(_PUNCTUATION.sub(" ", _plain(text)))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", _MINUS.sub("-", text).translate(_FOREIGN)).lower()


def _words(text: str) -> str:
    return " ".join(_UNSPACED.sub(r" \1 ", _ARTICLE.sub(" ", text)).split())
