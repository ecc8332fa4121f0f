from __future__ import annotations

import pytest

from assistant import hints
from assistant.records import Chunk

PUBLISHERS = ("Xinhua", "Global Times")


@pytest.mark.parametrize(
    ("question", "dates", "publishers"),
    [
        ("What happened in 2025?", ("2025",), ()),
        ("What happened in March 2025?", ("2025-03",), ()),
        ("What was said on December 5, 2025?", ("2025-12-05",), ()),
        ("2025年发生了什么？", ("2025",), ()),
        ("What rank is it, according to Xinhua?", (), ("Xinhua",)),
        ("did the global times report it in 2024 or 2025", ("2024", "2025"), ("Global Times",)),
        ("Is 2,025 or $1999 or 20251 or 1.2024 a year?", (), ()),
        ("Who are the Xinhuans?", (), ()),
    ],
)
def test_what_a_question_names(question: str, dates: tuple[str, ...], publishers: tuple[str, ...]):
    assert hints.read(question, PUBLISHERS) == hints.Hints(dates, publishers)


@pytest.mark.parametrize(
    ("question", "publisher"),
    [
        ("What happened, according to Xinhua?", "Xinhua News Agency"),
        ("What did People’s Daily say?", "People's Daily"),
        ("what did people's daily say", "People’s Daily"),
        ("What did the New York Times say?", "The New York Times Co."),
        ("Does Acme Widgets sell it?", "Acme Widgets, Inc."),
        ("What did Ｎａｔｕｒｅ report?", "Nature Online"),
        ("what is it according to nature?", "Nature"),
        ("What was published in the time?", "The Time"),
        ("Was it in Time?", "Time"),
    ],
)
def test_a_publisher_is_named_as_people_name_it(question: str, publisher: str):
    assert hints.read(question, [publisher]).publishers == (publisher,)


@pytest.mark.parametrize(
    ("question", "publisher"),
    [
        ("At what time does the ferry leave?", "Time"),
        ("Describe the nature of the agreement.", "Nature"),
        ("How many times did it fail?", "The Times"),
        ("Time is short. Nature is too?", "Time"),
        ("It failed. Nature or chance?", "Nature"),
        ("AT WHAT TIME DOES IT LEAVE?", "Time"),
        ("At What Time Does the Ferry Leave?", "Time"),
    ],
)
def test_a_word_of_the_language_is_no_publisher(question: str, publisher: str):
    assert hints.read(question, [publisher], ["The time and nature of many times."]).publishers == ()


def test_the_texts_tell_whether_a_name_in_small_letters_is_a_word():
    question = "what did xinhua say about time"
    assert hints.read(question, ["Xinhua", "Time"], ["Xinhua said so in time."]).publishers == ("Xinhua",)
    assert hints.read(question, ["Xinhua", "Time"]).publishers == ()


@pytest.mark.parametrize(
    ("date", "publisher", "kinds"),
    [("2025-03-07", "Xinhua", 2), ("2025", None, 1), ("2025-04-01", "Xinhua", 1), (None, "Reuters", 0)],
)
def test_what_a_chunk_meets(date: str | None, publisher: str | None, kinds: int):
    found = hints.read("According to Xinhua, what happened in March 2025?", PUBLISHERS)
    assert found.meets(Chunk("c", "d", "text", 0, 4, date=date, publisher=publisher)) == kinds
