"""Rows of tables as lines that can each be understood alone: "Team: Red Wings; Cups: 11". Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_NUMBER = re.compile(r"[\s$€£¥(+-]*\d[\d.,'\s]*[%)]?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_LONGEST_HEADING = 100  # characters
_HEAD_ROWS = 10  # among which the row of headings is


def lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """One line for each row that holds something, each value behind its column's heading.

    The headings are the first row that fills most columns, if it holds words and no numbers. What stands above it are
    titles. Without such a row cells are apart by " | ".
    """
    tidy = [[" ".join(cell.split()) for cell in row] for row in rows]
    tidy = [row for row in tidy if any(row)]
    at = _headings(tidy)
    for row in tidy[: at or 0]:
        yield " | ".join(cell for cell in row if cell)
    if at is None:
        yield from (" | ".join(row).strip(" |") for row in tidy)
        return
    heads = tidy[at]
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
        words = all(len(cell) <= _LONGEST_HEADING and not _NUMBER.fullmatch(cell) for cell in filled)
        return number if words and len(set(filled)) == len(filled) and len(rows) > number else None
    return None
