"""Two sources that give two values for one thing, and those that only seem to."""

from __future__ import annotations

import pytest

from assistant.cite import Citer
from assistant.conflict import disagreeing
from assistant.draft import Draft
from assistant.records import Chunk, Hit

RANK = "China ranked 10th among 139 economies in the 2025 index."


def hit(text: str, document: str) -> Hit:
    return Hit(Chunk(document, document, text, 0, len(text), file=f"{document}.txt", publisher="Transit News"), 1.0)


def found(sentence: str, other: str) -> str | None:
    citer = Citer("?", [hit(RANK, "one"), hit(other, "two")])
    candidate = disagreeing(sentence, citer.find(sentence), citer.candidates)
    return candidate.quote if candidate else None


@pytest.mark.parametrize(
    "other",
    [
        "China ranked 12th among 139 economies in the 2025 index.",
        "In the 2025 index, China ranked 12th among 139 economies.",
    ],
)
def test_another_value_in_the_same_words_disagrees(other: str) -> None:
    assert found(RANK, other) == other


@pytest.mark.parametrize(
    "other",
    [
        RANK,
        "China ranked 11th among 133 economies in the 2024 index.",  # another year
        "The museum opened in 1890 and has 12 rooms.",
        "A reporter counted 61 times that China is ranked among 139 economies in the 2025 index of innovation.",
        "Japan ranked 10th among 139 economies in the 2025 index.",  # another name
        "China ranked among 139 economies in the 2025 index.",  # says less
        "Japan and Korea spent 12 billion on the 2025 index.",
    ],
)
def test_what_is_about_something_else_does_not(other: str) -> None:
    assert found(RANK, other) is None


def test_the_answer_tells_the_other_value_with_its_source() -> None:
    other = "China ranked 12th among 139 economies in the 2025 index."
    draft = Draft(Citer("Which rank?", [hit(RANK, "one"), hit(other, "two")]))
    list(draft.feed(RANK))
    list(draft.flush())
    list(draft.disagreements())
    assert draft.text == f"{RANK} [1]\n\nTransit News, two.txt says otherwise: “{other}” [2]"
    assert draft.sentences[-1].citations == (2,)
    assert [citation.quote for citation in draft.citations] == [RANK, other]
