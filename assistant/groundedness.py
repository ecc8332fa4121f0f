"""What a groundedness model says of a sentence: how likely the passages support it.

Such a model reads a passage and a sentence together. It was trained on short passages, and judges long ones worse
(Laban et al. 2022, SummaC); so the hits are read in windows of a few sentences, and the window that supports the
sentence most speaks for all (as in Tang et al. 2024, MiniCheck).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from assistant import sentences
from assistant.pairs import CrossEncoder
from assistant.terms import terms

WINDOW = 600  # characters of a window, about 130 tokens
MOST = 16  # windows that are read, those first that share most with the sentence; four hits of 1000 have some ten
# Nobody has measured here how far such a model is to be believed, and it is mostly very sure of itself. So it may not
# say more than this, nor less than 1 - this.
SURE = 0.95


class Groundedness:
    """Weighs sentences one after the other, in a thread of its own. Safe to use from several threads."""

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model
        self._worker = ThreadPoolExecutor(1, "groundedness")

    def begin(self, sentence: str, passages: Sequence[tuple[str, str]]) -> Future[float]:
        """`support`, on its way. The future may raise ModelDamaged."""
        return self._worker.submit(self.support, sentence, tuple(passages))

    def support(self, sentence: str, passages: Sequence[tuple[str, str]]) -> float:
        """The probability, from 1 - SURE to SURE, that passages (heading, text) support a sentence; NaN of none."""
        wanted = terms(sentence)
        found = sorted(_windows(passages), key=lambda window: -len(terms(window) & wanted))[:MOST]
        best = -math.inf if found else math.nan
        for first in range(0, len(found), self._model.threads):
            pairs = [(window, sentence) for window in found[first : first + self._model.threads]]
            best = max(best, float(self._model.scores(pairs).max()))
            if best >= _odds(SURE):  # no other window could say more
                break
        return best if math.isnan(best) else 1 / (1 + math.exp(-max(_odds(1 - SURE), min(_odds(SURE), best))))

    def close(self) -> None:
        self._worker.shutdown(cancel_futures=True)
        self._model.close()


def _odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _windows(passages: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Neighbouring sentences of at most WINDOW characters together, each window behind the heading of its passage.

    The last sentence of a window begins the next one, as what a sentence speaks of is often named in the one before.
    """
    for heading, text in passages:
        told = sentences.spans(text, whole=True)
        parts = [part for span in told for part in _pieces(text[span.start : span.end].strip())]
        first = 0
        while first < len(parts):
            end = first + 1
            while end < len(parts) and sum(map(len, parts[first : end + 1])) <= WINDOW:
                end += 1
            yield "\n".join(filter(None, (heading, " ".join(parts[first:end]))))
            if end == len(parts):
                break
            first = max(first + 1, end - 1)


def _pieces(text: str) -> Iterator[str]:
    for start in range(0, len(text), WINDOW):
        yield text[start : start + WINDOW]
