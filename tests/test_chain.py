"""The order of an answer's stages, with a model and an index that say what they are told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

from assistant.chain import Assistant
from assistant.check import Checker
from assistant.engine import Done, Params, Piece
from assistant.errors import Busy, QuestionTooLong
from assistant.probe import Probe
from assistant.records import (
    Answer,
    Chunk,
    Finished,
    Hit,
    Message,
    Pending,
    Progress,
    Sampling,
    SentenceChecked,
    Token,
)
from assistant.settings import Settings
from assistant.writing import Until

TEXT = "The Northern Line opened in 1890. It was extended to Morden in 1924. Ada Marsh led the engineers."
BUSY = "busy"
HITS = [Hit(Chunk("d-0", "d", TEXT, 0, len(TEXT), file="line.txt", title="The line"), 1.0)]


class FakeEngine:
    """Gives one answer after the other. `odds` is what it thinks of a sentence; None: it was stopped."""

    context_tokens = 4096

    def __init__(self, answers: list[str], odds: Callable[[str], float | None]) -> None:
        self.answers, self.odds = list(answers), odds
        self.asked: list[str] = []
        self.weighed: list[str] = []
        self.watched: list[bool] = []
        self.timeouts: list[float | None] = []
        self.hidden: Any = None

    def count(self, text: str) -> int:
        return len(text.split())

    def check_busy(self) -> None: ...

    def generate(self, turns: Any, params: Params, cancel: Any) -> Iterator[Piece | Done]:
        self.asked.append(turns[-1].segments[-1].text)
        self.timeouts.append(params.timeout_s)
        text = self.answers.pop(0)
        if text == BUSY:
            raise Busy("All are busy.", "Wait.")
        done = Done("cancelled" if cancel and cancel.is_set() else "stop", 9, 5, 4, 0, 0.1, 0.2, 10.0)
        self.watched.append(params.watch is not None)
        wanted = params.watch is None or self.hidden is None or params.watch(self.hidden)
        pieces = [Piece(text[at : at + 7]) for at in range(0, len(text) if wanted else 0, 7)]
        return (event for event in [*pieces, done])

    def weigh(self, turns: Any, words: Any, cancel: Any) -> Any:
        sentence = turns[-1].segments[-1].text.rpartition("Proposed answer: ")[2].split("\n")[0]
        self.weighed.append(sentence)
        odds = None if isinstance(cancel, Until) and cancel.is_set() else self.odds(sentence)
        return SimpleNamespace(done=True, result=lambda: odds, close=lambda: None)


class Says(Checker):
    """Trusts the model's word alone."""

    def __init__(self) -> None:
        self._probe = Probe(model_sha256="fake", layer=1, bias=0.0, out_of_scope=-5.0, weights=(1.0,))

    def asks(self, found: Any, known: float | None) -> bool:
        return True

    def features(self, sentence: str, passages: Any) -> dict[str, float]:
        return {"words": 1.0}

    def support(self, found: Any, stated: float | None, known: float | None = None) -> float:
        return 1.0 if stated and stated > 0 and (known is None or known > 0) else 0.0

    def nearest(self, *_: object) -> int | None:
        return None

    def verdict(self, support: float) -> Any:
        return "supported" if support else "unsupported"


class Finds:
    """A retriever that always finds the same."""

    def __init__(self, hits: list[Hit]) -> None:
        self.hits = hits
        self.asked: list[tuple[str, str]] = []  # the question, and the one before

    def search(self, collection: str, question: str, k: int, before: str = "", **_: Any) -> list[Hit]:
        self.asked.append((question, before))
        return self.hits


def ask(
    answers: list[str],
    odds: Callable[[str], float | None] = lambda _: 1.0,
    mode: Literal["strict", "show", "off"] = "strict",
    hits: list[Hit] | None = None,
    cancel: threading.Event | None = None,
    hidden: float | None = None,
    sampling: Sampling | None = None,
    question: str = "When did the line open?",
) -> tuple[Answer, list[Any], FakeEngine]:
    engine: Any = FakeEngine(answers, odds)
    engine.hidden = None if hidden is None else np.array([hidden], np.float32)
    found: Any = Finds(HITS if hits is None else hits)
    settings = Settings(trust={"mode": mode})
    assistant = Assistant(settings, found, found, engine, "fake", Says())
    events = list(assistant.stream(question, cancel=cancel, sampling=sampling))
    assert isinstance(events[-1], Finished)
    answer = events[-1].answer
    assert "".join(event.text for event in events if isinstance(event, Token)) == answer.answer
    return answer, events, engine


