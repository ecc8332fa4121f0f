from __future__ import annotations

from assistant.likeness import crowding

REPORT = (
    "China ranked tenth in the Global Innovation Index of 2025, the minister said at a briefing in Beijing on Friday."
)


def test_near_repeats_are_told():
    same = REPORT.replace("Friday", "Friday morning")
    other = "Herring is sold on the quay every Friday, and the ferry leaves at nine."
    assert crowding([REPORT, other, same, REPORT.upper()]) == [2, 3]


def test_texts_on_the_same_matter_are_no_repeats():
    assert crowding([REPORT, "The minister said on Friday that China ranked tenth in the index."]) == []


def test_scripts_without_spaces():
    text = "中国在2024年全球创新指数中排名第十一位，比去年上升一位，部长在发布会上说。"
    assert crowding([text, text.replace("部长", "部长今日")]) == [1]


def test_few_words():
    assert crowding([]) == []
    assert crowding(["", "One.", "one", "Two."]) == [2]
