"""Rows of tables as lines that can each be understood alone: "Team: Red Wings; Cups: 11". Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

_NUMBER = re.compile(r"[\s$€£¥(+-]*\d[\d.,'\s]*[%)]?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_WHEN = re.compile(r"(?:1[5-9]|20|21)\d\d|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}.*")
_NO_VALUE = re.compile(r"n\.?/?[ad]\.?|tb[adc]|none|null|nil|unknown|pending|\W+|\w", re.IGNORECASE)
_LONG_HEADING = 100  # characters; the usual heading of a table is no longer
_LONGEST_HEADING = 300  # nor any of them: a question of a survey
_HEAD_ROWS = 10  # among which the row of headings is


def lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """One line for each row that holds something, each value behind its column's heading.

    The headings are the first row that fills most columns, if it holds words, years and dates and no other numbers.
    What stands above it are titles. Of two columns of the same name the second is "Name (2)". Without such a row cells
    are apart by " | ". Behind an empty row another table may begin, with headings of its own; else the old ones go on.
    """
    blocks = list(_blocks([" ".join(cell.split()) for cell in row] for row in rows))
    everything = [row for block in blocks for row in block]
    first = _headings(everything)
    places = list(_places(blocks, first))
    heads: list[str] = []
    for number, (block, at) in enumerate(zip(blocks, places, strict=True)):
        last = number + 1 == len(blocks)
        renamed = not last and places[number + 1] is not None
        if at is not None:
            heads = _numbered(block[at])
            titles = at + (at + 1 == len(block) and (renamed or last))  # headings of nothing are a line of their own
        else:
            alone = renamed and all(sum(map(bool, row)) == 1 for row in block)
            titles = len(block) if alone or (first is not None and not heads) else 0
        yield from (" | ".join(cell for cell in row if cell) for row in block[:titles])
        for row in block[titles if at is None else at + 1 :]:
            yield _named(row, heads) if heads else " | ".join(row).strip(" |")


def _blocks(rows: Iterable[list[str]]) -> Iterator[list[list[str]]]:
    """The rows between empty ones."""
    for filled, block in groupby(rows, any):
        if filled:
            yield list(block)


def _places(blocks: Sequence[Sequence[Sequence[str]]], first: int | None) -> Iterator[int | None]:
    """Where in each block a row of headings stands; the first one is the row `first`, counted through all blocks."""
    heads: Sequence[str] = ()
    begin = 0
    for block in blocks:
        here = first is not None and begin <= first < begin + len(block)
        place = first - begin if here and first is not None else _headings(block)
        begin += len(block)
        if place is not None and not here and block[place] != heads and not _is_above_numbers(block, place):
            place = None
        heads = heads if place is None else block[place]
        yield place


def _is_above_numbers(block: Sequence[Sequence[str]], at: int) -> bool:
    """Whether a word or year of a row stands above nothing but numbers: rows of words alone may be values as well."""
    for place, head in enumerate(block[at]):
        below = [row[place] for row in block[at + 1 :] if place < len(row) and row[place]]
        names = _WHEN.fullmatch(head) or not (_NUMBER.fullmatch(head) or _NO_VALUE.fullmatch(head))
        if head and names and below and all(map(_NUMBER.fullmatch, below)):
            return True
    return False


def _named(row: Sequence[str], heads: Sequence[str]) -> str:
    named = ((heads[place] if place < len(heads) else "", cell) for place, cell in enumerate(row) if cell)
    return "; ".join(f"{head}: {cell}" if head else cell for head, cell in named)


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
    lengths = sorted(len(cell) for cell in row if cell)
    if not lengths or lengths[-1] > _LONGEST_HEADING or lengths[len(lengths) // 2] > _LONG_HEADING:
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