def no_giants(sentence: str) -> float:
    return -1.0 if "giants" in sentence else 1.0


def test_a_supported_answer_stands_and_is_pending_before() -> None:
    answer, events, engine = ask(["The line opened in 1890."])
    assert answer.answer == "The line opened in 1890. [1]"
    assert [sentence.verdict for sentence in answer.sentences] == ["supported"]
    kinds = [type(event) for event in events]
    assert kinds.index(Pending) < kinds.index(Token) < kinds.index(SentenceChecked)
    assert engine.weighed == ["The line opened in 1890."]
    assert answer.timings.shown_s > 0


def test_what_only_says_the_question_again_is_no_answer() -> None:
    answer, _, engine = ask(["The line opened when the line opened.", "It opened in 1890."])
    assert answer.answer == "It opened in 1890. [1]"
    assert answer.left_out == ("The line opened when the line opened.",)
    assert engine.weighed == ["It opened in 1890."]
    shown, _, _ = ask(["The line opened when the line opened."], mode="show")
    assert shown.sentences[0].verdict == "supported"


def test_what_the_model_had_in_mind_at_its_first_word_counts_for_all_sentences() -> None:
    said = ["The line opened in 1890. It went to Morden.", "It opened in 1890."]
    answer, _, engine = ask(said, hidden=2.0)
    assert [sentence.verdict for sentence in answer.sentences] == ["supported", "supported"]
    assert engine.watched == [True]
    answer, _, engine = ask(said, hidden=-2.0)
    assert answer.abstained
    assert engine.watched == [True, False]  # of a second try it is not asked


@pytest.mark.parametrize("mode", ["strict", "show"])
def test_what_the_model_has_no_answer_to_in_mind_is_not_even_begun(mode: Literal["strict", "show"]) -> None:
    answer, events, engine = ask(["The line opened in 1890."], mode=mode, hidden=-6.0)
    assert engine.watched == [True]
    if mode == "show":  # everything that is written is shown, and struck through
        assert answer.answer == "The line opened in 1890. [1]"
        assert [sentence.verdict for sentence in answer.sentences] == ["unsupported"]
        return
    assert answer.reason == "out_of_scope"
    assert answer.abstained
    assert "The nearest passages" in answer.answer
    assert not answer.sentences
    assert not answer.left_out
    assert not engine.weighed
    assert not [event for event in events if isinstance(event, Pending)]


def test_what_fails_is_named_once_and_the_second_try_is_checked_too() -> None:
    answer, _, engine = ask(["It was dug by giants.", "The line opened in 1890. It was dug by giants."], no_giants)
    assert answer.answer == "The line opened in 1890. [1]"
    assert answer.left_out == ("It was dug by giants.",)
    assert "“It was dug by giants.”" in engine.asked[1]
    assert not answer.abstained


def test_a_second_try_has_to_give_the_number_that_failed_in_the_first() -> None:
    tries = ["The line has 12 giants.", "The line opened in the valley."]
    answer, _, engine = ask(tries, no_giants, question="How many stations has the line?")
    assert answer.reason == "not_supported"
    assert engine.weighed == ["The line has 12 giants."]


def test_what_stands_stays_where_there_is_no_second_try(caplog: pytest.LogCaptureFixture) -> None:
    answer, _, engine = ask(["The line opened in 1890. It was dug by giants.", BUSY], no_giants)
    assert answer.answer == "The line opened in 1890. [1]"
    assert answer.left_out == ("It was dug by giants.",)
    assert len(engine.asked) == 2
    assert "All are busy" in caplog.text


