"""The text of a page from its words: paragraphs and rows of tables, in reading order. Pure.

Regions (`pdf_columns`) are cut into blocks where spacing, letter size or weight changes. Lines of a block are joined
where they were only wrapped: where the next line's first word would not have fitted.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from assistant.pdf_columns import GUTTER, NEW_BLOCK, Row, Segment, Word, gaps, leading, regions

SOFT_HYPHEN = "\u00ad"  # stands where a hyphen ended a line; `read_pdf` decides whether it belongs to the word

_INDENT = 0.8  # in letter sizes
_APART = 3  # letter sizes between what is hardly of one line
_NUMBER = re.compile(r"(?:[^\W\d_]+\s)?[\dIVXLivxl]+(?:\.\d+)*[.):]?|[A-Za-z][.)]")  # "3.1", "Chapter 4", "IV."
_ITEM = re.compile(r"(?:[-*+•‣◦▪●○■–—]|\(?\d{1,3}[.)]|\d{1,2}(?:\.\d{1,2})+[:.)]?|\(?[a-zA-Z][.)]|\[\d{1,3}\]|§)\s")
LEADER = re.compile(r"(?:\.|[ .]{2}|…)[ .…]{3,}\s*\w+$")  # the dots of a table of contents
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")  # written without spaces
_OPENS_CELL = re.compile(r"[$€£¥(]+")
_CLOSES_CELL = re.compile(r"[%)]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a heading or a table. `size` is that of most of its letters in points, 0 where it is not known."""

    text: str
    size: float = 0.0
    bold: bool = False  # all of it
    cells: bool = False  # it has a row whose parts stand far apart, though it may be no table


def text(words: Sequence[Word]) -> str:
    """The page's text: blocks apart by a blank line, cells of a row by " | "."""
    return "\n\n".join(block.text for block in blocks(words))


def blocks(words: Sequence[Word]) -> list[Block]:
    """The page's blocks in reading order."""
    found = (block for region in regions(words) for block in _blocks(region))
    return [block for block in found if block.text.strip()]


def _blocks(rows: Sequence[Row]) -> Iterator[Block]:
    block: list[Row] = []
    usual = leading(rows)
    column = max(row[-1].x1 for row in rows)
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        if block and _begins_block(block, row, following, usual, column):
            yield _styled(block, column)
            block = []
        block.append(row)
    if block:
        yield _styled(block, column)


def _styled(rows: Sequence[Row], column: float) -> Block:
    words = [word for row in rows for segment in row for word in segment.words]
    letters: Counter[float] = Counter()
    for word in words:
        letters[round(word.size, 1)] += len(word.text)
    size = max(letters, key=lambda each: letters[each]) if all(word.drawn for word in words) else 0.0
    return Block(_block(rows, column), size, all(word.bold for word in words), any(map(_is_apart, rows)))


def _is_apart(row: Row) -> bool:
    """Whether its parts stand far apart, as cells do: several, or one with a figure behind one that is more than the
    number of a heading.
    """
    wide = any(b.x0 - a.x1 > _APART * a.size for a, b in pairwise(row))
    figures = any(map(str.isdigit, row[-1].text))
    return wide and not _NUMBER.fullmatch(row[0].text) and (len(row) > 2 or figures)


def _begins_block(block: Sequence[Row], row: Row, following: Row | None, usual: float, column: float) -> bool:
    before = block[-1]
    step = row[0].y - before[0].y
    ordinary = min(usual, leading(block)) if len(block) > 1 else usual
    ordinary = max(ordinary, 1.0 * max(segment.size for segment in row))
    if step > NEW_BLOCK * ordinary:
        return True
    if len(row) > 1 or len(before) > 1:
        return False
    if not 0.88 < row[0].size / before[0].size < 1.14:
        return True
    if _is_bold(before[0]) == _is_bold(row[0]) or (following and len(following) > 1):  # or in a table
        return False
    return _breaks_line(before[0], row[0], min(row[0].x0, *(line[0].x0 for line in block)), column)


def _is_bold(segment: Segment) -> bool:
    return all(word.bold for word in segment.words)


