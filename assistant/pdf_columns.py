"""Words of a page to regions that are read one after the other: columns, and tables. Pure.

Words become segments (words side by side), segments rows. A region with a white gutter that several rows share is read
column by column where both sides are prose, and row by row where they are the cells of a table. Lengths are in points
(1/72 inch), y grows downwards.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

_WORD_GAP = 1.1  # widest space between two words of a segment, in letter sizes; justified lines stretch it
_TOUCHING = 0.1  # narrower gaps are no space: a raised number, a comma behind it
GUTTER = 0.9  # narrowest gutter, in letter sizes
_SAME_LINE = 0.4  # how far baselines of one line may be apart, in letter sizes
_SIDE_BY_SIDE = 0.9  # lines of neighbouring columns are nearer than this, lines below each other are not
_COLUMN_ROWS = 3  # rows on both sides that a gutter needs at least
_PROSE_CHARS = 19  # mean length of a line above which what stands beside a gutter is prose and no cell
NEW_BLOCK = 1.35  # a distance of lines that is so many times the usual one begins a block
_DEPTH = 12  # columns in columns


@dataclass(slots=True)
class Word:
    text: str
    x0: float
    x1: float
    y: float  # of the baseline
    size: float
    bold: bool = False
    drawn: bool = True  # neither typed into a form nor the recognised text under a scan, whose sizes are guessed


@dataclass(slots=True)
class Segment:
    words: list[Word]
    x0: float = 0.0
    x1: float = 0.0
    y: float = 0.0
    size: float = 0.0
    text: str = field(default="")

    def __post_init__(self) -> None:
        largest = max(self.words, key=lambda word: (word.size, len(word.text)))
        self.x0, self.x1 = min(word.x0 for word in self.words), max(word.x1 for word in self.words)
        self.y, self.size = largest.y, largest.size
        pieces = [self.words[0].text]
        for before, word in pairwise(self.words):
            pieces += [" " if word.x0 - before.x1 > _TOUCHING * self.size else "", word.text]
        self.text = "".join(pieces)


Row = list[Segment]


def regions(words: Sequence[Word]) -> Iterator[list[Row]]:
    """Stretches of rows in reading order; within each, rows go from top to bottom."""
    rows = _rows(_segments(_settled(words)))
    return _regions(rows, 0) if rows else iter(())


# --- words to rows


def _settled(words: Sequence[Word]) -> list[Word]:
    """The words with raised and lowered small ones put on the line of the word that they touch."""
    by_height = sorted(words, key=lambda word: word.y)
    heights = [word.y for word in by_height]
    reach = 0.7 * max((word.size for word in words), default=0.0)
    settled: list[Word] = []
    for word in words:
        first, last = bisect_left(heights, word.y - reach), bisect_right(heights, word.y + reach)
        base = next((other for other in by_height[first:last] if _carries(other, word)), None)
        settled.append(replace(word, y=base.y) if base else word)
    return settled


def _carries(base: Word, small: Word) -> bool:
    if small.size > 0.85 * base.size or not 0 < abs(small.y - base.y) < 0.7 * base.size:
        return False
    return -0.2 < (small.x0 - base.x1) / base.size < 0.4 or -0.2 < (base.x0 - small.x1) / base.size < 0.2


def _segments(words: Sequence[Word]) -> list[Segment]:
    """The words of each line, apart where the space between two is wider than that between words."""
    lines: list[list[Word]] = []
    for word in sorted(words, key=lambda each: (each.y, each.x0)):
        if lines and _same_line(lines[-1][0], word):
            lines[-1].append(word)
        else:
            lines.append([word])
    segments: list[Segment] = []
    for line in lines:
        line.sort(key=lambda word: word.x0)
        first = 0
        for number in range(1, len(line) + 1):
            if number == len(line) or not _beside(line[number - 1], line[number]):
                segments.append(Segment(line[first:number]))
                first = number
    return segments


def _same_line(first: Word | Segment, second: Word | Segment) -> bool:
    return abs(first.y - second.y) < _SAME_LINE * max(first.size, second.size)


def _beside(first: Word, second: Word) -> bool:
    size = max(first.size, second.size)
    level = abs(first.y - second.y) < 0.25 * size  # lines of two columns are seldom as level
    return second.x0 - first.x1 < _WORD_GAP * size and level


def _rows(segments: Sequence[Segment]) -> list[Row]:
    rows: list[Row] = []
    for segment in sorted(segments, key=lambda each: (each.y, each.x0)):
        if rows and _same_line(rows[-1][0], segment):
            rows[-1].append(segment)
        else:
            rows.append([segment])
    return [sorted(row, key=lambda each: each.x0) for row in rows]


# --- rows to regions


def _regions(rows: list[Row], depth: int) -> Iterator[list[Row]]:
    """Stretches of rows to be read one after the other, each from top to bottom."""
    found = _gutter(rows) if depth < _DEPTH else None
    if found is None:
        yield rows
        return
    first, last, left, right = found
    middle = rows[first:last]
    if first:
        yield from _regions(rows[:first], depth + 1)
    if _is_table(middle, left, right):
        yield middle
    else:
        for column in (_part(middle, left, -1), _part(middle, right, 1)):
            yield from _regions(column, depth + 1)
    if last < len(rows):
        yield from _regions(rows[last:], depth + 1)


def _gutter(rows: Sequence[Row]) -> tuple[int, int, float, float] | None:
    """The white stripe that most rows share: first row, row after the last, and its left and right edge."""
    best: tuple[int, int, float, float] | None = None
    most = _COLUMN_ROWS - 1
    start = 0
    while start < len(rows) - 1:
        reached = start + 1
        for gap in gaps(rows, start):
            last, left, right, both = _follow(rows, start, gap)
            if both > most:
                most, best = both, (start, last, left, right)
            reached = max(reached, last - 1 if both >= _COLUMN_ROWS else 0)
        start = reached
    return _extended(rows, best) if best else None


def gaps(rows: Sequence[Row], at: int) -> list[tuple[float, float]]:
    """The gaps between neighbours in a row; where the next row stands half beside it, as columns do whose lines are
    not level, between them too.
    """
    row = rows[at]
    if at + 1 < len(rows) and _is_level(row, rows[at + 1]):
        row = sorted([*row, *rows[at + 1]], key=lambda each: each.x0)
    narrowest = GUTTER * max(segment.size for segment in row)
    return [(a.x1, b.x0) for a, b in pairwise(row) if b.x0 - a.x1 >= narrowest]


def _is_level(row: Row, following: Row) -> bool:
    return following[0].y - row[0].y < _SIDE_BY_SIDE * min(row[0].size, following[0].size)


def _follow(rows: Sequence[Row], start: int, gap: tuple[float, float]) -> tuple[int, float, float, int]:
    """How far down a gap goes on: row after the last, its edges there, and how many rows have text on both sides."""
    left, right = gap
    edges = gap
    both, last = 0, start
    sides: set[bool] = set()
    for number in range(start, len(rows)):
        row = rows[number]
        middle = (left + right) / 2
        inside = [segment for segment in row if segment.x0 < right and segment.x1 > left]
        left = max([left, *(s.x1 for s in inside if s.x0 + s.x1 < 2 * middle)])
        right = min([right, *(s.x0 for s in inside if s.x0 + s.x1 >= 2 * middle)])
        if right - left < GUTTER * max(segment.size for segment in row):
            break
        here = {segment.x0 >= right for segment in row}
        level = number > start and _is_level(rows[number - 1], row)
        if len(here | sides if level else here) == 2:
            both += 1
            last, edges = number + 1, (left, right)
        sides = here
    return last, *edges, both


def _extended(rows: Sequence[Row], found: tuple[int, int, float, float]) -> tuple[int, int, float, float]:
    """The stretch with the rows next to it that stand on one side only and keep the usual distance: a column may
    begin above the other or end below it.
    """
    first, last, left, right = found
    usual = max(leading(_part(rows[first:last], left, -1)), leading(_part(rows[first:last], right, 1)))

    def fits(row: Row, beside: Row) -> bool:
        one_side = all(s.x1 <= left for s in row) or all(s.x0 >= right for s in row)
        return one_side and abs(row[0].y - beside[0].y) < 1.6 * usual

    while last < len(rows) and fits(rows[last], rows[last - 1]):
        last += 1
    while first > 0 and fits(rows[first - 1], rows[first]):
        first -= 1
    return first, last, left, right


def leading(rows: Sequence[Row]) -> float:
    steps = [b[0].y - a[0].y for a, b in pairwise(rows)]
    return median(steps) if steps else 1.2 * rows[0][0].size


def _part(rows: Sequence[Row], edge: float, side: int) -> list[Row]:
    parts = ([s for s in row if (s.x1 <= edge + 0.1 if side < 0 else s.x0 >= edge - 0.1)] for row in rows)
    return [part for part in parts if part]


def _is_table(rows: Sequence[Row], left: float, right: float) -> bool:
    """Whether a stretch with a gutter is a table: short cells on a side, or breaks that both sides share."""
    sides = _part(rows, left, -1), _part(rows, right, 1)
    for side in sides:
        if sum(len(segment.text) for row in side for segment in row) / len(side) < _PROSE_CHARS:
            return True
        if sum(len(row) for row in side) / len(side) > 1.8:  # cells upon cells
            cells = [len(segment.text) for row in side for segment in row]
            if sum(cells) / len(cells) < _PROSE_CHARS:
                return True
    breaks = [_breaks(side) for side in sides]
    shared = sum(any(abs(a - b) < 0.5 * rows[0][0].size for b in breaks[1]) for a in breaks[0])
    return shared >= 2 and shared >= 0.6 * max(len(breaks[0]), len(breaks[1]))


def _breaks(rows: Sequence[Row]) -> list[float]:
    usual = leading(rows)
    return [b[0].y for a, b in pairwise(rows) if b[0].y - a[0].y > NEW_BLOCK * usual]
