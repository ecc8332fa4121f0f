"""Whether two texts are in different languages, by their words and by their letters."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import chain, pairwise

from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

STRANGE = 0.65  # share of words in small letters that a text of the same language seldom lacks
CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # for a class of a regular expression

_RUN = re.compile(rf"[{CJK}]+")
_ONE = {"wuu": "zh", "yue": "zh", "nn": "no", "nb": "no"}  # written nearly alike
_SMALL = re.compile(r"\b[^\W\d_A-Z]+\b")
_FEW = 4  # words, without which nothing is known
_UNLIKELY = 0.1  # that a claim is in the context's language
_NAMES = 0.2  # share of CJK letters below which they are names in a text of another script
_SAMPLE = 4000  # characters of the context that are looked at: enough for certainty
_TEXTS_KEPT = 64


def foreign(claim: str, context: str) -> bool:
    """Whether the claim seems to be in another language than the context, so that their words tell nothing.

    Of the words in small letters, and of the pairs of CJK characters, a text of the same language has a good part,
    whatever it is about: function words, at least. Names and numbers say nothing of the language. Where words lack
    because the claim is about something else, its letters tell (py3langid).
    """
    parts = small_parts(claim)
    strange = len(parts) >= _FEW and absent(parts, context) >= STRANGE
    return strange and (any(map(_RUN.match, parts)) or likelihood(claim, language(context)) < _UNLIKELY)


def small_parts(text: str) -> frozenset[str]:
    """What tells a language: pairs of CJK characters; words without capitals where a text has these as names alone."""
    text = _sample(text)
    runs = _RUN.findall(text)
    if runs:
        return frozenset(first + second for first, second in chain.from_iterable(map(pairwise, runs)))
    return frozenset(_SMALL.findall(text))


def absent(parts: frozenset[str], context: str) -> float:
    """The share of a text's small parts that a context lacks; 0 where there are none."""
    words = frozenset(_SMALL.findall(context.lower()))
    return sum(part not in words and not (_RUN.match(part) and part in context) for part in parts) / max(len(parts), 1)


def language(text: str) -> str:
    """The code of a text's language, as py3langid has it: by the text's beginning."""
    likelihoods = _likelihoods(_sample(text))
    return max(likelihoods, key=likelihoods.__getitem__)


def likelihood(text: str, code: str) -> float:
    """How likely a text is in a language, by its beginning; 0 for one that is unknown."""
    return _likelihoods(_sample(text)).get(code, 0.0)


def _sample(text: str) -> str:
    """The beginning of a text, without names in CJK letters: py3langid goes by bytes, and a few of these decide."""
    text = text[:_SAMPLE]
    letters = sum(map(str.isalpha, text))
    return _RUN.sub(" ", text) if sum(map(len, _RUN.findall(text))) < _NAMES * letters else text


@lru_cache(_TEXTS_KEPT)
def _likelihoods(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for code, likelihood in _identifier().rank(text):
        found[_ONE.get(code, code)] = found.get(_ONE.get(code, code), 0.0) + float(likelihood)
    return found


@cache
def _identifier() -> LanguageIdentifier:
    """Loaded when it is first needed, which takes half a second."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
