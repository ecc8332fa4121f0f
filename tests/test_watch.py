"""Hidden states of a layer, looked at while llama.cpp computes them, for real on the tiny model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.engine import Engine, EngineConfig, Params, Piece, Segment, Turn

pytestmark = pytest.mark.real

WIDTH = 576  # of SmolLM2-135M


@pytest.fixture(scope="module")
def engine(tiny_llm: Path) -> Iterator[Engine]:
    engine = Engine.open(tiny_llm, EngineConfig(context_tokens=2048, max_sequences=3, watch_layer=15))
    yield engine
    engine.close()


def hidden(engine: Engine, question: str, watch: bool = True) -> list[np.ndarray | None]:
    events = engine.generate([Turn("user", (Segment(question),))], Params(max_tokens=6, watch=watch))
    return [event.hidden for event in events if isinstance(event, Piece)]


def test_the_first_piece_has_the_state_that_the_answer_begins_with(engine: Engine) -> None:
    first, *others = hidden(engine, "Why is the sky blue?")
    assert first is not None
    assert first.shape == (WIDTH,)
    assert np.isfinite(first).all()
    assert others
    assert all(one is None for one in others)


def test_who_does_not_ask_sees_nothing(engine: Engine) -> None:
    assert set(map(type, hidden(engine, "Why is the sea salt?", watch=False))) == {type(None)}
    assert engine._backend._watch.wanted == 0  # type: ignore[attr-defined]


def test_side_by_side_everybody_gets_their_own(engine: Engine) -> None:
    questions = ["Name three rivers.", "What is bread made of?", "Count from one to ten, in words."]
    alone = {question: hidden(engine, question)[0] for question in questions}
    together: dict[str, np.ndarray | None] = {}

    def ask(question: str) -> None:
        together[question] = hidden(engine, f"{question}")[0]

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def alike(one: np.ndarray | None, other: np.ndarray | None) -> float:
        assert one is not None
        assert other is not None
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    for question in questions:
        nearest = max(questions, key=lambda known: alike(together[question], alone[known]))
        assert nearest == question
        assert alike(together[question], alone[question]) > 0.99


def test_an_engine_that_watches_nothing_gives_nothing(tiny_llm: Path) -> None:
    engine = Engine.open(tiny_llm, EngineConfig(context_tokens=512, max_sequences=1))
    assert set(map(type, hidden(engine, "Why?"))) == {type(None)}
    engine.close()
