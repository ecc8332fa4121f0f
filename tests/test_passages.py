"""The sentences that are most about a question."""

from __future__ import annotations

from dataclasses import replace

from assistant.passages import LONGEST, MOST, TOGETHER, nearest
from assistant.records import Chunk, Hit, Span


def hit(text: str, number: int = 0) -> Hit:
    return Hit(Chunk(f"d-{number}", "d", text, 0, len(text), file="d.txt"), 1.0)


def texts(question: str, *hits: Hit) -> list[str]:
    return [passage.text for passage in nearest(question, hits)]


def test_the_sentence_with_the_rarest_words_of_the_question_comes_first() -> None:
    near = "The genus Beroe lacks tentacles and sheaths."
    found = texts("Which genus lacks sheaths?", hit("The genus is large. Most have tentacles."), hit(near, 1))
    assert found[0] == near


def test_only_a_few_are_named_and_none_that_shares_nothing() -> None:
    lamps = hit(" ".join(f"Lamp {n} is lit." for n in range(20)))
    assert len(nearest("Which lamp is lit?", [lamps])) == MOST
    assert texts("Which lamp is lit?", hit("It rained all day.")) == []
    assert texts("?", lamps) == []


def test_what_is_likest_comes_first_where_sentences_were_compared() -> None:
    asked, text = "How old is the lamp?", "The old lamp is the old lamp. It was lit in 1874. It rained on the lamp."
    compared = replace(hit(text), near=(0.1, 0.9, 0.1))
    assert texts(asked, hit(text))[0].startswith("The old lamp")
    assert texts(asked, compared)[0] == "It was lit in 1874."
    assert texts(asked, compared, hit("A lamp is old.", 1))[0] == "It was lit in 1874."
    assert texts("Wie alt?", compared) == []  # no sentence has any of its words


def test_likeness_of_other_sentences_is_left_out() -> None:
    assert texts("lamp", replace(hit("A lamp. It rained."), near=(0.1, 0.2, 0.9))) == ["A lamp."]


def test_likeness_below_nothing_is_none() -> None:
    assert texts("lamp", replace(hit("A lamp. It rained."), near=(-0.2, -0.4))) == ["A lamp."]


def test_together_they_are_short_and_the_nearest_is_always_there() -> None:
    long = "The lamp was lit " + "again and again " * 20 + "by its keeper."
    assert LONGEST > len(long) > TOGETHER / 2
    assert len(texts("lamp keeper", hit(long), hit(long.replace("lit", "put out"), 1))) == 1
    assert len(texts("lamp keeper", hit(long[: TOGETHER // 2]), hit("A lamp.", 1))) == 2


def test_boilerplate_is_no_likely_sentence() -> None:
    menu = "Lamp shop: buy a lamp."
    text = f"{menu}\nThe lamp burned all night."
    chunk = Chunk("d-0", "d", text, 100, 100 + len(text))
    repeated = (Span(100, 100 + len(menu) + 1),)
    assert [passage.text for passage in nearest("lamp", [Hit(chunk, 1.0, repeated)])] == ["The lamp burned all night."]


def test_a_passage_names_its_chunk() -> None:
    (passage,) = nearest("lamp", [hit("It rained."), hit("A lamp burned.", 7)])
    assert (passage.chunk_id, passage.text) == ("d-7", "A lamp burned.")


def test_scripts_without_spaces_are_compared_too() -> None:
    assert texts("北京投资了什么？", hit("上海很大。"), hit("北京投资了半导体。", 1))[0] == "北京投资了半导体。"


def test_endless_sentences_are_left_out() -> None:
    assert texts("lamp", hit("lamp " * 200)) == []


def test_what_is_asked_anew_counts_more_than_the_question_before() -> None:
    rank = "The rank of the port rose from 34th in 2012 to 10th in 2025."
    year = "The rank of the port was 14th in 2019, and the harbour master was content with it."
    before = "What was the rank of the port in 2012?"
    assert nearest(before, [hit(rank), hit(year, 1)])[0].text == rank
    assert nearest("And in 2019?", [hit(rank), hit(year, 1)], before)[0].text == year
