"""Tables as lines of text. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_OPENS = re.compile(r"[$€£¥(]+|\(?\s*[$€£¥]")
_CLOSES = re.compile(r"[%)]+")
SEPARATOR = " | "


def lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for each row that holds something, cells apart by " | ".

    Columns that are empty in every row are left out; a currency sign or closing bracket in a cell of its own belongs
    to the number beside it, as tables of accounts are set.
    """
    tidy = [_glued([" ".join(cell.split()) for cell in row]) for row in rows]
    width = max((len(row) for row in tidy), default=0)
    kept = [at for at in range(width) if any(at < len(row) and row[at] for row in tidy)]
    out = []
    for row in tidy:
        cells = [row[at] if at < len(row) else "" for at in kept]
        if any(cells):
            out.append(SEPARATOR.join(cells).rstrip(" |").lstrip() if cells[0] else SEPARATOR.join(cells).rstrip(" |"))
    return out


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
