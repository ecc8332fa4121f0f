from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.likeness import SAME, SKETCH, groups, resemblance, sketch

REPORT = (
    "China ranked tenth in the Global Innovation Index of 2025, the minister said at a briefing in Beijing on Friday."
)


def test_near_repeats_are_told():
    same = REPORT.replace("Friday", "Friday morning")
    other = "Herring is sold on the quay every Friday, and the ferry leaves at nine."
    assert groups([REPORT, other, same, REPORT.upper()], 9) == [0, 1, 0, 0]


def test_texts_on_the_same_matter_are_no_repeats():
    assert groups([REPORT, "The minister said on Friday that China ranked tenth in the index."], 9) == [0, 1]


def test_scripts_without_spaces():
    text = "中国在2024年全球创新指数中排名第十一位，比去年上升一位，部长在发布会上说。"
    assert groups([text, text.replace("部长", "部长今日")], 9) == [0, 0]


def test_few_words():
    assert groups([], 9) == []
    assert groups(["", "One.", "one", "Two."], 9) == [0, 1, 1, 3]


def test_copies_with_changes_of_their_own_are_one_group():
    words = [f"w{number}" for number in range(60)]
    copies = [
        " ".join("x" if place // 8 == number else word for place, word in enumerate(words)) for number in (9, 1, 5)
    ]
    assert groups([copies[1], copies[2]], 9) == [0, 1]
    assert groups(copies, 9) == [0, 0, 0]


def test_no_more_are_told_apart_than_are_asked_for():
    assert groups(["One.", "Two.", "one", "Three.", "two"], 2) == [0, 1, 0]


def test_a_sketch_is_a_fair_sample():
    """Of texts with few runs all are there, and their resemblance is exact; of long ones it is near."""
    assert resemblance(sketch("a b c d"), sketch("a b c e")) == 1 / 3
    assert resemblance(sketch("a"), sketch("a")) == 1
    words = [f"w{number}" for number in range(3000)]
    long, other = " ".join(words), " ".join(words[:2000] + [f"v{number}" for number in range(1000)])
    assert len(sketch(long)) == SKETCH
    assert abs(resemblance(sketch(long), sketch(other)) - 0.5) < 0.15
    assert resemblance(sketch(long), sketch(f"{long} and so on")) > 0.95


@given(st.text(), st.text())
def test_likeness_has_two_sides(one: str, other: str):
    first, second = sketch(one), sketch(other)
    assert first == sorted(set(first))
    assert resemblance(first, first) == 1
    assert 0 <= resemblance(first, second) == resemblance(second, first) <= 1
    assert (groups([one, other], 2) == [0, 0]) == (resemblance(first, second) >= SAME)
