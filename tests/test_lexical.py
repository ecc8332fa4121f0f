from __future__ import annotations

from pathlib import Path

import pytest

from assistant.database import Database
from assistant.lexical import COMMON_SHARE, Words

TEXTS = {
    1: "The ferry to Skarv leaves at nine.",
    2: "The lighthouse on Skarv was built in 1874 by Müller.",
    3: "Herring is sold on the quay; the ferries bring it.",
    4: "China ranked 11th in the Global Innovation Index in 2024.",
    5: "中国在2024年全球创新指数中排名第十一位。",
    6: "北京的天气很好。",
    7: "東京タワーは高いです。",
    8: "ประเทศไทยมีเมืองหลวงชื่อกรุงเทพ",
    10: "भारत की राजधानी दिल्ली है।",
    9: "Don't_panic: C++ and naïve café-goers.",
    11: "ＡＢＣ社の２０２３年の報告 ﬁnal",
    12: "กิน",
    13: "กัน",
}


@pytest.fixture
def words(tmp_path: Path) -> Words:
    database = Database(tmp_path / "d.sqlite3", ("CREATE TABLE t (x)",), 1)
    made = Words(database, "1")
    with database.change():
        made.create()
        made.create()
        made.add(TEXTS.items())
    return made


def found(words: Words, question: str, n: int = 10, size: int = len(TEXTS)) -> list[int]:
    return list(words.match(question, n, size))


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("When does the ferry leave?", 1),
        ("WHO BUILT THE LIGHTHOUSE", 2),
        ("muller", 2),
        ("Where are herrings sold?", 3),
        ("rank in 2024", 4),
        ("global innovation", 4),
        ("全球创新指数", 5),
        ("天气", 6),
        ("東京タワー", 7),
        ("กรุงเทพ", 8),
        ("กิน", 12),
        ("กัน", 13),
        ("ABC 2023", 11),
        ("２０２４ ＩＮＮＯＶＡＴＩＯＮ", 4),
        ("final", 11),
        ("cafe\u0301", 9),
        ("राजधानी क्या है?", 10),
        ("दिल्ली", 10),
        ("panic", 9),
        ("cafe", 9),
    ],
)
def test_the_text_that_shares_the_rarest_words_is_first(words: Words, question: str, best: int):
    assert found(words, question)[0] == best


def test_scores_fall(words: Words):
    scores = list(words.match("ferry Skarv lighthouse 1874", 10, len(TEXTS)).values())
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0


def test_at_most_n(words: Words):
    assert len(found(words, "ferry Skarv lighthouse 1874", n=2)) == 2


@pytest.mark.parametrize("question", ["", "   ", "?!…", '"', "''", "* OR (", "NEAR(", "zebra", "_", "\x00"])
def test_nothing_to_find_is_no_error(words: Words, question: str):
    assert found(words, question) == []


@pytest.mark.parametrize(
    "question", ['ferry" OR "herring', "ferry AND NOT nine", "text:ferry", "ferry*", "^ferry -nine"]
)
def test_a_question_is_words_and_no_query_language(words: Words, question: str):
    assert 1 in found(words, question)


def test_a_very_long_question(words: Words):
    question = " ".join(f"word{i} the" for i in range(5000))
    assert found(words, question + " herring")[0] == 3
    assert found(words, "China " * 3000 + "创新" * 3000)[:2] == [4, 5]


def test_pairs_of_characters_have_to_be_neighbours(words: Words):
    assert found(words, "气天") == []
    assert found(words, "很") == [6]


def test_vowels_and_tones_that_are_marks_count(words: Words):
    assert found(words, "กิน") == [12]
    assert found(words, "กน") == []


def test_dropped_rows_are_gone(words: Words):
    with words._database.change():
        words.drop([(1, TEXTS[1]), (5, TEXTS[5])])
    assert 1 not in found(words, "ferry Skarv")
    assert found(words, "全球创新指数") == []
    assert found(words, "Skarv") == [2]
    with words._database.change():
        words.add([(1, "The ferry is cancelled.")])
    assert found(words, "cancelled") == [1]


def test_in_a_small_collection_no_word_is_too_common(tmp_path: Path):
    database = Database(tmp_path / "d.sqlite3", ("CREATE TABLE t (x)",), 1)
    few = Words(database, "1")
    with database.change():
        few.create()
        few.add([(1, "The ferry leaves at nine."), (2, "The ferry is late."), (3, "A quay."), (4, "A lamp at night.")])
    assert set(few.match("Which ferry at the lamp?", 10, 4)) == {1, 2, 4}
    assert set(few.match("ferry lamp", 10, 4)) == {1, 2, 4}


def test_common_words_are_left_out_unless_there_is_nothing_else(words: Words):
    many = {row: f"The boat number{row} is common." for row in range(100, 200)}
    with words._database.change():
        words.add(many.items())
    size = len(TEXTS) + len(many)
    assert len(many) > size * COMMON_SHARE
    assert found(words, "the common boat number150", n=200, size=size) == [150]
    assert len(found(words, "common", n=200, size=size)) == 100
