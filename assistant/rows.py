"""Rows of tables as lines that can each be understood alone: "Team: Red Wings; Cups: 11". Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

_NUMBER = re.compile(r"[\s$€£¥(+-]*\d[\d.,'\s]*[%)]?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_WHEN = re.compile(r"(?:1[5-9]|20|21)\d\d|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*")
_LONGEST_HEADING = 100  # characters
_HEAD_ROWS = 10  # among which the row of headings is


def lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """One line for each row that holds something, each value behind its column's heading.

    The headings are the first row that fills most columns, if it holds words, years and dates and no other numbers.
    What stands above it are titles. Of two columns of the same name the second is "Name (2)". Without such a row cells
    are apart by " | ".
    """
    tidy = [[" ".join(cell.split()) for cell in row] for row in rows]
    tidy = [row for row in tidy if any(row)]
    at = _headings(tidy)
    for row in tidy[: at or 0]:
        yield " | ".join(cell for cell in row if cell)
    if at is None:
        yield from (" | ".join(row).strip(" |") for row in tidy)
        return
    heads = _numbered(tidy[at])
    if at + 1 == len(tidy):
        yield " | ".join(heads)
    for row in tidy[at + 1 :]:
        named = ((heads[place] if place < len(heads) else "", cell) for place, cell in enumerate(row) if cell)
        yield "; ".join(f"{head}: {cell}" if head else cell for head, cell in named)


def _headings(rows: Sequence[Sequence[str]]) -> int | None:
    widths = [sum(bool(cell) for cell in row) for row in rows]
    usual = sorted(widths)[len(widths) // 2] if widths else 0
    for number, row in enumerate(rows[:_HEAD_ROWS]):
        filled = [cell for cell in row if cell]
        if len(filled) < max(2, 0.6 * usual):
            continue
        return number if _is_heading(row, rows[number + 1 :]) else None
    return None


def _is_heading(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row can name the columns of those below it. Years and dates name columns beside words or an empty
    corner, unless what is below them is more of the same: then they are values. A word and a year alone are a fact.
    """
    if any(len(cell) > _LONGEST_HEADING for cell in row):
        return False
    numbers = {place for place, cell in enumerate(row) if cell and _NUMBER.fullmatch(cell)}
    if not numbers:
        return True
    filled = sum(bool(cell) for cell in row)
    if not all(_WHEN.fullmatch(row[place]) for place in numbers) or (row[0] and len(numbers) == filled):
        return False
    columns = [[cells[place] for cells in below if place < len(cells) and cells[place]] for place in numbers]
    values = any(column and all(map(_WHEN.fullmatch, column)) for column in columns)
    return not values and (filled > 2 or not row[0])


def _numbered(heads: Sequence[str]) -> list[str]:
    """Headings, none of them twice."""
    times: Counter[str] = Counter()
    numbered = []
    for head in heads:
        times[head] += 1
        numbered.append(f"{head} ({times[head]})" if head and times[head] > 1 else head)
    return numbered
