"""What is no answer by its form alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.pertinent import Pertinence

LAMPS = "How many lamps stand on the coast?"


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Who plays the leading part in the harbour?", "The harbour plays the leading part in the harbour."),
        ("Why did Ada Marsh say that lamps burn?", "Ada Marsh said that lamps burn because lamps burn."),
        ("Wer führt den Hafen?", "Den Hafen führt wer."),
        (LAMPS, "The lamps stand on the coast of Norway."),
        (LAMPS, "The coast is the 3rd for its lamps."),
        (LAMPS, "There are 500 MW lamps on the coast."),
        ("How many keepers has Lamp 3.0?", "Lamp 3.0 is a prototype of the coast."),
        ("What share of the oil is burnt?", "The keepers burn about 500 barrels of oil a year."),
    ],
)
def test_what_answers_nothing(question: str, sentence: str) -> None:
    assert not Pertinence(question).fits(sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Who plays the leading part in the harbour?", "Ada Marsh plays the leading part in the harbour."),
        ("Is Ada Marsh the keeper?", "Ada Marsh is the keeper."),
        ("Is the oil dear or cheap, and why?", "The oil is cheap."),
        ("Which is larger, the lamp or the bell?", "The bell is larger."),
        ("Who came to the lamp?", "Nobody came to the lamp."),
        ("What burns in an oil lamp?", "Oil."),
        ("And in 2019?", "In 2019."),
        (LAMPS, "Twenty-five."),
        (LAMPS, "12 lamps."),
        (LAMPS, "There are a dozen."),
        (LAMPS, "None stands there."),
        ("How many kilometres is it to the lamp?", "It is 12 km."),
        ("How many megawatts has the station?", "It has 500 MW."),
        ("How many Watts does the lamp use?", "It uses 60 W."),
        ("What share of the oil is burnt?", "Half of it."),
        ("What share of the oil is burnt?", "About 30."),
        ("What percentage is burnt?", "30% of the oil is burnt."),
        ("谁领导港口？", "马宁领导港口。"),
    ],
)
def test_what_may_be_an_answer(question: str, sentence: str) -> None:
    assert Pertinence(question).fits(sentence)


RANKS = "Norway was 9th in 2012 and 7th in 2020."


@pytest.mark.parametrize(
    ("question", "sentence", "passage"),
    [
        ("What rank had Norway in 2019?", "Norway was 7th in 2020.", RANKS),
        ("Where was Norway in May 2019?", "Norway was 7th in 2020.", RANKS),
        ("挪威2019年排名第几？", "挪威2020年排名第7。", RANKS),
        ("¿Qué puesto ocupó Noruega en 2019?", "Noruega fue 7.ª en 2020.", RANKS),
    ],
)
def test_another_year_than_the_one_asked_about_is_no_answer(question: str, sentence: str, passage: str) -> None:
    assert not Pertinence(question).fits(sentence, lambda _: [passage])
    for other in ("Published 2019-03-01.", "On 05.12.2019.", "In season 2018/19.", "In FY19.", "２０１９年"):
        assert Pertinence(question).fits(sentence, lambda _, other=other: [passage, other])


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What rank had Norway in 2012?", "Norway was 7th in 2020, and 9th in 2012."),
        ("What rank had Norway in 2012?", "Norway rose to 7th in 2020."),  # the passage tells of 2012
        ("What rank had Norway in 2019?", "Norway was 7th."),
        ("What rank has Norway had since 2019?", "Norway was 7th in 2020."),
        ("What rank had Norway after 2018?", "Norway was 7th in 2020."),
        ("Between 2015 and 2019, what rank had Norway?", "Norway was 7th in 2020."),
        ("What came of the 2019 election?", "A new parliament in 2020."),
        ("What was built in the 1990s?", "The tower, finished in 2020."),
        ("挪威2019年以来排名第几？", "挪威2020年排名第7。"),
        ("从2019年开始，挪威排名第几？", "挪威2020年排名第7。"),
        ("When did the war that began in 1914 end?", "It ended in 1918."),
        ("What happened after the merger in 2019?", "The plant closed in 2021."),
        ("What target was set in 2019?", "It aims at neutrality by 2050."),
        ("What was the bill in 2019?", "The bill was 1200 EUR."),
        ("How many people came in 2019?", "There were 1500 people."),
        ("Describe the firm in 1500 words.", "It was founded in 1901."),
        ("What does EN 1990 require?", "It requires a proof in 2002."),
    ],
)
def test_another_year_may_be_an_answer(question: str, sentence: str) -> None:
    assert Pertinence(question).fits(sentence, lambda _: [RANKS])
    assert Pertinence(question).fits(sentence, lambda _: [])
    assert Pertinence(question).fits(sentence)


def test_behind_a_number_others_need_none() -> None:
    pertinence = Pertinence(LAMPS)
    assert not pertinence.fits("The lamps are old.")
    assert pertinence.fits("There are 12.")
    assert pertinence.fits("The lamps are old.")
    assert not pertinence.fits("The lamps are old.", failed=["1. There are 12.", "The lamps are old."])
    assert pertinence.fits("There are 13.", failed=["There are 12."])
    assert pertinence.fits("The lamps are old.", failed=["There are 12."])
    assert not pertinence.fits("The lamps are old.", failed=["There are 12.", "There are 13."])


@given(st.text(), st.text())
def test_whatever_is_asked_and_said(question: str, sentence: str) -> None:
    assert Pertinence(question).fits(sentence) in (True, False)
