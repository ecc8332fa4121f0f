"""Words and numbers that are written in two ways and are one, and those that only look alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.terms import in_order, readings, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("twenty-five dollars", "25 dollars"),
        ("five hundred days", "500 days"),
        ("two dozen sailors", "24 sailors"),
        ("a hundred and five", "105"),
        ("two million three hundred thousand", "2,300,000"),
        ("3.5 million", "3,500,000"),
        ("$3.2bn", "$3.2 billion"),
        ("3.5亿元", "350000000元"),
        ("5 Mrd. Euro", "5 billion Euro"),
        ("$5.00", "$5"),
        ("1\u202f200 km", "1,200 km"),
        ("1'000 Franken", "1000 Franken"),
        ("５０００", "5000"),
        ("٢٥", "25"),
        ("25%", "25 per cent"),
        ("2025-12-05", "December 5, 2025"),
        ("5. Mai 2024", "May 5, 2024"),
        ("2025年12月5日", "5 December 2025"),
        ("O’Neill", "O'Neill"),
        ("Mu\u0308ller in Mu\u0308nchen", "Müller in München"),
        ("2019，2020年", "2019, 2020年"),
    ],
)
def test_what_is_written_in_two_ways_is_one(one: str, other: str) -> None:
    assert terms(one) == terms(other) != frozenset()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5 million", "3.5 billion"),
        ("10⁶", "106"),
        ("0,500", "500"),
        ("3.10", "3.1"),
        ("5 hundred", "5"),
        ("twenty two", "twenty, two"),
        ("nineteen eighty-four", "103"),
        ("1.2.3", "1.2"),
    ],
)
def test_what_only_looks_alike_is_not(one: str, other: str) -> None:
    assert terms(one) != terms(other)


@pytest.mark.parametrize("text", ["one of the largest", "no one", "the one", "one another", "this one"])
def test_not_every_one_is_counted(text: str) -> None:
    assert "1" not in terms(text)
    assert "1" in terms("one person died")


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("It opened in Bonn in May.", "may"),
        ("May 5 was a Sunday.", "may"),
        ("on 5 May 2024", "may"),
        ("The WHO warned.", "who"),
        ("They told Will about it.", "will"),
    ],
)
def test_names_that_look_like_small_words_are_kept(text: str, term: str) -> None:
    assert term in terms(text)


@pytest.mark.parametrize(
    "text", ["May I go?", "You may go.", "WHO MAY GO?", "He will.", "“Will it?”", "Stop. Will it go?", "- May it?"]
)
def test_small_words_are_dropped(text: str) -> None:
    assert not terms(text) & {"may", "who", "will", "it"}


def test_a_number_in_two_readings() -> None:
    assert readings("1.200 Euro, 3 450 Leute, 2.5 million") == {"1200", "3450", "2.5"}
    assert not readings("In 2024 500 people, 3.14, 1.2.345.6789")


def test_terms_keep_their_order() -> None:
    assert in_order("Sales rose from twelve to 19 percent.") == ("sale", "rose", "12", "19", "percent")


@given(st.text())
def test_any_text_has_terms_that_are_their_own(text: str) -> None:
    found = in_order(text)
    assert all(found)
    assert terms(text) == frozenset(found)


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 5000 + " million", "1." + "9" * 5000 + " million"])
def test_a_number_of_any_length_is_a_term(text: str) -> None:
    assert len(terms(text)) == 1


@given(st.integers(0, 10**6))
def test_grouping_changes_no_number(number: int) -> None:
    assert terms(f"{number:,}") == terms(str(number)) == {str(number)}
