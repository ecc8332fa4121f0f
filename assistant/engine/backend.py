"""llama.cpp through the low-level bindings of llama-cpp-python. `logs` loads them.

A context is used by one thread at a time (llama-cpp-python issues 471 and 1995): the engine's worker. Only
`tokenize` and `check_grammar`, which read the vocabulary alone, may be called from any thread.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from assistant.engine import logs, rotate
from assistant.engine.logs import llama
from assistant.engine.sampler import LlamaSampler, Vocabulary, Weigher
from assistant.engine.types import EngineConfig, Params
from assistant.engine.watch import Watch
from assistant.errors import EngineFailed, ModelDamaged

_READERS = 4  # chunks that are read side by side

_FLASH = {
    "auto": llama.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": llama.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": llama.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_CELLS = {"f16": llama.GGML_TYPE_F16, "q8_0": llama.GGML_TYPE_Q8_0}


@dataclass(frozen=True, slots=True)
class Row:
    """Consecutive tokens of one sequence, the first at position `start`.

    The last `guesses` of them are guessed. If `logits` is asked for, it is kept for the token before them and for each
    of them.
    """

    sequence: int
    start: int
    tokens: Sequence[int]
    logits: bool
    guesses: int = 0


class Sampler(Protocol):
    @property
    def log_odds(self) -> float | None: ...  # of the words that were weighed, where any were
    def sample(self, index: int) -> int: ...
    def close(self) -> None: ...


class Backend(Protocol):
    """What the scheduler needs of a model. Sequences are numbered from 0 to `sequences` - 1."""

    cells: int  # tokens that all sequences together can hold
    sequences: int
    batch: int  # most tokens in one call of decode
    identity: str  # what saved cells depend on, beside the model
    trained_context: int  # tokens of context the model was trained for
    cuts: bool  # whether the end of a sequence can be cut off, and its beginning shared
    moves: bool  # whether cells can be moved to other positions

    def tokenize(self, text: str, special: bool) -> list[int]: ...
    def piece(self, token: int) -> bytes: ...
    def ends(self, token: int) -> bool: ...
    def decode(self, rows: Sequence[Row]) -> list[int]: ...
    def sampler(self, params: Params) -> Sampler: ...
    def single(self, words: Sequence[str]) -> list[int]: ...
    def check_grammar(self, grammar: str) -> None: ...  # may be called from any thread, as `tokenize`
    def save(self, sequence: int, start: int, end: int) -> bytes: ...
    def load(self, sequence: int, data: bytes) -> bool: ...
    def join(self, sequence: int, data: bytes, start: int, at: int, count: int) -> bool: ...
    def share(self, source: int, sequence: int, length: int) -> None: ...
    def truncate(self, sequence: int, length: int) -> None: ...
    def clear(self) -> None: ...
    def close(self) -> None: ...


class LlamaBackend:
    """One GGUF model and one context with a unified KV buffer, whose cells sequences can share.

    Raises ModelDamaged when llama.cpp cannot load the file, EngineFailed when it cannot make the context.
    """

    def __init__(self, path: Path, config: EngineConfig) -> None:
        logs.keep()
        llama.llama_backend_init()
        self.cells = config.context_tokens
        self.sequences = config.max_sequences + _READERS
        self.batch = max(config.batch_tokens, config.max_sequences + config.draft_tokens)
        self.identity = f"llama-cpp-python {llama.__version__}, {config.kv_type}, flash {config.flash_attention}"
        self._model = _load_model(path, config)
        self.offloaded = logs.offloaded()  # layers on a GPU, and layers in all; (0, 0) where llama.cpp said nothing
        self.identity += _long_context(self._model, self.cells)
        self.trained_context = int(llama.llama_model_n_ctx_train(self._model))
        self.cuts = not (llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model))
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._words = Vocabulary(self._vocab)
        self._watch: Watch | None = None
        if config.watch_layer is not None and not self.offloaded[0]:
            self._watch = Watch(config.watch_layer, llama.llama_model_n_embd(self._model))
        try:
            self._context = self._make_context(config)
        except EngineFailed:
            llama.llama_model_free(self._model)
            raise
        self._memory = llama.llama_get_memory(self._context)
        self.moves = self.cuts and bool(llama.llama_memory_can_shift(self._memory))
        self._rope = _rope(self._model) if config.kv_type == "f16" else None  # None: only llama.cpp moves cells
        self._proven = False  # that moving cells ourselves gives what llama.cpp's way does
        self._trial: tuple[int, bytes, int, int, int] | None = None  # a join by llama.cpp, to be compared with ours
        self._batch = llama.llama_batch_init(self.batch, 0, 1)

    def _make_context(self, config: EngineConfig) -> Any:
        params = llama.llama_context_default_params()
        params.n_ctx = self.cells
        params.n_batch = params.n_ubatch = self.batch
        params.n_seq_max = self.sequences + 1  # the last one is where cells are loaded and moved
        params.n_threads = params.n_threads_batch = config.threads or physical_cores()
        params.kv_unified = True
        params.flash_attn_type = _FLASH[config.flash_attention]
        params.type_k = params.type_v = _CELLS[config.kv_type]
        if self._watch:
            self._watch.attach(params)
        context = llama.llama_init_from_model(self._model, params)
        if not context:
            raise EngineFailed(
                f"No context of {self.cells} tokens could be made: {logs.last()}",
                "Lower engine.context_tokens (or engine.gpu_layers, where it is a GPU's memory), or choose a smaller "
                "model with `assistant models use NAME`.",
            )
        return context

    @property
    def _spare(self) -> int:
        return self.sequences

    @property
    def chat_template(self) -> str | None:
        """The Jinja template in the GGUF file, if it has one."""
        raw = llama.llama_model_chat_template(self._model, None)
        return raw.decode("utf-8") if raw else None

    @property
    def add_bos(self) -> bool:
        return bool(llama.llama_vocab_get_add_bos(self._vocab))

    @property
    def bos(self) -> int:
        return int(llama.llama_vocab_bos(self._vocab))

    def tokenize(self, text: str, special: bool) -> list[int]:
        raw = text.encode("utf-8", "replace")
        size = len(raw) + 8  # a token is at least a byte, but for prefixes the vocabulary adds
        tokens = (llama.llama_token * size)()
        count = llama.llama_tokenize(self._vocab, raw, len(raw), tokens, size, False, special)
        if count < 0:
            raise EngineFailed(f"A text of {len(raw)} bytes could not be tokenized.", "Shorten it.")
        return list(tokens[:count])

    def piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        count = llama.llama_token_to_piece(self._vocab, token, buffer, 256, 0, False)
        return buffer.raw[: max(count, 0)]

    def ends(self, token: int) -> bool:
        return bool(llama.llama_vocab_is_eog(self._vocab, token))

    def decode(self, rows: Sequence[Row]) -> list[int]:
        """Computes all rows in one batch. Returns, per row, the index of its last token for `Sampler.sample`.

        Raises EngineFailed with llama.cpp's code; positions of a sequence must be consecutive.
        """
        batch, filled, last = self._batch, 0, []
        for row in rows:
            for offset, token in enumerate(row.tokens):
                batch.token[filled] = token
                batch.pos[filled] = row.start + offset
                batch.n_seq_id[filled] = 1
                batch.seq_id[filled][0] = row.sequence
                batch.logits[filled] = row.logits and offset >= len(row.tokens) - 1 - row.guesses
                filled += 1
            last.append(filled - 1)
        batch.n_tokens = filled
        code = llama.llama_decode(self._context, batch)
        if code != 0:
            raise EngineFailed(f"llama.cpp could not decode {filled} tokens (code {code}): {logs.last()}")
        if self._trial:
            self._prove(*self._trial)
        return last

    def sampler(self, params: Params) -> Sampler:
        if params.weigh:
            return Weigher(self._context, self._words, [self.single(words) for words in params.weigh])
        return LlamaSampler(self._context, self._words, params, self._watch)

    def single(self, words: Sequence[str]) -> list[int]:
        """Those of the words that are one token. May be called from any thread, as `tokenize`."""
        found = (self.tokenize(word, special=False) for word in words)
        _ = self._words.end  # here, as for a grammar: the worker must not wait for a look at every token
        return [tokens[0] for tokens in found if len(tokens) == 1]

    def check_grammar(self, grammar: str) -> None:
        """Raises BadFormat when a sampler could not be made of the grammar."""
        self._words.check(grammar)

    def save(self, sequence: int, start: int, end: int) -> bytes:
        """The cells of positions `start` to `end` of a sequence."""
        source = sequence
        if start > 0:
            source = self._spare
            llama.llama_memory_seq_cp(self._memory, sequence, source, start, end)
        size = llama.llama_state_seq_get_size(self._context, source)
        buffer = (ctypes.c_uint8 * size)()
        written = llama.llama_state_seq_get_data(self._context, buffer, size, source)
        if source == self._spare:
            self.truncate(source, 0)
        return memoryview(buffer)[:written].tobytes()

    def load(self, sequence: int, data: bytes) -> bool:
        """Fills a sequence with saved cells, at the positions they had. False when they do not fit this context."""
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        done: bool = llama.llama_state_seq_set_data(self._context, buffer, len(data), sequence) == len(data)
        if not done:
            self.truncate(sequence, 0)
        return done

    def join(self, sequence: int, data: bytes, start: int, at: int, count: int) -> bool:
        """Adds `count` saved cells, which began at position `start`, to a sequence at position `at`.

        Their keys are turned in the saved bytes (`rotate`), once that has given what llama.cpp itself does. Otherwise
        moving only marks the cells, and the next decode turns all keys of the buffer in one pass.
        """
        ours = rotate.moved(data, at - start, self._rope) if at != start and self._proven and self._rope else None
        if not self.load(self._spare, ours or data):
            return False
        if at != start and ours is None:
            llama.llama_memory_seq_add(self._memory, self._spare, start, start + count, at - start)
            self._trial = (sequence, data, start, at, count) if self._rope else None
        llama.llama_memory_seq_cp(self._memory, self._spare, sequence, at, at + count)
        self.truncate(self._spare, 0)
        return True

    def _prove(self, sequence: int, data: bytes, start: int, at: int, count: int) -> None:
        """Compares cells that llama.cpp has moved with what `rotate` makes of them: equal, and it may move them from
        now on; not equal, and it never does (a model with scaled or other angles).
        """
        self._trial = None
        rope, done = self._rope, self.save(sequence, at, at + count)
        assert rope is not None
        ours = rotate.moved(data, at - start, rope)
        if len(done) != len(data):  # they are gone already
            return
        self._proven = ours is not None and rotate.alike(done, ours, rope)
        if not self._proven:
            self._rope = None

    def share(self, source: int, sequence: int, length: int) -> None:
        """Gives an empty sequence the first `length` cells of another one, as its own too: nothing is copied."""
        if length:
            llama.llama_memory_seq_cp(self._memory, source, sequence, 0, length)

    def truncate(self, sequence: int, length: int) -> None:
        """Forgets all of a sequence from position `length` on."""
        llama.llama_memory_seq_rm(self._memory, sequence, length, -1)

    def clear(self) -> None:
        self._trial = None
        llama.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        llama.llama_batch_free(self._batch)
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)


def _load_model(path: Path, config: EngineConfig) -> Any:
    params = llama.llama_model_default_params()
    params.use_extra_bufts = config.repack_weights
    if config.repack_weights:  # the copy is what is used: the file's pages need not stay in memory beside it
        params.load_mode = llama.LLAMA_LOAD_MODE_NONE
    params.n_gpu_layers = config.gpu_layers
    logs.forget()
    model = llama.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        if full := logs.first("unable to allocate"):
            raise EngineFailed(
                f"There is too little memory for {path}: {full}",
                "Choose a smaller model with `assistant models use NAME`, or, where it is a GPU's memory, put fewer "
                "layers there (engine.gpu_layers).",
            )
        raise ModelDamaged(
            f"llama.cpp cannot load {path}: {logs.last()}", "Check the file with `assistant models verify`."
        )
    return model


def _rope(model: Any) -> rotate.Rope | None:
    """How the model turns its keys, by its metadata; None where it does so in a way that `rotate` does not know."""
    halves = {llama.LLAMA_ROPE_TYPE_NEOX: True, llama.LLAMA_ROPE_TYPE_NORM: False}
    kind = llama.llama_model_rope_type(model)
    if kind not in halves or llama.llama_model_n_swa(model):
        return None
    name = _metadata(model, "general.architecture")
    head = int(_metadata(model, f"{name}.attention.key_length") or 0) or (
        llama.llama_model_n_embd(model) // llama.llama_model_n_head(model)
    )
    turned = int(_metadata(model, f"{name}.rope.dimension_count") or head)
    return rotate.Rope(float(_metadata(model, f"{name}.rope.freq_base") or 10_000), head, turned, halves[kind])


def _long_context(model: Any, cells: int) -> str:
    """Names which of two sets of angles a model turns its keys by, where it has one for long contexts (LongRoPE)."""
    short = int(
        _metadata(model, f"{_metadata(model, 'general.architecture')}.rope.scaling.original_context_length") or 0
    )
    return f", longer than {short}" if 0 < short < cells else ""


def _metadata(model: Any, key: str) -> str:
    """A value of the model's metadata; "" where there is none."""
    buffer = ctypes.create_string_buffer(256)
    length = llama.llama_model_meta_val_str(model, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else ""


def physical_cores() -> int:
    """Physical cores this process may use; hyper-threads slow llama.cpp down."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(psutil.cpu_count(logical=False) or allowed, allowed)
