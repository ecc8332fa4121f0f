"""Whether two texts are in different languages, by their words and by their letters."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from itertools import chain, pairwise

from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # for a class of a regular expression

_RUN = re.compile(rf"[{CJK}]+")
_SMALL = re.compile(r"\b[^\W\d_A-Z]+\b")
_FEW = 4  # words, without which nothing is known
_STRANGE = 0.65  # share of them that a text of the same language seldom lacks
_UNLIKELY = 0.1  # that a claim is in the context's language
_SAMPLE = 4000  # characters of the context that are looked at: enough for certainty
_TEXTS_KEPT = 64


def foreign(claim: str, context: str) -> bool:
    """Whether the claim seems to be in another language than the context, so that their words tell nothing.

    Of the words in small letters, and of the pairs of CJK characters, a text of the same language has a good part,
    whatever it is about: function words, at least. Names and numbers say nothing of the language. Where words lack
    because the claim is about something else, its letters tell (py3langid).
    """
    runs = _RUN.findall(claim)
    if runs:
        pairs = {first + second for first, second in chain.from_iterable(map(pairwise, runs))}
        return len(pairs) >= _FEW and sum(pair in context for pair in pairs) <= (1 - _STRANGE) * len(pairs)
    words = set(_SMALL.findall(claim))
    absent = words - set(_SMALL.findall(context.lower()))
    strange = len(words) >= _FEW and len(absent) >= _STRANGE * len(words)
    return strange and _likelihoods(claim).get(language(context), 0.0) < _UNLIKELY


def language(text: str) -> str:
    """The code of a text's language, as py3langid has it: by the text's beginning."""
    likelihoods = _likelihoods(text[:_SAMPLE])
    return max(likelihoods, key=likelihoods.__getitem__)


@lru_cache(_TEXTS_KEPT)
def _likelihoods(text: str) -> dict[str, float]:
    return {language: float(likelihood) for language, likelihood in _identifier().rank(text)}


@cache
def _identifier() -> LanguageIdentifier:
    """Loaded when it is first needed, which takes half a second."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
