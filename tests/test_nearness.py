"""What the experiments tell a prompt of passages that no search found."""

from __future__ import annotations

import pytest
from fake_embedder import FakeEmbedder

from assistant import passages
from assistant.records import Chunk, Hit
from evals import pointing
from evals.nearness import Nearness
from evals.reuse import Case

TEXT = "The bell is old. The lamp of the lamp house is a lamp. It was lit in 1874 by a keeper."
ASKED = "When was the lamp lit by a keeper?"


def compared() -> Hit:
    (hit,) = Nearness(FakeEmbedder()).of(ASKED, [Hit(Chunk("a-0", "a", TEXT, 0, len(TEXT), file="a.txt"), 1.0)])  # type: ignore[arg-type]
    return hit


def test_each_sentence_is_compared_and_a_text_read_once() -> None:
    embedder = FakeEmbedder()
    nearness = Nearness(embedder)  # type: ignore[arg-type]
    hit = Hit(Chunk("a-0", "a", TEXT, 0, len(TEXT), file="a.txt"), 1.0)
    (first,), (second,) = nearness.of(ASKED, [hit]), nearness.of(ASKED, [hit])
    assert first == second
    assert len(first.near) == 3
    assert max(first.near) == first.near[2]
    assert embedder.texts == 3  # the question twice


def test_the_ways_of_choosing_sentences_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "ALIKE", passages.ALIKE)
    monkeypatch.setattr(passages, "MOST", 1)
    asked = [Case("1", ASKED, ("1874",), (compared(),))]
    assert pointing.measure(asked, 1.0) == {"n": 1, "held": 1, "characters": len("It was lit in 1874 by a keeper.")}
    assert pointing.measure([Case("1", ASKED, ("1900",), (compared(),))], 1.0)["held"] == 0