def test_a_second_try_has_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ["The line opened in 1890. It was dug by giants.", "It was dug by Ada Marsh."]
    for timeout_s, tries in ((100.0, 2), (1e-9, 1)):
        answer, _, engine = ask(said, no_giants, sampling=Sampling(timeout_s=timeout_s))
        assert len(engine.asked) == tries
        assert answer.answer.startswith("The line opened in 1890. [1]")
        assert all((left or 0) <= timeout_s for left in engine.timeouts)


def test_where_nothing_is_left_it_abstains_and_suggests() -> None:
    answer, _, engine = ask(["It was dug by giants.", "By giants, it was dug."], no_giants)
    assert (answer.abstained, answer.reason) == (True, "not_supported")
    assert (answer.citations, answer.sentences) == ((), ())
    assert "The Northern Line opened in 1890." in answer.answer
    assert "The line" in answer.answer
    assert len(answer.left_out) == 1 + (len(engine.weighed) > 1)


def test_show_marks_and_leaves_all_that_was_said() -> None:
    answer, events, engine = ask(["It opened in 1890. It was dug by giants."], no_giants, mode="show")
    assert answer.answer == "It opened in 1890. [1] It was dug by giants."
    assert [sentence.verdict for sentence in answer.sentences] == ["supported", "unsupported"]
    assert not any(isinstance(event, Pending) for event in events)
    assert len(engine.asked) == 1


def test_off_checks_nothing() -> None:
    answer, _, engine = ask(["It was dug by giants."], no_giants, mode="off")
    assert [sentence.verdict for sentence in answer.sentences] == ["unchecked"]
    assert engine.weighed == []


def test_without_a_verdict_a_sentence_stands_as_unchecked() -> None:
    answer, _, _ = ask(["It opened in 1890."], lambda _: None)
    assert [sentence.verdict for sentence in answer.sentences] == ["unchecked"]
    assert answer.answer.startswith("It opened in 1890.")


@pytest.mark.parametrize("mode", ["strict", "show", "off"])
def test_no_hit_is_no_answer_and_no_model_is_asked(mode: Literal["strict", "show", "off"]) -> None:
    answer, _, engine = ask([], mode=mode, hits=[])
    assert (answer.abstained, answer.reason, engine.asked) == (True, "no_hits", [])


def test_a_model_that_says_nothing_abstains() -> None:
    for silence in ("", "  \n", "[1]"):
        answer, _, _ = ask([silence])
        assert (answer.abstained, answer.reason) == (True, "not_supported")


def test_an_answer_without_a_letter_abstains() -> None:
    for mark in ("...", "[1].", "[1], [2]."):
        answer, _, _ = ask([mark])
        assert (answer.abstained, answer.reason, answer.sentences) == (True, "not_supported", ())
        assert not answer.answer.startswith((".", ","))


def test_what_is_not_checked_in_the_answers_time_is_unchecked() -> None:
    for timeout_s, verdict in ((100.0, "unsupported"), (1e-9, "unchecked")):
        answer, _, _ = ask(["It was dug by giants."], no_giants, mode="show", sampling=Sampling(timeout_s=timeout_s))
        assert [sentence.verdict for sentence in answer.sentences] == [verdict]


def test_a_cancelled_answer_has_no_second_try_and_does_not_abstain() -> None:
    cancel = threading.Event()
    cancel.set()
    answer, _, engine = ask(["It was dug by giants."], no_giants, cancel=cancel)
    assert (answer.finish_reason, answer.abstained, len(engine.asked)) == ("cancelled", False, 1)


def test_a_chunk_that_fits_no_prompt_is_not_read_ahead_and_the_others_are() -> None:
    def chunk(number: int, words: int) -> Chunk:
        return Chunk(f"d-{number}", "d", "word " * words, 0, 5 * words, file="line.txt")

    chunks = {one.id: one for one in (chunk(0, 10), chunk(1, 5000), chunk(2, 2000), chunk(3, 20))}
    read: list[str] = []

    def read_turns(turns: Any, cancel: Any) -> int:
        (text,) = [segment.text for turn in turns for segment in turn.segments if segment.id]
        if len(text.split()) > 1000:  # in the model's own tokens a text may be longer than it was counted
            raise QuestionTooLong("A part of the prompt has too many tokens.")
        read.append(text)
        return len(text.split())

    engine: Any = FakeEngine([], lambda _: None)
    engine.read, engine.store = read_turns, SimpleNamespace(disk_full=False)
    library = SimpleNamespace(
        chunk_ids=lambda _: list(chunks), chunks=lambda _, ids: {one: chunks[one] for one in ids}
    )
    ingest: Any = SimpleNamespace(library=library)
    told: list[Progress] = []
    assistant = Assistant(Settings(engine={"reuse": "chunks"}), ingest, ingest, engine, "fake")
    assert assistant.read_ahead(progress=told.append) >= 30
    assert len(read) == 2
    assert (told[-1].done, told[-1].total) == (4, 4)


