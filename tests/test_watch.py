"""Hidden states of a layer, looked at while llama.cpp computes them, for real on the tiny model."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.engine import Done, Engine, EngineConfig, Params, Piece, Segment, Turn

pytestmark = pytest.mark.real

WIDTH = 576  # of SmolLM2-135M


@pytest.fixture(scope="module")
def engine(tiny_llm: Path) -> Iterator[Engine]:
    engine = Engine.open(tiny_llm, EngineConfig(context_tokens=2048, max_sequences=3, watch_layer=15))
    yield engine
    engine.close()


def look(engine: Engine, question: str, write_on: bool = True) -> tuple[list[np.ndarray], list[Piece | Done]]:
    """What was seen, and what was written."""
    seen: list[np.ndarray] = []

    def watch(hidden: np.ndarray) -> bool:
        seen.append(hidden)
        return write_on

    events = list(engine.generate([Turn("user", (Segment(question),))], Params(max_tokens=6, watch=watch)))
    assert engine._backend._watch is None or engine._backend._watch.wanted == 0  # type: ignore[attr-defined]
    return seen, events


def hidden(engine: Engine, question: str) -> np.ndarray:
    (seen,), _ = look(engine, question)
    return seen


def test_who_watches_is_told_once_the_state_that_the_answer_begins_with(engine: Engine) -> None:
    (seen,), events = look(engine, "Why is the sky blue?")
    assert seen.shape == (WIDTH,)
    assert np.isfinite(seen).all()
    assert any(isinstance(event, Piece) for event in events)
    assert [event.completion_tokens for event in events if isinstance(event, Done)] == [6]


def test_an_answer_that_is_not_wanted_ends_without_a_word(engine: Engine) -> None:
    (seen,), events = look(engine, "Why is the sky blue?", write_on=False)
    assert seen.shape == (WIDTH,)
    (done,) = events
    assert isinstance(done, Done)
    assert (done.finish, done.completion_tokens) == ("stop", 1)
    assert done.ttft_s > 0
    _, events = look(engine, "Why is the sky blue?")
    assert len(events) > 1  # the same prompt, kept by then, is answered as ever


def test_who_fails_to_watch_is_logged_and_the_answer_is_written(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: np.ndarray) -> bool:
        raise ValueError("no such probe")

    events = list(engine.generate([Turn("user", (Segment("Why?"),))], Params(max_tokens=6, watch=fail)))
    assert any(isinstance(event, Piece) for event in events)
    assert "no such probe" in caplog.text


def test_who_does_not_ask_sees_nothing(engine: Engine) -> None:
    list(engine.generate([Turn("user", (Segment("Why is the sea salt?"),))], Params(max_tokens=6)))
    assert engine._backend._watch.wanted == 0  # type: ignore[attr-defined]


def test_side_by_side_everybody_gets_their_own(engine: Engine) -> None:
    questions = ["Name three rivers.", "What is bread made of?", "Count from one to ten, in words."]
    alone = {question: hidden(engine, question) for question in questions}
    together: dict[str, np.ndarray] = {}

    def ask(question: str) -> None:
        together[question] = hidden(engine, question)

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    for question in questions:
        nearest = max(questions, key=lambda known: alike(together[question], alone[known]))
        assert nearest == question
        assert alike(together[question], alone[question]) > 0.99


def test_an_engine_that_watches_nothing_gives_nothing(tiny_llm: Path) -> None:
    engine = Engine.open(tiny_llm, EngineConfig(context_tokens=512, max_sequences=1))
    seen, events = look(engine, "Why?", write_on=False)
    assert not seen
    assert any(isinstance(event, Piece) for event in events)
    engine.close()
