"""Whether two texts seem to be in different languages. Pure: no list of languages, and none is named."""

from __future__ import annotations

import re
from itertools import chain, pairwise

CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # for a class of a regular expression

_RUN = re.compile(rf"[{CJK}]+")
_SMALL = re.compile(r"\b[^\W\d_A-Z]+\b")
_FEW = 4  # words, without which nothing is known
_STRANGE = 0.65  # share of them that a text of the same language does not lack


def foreign(claim: str, context: str) -> bool:
    """Whether the claim seems to be in another language than the context, so that their words tell nothing.

    Of the words in small letters, and of the pairs of CJK characters, a text of the same language has a good part,
    whatever it is about: function words, at least. Names and numbers say nothing of the language.
    """
    runs = _RUN.findall(claim)
    if runs:
        pairs = {first + second for first, second in chain.from_iterable(map(pairwise, runs))}
        return len(pairs) >= _FEW and sum(pair in context for pair in pairs) <= (1 - _STRANGE) * len(pairs)
    words = set(_SMALL.findall(claim))
    absent = words - set(_SMALL.findall(context.lower()))
    return len(words) >= _FEW and len(absent) >= _STRANGE * len(words)