SPANISH = "¿Cuándo fue abierta la línea que pasa bajo el río?"
EARLIER = "¿Qué línea pasa por debajo del río?"


def translated(answers: list[str], history: tuple[Message, ...] = ()) -> tuple[Finds, FakeEngine, str]:
    engine: Any = FakeEngine(answers, lambda _: 1.0)
    found: Any = Finds(HITS)
    assistant = Assistant(Settings(), found, found, engine, "fake", Says())
    return found, engine, assistant.answer(SPANISH, history=history).answer


def test_a_question_in_another_language_than_the_documents_is_searched_for_in_theirs() -> None:
    found, engine, answer = translated(["When was the line opened?", "Fue abierta en 1890."])
    assert found.asked == [(SPANISH, ""), ("When was the line opened?", "")]
    assert "English" in engine.asked[0]
    assert SPANISH in engine.asked[1]  # it is answered as it was asked
    assert answer.startswith("Fue abierta en 1890.")


def test_what_such_a_question_refers_to_is_translated_with_it() -> None:
    history = (Message("user", EARLIER), Message("assistant", "La Northern Line."))
    said = "Which line passes below the river?\nWhen was it opened?"
    found, engine, _ = translated([said, "Fue abierta en 1890."], history)
    assert found.asked == [(SPANISH, EARLIER), ("When was it opened?", "Which line passes below the river?")]
    assert f"{EARLIER}\n{SPANISH}" in engine.asked[0]


@pytest.mark.parametrize("said", [SPANISH, BUSY])
def test_what_is_no_translation_changes_nothing(said: str) -> None:
    found, _, answer = translated([said, "Fue abierta en 1890."])
    assert found.asked == [(SPANISH, "")]
    assert answer.startswith("Fue abierta en 1890.")


def test_passages_in_the_language_of_the_question_stay_beside_those_of_its_translation() -> None:
    text = "La línea fue abierta en 1890, y después fue prolongada hasta el otro lado del río en 1924."
    spanish = Hit(Chunk("e-0", "e", text, 0, len(text), file="linea.txt"), 1.0)
    more = [replace(HITS[0], chunk=replace(HITS[0].chunk, id=f"d-{n}")) for n in range(1, 3)]
    engine: Any = FakeEngine(["When was the line opened?", "Fue abierta en 1890."], lambda _: 1.0)
    found: Any = Finds([*HITS, spanish, *more])
    assistant = Assistant(Settings(), found, found, engine, "fake", Says())
    assert [hit.chunk.id for hit in assistant.answer(SPANISH).hits] == ["e-0", "d-0", "d-1", "d-2"]


def test_what_a_short_follow_up_finds_in_another_language_does_not_stay() -> None:
    found: Any = Finds(HITS)
    engine: Any = FakeEngine(["Which line passes below the river?\nIn 1924?", "Fue prolongada."], lambda _: 1.0)
    assistant = Assistant(Settings(), found, found, engine, "fake", Says())
    elsewhere = [replace(HITS[0], chunk=replace(HITS[0].chunk, id="d-1"))]
    search = found.search
    found.search = lambda *given, **named: search(*given, **named) if "¿" in given[1] else elsewhere
    answer = assistant.answer("¿1924?", history=(Message("user", EARLIER), Message("assistant", "La Northern.")))
    assert [hit.chunk.id for hit in answer.hits] == ["d-1"]


def test_no_other_question_is_translated() -> None:
    _, _, engine = ask(["It opened in 1890."])
    assert len(engine.asked) == 1
