"""Dates as texts state them, turned into ISO 8601. What could be read in two ways is not read at all.

Known forms: 2025-12-05 (also with / or .), Dec. 5, 2025, Friday, December 5th, 2025, 5 December 2025, 05-Dec-2025,
2025年12月5日, 25/12/2025 (one part over 12), 05.12.2025 (day first), with month names in English, German, French,
Spanish, Italian, Portuguese and Dutch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

_MONTH_NAMES = (
    "january|januar|januari|janvier|jan|enero|gennaio|janeiro",
    "february|februar|februari|février|feb|febrero|febbraio|fevereiro",
    "march|märz|maart|mars|mar|marzo|março",
    "april|avril|apr|abril|aprile",
    "may|mai|mei|mayo|maggio|maio",
    "june|juni|juin|jun|junio|giugno|junho",
    "july|juli|juillet|jul|julio|luglio|julho",
    "august|augustus|août|aug|agosto",
    "september|septembre|sept|sep|septiembre|settembre|setembro",
    "october|oktober|octobre|oct|okt|octubre|ottobre|outubro",
    "november|novembre|nov|noviembre|novembro",
    "december|dezember|décembre|dec|dez|diciembre|dicembre|dezembro",
)
MONTHS = tuple(names.partition("|")[0].capitalize() for names in _MONTH_NAMES)  # in English
_MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, 1) for name in names.split("|")}
_MONTH = rf"(?P<name>{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?"
_YEAR = r"(?P<year>\d{4})(?![\d,.]\d|\d)"

_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?<![\d/.-])(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})(?![\d/-])",
        rf"\b{_MONTH}\s+{_DAY}(?:\s*,\s*|\s+){_YEAR}",
        rf"(?<![\d.,])\b{_DAY}(?:\s+(?:of\s+|de\s+)?|-){_MONTH}(?:\s*,\s*|\s+(?:del?\s+)?|-){_YEAR}",
        r"(?P<year>\d{4})\s*[年년]\s*(?P<month>\d{1,2})\s*[月월]\s*(?P<day>\d{1,2})\s*[日号號일]",
        r"(?<![\d/.-])(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})(?![\d/-])",
    )
)
_MONTH_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_MONTH},?\s+(?:de\s+)?{_YEAR}",
        r"(?P<year>\d{4})-(?P<month>\d{2})",
        r"(?P<year>\d{4})\s*年\s*(?P<month>\d{1,2})\s*月",
        r"(?P<year>\d{4})",
    )
)
_DAY_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (rf"{_MONTH}\s+{_DAY}", rf"{_DAY}\s+{_MONTH}", r"(?P<month>\d{1,2})\s*月\s*(?P<day>\d{1,2})\s*日")
)

_A_MONTH = timedelta(days=31)
_WEEKDAY = (
    r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?|星期[一二三四五六日天]|周[一二三四五六日]"
)
_BEFORE = re.compile(
    rf"[\s(\[]*(?:\d{{1,2}}:\d{{2}},?\s*)?(?-i:(?:[A-Z][\w.'’-]+\s?){{1,3}},\s*)?(?:(?:{_WEEKDAY})\s*,?\s*)?(?:the\s+)?",
    re.IGNORECASE,
)
_AFTER = re.compile(
    rf"[\s,.|)\]–—-]*(?:\(?(?:{_WEEKDAY})\)?,?\s*)?(?:T|at\s+)?(?:\d{{1,2}}[:.h]\d{{2}}(?::\d{{2}})?(?:\.\d+)?)?\s*"
    r"(?:[ap]\.?m\b\.?)?\s*"
    r"(?:Z|[A-Z]{0,3}[SD]?T|UTC|\w+\s+time|[+-]\d{2}:?\d{2}|\([^()]{2,20}\)|(?:UTC|GMT)\s*[+-]\d{1,2})?[\s.)\]]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class StatedDate:
    """A date at `text[start:end]`; `iso` is YYYY-MM-DD."""

    iso: str
    start: int
    end: int


def find(text: str) -> list[StatedDate]:
    """The full dates in `text`, in order."""
    found = [stated for form in _FORMS for match in form.finditer(text) for stated in _read(match)]
    return sorted(found, key=lambda stated: stated.start)


def alone(text: str) -> str | None:
    """The date of a line that states a date and nothing else but a weekday, time or place, in ISO form."""
    stated = find(text)
    if len(stated) != 1:
        return None
    only = stated[0]
    bare = _BEFORE.fullmatch(text, 0, only.start) and _AFTER.fullmatch(text, only.end)
    return only.iso if bare else None


def value(text: str) -> str | None:
    """The date given as the value of a field such as "Date:", in ISO form: YYYY-MM-DD, YYYY-MM or YYYY."""
    stated = find(text)
    if stated:
        return stated[0].iso
    for form in _MONTH_FORMS:
        match = form.fullmatch(text.strip(" .()"))
        if match and _is_year(int(match["year"])):
            month = _month(match)
            if month is None:
                return match["year"]
            return f"{match['year']}-{month:02}" if 1 <= month <= 12 else None
    return None


def near(day: str, reference: str) -> str | None:
    """A day without a year, such as "Dec. 5", in ISO form where `reference` settles the year: a date (YYYY-MM-DD)
    within a month after the day, or the month or year (YYYY-MM, YYYY) it lies in.
    """
    match = next((match for form in _DAY_FORMS if (match := form.fullmatch(day.strip()))), None)
    if match is None:
        return None
    years = (int(reference[:4]), int(reference[:4]) - 1)
    days = [iso for year in years if (iso := _iso(year, _month(match) or 0, int(match["day"])))]
    if len(reference) < len("YYYY-MM-DD"):
        return next((iso for iso in days if iso.startswith(reference)), None)
    latest = date.fromisoformat(reference)
    return next((iso for iso in days if timedelta(0) <= latest - date.fromisoformat(iso) <= _A_MONTH), None)


def is_month(word: str) -> bool:
    """Whether a word is a month's name, or short for one, in one of the known languages."""
    return word.casefold() in _MONTHS


def _read(match: re.Match[str]) -> Iterator[StatedDate]:
    parts = match.groupdict()
    month, day = _month(match), parts.get("day")
    if parts.get("first"):
        first, second = int(parts["first"]), int(parts["second"])
        if parts["mark"] != "." and first <= 12 and second <= 12 and first != second:
            return
        day, month = (first, second) if second <= 12 else (second, first)
    iso = _iso(int(parts["year"]), month or 0, int(day or 0))
    if iso:
        yield StatedDate(iso, *match.span())


def _month(match: re.Match[str]) -> int | None:
    """The number of the month, None where there is none, 0 for what only looks like one: without case "İ" is an i."""
    parts = match.groupdict()
    if parts.get("name"):
        return _MONTHS.get(parts["name"].casefold(), 0)
    return int(parts["month"]) if parts.get("month") else None


def _iso(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat() if _is_year(year) else None
    except ValueError:  # a day the calendar does not have
        return None


def _is_year(year: int) -> bool:
    return 1450 <= year <= 2150
