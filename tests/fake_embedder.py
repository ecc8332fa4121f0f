"""A deterministic stand-in for `assistant.embedder.Embedder`: likeness is shared words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assistant.records import Span

WIDTH = 64


class FakeEmbedder:
    """Counts the words of a text in WIDTH places. `texts` is how many it was ever given."""

    def __init__(self, name: str = "fake", sha256: str = "f" * 64) -> None:
        self.name = name
        self.sha256 = sha256
        self.dimensions = WIDTH
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += len(texts)
        vectors = np.zeros((len(texts), WIDTH), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            vector[0] = 0.01
            for word in re.findall(r"\w+", text.lower()):
                vector[zlib.crc32(word.encode()) % WIDTH] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def read(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """The same, and a vector for each word."""
        tokens = []
        for text in texts:
            words = re.findall(r"\w+", text.lower())
            states = np.zeros((len(words), WIDTH), np.float32)
            states[range(len(words)), [zlib.crc32(word.encode()) % WIDTH for word in words]] = 1
            tokens.append(states)
        return self.embed(texts), tokens

    def places(self, texts: Sequence[str]) -> list[list[Span]]:
        """Where these words stand."""
        return [[Span(*word.span()) for word in re.finditer(r"\w+", text.lower())] for text in texts]

    def close(self) -> None:
        return
