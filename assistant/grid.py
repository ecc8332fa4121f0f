"""Tables as lines of text. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from assistant import rows

_OPENS = re.compile(r"[$€£¥(]+|\(?\s*[$€£¥]")
_CLOSES = re.compile(r"[%)]+")
_HEADED = 0.6  # of the columns that a row of headings must name
SEPARATOR = " | "


def lines(table: Sequence[Sequence[str]], heads: Collection[int] = ()) -> list[str]:
    """One line for each row that holds something, cells apart by " | ".

    Columns that are empty in every row are left out; a currency sign or closing bracket in a cell of its own belongs
    to the number beside it, as tables of accounts are set. `heads` are the numbers of the rows of which the file says
    that they hold headings. Where one of them names the columns, each row carries them, as in `rows.lines`: else a
    part of a long table would be without.
    """
    tidy = _tidy(table)
    named = [number for number in heads if sum(map(bool, tidy[number])) > 1]
    if len(named) == 1:
        above = tidy[: named[0]]
        titles = [*above, *(tidy[number] for number in heads if number != named[0])]
        headed = _headed(tidy[named[0]], [row for row in tidy[named[0] + 1 :] if any(row)])
        if headed and not any(any(row[1:]) for row in titles):
            return [*(row[0] for row in above if row[0]), *headed]
    return [_barred(row) for row in tidy if any(row)]


def repeated(cells: Sequence[str], above: Mapping[int, str]) -> list[str]:
    """A row into which cells from above reach: each says the same there, or the row would be without its key. `above`
    has their texts by column. A row that says nothing itself stays empty.
    """
    if not any(cells):
        return list(cells)
    return [cell or above.get(at, "") for at, cell in enumerate(cells)]


def _tidy(table: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows without white space and columns that are empty, all of the same length."""
    glued = [_glued([" ".join(cell.split()) for cell in row]) for row in table]
    width = max((len(row) for row in glued), default=0)
    kept = [at for at in range(width) if any(at < len(row) and row[at] for row in glued)]
    return [[row[at] if at < len(row) else "" for at in kept] for row in glued]


def _headed(head: Sequence[str], below: Sequence[Sequence[str]]) -> list[str]:
    """Rows that each carry the headings; none where these do not name the columns. A row that holds nothing but its
    first cell stands above others.
    """
    nameless = any(row[at] and not head[at] for row in below for at in range(1, len(head)))
    if nameless or sum(map(bool, head)) < _HEADED * len(head):
        return []
    found = list(rows.lines([head, *below]))
    if len(found) != len(below):  # it sees no headings in them, as in numbers
        return []
    return [line if any(row[1:]) else row[0] for row, line in zip(below, found, strict=True)]


def _barred(cells: Sequence[str]) -> str:
    line = SEPARATOR.join(cells).rstrip(" |")
    return line.lstrip() if cells[0] else line


def _glued(row: list[str]) -> list[str]:
    cells = list(row)
    for at, cell in enumerate(cells):
        if not cell:
            continue
        after = next((other for other in range(at + 1, min(at + 3, len(cells))) if cells[other]), None)
        before = next((other for other in range(at - 1, max(at - 3, -1), -1) if cells[other]), None)
        if _OPENS.fullmatch(cell) and after is not None:
            cells[after], cells[at] = cell + cells[after], ""
        elif _CLOSES.fullmatch(cell) and before is not None:
            cells[before], cells[at] = cells[before] + cell, ""
    return cells
