"""Plain BM25, as a mark to compare with: lower case, words without endings cut, nothing left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

K1, B = 1.2, 0.75  # as in Robertson and Zaragoza 2009, section 3.6, and most search engines
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")


class Bm25:
    """An index over texts, which it names by their places."""

    def __init__(self, texts: Sequence[str]) -> None:
        words = [_WORD.findall(text.lower()) for text in texts]
        lengths = np.array([len(found) for found in words], np.float64)
        norms = K1 * (1 - B + B * lengths / max(1.0, lengths.mean()))
        places: dict[str, list[tuple[int, int]]] = {}
        for number, found in enumerate(words):
            for word, count in Counter(found).items():
                places.setdefault(word, []).append((number, count))
        self._size = len(texts)
        self._weights = {word: self._weighed(np.array(at), norms) for word, at in places.items()}

    def best(self, question: str, n: int) -> list[int]:
        """The places of the `n` best texts, best first; fewer where fewer share a word."""
        scores = np.zeros(self._size)
        for word in _WORD.findall(question.lower()):
            if word in self._weights:
                numbers, weights = self._weights[word]
                scores[numbers] += weights
        return [int(number) for number in np.argsort(-scores, kind="stable")[:n] if scores[number] > 0]

    def _weighed(
        self, at: NDArray[np.int64], norms: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        numbers, counts = at[:, 0], at[:, 1]
        rarity = np.log(1 + (self._size - len(at) + 0.5) / (len(at) + 0.5))
        return numbers, rarity * counts * (K1 + 1) / (counts + norms[numbers])
