"""Two sources that give two values for one thing, and those that only seem to."""

from __future__ import annotations

import pytest

from assistant.cite import Citer
from assistant.conflict import disagreeing, refuted
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
        "Japan ranked 12th among 139 economies in the 2025 index.",  # another name and another number
        "China ranked 12th among 139 economies in the 2025 index of green energy and of nothing else.",
        "China ranked 10th among 139 economies in the 2024 index.",  # things change
    ],
)
def test_what_is_about_something_else_does_not(other: str) -> None:
    assert found(RANK, other) is None


@pytest.mark.parametrize(
    ("sentence", "other"),
    [
        ("Terminal 2 is served by express buses.", "Terminal 3 is served by express buses."),
        ("The maximum speed on the bridge is 130 km/h.", "The minimum speed on the bridge is 60 km/h."),
        ("The company paid a small dividend in 2022.", "The company paid a small dividend in 2023."),
    ],
)
def test_two_statements_that_may_both_be_true_do_not_disagree(sentence: str, other: str) -> None:
    citer = Citer("?", [hit(sentence, "one"), hit(other, "two")])
    assert disagreeing(sentence, citer.find(sentence), citer.candidates) is None


def test_the_answer_tells_the_other_value_with_its_source() -> None:
    other = "China ranked 12th among 139 economies in the 2025 index."
    draft = Draft(Citer("Which rank?", [hit(RANK, "one"), hit(other, "two")]))
    list(draft.feed(RANK))
    list(draft.flush())
    list(draft.disagreements())
    assert draft.text == f"{RANK} [1]\n\nTransit News, two.txt says otherwise: “{other}” [2]"
    assert draft.sentences[-1].citations == (2,)
    assert [citation.quote for citation in draft.citations] == [RANK, other]


RANKS = "The rank rose from the 34th place in 2012 to the 10th place in 2025. It was 14th in 2019 and 11th in 2024."
PROBE = "News, Xinhua, 2025-12-05\n\nThe Chang'e-6 probe brought back the first samples from the far side of the moon."
AGE = "The minimum age to drive a car was 16 until 2019. Since then one must be 18."


@pytest.mark.parametrize(
    ("said", "text", "false"),
    [
        ("The Chang'e-5 probe brought back the first samples from the far side of the moon.", PROBE, True),
        ("The Chang'e-4 probe brought back the first samples from the far side of the moon.", PROBE, True),
        ("The Chang'e-6 probe brought back the first samples from the far side of the moon.", PROBE, False),
        ("The rank rose from the 34th place in 2012 to the 9th place in 2025.", RANKS, True),
        ("The rank rose from the 34th place in 2012 to the 11th place.", RANKS, False),  # told of another year
        ("The minimum age to drive a car is 18.", AGE, False),  # the next sentence has it
        ("The minimum age to drive a car was 17 until 2019.", AGE, True),
        ("The documents do not give the sales for 2021.", "The documents give the sales for 2020.", False),
        ("A ticket to the museum costs $1.5 a day.", "A ticket to the museum costs $1.50 a day.", False),
        ("The museum had 20 visitors that winter.", "The museum had twenty visitors that winter.", False),
        ("1. Open the lid of the box.", "2. Open the lid of the box.", False),
        ("La línea fue abierta en el año 1890.", "The line opened in 1891.", False),
        ("The drug cut deaths by 30 percent in women.", "The drug cut deaths by 12 percent in men.", False),
        ("The adult ticket for the tour costs 18 euros.", "The child ticket for the tour costs 9 euros.", False),
        ("甲公司的员工人数约为3000人左右。", "乙公司的员工人数约为5000人左右。", False),
        ("About 49% of voters supported the plan.", "About 49.3% of voters supported the plan.", False),
        ("Some 5 million people saw the park.", "Some 4.98 million people saw the park.", False),
        ("The land has more than 190 museums.", "The land has more than 190 or 193 museums.", False),
        ("The land has 190 fine old museums.", "The land has 193 fine old museums.", False),
        ("The city has 1.5 million inhabitants.", "The city, of a million, has 1,500,000 inhabitants.", False),
        ("It paid $3 billion for the new harbour.", "It paid $3,000 million or billion for the new harbour.", False),
        ("The night train leaves at 5:30 daily.", "The night train leaves at 17:30 daily.", False),
        ("The treaty was not signed in 2021 by both.", "The treaty was signed in 2023 by both.", False),
        ("Die Stadt hat 1.5 Millionen Einwohner im Jahr.", "Die Stadt hat 1,5 Millionen Einwohner im Jahr.", False),
        ("The land has 30 fine old museums.", "The land has 34 fine old museums.", True),
        ("34", RANKS, False),
        ("", RANKS, False),
        ("The rank rose to the 9th place in 2025.", "", False),
    ],
)
def test_a_number_in_another_ones_place_refutes_unless_it_is_told_near(said: str, text: str, false: bool) -> None:
    assert refuted(said, [text] if text else []) is false
