"""What goes into the engine and what comes out. Tokens are counted in the model's own vocabulary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Finish = Literal["stop", "length", "cancelled"]

MAX_STOPS = 16
MAX_STOP_CHARS = 200  # each token of an answer is held against every beginning of every stop


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of prompt.

    `special` says whether control tokens such as <|im_end|> are recognised in it: true only for text of the chat
    template, so that a document cannot end a turn. `id` names a segment whose text returns in other prompts (a chunk);
    only segments with an id may be kept apart from the prompt they stood in.
    """

    text: str
    id: str = ""
    special: bool = False


@dataclass(frozen=True, slots=True)
class Params:
    """How to generate. `temperature` 0 is greedy; `top_p` 1 and `min_p` 0 leave every token in.

    `stop` has at most MAX_STOPS texts of 1 to MAX_STOP_CHARS characters.
    `grammar` is GBNF with a rule `root`, which the text then follows as far as it comes; "" leaves the text free.
    `watch` is told the hidden state that the answer begins with, where the engine watches a layer, and says whether to
    write on; if not, the answer ends without a word. It is called in the engine's thread.
    `weigh` asks how likely the answer begins with one of the first words rather than one of the second, each a token.
    """

    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    grammar: str = ""
    timeout_s: float | None = None  # from submission; what is written until then is kept
    guesses: int | None = None  # at most, in a step; None: as many as the engine's draft_tokens allow
    weigh: tuple[tuple[str, ...], tuple[str, ...]] | None = None  # write nothing, but say how words compare: log_odds
    watch: Callable[[NDArray[np.float32]], bool] | None = None  # see `watch_layer`


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one or more tokens: always whole characters, never part of a stop string."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a generation. Times are seconds since the request was submitted or spent in the phase."""

    finish: Finish
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queue_s: float
    prefill_s: float
    ttft_s: float
    decode_tok_s: float
    guessed_tokens: int = 0
    guessed_right: int = 0
    log_odds: float | None = None  # where the request asked to weigh words: of the first against the second


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """How to load and run a model. `threads` 0 takes every physical core; `gpu_layers` -1 offloads all.

    `reuse` "chunks" keeps the cells of segments with an id and joins them without computing them again: the first word
    comes sooner, but chunks do not see each other. "exact" reuses common prefixes only, which changes no answer.
    `draft_tokens` is how many tokens at most are guessed from the prompt and checked in one step; 0 guesses none.
    """

    context_tokens: int = 8192
    max_sequences: int = 4
    queue: int = 16
    threads: int = 0
    batch_tokens: int = 128
    repack_weights: bool = False
    flash_attention: Literal["auto", "on", "off"] = "auto"  # "auto" is llama.cpp's own choice
    kv_type: Literal["f16", "q8_0"] = "f16"
    draft_tokens: int = 0
    gpu_layers: int = -1
    watch_layer: int | None = None  # whose hidden states can be asked for, counted from 0; not on a GPU
    reuse: Literal["exact", "chunks"] = "exact"
    model_id: str = ""  # the model file's hash: cells of one model are never given to another
    store: Path | None = None  # folder for cells of chunks; None keeps them in memory only
    store_disk_bytes: int = 4 << 30
    store_memory_bytes: int = 512 << 20
    prefix_memory_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts since the engine opened. Seconds are summed over requests, which run side by side."""

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    weighed: int = 0  # requests that only compared words, however they ended; they are in no other count
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    guessed_tokens: int = 0
    guessed_right: int = 0
    queue_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0  # from the first token to the last
