"""Owns cross-encoders: models that read two texts at once and say whether the one answers, or supports, the other.

Which of a model's outputs says so, and how it is given the two texts, stands in the catalog.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding

from assistant import sessions
from assistant.errors import ModelDamaged

Pair = tuple[str, str]
Scores = NDArray[np.float32]

FIRST, SECOND = "{first}", "{second}"  # where the texts stand in a template


class CrossEncoder:
    """A cross-encoder in ONNX form. Safe to use from several threads.

    `yes` is the place of the output that says so; of a single output the number itself counts. `tokens` is how many it
    reads of both texts together; of what is longer the end of the longer text is left out; None: of any length. A
    `template` makes one text of the two, for a model that was trained so, and `start` is the special token before it.
    `threads` 0 means one a physical core. Raises ModelDamaged when a file cannot be loaded, or is not of such a model.
    """

    def __init__(
        self,
        name: str,
        model: Path,
        tokenizer: Path,
        *,
        tokens: int | None = None,
        yes: int = 0,
        template: str = "",
        start: str = "",
        threads: int = 0,
    ) -> None:
        self.name = name
        self.threads = sessions.threads(threads)
        self._path = model
        self._yes = yes
        self._template = template
        self._tokenizer = sessions.load_tokenizer(f"model {name}", tokenizer)
        self._start = [self._tokenizer.token_to_id(start)] if start else []
        self._tokenizer.no_truncation()
        if tokens:
            self._tokenizer.enable_truncation(tokens, strategy="longest_first")
        self._tokenizer.encode_special_tokens = True  # "[SEP]" in a document is text, and ends nothing
        self._session = sessions.load_session(f"model {name}", model)
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._pool = ThreadPoolExecutor(self.threads, "pairs")
        self.scores([("a", "b")])  # a file of another kind is told now, and not at a question

    def scores(self, pairs: Sequence[Pair]) -> Scores:
        """The log odds of yes for each pair, in the order given: float32 [len(pairs)].

        Any texts will do, empty ones included. A pair has the same score whatever it is scored with: each is a run of
        its own, on one thread, for the reasons that `Embedder` gives. Raises ModelDamaged.
        """
        encodings = self._encoded(pairs)
        found = map(self._run, encodings) if len(encodings) == 1 else self._pool.map(self._run, encodings)
        return np.fromiter(found, np.float32, len(encodings))

    def close(self) -> None:
        """Ends the worker threads; `scores` may not be called afterwards."""
        self._pool.shutdown()

    def _encoded(self, pairs: Sequence[Pair]) -> list[Encoding]:
        if not self._template:
            return list(self._tokenizer.encode_batch(list(pairs)))
        before, _, rest = self._template.partition(FIRST)
        between, _, after = rest.partition(SECOND)
        texts = [f"{before}{first}{between}{second}{after}" for first, second in pairs]
        return list(self._tokenizer.encode_batch(texts))

    def _run(self, encoding: Encoding) -> float:
        ids = [*self._start, *encoding.ids]
        feed = {
            "input_ids": ids,
            "attention_mask": [1] * len(ids),
            "token_type_ids": [*([0] * len(self._start)), *encoding.type_ids],
        }
        try:
            given = {name: np.array([feed[name]], np.int64) for name in self._inputs}
            return _log_odds(self._session.run(None, given)[0], self._yes)
        except Exception as error:  # the library's errors share no base class but Exception
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> ModelDamaged:
        why = f"it asks for {error}" if isinstance(error, KeyError) else error
        return sessions.damaged(f"model {self.name}", self._path, why)


def _log_odds(outputs: Any, yes: int) -> float:
    """Of one pair's outputs, [1, classes], or [1, tokens, classes] of which the first token counts."""
    logits = np.asarray(outputs, np.float64)[0]
    logits = logits[0] if logits.ndim == 2 else logits
    if logits.ndim != 1 or not np.isfinite(logits).all():
        raise ValueError(f"it gives no numbers for two texts, but {np.shape(outputs)}")
    others = np.delete(logits, yes)  # an IndexError where there is no such output
    return float(logits[yes] - (np.logaddexp.reduce(others) if others.size else 0.0))
