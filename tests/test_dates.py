"""Dates in texts: what is read, and what is left alone because it can be read in two ways."""

from __future__ import annotations

import pytest

from assistant import dates


@pytest.mark.parametrize(
    "text",
    [
        *("2025-12-05", "2025/12/05", "2025.12.5", "2025-12-05T16:56:00Z", "2025-12-05 16:56:00 (Beijing time)"),
        *("Dec 05, 2025 04:56 PM", "Dec. 5, 2025", "December 5th, 2025", "Friday, December 5, 2025", "Dec 5 2025"),
        *("5 December 2025", "5th of December 2025", "05-Dec-2025", "Fri 5 Dec 2025 10.02 GMT", "London, 5 Dec. 2025"),
        *("5. Dezember 2025", "5 décembre 2025", "5 de diciembre de 2025", "5 dicembre 2025", "05.12.2025"),
        *(
            "2025年12月5日",
            "2025年12月05日 星期五 16:56",
            "2025년 12월 5일",
            "(December 5, 2025)",
            "09:12, December 5, 2025",
        ),
    ],
)
def test_lines_that_are_dates(text: str):
    assert dates.alone(text) == "2025-12-05"
    assert dates.value(text) == "2025-12-05"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "05/12/2025",
            "5-12-2025",
            "31 February 2025",
            "2025-13-05",
            "13/13/2025",
            "in 1969",
            "12 May 20251",
            "5/12",
        ),
        *("5 December 0025", "12-05", "phone 555-2025-12", "10.2025.12.05.1", "yesterday"),
    ],
)
def test_what_is_no_date_or_can_be_read_in_two_ways(text: str):
    assert dates.find(text) == []
    assert dates.value(text) is None


@pytest.mark.parametrize(("text", "iso"), [("25/12/2025", "2025-12-25"), ("12/25/2025", "2025-12-25")])
def test_a_part_over_twelve_settles_the_order(text: str, iso: str):
    assert dates.value(text) == iso


@pytest.mark.parametrize(
    "text",
    [
        "The treaty of 5 December 2025",
        "On December 5, 2025, they met",
        "2025-12-05 12:00:01 INFO start",
        "Due 2025-12-05",
    ],
)
def test_lines_that_hold_more_than_a_date(text: str):
    assert dates.alone(text) is None
    assert [stated.iso for stated in dates.find(text)] == ["2025-12-05"]


def test_letters_that_only_look_alike_without_case():
    assert dates.value("5 Auguſt 2025") == "2025-08-05"
    assert dates.find("Aprİl 5, 2025") == dates.find("5 aprıl 2025") == []
    assert dates.value("Aprİl 2025") is None
    assert dates.near("Aprİl 5", "2025-04-06") is None


def test_positions_and_order():
    text = "From 5 May 2025 to 2025-06-01"
    assert [text[stated.start : stated.end] for stated in dates.find(text)] == ["5 May 2025", "2025-06-01"]


@pytest.mark.parametrize(
    ("text", "iso"), [("March 2025", "2025-03"), ("2025-03", "2025-03"), ("2025年3月", "2025-03"), ("2025", "2025")]
)
def test_less_than_a_day(text: str, iso: str):
    assert dates.value(text) == iso
    assert dates.alone(text) is None


@pytest.mark.parametrize(
    ("day", "reference", "iso"),
    [
        ("Dec. 5", "2025-12-06", "2025-12-05"),
        ("5 December", "2025-12-05", "2025-12-05"),
        ("12月5日", "2025-12-06", "2025-12-05"),
        ("Dec 31", "2026-01-02", "2025-12-31"),
        ("Dec. 5", "2025-12", "2025-12-05"),
        ("Dec. 5", "2025", "2025-12-05"),
        ("Dec. 5", "2025-11", None),
        ("Dec. 5", "2025-12-01", None),
        ("Dec. 5", "2026-03-01", None),
        ("Feb. 29", "2025-03-01", None),
        ("Friday", "2025-12-06", None),
    ],
)
def test_a_day_takes_its_year_only_from_a_date_near_by(day: str, reference: str, iso: str | None):
    assert dates.near(day, reference) == iso
