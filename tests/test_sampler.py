"""What is known of a vocabulary before the worker needs it. llama.cpp itself is in test_engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assistant.engine import sampler
from assistant.engine.sampler import Vocabulary
from assistant.errors import EngineFailed


def fake_llama(end: int) -> Any:
    """Four tokens, of which 0 is for control; `end` ends the text."""
    return SimpleNamespace(
        llama_sampler_init_grammar=lambda *_: 1,
        llama_sampler_free=lambda _: None,
        llama_vocab_n_tokens=lambda _: 4,
        llama_vocab_is_control=lambda _, token: token == 0,
        llama_vocab_is_eog=lambda _, token: token == end,
    )


def test_a_check_leaves_nothing_to_compute_for_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "llama", fake_llama(end=2))
    words = Vocabulary(None)
    words.check('root ::= "a"')
    monkeypatch.setattr(sampler, "llama", None)
    assert (words.ids.tolist(), words.end) == ([1, 2, 3], 2)


def test_a_model_that_cannot_end_a_text_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "llama", fake_llama(end=-1))
    with pytest.raises(EngineFailed, match="no token that ends"):
        Vocabulary(None).check('root ::= "a"')
