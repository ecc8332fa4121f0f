"""The third witness: which windows it is shown, how far it may be believed, and what it changes in a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from fake_embedder import FakeEmbedder
from test_check import HITS, SAID, TEXT, says, weights

from assistant import groundedness
from assistant.check import Checker, joined
from assistant.groundedness import MOST, SURE, WINDOW, Groundedness
from assistant.pairs import CrossEncoder
from assistant.records import Hit

WRONG = "The Northern Line closed in 1924."
LONG = " ".join(f"Sentence number {n} tells of station {n} and of its {n} stairs." for n in range(40))


class Counted(CrossEncoder):
    """Remembers what it was asked."""

    def scores(self, pairs):
        self.asked = [*getattr(self, "asked", []), *pairs]
        return super().scores(pairs)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Counted]:
    words = tiny_models.tokenizer(tmp_path / "tokenizer.json", [TEXT, SAID, WRONG, LONG, "Morden"])
    file = tiny_models.counting(tmp_path / "model.onnx", asks="second", classes=3, yes=1)
    made = Counted("tiny", file, words, yes=1, threads=1)
    made.asked.clear()
    yield made
    made.close()


def test_what_a_passage_says_is_supported_and_what_it_does_not_say_is_not(model: Counted):
    found = Groundedness(model)
    assert found.support(SAID, [("", TEXT)]) == pytest.approx(SURE)
    likely = np.exp(3) / (np.exp(3) + 2)  # five words of it are there, two are not; the two other outputs are 0
    assert found.support(WRONG, [("", TEXT)]) == pytest.approx(likely)
    assert found.support("Morden closed in 1924", [("", TEXT)]) < 0.2
    assert found.support("Morden " * 30, [("", TEXT)]) == pytest.approx(1 - SURE)


def test_the_window_that_supports_it_most_speaks_for_all(model: Counted):
    found = Groundedness(model)
    assert found.support("Morden", [("", LONG), ("", "Morden")]) > 0.5
    assert found.support(SAID, [("", LONG), ("", TEXT)]) == pytest.approx(SURE)


def test_it_stops_reading_where_no_window_could_say_more(model: Counted):
    Groundedness(model).support(SAID, [("", LONG), ("", TEXT)])
    assert [first for first, _ in model.asked] == [TEXT], "the window that shares most is read first"


def test_many_windows_are_not_all_read(model: Counted):
    Groundedness(model).support("Morden", [("", LONG)] * 9)
    assert len(model.asked) == MOST


def test_no_passage_says_nothing(model: Counted):
    assert np.isnan(Groundedness(model).support(SAID, []))
    assert np.isnan(Groundedness(model).support(SAID, [("Heading", "")]))


def test_windows_hold_all_of_a_text_and_overlap():
    windows = list(groundedness._windows([("Heading", LONG)]))
    assert all(window.startswith("Heading\nSentence number") for window in windows)
    assert max(map(len, windows)) <= WINDOW + len("Heading\n") + WINDOW // 40  # the spaces between
    for n in range(40):
        assert any(f"number {n} tells of station {n} and of its {n} stairs." in window for window in windows)
    for before, after in pairwise(windows):
        assert before.split(". ")[-1].removesuffix(".") in after


def test_a_sentence_without_end_is_cut():
    windows = list(groundedness._windows([("", "x" * 2000), ("", "")]))
    assert "".join(windows) == "x" * 2000
    assert max(map(len, windows)) == WINDOW


def test_joined_odds():
    assert joined(0.3, 0.5) == pytest.approx(0.3)
    assert joined(0.8, 0.2) == pytest.approx(0.5)
    assert joined(0.6, 0.9) == pytest.approx(1.5 * 9 / (1.5 * 9 + 1))
    assert (joined(0.0, 0.9), joined(1.0, 0.1)) == (0.0, 1.0)
    assert np.isnan(joined(float("nan"), 0.9))
    assert np.isnan(joined(0.9, float("nan")))


def checker(model: Counted) -> Checker:
    made = Checker(FakeEmbedder(), weights())
    made.grounds = Groundedness(model)
    return made


@pytest.mark.parametrize(
    ("said", "odds", "verdict"),
    [
        (SAID, 0.0, "supported"),
        (SAID, -2.0, "supported"),  # the groundedness model is surer than the language model
        (SAID, -4.0, "unsupported"),
        ("Morden closed.", 0.0, "unsupported"),
        ("Morden closed.", 4.0, "supported"),
        (SAID, None, "unchecked"),
    ],
)
def test_a_verdict_adds_up_what_the_witnesses_say(model: Counted, said: str, odds: float | None, verdict: str):
    made = checker(model)
    check = made.begin(said, HITS, says(odds))
    assert check.verdict() == verdict
    assert check.done or odds is None
    made.close()


def test_a_window_has_the_heading_of_its_passage(model: Counted):
    made = checker(model)
    chunk = replace(HITS[0].chunk, title="The line", publisher="Transit News")
    made.begin(SAID, [Hit(chunk, 1.0)], says(0.0)).verdict()
    assert model.asked == [(f"The line, Transit News\n{TEXT}", SAID)]
    made.close()


def test_a_model_that_fails_leaves_the_sentence_unchecked(model: Counted, caplog: pytest.LogCaptureFixture):
    model._yes = 7
    assert checker(model).begin(SAID, HITS, says(2.0)).verdict() == "unchecked"
    assert "could not be checked: The model tiny" in caplog.text


def test_what_is_closed_meanwhile_is_unchecked(model: Counted):
    made = checker(model)
    check = made.begin(SAID, HITS, says(2.0))
    assert check._grounded is not None
    check._grounded.result()
    check._grounded = type(check._grounded)()
    check._grounded.cancel()
    with pytest.raises(CancelledError):
        check._grounded.result()
    assert check.verdict() == "unchecked"
