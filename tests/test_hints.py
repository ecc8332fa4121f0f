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
    ("date", "publisher", "kinds"),
    [("2025-03-07", "Xinhua", 2), ("2025", None, 1), ("2025-04-01", "Xinhua", 1), (None, "Reuters", 0)],
)
def test_what_a_chunk_meets(date: str | None, publisher: str | None, kinds: int):
    found = hints.read("According to Xinhua, what happened in March 2025?", PUBLISHERS)
    assert found.meets(Chunk("c", "d", "text", 0, 4, date=date, publisher=publisher)) == kinds
