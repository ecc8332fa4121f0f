"""Which blocks of a PDF are headings, by what a reader sees: larger or bold letters, short, alone. Pure.

They are marked as Markdown marks them, which is how all readers write headings (`sections`). A PDF seldom says itself
what is a heading.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence

from assistant.pdf_layout import LEADER, Block

_LARGER = 1.12  # times the size of the text, from which a block stands out
_SMALLEST = 0.95  # of the size of the text: a bold heading is no smaller
_ALIKE = 1.04  # sizes nearer than this are of one level
_LONGEST, _LONGEST_BOLD = 160, 100  # characters of a heading, and of one that is no larger than the text
_LONGEST_TITLE = 300
_LINES, _TITLE_LINES = 2, 4
_PARAGRAPH = 80  # characters; what is set like the text and as long as this is a part of it
_LEVELS = 6
_SHARE = 0.3  # of all characters: what is set so is no heading where more is
_EDGE = 2  # blocks at the top or bottom of a page, where a line stands that runs through a chapter or the whole
_NUMBERED = 4  # pages on which a line has a number that grows as pages do, from which that is the page's
_CAPTION = re.compile(
    r"(?:fig(?:ure|ura|\.)|table|tab\.|chart|abb(?:ildung|\.)|tab(?:elle|la|leau))\s*\d|[图表圖]\s*\d", re.IGNORECASE
)
_ASIDE = re.compile(r"[(（].*[)）]")  # "(in millions)"
_BULLET = re.compile(r"[-*+•‣◦▪●○■–—]\s")
_LABELLED = re.compile(  # "From: Jane Doe"
    r"(?:from|to|cc|bcc|date|subject|re|by|authors?|name|phone|tel|fax|e-?mail|address|von|an|datum|betreff|"
    r"de|para|fecha|asunto|à|objet|da|oggetto|data|assunto|发件人|收件人|日期|主题)\.?\s*[:：]",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{3}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}|[^\W\d_]&[^\W\d_]")
_SENTENCE = re.compile(r"(?:(?<!\bInc)(?<!\bLtd)(?<!\bCo)(?<!\bCorp)(?<!\b[A-Z])\.|[,;!。，；、！…।॥۔؛،])[\"'”’)\]]*$")

_Style = tuple[float, bool]  # letter size in points, bold
_Place = tuple[int, int]  # page and block, counted from 0
_Pages = Sequence[Sequence[Block]]


def texts(pages: _Pages) -> list[str]:
    """The text of each page, its blocks apart by a blank line, headings behind as many "#" as their level."""
    levels = _headings(pages)
    return [
        "\n\n".join(
            f"{'#' * levels[page, number]} {_line(block)}" if (page, number) in levels else block.text
            for number, block in enumerate(blocks)
        )
        for page, blocks in enumerate(pages)
    ]


def _headings(pages: _Pages) -> dict[_Place, int]:
    """The level of each heading. The title has the first, whatever is larger on the pages behind it."""
    body = _body([block for blocks in pages for block in blocks if block.size])
    if body is None:
        return {}
    standing = [
        (page, number)
        for page, blocks in enumerate(pages)
        for number, block in enumerate(blocks)
        if _stands_out(block, body) and _reads_as_heading(block, body)
    ]
    found = list(_without_running(standing, pages))
    title = _title(pages, body)
    common = _common([place for place in found if place != title], pages)
    found = [(page, number) for page, number in found if _style(pages[page][number]) not in common]
    levels = _levels({_style(pages[page][number]) for page, number in [*found, *([title] if title else [])]})
    marked = {(page, number): levels[_style(pages[page][number])] for page, number in found}
    return marked | ({title: 1} if title else {})


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
    """Whether it is short and has words, and is no sentence."""
    text = _line(block)
    larger = block.size >= _LARGER * body[0]
    if len(text) > (_LONGEST if larger else _LONGEST_BOLD) or block.text.count("\n") >= _LINES:
        return False
    if not _is_line(block) or _SENTENCE.search(text):
        return False
    return larger or not (text.split()[0].islower() or text.endswith((":", "：")) or _LABELLED.match(text))


def _is_line(block: Block) -> bool:
    """Whether it is words, and neither a caption, nor an item of a list, nor a row of a table or of contents."""
    text = _line(block)
    letters = "".join(sign for sign in text if not unicodedata.category(sign).startswith("M"))  # vowels of Hindi
    if not _WORD.search(letters) or 2 * sum(map(str.isalpha, letters)) < len(letters.replace(" ", "")):
        return False
    apart = block.cells or " | " in text or LEADER.search(text)
    return not (apart or _CAPTION.match(text) or _ASIDE.fullmatch(text) or _BULLET.match(text))


def _title(pages: _Pages, body: _Style) -> _Place | None:
    """The largest block that stands before the text of the first page, the first of them, if it can be a title."""
    page = next((number for number, blocks in enumerate(pages) if blocks), 0)
    above: list[tuple[int, Block]] = []
    for number, block in enumerate(pages[page] if pages else []):
        if len(block.text) >= _PARAGRAPH and not _stands_out(block, body):
            break
        above.append((number, block))
    number, block = max(above, key=lambda one: _style(one[1]), default=(0, Block("")))
    if block.size < _LARGER * body[0] or not _is_line(block):
        return (page, number) if _stands_out(block, body) and _reads_as_heading(block, body) else None
    fits = len(block.text) <= _LONGEST_TITLE and block.text.count("\n") < _TITLE_LINES
    return (page, number) if fits else None


def _without_running(places: Sequence[_Place], pages: _Pages) -> Iterator[_Place]:
    """Without what stands at the top or bottom of pages one after the other, but for the first of them; and without
    what has a page number.
    """
    at: defaultdict[tuple[str, bool], set[int]] = defaultdict(set)  # pages by line, at the top or not
    numbered: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for page, blocks in enumerate(pages):
        for number in {*range(len(blocks))[:_EDGE], *range(len(blocks))[-_EDGE:]}:
            line = _line(blocks[number])
            at[line, number < _EDGE].add(page)
            for one in _numbers(line, page):
                numbered[one].append(page)
    for page, number in places:
        line = _line(pages[page][number])
        is_edge = number < _EDGE or number >= len(pages[page]) - _EDGE
        same = at[line, number < _EDGE]
        alternates = page - 2 in same and bool({page - 4, page + 2} & same)  # left and right pages differ
        has_number = any(_runs(numbered[one]) for one in _numbers(line, page))
        if not is_edge or not (page - 1 in same or alternates or has_number):
            yield page, number


def _runs(pages: Sequence[int]) -> bool:
    """Whether these are enough pages, and most of those between the first and last, or of the left ones."""
    return len(pages) >= _NUMBERED and pages[-1] - pages[0] < 2.5 * len(pages)


def _numbers(line: str, page: int) -> set[tuple[str, int]]:
    """What a line says beside its numbers, and how far each of them is from that of the page."""
    return {(re.sub(r"\d+", "0", line), int(digits) - page) for digits in re.findall(r"\d{1,5}", line)}


def _common(places: Collection[_Place], pages: _Pages) -> set[_Style]:
    """What is set as much of the text is, or stands mostly one below the other, as the values of a form do."""
    letters: Counter[_Style] = Counter()
    count: Counter[_Style] = Counter()
    followed: Counter[_Style] = Counter()
    known = set(places)
    for page, number in places:
        block = pages[page][number]
        style = _style(block)
        letters[style] += len(block.text)
        count[style] += 1
        followed[style] += (page, number + 1) in known and _style(pages[page][number + 1]) == style
    most = _SHARE * sum(len(block.text) for blocks in pages for block in blocks)
    return {style for style in count if letters[style] > most or followed[style] > max(1, count[style] / 2)}


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
