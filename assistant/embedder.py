"""Owns the embedding model: texts to unit vectors, through onnxruntime.

The model reads at most 256 tokens at once, so a longer text is cut into overlapping windows whose vectors are
averaged: its tail counts too. A text's token vectors are there as well, for comparing word by word.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from assistant import sessions
from assistant.records import Span

WINDOW_TOKENS = 256  # what all-MiniLM-L6-v2 was trained to read, special tokens included
STRIDE_TOKENS = 32  # tokens two neighbouring windows share

Vectors = NDArray[np.float32]


class Embedder:
    """A sentence embedding model in ONNX form: mean pooling over the attention mask, then unit length.

    Safe to use from several threads. `threads` 0 means one a physical core. Raises ModelDamaged when a file cannot
    be loaded.
    """

    def __init__(self, name: str, model: Path, tokenizer: Path, sha256: str, threads: int = 0) -> None:
        self.name = name
        self.sha256 = sha256
        self._tokenizer = sessions.load_tokenizer(f"embedding model {name}", tokenizer)
        # The file asks for 128 tokens; the windows are ours to shape.
        self._tokenizer.enable_truncation(WINDOW_TOKENS, stride=STRIDE_TOKENS)
        self._session = sessions.load_session(f"embedding model {name}", model)
        self._inputs = {node.name for node in self._session.get_inputs()}
        self._output = self._session.get_outputs()[0].name
        self._pool = ThreadPoolExecutor(sessions.threads(threads), "embedder")
        self.dimensions = int(self._session.get_outputs()[0].shape[-1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector a text, in the order given: float32 [len(texts), dimensions].

        Any text will do, the empty one included. A text has the same vector whatever it is embedded with.
        """
        return self.read(texts)[0]

    def read(self, texts: Sequence[str]) -> tuple[Vectors, list[Vectors]]:
        """The same, and for each text the unit vectors of its tokens: float32 [tokens, dimensions]."""
        encodings = self._tokenizer.encode_batch(list(texts))
        windows = [window for encoding in encodings for window in (encoding, *encoding.overflowing)]
        owner = [index for index, encoding in enumerate(encodings) for _ in range(1 + len(encoding.overflowing))]
        sums = np.zeros((len(texts), self.dimensions), np.float32)
        tokens: list[list[Vectors]] = [[] for _ in texts]
        # A lone window is most often a question: it runs here and not behind the document that fills the pool.
        found = map(self._run, windows) if len(windows) == 1 else self._pool.map(self._run, windows)
        for index, (vector, states) in zip(owner, found, strict=True):
            sums[index] += vector
            tokens[index].append(states)
        return _unit(sums), [np.concatenate(states) for states in tokens]

    def places(self, texts: Sequence[str]) -> list[list[Span]]:
        """Where the tokens of each text stand in it, one for each of the vectors that `read` gives."""
        return [
            [
                Span(*place)
                for window in (encoding, *encoding.overflowing)
                for place, special in zip(window.offsets, window.special_tokens_mask, strict=True)
                if not special
            ]
            for encoding in self._tokenizer.encode_batch(list(texts))
        ]

    def close(self) -> None:
        """Ends the worker threads; `embed` may not be called afterwards."""
        self._pool.shutdown()

    def _run(self, window: Encoding) -> tuple[Vectors, Vectors]:
        """The unit vector of one window, [dimensions], and those of its tokens without the special ones.

        One window a run, on one thread: the quantized model scales its activations over all it is given, so in a
        batch a text's vector would depend on its neighbours (cosine 0.96 to 0.99 with itself) and on the padding.
        Two such runs side by side are also a fifth faster than a batch on two threads.
        """
        ids = np.array([window.ids], np.int64)
        mask = np.array([window.attention_mask], np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run([self._output], {name: feed[name] for name in self._inputs})[0]
        states = np.asarray(states, np.float32)[0]
        pooled = np.average(states, axis=0, weights=mask[0])
        vector: Vectors = _unit(pooled[None, :])[0]
        return vector, _unit(states[np.array(window.special_tokens_mask) == 0])


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return units
