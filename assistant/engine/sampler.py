"""Which token comes next, by llama.cpp's samplers, and within a grammar where there is one."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import llama_cpp as llama
import numpy as np
from numpy.typing import NDArray

from assistant.engine.grammar import check_limits
from assistant.engine.types import Params
from assistant.engine.watch import Look, Watch
from assistant.errors import BadFormat, EngineFailed

_LIKELY = 512  # tokens that a grammar is asked about first: one over the whole vocabulary costs 10 to 100 ms a token
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data

log = logging.getLogger(__name__)


class Vocabulary:
    """The tokens of a model, as far as grammars have to do with them. Thread safe."""

    def __init__(self, pointer: Any) -> None:
        self.pointer = pointer

    def grammar(self, text: str) -> Any:
        """A new grammar sampler, the caller's to free. Raises BadFormat when llama.cpp cannot read the grammar."""
        made = llama.llama_sampler_init_grammar(self.pointer, text.encode(), b"root")
        if not made:
            raise BadFormat(
                "llama.cpp cannot read the grammar that the answer should follow.",
                "Check that it is GBNF with a rule `root`, that its names are defined and that no rule begins with "
                "itself; llama.cpp prints its complaint to stderr.",
            )
        return made

    def check(self, text: str) -> None:
        """Raises BadFormat when the text is no grammar for these tokens, EngineFailed when none of them ends a text.

        To be called before a sampler is made of it.
        """
        check_limits(text)
        llama.llama_sampler_free(self.grammar(text))
        _ = self.end  # and with it `ids`, here: the worker must not wait for a look at every token, nor fail over it

    @cached_property
    def ids(self) -> NDArray[np.int32]:
        """Tokens that give text or end it: control tokens are shown as none, yet a grammar would read their names."""
        control, ends = llama.llama_vocab_is_control, llama.llama_vocab_is_eog
        known = range(llama.llama_vocab_n_tokens(self.pointer))
        return np.array([i for i in known if ends(self.pointer, i) or not control(self.pointer, i)], dtype=np.int32)

    @cached_property
    def end(self) -> int:
        """A token that ends the text. Raises EngineFailed when the model has none."""
        for token in self.ids.tolist():
            if llama.llama_vocab_is_eog(self.pointer, token):
                return int(token)
        raise EngineFailed("This model has no token that ends a text.", "Choose another with `assistant models use`.")


class LlamaSampler:
    """The samplers of one request: its grammar, then greedy at temperature 0, else min-p, top-p, temperature, draw."""

    log_odds = None  # it weighs nothing

    def __init__(self, context: Any, words: Vocabulary, params: Params, watch: Watch | None = None) -> None:
        self._context = context
        self._look = Look(watch, params.watch) if watch and params.watch else None
        self._words = words
        self._grammar = words.grammar(params.grammar) if params.grammar else None
        self._chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        for stage in _stages(params):
            llama.llama_sampler_chain_add(self._chain, stage)

    def sample(self, index: int) -> int:
        if self._look and not self._look.goes_on(index):
            return self._words.end
        if self._grammar is None:
            return int(llama.llama_sampler_sample(self._chain, self._context, index))
        return self._sample_in_grammar(index)

    def _sample_in_grammar(self, index: int) -> int:
        """The grammar is not in the chain: llama_sampler_sample would hand it a token also where none fits.

        Such a token makes llama.cpp throw through C, which ends the process (its issues 12597 and 13690). Here the
        text ends instead, which takes a grammar with a dead end, such as a class without characters.
        """
        ids = self._words.ids
        size = llama.llama_vocab_n_tokens(self._words.pointer)
        scores = np.ctypeslib.as_array(llama.llama_get_logits_ith(self._context, index), (size,))[ids]
        likely = np.argpartition(scores, -_LIKELY)[-_LIKELY:] if len(ids) > _LIKELY else slice(None)
        fitting = self._fitting(ids[likely], scores[likely])
        if not len(fitting):
            fitting = self._fitting(ids, scores)
        if not len(fitting):
            log.warning("No token fits the grammar: the text ends.")
            return self._words.end
        token = self._choose(fitting)
        if not llama.llama_vocab_is_eog(self._words.pointer, token):
            llama.llama_sampler_accept(self._grammar, token)
        return token

    def _fitting(self, ids: NDArray[np.int32], scores: NDArray[np.float32]) -> NDArray[Any]:
        """Of these tokens, those that the grammar takes next."""
        found = np.zeros(len(ids), dtype=_CANDIDATE)
        found["id"], found["logit"] = ids, scores
        llama.llama_sampler_apply(self._grammar, ctypes.byref(_array(found)))
        return np.ascontiguousarray(found[np.isfinite(found["logit"])])

    def _choose(self, candidates: NDArray[Any]) -> int:
        array = _array(candidates)
        llama.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def close(self) -> None:
        if self._look:
            self._look.close()
        llama.llama_sampler_free(self._chain)
        if self._grammar is not None:
            llama.llama_sampler_free(self._grammar)


class Weigher:
    """Compares words as the next one instead of choosing among all: the difference of their log probabilities.

    A word written in several ways counts with all of them. It then ends the text, of which nothing was written.
    """

    def __init__(self, context: Any, words: Vocabulary, groups: Sequence[Sequence[int]]) -> None:
        self._context, self._words, self._groups = context, words, [list(group) for group in groups]
        self.log_odds: float | None = None

    def sample(self, index: int) -> int:
        size = llama.llama_vocab_n_tokens(self._words.pointer)
        scores = np.ctypeslib.as_array(llama.llama_get_logits_ith(self._context, index), (size,)).astype(np.float64)
        first, second = (np.logaddexp.reduce(scores[group]) for group in self._groups)
        self.log_odds = float(first - second)
        return self._words.end

    def close(self) -> None:
        """Nothing of llama.cpp's is held."""


def _array(candidates: NDArray[Any]) -> Any:
    """llama.cpp's view of the candidates, which must outlive it."""
    data = candidates.ctypes.data_as(ctypes.POINTER(llama.llama_token_data))
    return llama.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)


def _stages(params: Params) -> list[Any]:
    if params.temperature == 0:
        return [llama.llama_sampler_init_greedy()]
    stages = []
    if params.min_p > 0:
        stages.append(llama.llama_sampler_init_min_p(params.min_p, 1))
    if params.top_p < 1:
        stages.append(llama.llama_sampler_init_top_p(params.top_p, 1))
    stages.append(llama.llama_sampler_init_temp(params.temperature))
    stages.append(llama.llama_sampler_init_dist(params.seed))
    return stages
