"""llama.cpp through the low-level bindings of llama-cpp-python. Only `sampler` and `grammar` import them too.

A context is used by one thread at a time (llama-cpp-python issues 471 and 1995): the engine's worker. Only
`tokenize` and `check_grammar`, which read the vocabulary alone, may be called from any thread.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from assistant.errors import EngineFailed, ModelDamaged

try:
    import llama_cpp as llama
except (OSError, RuntimeError) as error:  # a library of the GPU's that it was built with is gone
    raise EngineFailed(
        f"llama.cpp cannot be loaded: {error}.",
        "Install what it lacks (the GPU's driver or toolkit, where it was built for one), or build it again: "
        "`make setup GPU=cpu`.",
    ) from error
from llama_cpp._ggml import libggml as ggml

from assistant.engine.sampler import LlamaSampler, Vocabulary, Weigher
from assistant.engine.types import EngineConfig, Params

_READERS = 4  # chunks that are read side by side

_FLASH = {
    "auto": llama.LLAMA_FLASH_ATTN_TYPE_AUTO,
    "on": llama.LLAMA_FLASH_ATTN_TYPE_ENABLED,
    "off": llama.LLAMA_FLASH_ATTN_TYPE_DISABLED,
}
_CELLS = {"f16": llama.GGML_TYPE_F16, "q8_0": llama.GGML_TYPE_Q8_0}

_GPU_TYPES = (1, 2)  # GGML_BACKEND_DEVICE_TYPE_GPU and _IGPU of ggml-backend.h

_log: deque[str] = deque(maxlen=50)


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
    cuts: bool  # whether the end of a sequence can be cut off

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


@llama.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_log(_level: int, text: bytes, _data: object) -> None:
    line = text.decode("utf-8", "replace").strip()
    if line and line != ".":
        _log.append(line)


class LlamaBackend:
    """One GGUF model and one context with a unified KV buffer, whose cells sequences can share.

    Raises ModelDamaged when llama.cpp cannot load the file, EngineFailed when it cannot make the context.
    """

    def __init__(self, path: Path, config: EngineConfig) -> None:
        llama.llama_log_set(_keep_log, ctypes.c_void_p(0))
        llama.llama_backend_init()
        self.cells = config.context_tokens
        self.sequences = config.max_sequences + _READERS
        self.batch = max(config.batch_tokens, config.max_sequences + config.draft_tokens)
        self.identity = f"llama-cpp-python {llama.__version__}, {config.kv_type}, flash {config.flash_attention}"
        self._model = _load_model(path, config)
        self.offloaded = _offloaded()  # layers on a GPU, and layers in all; (0, 0) where llama.cpp said nothing
        self.trained_context = int(llama.llama_model_n_ctx_train(self._model))
        self.cuts = not (llama.llama_model_is_recurrent(self._model) or llama.llama_model_is_hybrid(self._model))
        self._vocab = llama.llama_model_get_vocab(self._model)
        self._words = Vocabulary(self._vocab)
        try:
            self._context = self._make_context(config)
        except EngineFailed:
            llama.llama_model_free(self._model)
            raise
        self._memory = llama.llama_get_memory(self._context)
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
        context = llama.llama_init_from_model(self._model, params)
        if not context:
            raise EngineFailed(
                f"No context of {self.cells} tokens could be made: {last_log()}",
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
            raise EngineFailed(f"llama.cpp could not decode {filled} tokens (code {code}): {last_log()}")
        return last

    def sampler(self, params: Params) -> Sampler:
        if params.weigh:
            return Weigher(self._context, self._words, [self.single(words) for words in params.weigh])
        return LlamaSampler(self._context, self._words, params)

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

        Moving them only marks the cells; the next decode turns all keys to their new places in one pass.
        """
        if not self.load(self._spare, data):
            return False
        if at != start:
            llama.llama_memory_seq_add(self._memory, self._spare, start, start + count, at - start)
        llama.llama_memory_seq_cp(self._memory, self._spare, sequence, at, at + count)
        self.truncate(self._spare, 0)
        return True

    def share(self, source: int, sequence: int, length: int) -> None:
        """Gives an empty sequence the first `length` cells of another one, as its own too: nothing is copied."""
        if length:
            llama.llama_memory_seq_cp(self._memory, source, sequence, 0, length)

    def truncate(self, sequence: int, length: int) -> None:
        """Forgets all of a sequence from position `length` on."""
        llama.llama_memory_seq_rm(self._memory, sequence, length, -1)

    def clear(self) -> None:
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
    _log.clear()
    model = llama.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        if full := next((line for line in _log if "unable to allocate" in line), ""):
            raise EngineFailed(
                f"There is too little memory for {path}: {full}",
                "Choose a smaller model with `assistant models use NAME`, or, where it is a GPU's memory, put fewer "
                "layers there (engine.gpu_layers).",
            )
        raise ModelDamaged(
            f"llama.cpp cannot load {path}: {last_log()}", "Check the file with `assistant models verify`."
        )
    return model


def _offloaded() -> tuple[int, int]:
    """What llama.cpp logged of the last load: only builds that see a GPU do."""
    found = [match for line in _log if (match := re.search(r"offloaded (\d+)/(\d+) layers to GPU", line))]
    return (int(found[-1][1]), int(found[-1][2])) if found else (0, 0)


def gpu_facts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The GPU libraries that this build of llama.cpp has ("cuda", say), and the names of the GPUs they see.

    llama_supports_gpu_offload() is false both without a library and without a device, so the libraries' files tell
    which it is. The list of devices is ggml's own, which the bindings do not declare.
    """
    files = Path(llama.__file__).with_name("lib").glob("*ggml-*")
    built = {file.name.split("ggml-")[1].split(".")[0] for file in files} & {"cuda", "vulkan", "metal", "hip"}
    llama.llama_log_set(_keep_log, ctypes.c_void_p(0))  # else a GPU library's greeting ends on stderr
    if not llama.llama_supports_gpu_offload():
        return tuple(sorted(built)), ()
    names = []
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_description.restype = ctypes.c_char_p
    for number in range(ggml.ggml_backend_dev_count()):
        device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(number)))
        if ggml.ggml_backend_dev_type(device) in _GPU_TYPES:
            names.append(ggml.ggml_backend_dev_description(device).decode("utf-8", "replace"))
    return tuple(sorted(built)), tuple(names)


def gpu_log() -> str:
    """What a GPU library said last about itself; "" where none said anything."""
    return next((line for line in reversed(_log) if re.match(r"ggml_(cuda|vulkan|metal)", line)), "")


def last_log() -> str:
    """llama.cpp's latest line of log, for error messages."""
    return _log[-1] if _log else "no reason given"


def physical_cores() -> int:
    """Physical cores this process may use; hyper-threads slow llama.cpp down."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(psutil.cpu_count(logical=False) or allowed, allowed)
