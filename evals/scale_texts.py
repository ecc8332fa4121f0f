"""Made-up documents of any number, the same in every run, and an embedder for them that costs next to nothing.

Words are those of the embedder's vocabulary, which stands in the order of their frequency, by Zipf's law; each
document has a topic, of which a third of its words are, and states a title, a publisher, an author and a date.
Instead of the embedder's forward pass each token has a fixed random vector, the shorter the more frequent it is, so
that texts are alike that share rarer words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from assistant import models
from assistant.embedder import Embedder, Vectors

SEED = 11
WORDS = 1250  # a document, some ten chunks
TOPICS, TOPIC_WORDS, TOPIC_SHARE = 500, 200, 0.33
FREQUENT = 300  # words that are of no topic
PUBLISHERS = 200
FIRST_DAY, DAYS = date(2005, 1, 1), 20 * 365
ASKED = 8  # words of a question, which stand side by side in a document


@dataclass(frozen=True)
class Writer:
    """Makes documents up. `words` are known ones, the most frequent first."""

    words: tuple[str, ...]

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        return zipf(len(self.words))

    def title(self, number: int) -> str:
        """No two documents have the same."""
        return f"{' '.join(word.title() for word in self._topic(number)[:3])} {number:06d}"

    def publisher(self, number: int) -> str:
        """The first has a tenth of all documents, the last one in a thousand."""
        drawn = np.random.default_rng([SEED, 1, number]).choice(PUBLISHERS, p=zipf(PUBLISHERS))
        return self.publishers[drawn]

    @cached_property
    def publishers(self) -> tuple[str, ...]:
        return tuple(f"The {word.title()} Post" for word in self.words[FREQUENT : FREQUENT + PUBLISHERS])

    def day(self, number: int) -> date:
        return FIRST_DAY + timedelta(days=int(np.random.default_rng([SEED, 2, number]).integers(DAYS)))

    def text(self, number: int) -> str:
        """A whole file."""
        head = {
            "title": self.title(number),
            "publisher": self.publisher(number),
            "author": f"Jo {self._topic(number)[3].title()}",
            "date": self.day(number).isoformat(),
        }
        return "\n".join(["---", *(f"{key}: {value}" for key, value in head.items()), "---", "", *self._body(number)])

    def question(self, number: int) -> str:
        """Words of a document, as they stand in it."""
        words = " ".join(self._body(number)).split()
        first = int(np.random.default_rng([SEED, 3, number]).integers(len(words) - ASKED))
        return " ".join(words[first : first + ASKED]).strip(".") + "?"

    def _topic(self, number: int) -> list[str]:
        drawn = np.random.default_rng([SEED, 4, number % TOPICS]).integers(FREQUENT, len(self.words), TOPIC_WORDS)
        return [self.words[place] for place in drawn]

    def _body(self, number: int) -> Iterator[str]:
        """Paragraphs, each with an empty line behind it."""
        rng = np.random.default_rng([SEED, 5, number])
        topic = self._topic(number)
        any_words = rng.choice(len(self.words), WORDS, p=self._shares)
        topic_words = rng.choice(TOPIC_WORDS, WORDS, p=zipf(TOPIC_WORDS))
        drawn = [
            topic[own] if chance < TOPIC_SHARE else self.words[other]
            for own, other, chance in zip(topic_words, any_words, rng.random(WORDS), strict=True)
        ]
        sentences: list[str] = []
        while drawn:
            length = int(rng.integers(6, 26))
            sentences.append(" ".join(drawn[:length]).capitalize() + ".")
            drawn = drawn[length:]
            if not drawn or rng.random() < 0.2:
                yield " ".join(sentences) + "\n"
                sentences = []


def zipf(count: int) -> NDArray[np.float64]:
    """How often each of so many words is, the most frequent first (Zipf's law as Mandelbrot has it)."""
    shares = 1 / (np.arange(count) + 2.7)
    found: NDArray[np.float64] = shares / shares.sum()
    return found


def vocabulary(tokenizer: Path) -> dict[str, int]:
    """The whole words of a BERT vocabulary with their numbers, the most frequent first."""
    known = Tokenizer.from_file(str(tokenizer)).get_vocab()
    words = (word for word in known if word.isascii() and word.isalpha() and len(word) > 1)
    return {word: known[word] for word in sorted(words, key=known.__getitem__)}


class TableEmbedder(Embedder):
    """The product's embedder, but a token has the vector of a table, whatever stands beside it. With `runs` the model
    runs too, for its time.
    """

    def __init__(self, model: models.LocalModel, runs: bool) -> None:
        super().__init__("table", model.paths["model"], model.paths["tokenizer"], "0" * 64)
        self._runs = runs
        known = Tokenizer.from_file(str(model.paths["tokenizer"])).get_vocab_size()
        ranks = np.maximum(0, np.arange(known) - min(vocabulary(model.paths["tokenizer"]).values()))
        drawn = np.random.default_rng(SEED).standard_normal((known, self.dimensions), np.float32)
        self._table: Vectors = drawn * np.log1p(ranks, dtype=np.float32)[:, None] ** 2

    def _run(self, window: Encoding) -> tuple[Vectors, Vectors]:
        if self._runs:
            super()._run(window)
        states = self._table[window.ids]
        inner = np.array(window.special_tokens_mask) == 0
        return _unit(states.mean(axis=0)), _unit(states[inner])


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: Vectors = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return units