def _block(rows: Sequence[Row], column: float) -> str:
    tabular = [len(row) > 1 and _is_tabular(rows, number) for number, row in enumerate(rows)]
    lines = [_glued(row) if cells else [_merged(row)] for row, cells in zip(rows, tabular, strict=True)]
    right = _right_edge(lines, column)
    left = min(row[0].x0 for row in lines)
    columns = _columns([row for row, cells in zip(lines, tabular, strict=True) if cells])
    out = _line(lines[0], columns)
    for before, row in pairwise(lines):
        if len(before) > 1 or len(row) > 1 or _breaks_line(before[0], row[0], left, right):
            out += "\n" + _line(row, columns)
        else:
            out = _joined(out, _line(row, columns))
    return out


def _columns(rows: Sequence[Row]) -> list[float]:
    """Where the columns of a table end, if it has several and each cell stands in one of its own; else nothing."""
    columns: list[tuple[float, float]] = []
    for segment in sorted((segment for row in rows for segment in row), key=lambda each: each.x0):
        if columns and segment.x0 < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], segment.x1))
        else:
            columns.append((segment.x0, segment.x1))
    ends = [end for _, end in columns]
    alone = all(len({bisect_left(ends, segment.x1) for segment in row}) == len(row) for row in rows)
    return ends if alone and len(ends) > 2 else []


def _right_edge(lines: Sequence[Row], column: float) -> float:
    """Where lines were wrapped: the edge that most lines come near to, else that of the column."""
    ends = sorted(line[-1].x1 for line in lines)
    edge = ends[-1 - len(ends) // 6]  # without the few that stand out
    near = sum(end > edge - 5 * lines[0][0].size for end in ends[: -1 - len(ends) // 6] if end < edge)
    full = sum(end >= edge for end in ends)
    return edge if len(lines) > 2 and near + full > len(lines) / 2 else max(edge, column)


def _is_tabular(rows: Sequence[Row], number: int) -> bool:
    """Whether the gaps in a row are those between cells: wide, or above or below another gap."""
    row = rows[number]
    if max(b.x0 - a.x1 for a, b in pairwise(row)) > _APART * row[0].size and len(rows) > 1:
        return True
    own = gaps([row], 0)
    others = [gap for beside in (number - 1, number + 1) if 0 <= beside < len(rows) for gap in gaps([rows[beside]], 0)]
    return any(min(b[1], a[1]) - max(b[0], a[0]) > GUTTER * row[0].size for a in own for b in others)


def _merged(row: Row) -> Segment:
    return row[0] if len(row) == 1 else Segment([word for segment in row for word in segment.words])


def _glued(row: Row) -> Row:
    """A row of a table with signs that stand before or behind a number in the number's cell."""
    cells: Row = []
    for segment in row:
        before = cells[-1].text if cells else ""
        if cells and (_OPENS_CELL.fullmatch(before) or _CLOSES_CELL.fullmatch(segment.text)):
            cells[-1] = Segment(cells[-1].words + segment.words)
            cells[-1].text = before + segment.text
        else:
            cells.append(segment)
    return cells


def _line(row: Row, columns: Sequence[float]) -> str:
    """One row, with empty cells where it has none in a column."""
    if len(row) == 1:
        return row[0].text
    cells: list[str] = []
    for segment in row:
        if columns:
            cells += [""] * (bisect_left(columns, segment.x1) - len(cells))
        cells.append(segment.text)
    return " | ".join(cells)


def _breaks_line(before: Segment, after: Segment, left: float, right: float) -> bool:
    """Whether a new line was begun on purpose."""
    size = max(before.size, after.size)
    if after.x1 <= before.x0 or after.x0 >= before.x1:  # beside it, and so no continuation
        return True
    if before.text[-1:] in ("-", SOFT_HYPHEN) and before.text[-2:-1].isalpha() and after.text[:1].islower():
        return False
    if (_ITEM.match(after.text) and after.x0 < before.x0 + size) or LEADER.search(before.text):
        return True
    if after.x0 - left > _INDENT * size and before.x0 - left < 0.3 * size and after.x0 - before.x0 < 6 * size:
        return True
    first = after.words[0]
    width = first.x1 - first.x0
    if _UNSPACED.match(first.text):
        width /= max(1, len(first.text))
    return before.x1 + width + 0.35 * size < right


def _joined(text: str, line: str) -> str:
    if text.endswith(SOFT_HYPHEN):
        return text + line
    if text.endswith("-") and line[:1].islower() and text[-2:-1].isalpha():
        return text[:-1] + SOFT_HYPHEN + line
    if _UNSPACED.match(text[-1:]) and _UNSPACED.match(line[:1]):
        return text + line
    return f"{text} {line}"
