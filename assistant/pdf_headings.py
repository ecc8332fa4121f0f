"""Which blocks of a PDF are headings, by what a reader sees: larger or bold letters, short, alone. Pure.

They are marked as Markdown marks them, which is how all readers write headings (`sections`). A PDF seldom says itself
what is a heading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from assistant.pdf_layout import Block

_LARGER = 1.12  # times the size of the text, from which a block stands out
_SMALLEST = 0.95  # of the size of the text: a bold heading is no smaller
_ALIKE = 1.04  # sizes nearer than this are of one level
_LONGEST, _LONGEST_BOLD = 160, 100  # characters of a heading, and of one that is no larger than the text
_LEVELS = 6
_SHARE = 0.5  # of all characters: where more stand out, it is not as headings
_CAPTION = re.compile(
    r"(?:fig(?:ure|ura|\.)|table|tab\.|chart|abb(?:ildung|\.)|tab(?:elle|la|leau))\s*\d|[图表圖]\s*\d", re.IGNORECASE
)
_ASIDE = re.compile(r"[(（].*[)）]")  # "(in millions)"
_WORD = re.compile(r"[^\W\d_]{3}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}|[^\W\d_]&[^\W\d_]")
_SENTENCE = re.compile(r"[.,;!。，；、！…][\"'”’)\]]*$")

_Style = tuple[float, bool]  # letter size in points, bold
_Place = tuple[int, int]  # page and block, counted from 0


def texts(pages: Sequence[Sequence[Block]]) -> list[str]:
    """The text of each page, its blocks apart by a blank line, headings behind as many "#" as their level."""
    headings = _headings(pages)
    levels = _levels({_style(pages[page][number]) for page, number in headings})
    return [
        "\n\n".join(
            f"{'#' * levels[_style(block)]} {_line(block)}" if (page, number) in headings else block.text
            for number, block in enumerate(blocks)
        )
        for page, blocks in enumerate(pages)
    ]


def _headings(pages: Sequence[Sequence[Block]]) -> set[_Place]:
    body = _body([block for blocks in pages for block in blocks if block.size])
    if body is None:
        return set()
    places = [
        (page, number)
        for page, blocks in enumerate(pages)
        for number, block in enumerate(blocks)
        if _stands_out(block, body) and _reads_as_heading(block, body)
    ]
    places = list(_without_running(places, pages))
    letters = sum(len(pages[page][number].text) for page, number in places)
    return set(places) if letters < _SHARE * sum(len(block.text) for blocks in pages for block in blocks) else set()


def _body(blocks: Sequence[Block]) -> _Style | None:
    """How most of the text is set."""
    letters: Counter[_Style] = Counter()
    for block in blocks:
        letters[_style(block)] += len(block.text)
    return max(letters, key=lambda style: letters[style], default=None)


def _style(block: Block) -> _Style:
    return block.size, block.bold


def _line(block: Block) -> str:
    return " ".join(block.text.split())


def _stands_out(block: Block, body: _Style) -> bool:
    size, bold = body
    return block.size >= _LARGER * size or (block.bold and not bold and block.size >= _SMALLEST * size)


def _reads_as_heading(block: Block, body: _Style) -> bool:
    """Whether it is short and has words, and is neither a sentence, nor a caption, nor a row of a table."""
    text = _line(block)
    larger = block.size >= _LARGER * body[0]
    if len(text) > (_LONGEST if larger else _LONGEST_BOLD) or block.text.count("\n") > 1:
        return False
    letters = sum(map(str.isalpha, text))
    if not _WORD.search(text) or 2 * letters < len(text.replace(" ", "")) or " | " in text:
        return False
    if _CAPTION.match(text) or _SENTENCE.search(text) or _ASIDE.fullmatch(text):
        return False
    return larger or not (text.split()[0].islower() or text.endswith((":", "：")))


def _without_running(places: Sequence[_Place], pages: Sequence[Sequence[Block]]) -> Iterator[_Place]:
    """Without what stands at the top or bottom of several pages, but for the first time."""
    edges = Counter(line for blocks in pages if blocks for line in {_line(blocks[0]), _line(blocks[-1])})
    seen: set[str] = set()
    for page, number in places:
        line = _line(pages[page][number])
        if edges[line] < 2 or line not in seen:
            yield page, number
        seen.add(line)


def _levels(styles: set[_Style]) -> dict[_Style, int]:
    """The larger, the higher; and of one size, the bold ones. 1 is the highest level."""
    levels: dict[_Style, int] = {}
    before: _Style | None = None
    level = 0
    for style in sorted(styles, reverse=True):
        if before is None or before[0] > _ALIKE * style[0] or before[1] != style[1]:
            level = min(level + 1, _LEVELS)
        levels[style] = level
        before = style
    return levels
