"""HTML: the main text of a page, without menus, and what the page says about itself.

`main_text` says what is left out. What is left is written as lines: headings, paragraphs, lists, tables.
"""

from __future__ import annotations

import re
from dataclasses import replace

from assistant import decode, grid, main_text, markup, web_facts
from assistant.content import Content
from assistant.markup import Element, local
from assistant.raised import CLOSES, OPENS, settled

_BLOCKS_LIST = (
    "p div section article main header footer address blockquote figure figcaption form fieldset dl dt dd ul ol li "
    "pre h1 h2 h3 h4 h5 h6 hr table center details summary body html caption legend nav aside"
)
_BLOCKS = frozenset(_BLOCKS_LIST.split())
_CHARSET = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w-]+)""", re.IGNORECASE
)
_LONG_CELL = 300  # characters; a table with longer cells arranges a page
_RAISED = re.compile(r"vertical-align\s*:\s*super", re.IGNORECASE)


def read(data: bytes, name: str) -> Content:
    """The text of an HTML page. Raises UnsupportedFile for what is no text."""
    text, doubts = decode.read(data, name, charset(data))
    content = page(text)
    return replace(content, notes=(*doubts, *content.notes))


def charset(data: bytes) -> str | None:
    """The encoding that a page names in its head."""
    found = _CHARSET.search(data[:4096])
    return (found[1] or found[2]).decode("ascii") if found else None


def page(html: str, whole: bool = False) -> Content:
    """The text of HTML; `whole` keeps what elsewhere would be a menu, as in books and mails, and takes the text alone,
    though it be empty.
    """
    root, is_whole = markup.html(html)
    if root is None:
        return Content("")
    facts = web_facts.facts(root)
    title = root.find(".//title")
    hidden = main_text.drop_unseen(root)
    around = 0 if whole else main_text.drop_around(root)
    main = root if whole else main_text.main(root)
    around += 0 if whole else main_text.length(root) - main_text.length(main)
    writer = _Writer()
    writer.walk(main)
    text = writer.text()
    if not text.strip() and title is not None and not whole:
        text = _flat(title)
    notes = [] if is_whole else ["Damaged: its elements are nested too deeply, and what stands deeper was not read."]
    notes += [f"Hidden text left out: {hidden:,} characters."] if hidden else []
    notes += [f"Menus and the like left out: {around:,} characters."] if around else []
    return Content(text, facts=facts, notes=tuple(notes))


# --- the text


def _flat(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


class _Writer:
    """Writes a tree as lines: blocks apart by a blank line, items of lists and rows of tables by a line feed."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._tight = False  # the next block belongs to the one before it
        self._prefix = ""

    def text(self) -> str:
        self._end()
        return "".join(self._blocks).strip("\n")

    def walk(self, element: Element) -> None:
        tag = local(element)
        if tag == "br":
            self._line.append("\n")
        elif tag == "pre":
            self._pre(element)
        elif tag == "table" and _is_data(element):
            self._table(element)
        elif tag == "math":
            self._line.append(_formula(element))
        elif tag in _BLOCKS or (tag in ("td", "th", "tr")):
            self._block(element, tag)
        elif _is_raised(element):
            self._line.append(OPENS)
            self._inside(element)
            self._line.append(CLOSES)
        else:
            self._inside(element)

    def _inside(self, element: Element) -> None:
        self._line.append(_collapsed(element.text))
        for child in element:
            self.walk(child)
            self._line.append(_collapsed(child.tail))

    def _block(self, element: Element, tag: str) -> None:
        self._end()
        if re.fullmatch(r"h[1-6]", tag):
            self._prefix = "#" * int(tag[1]) + " "
        elif tag == "li":
            self._prefix, self._tight = _bullet(element), bool(self._blocks) and _follows_item(element)
        elif tag == "dd":
            self._tight = True
        self._inside(element)
        self._end()
        self._prefix = ""

    def _end(self) -> None:
        text = re.sub(r" *\n *", "\n", re.sub(r" +", " ", settled("".join(self._line)))).strip()
        self._line = []
        if text:
            if self._prefix.startswith("#"):
                text = " ".join(text.split())
            self._put(self._prefix + text)
            self._prefix = ""

    def _put(self, text: str) -> None:
        self._blocks.append(("" if not self._blocks else "\n" if self._tight else "\n\n") + text)
        self._tight = False

    def _pre(self, element: Element) -> None:
        self._end()
        text = "".join(element.itertext()).replace("\r\n", "\n").strip("\n")
        if text.strip():
            self._put(text)

    def _table(self, table: Element) -> None:
        self._end()
        caption = table.find(".//caption")
        heads = [number for number, row in enumerate(table.iter("tr")) if _is_head(row)]
        rows = grid.lines(_cells(table), heads)
        if caption is not None and _flat(caption):
            rows.insert(0, _flat(caption))
        if rows:
            self._put("\n".join(rows))


def _collapsed(text: str | None) -> str:
    return re.sub(r"[\s\xa0]+", " ", text) if text else ""


def _is_raised(element: Element) -> bool:
    return local(element) == "sup" or _RAISED.search(element.get("style") or "") is not None


def _bullet(item: Element) -> str:
    parent = item.getparent()
    if parent is None or local(parent) != "ol":
        return "- "
    start = parent.get("start") or "1"
    number = int(start) if start.isdigit() else 1
    for sibling in parent:
        if sibling is item:
            break
        number += local(sibling) == "li"
    return f"{number}. "


def _follows_item(item: Element) -> bool:
    parent = item.getparent()
    return parent is not None and next(iter(parent), None) is not item


def _formula(math: Element) -> str:
    for part in math.iter():
        if local(part) == "annotation" and "tex" in (part.get("encoding") or ""):
            return f" {_flat(part)} "
    return f" {math.get('alttext') or _flat(math)} "


def _is_data(table: Element) -> bool:
    """Whether a table holds data; others arrange the page."""
    if table.find(".//table") is not None:
        return False
    rows = [[cell for cell in row if local(cell) in ("td", "th")] for row in table.iter("tr")]
    if max((len(row) for row in rows), default=0) < 2:
        return False
    return not any(main_text.length(cell) > _LONG_CELL for row in rows for cell in row)


def _is_head(row: Element) -> bool:
    """Whether the page says that a row holds headings."""
    parent = row.getparent()
    if parent is not None and local(parent) == "thead":
        return True
    tags = [(local(cell), cell) for cell in row]
    return any(tag == "th" for tag, _ in tags) and not any(tag == "td" and _spaced(cell) for tag, cell in tags)


def _cells(table: Element) -> list[list[str]]:
    """The texts of the cells at their places; one that spans several columns stands in the first, one that spans
    several rows in each.
    """
    rows: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}  # column: how many rows a cell from above still reaches down, and its text
    for row in table.iter("tr"):
        texts: list[str] = []
        reached: dict[int, str] = {}
        for cell in (each for each in row if local(each) in ("td", "th")):
            _reach(texts, below, reached)
            wide, text = min(_span(cell, "colspan"), 100), _spaced(cell)
            for at in range(len(texts), len(texts) + wide):
                below[at] = _span(cell, "rowspan") - 1, text if at == len(texts) else ""
            texts += [text, *[""] * (wide - 1)]
        _reach(texts, below, reached)
        rows.append(grid.repeated(texts, reached))
    return rows


def _reach(texts: list[str], below: dict[int, tuple[int, str]], reached: dict[int, str]) -> None:
    """Leaves room for the cells that reach from above into the next columns of a row, and keeps their texts."""
    while (above := below.get(len(texts), (0, "")))[0]:
        below[len(texts)] = above[0] - 1, above[1]
        reached[len(texts)] = above[1]
        texts.append("")


def _spaced(cell: Element) -> str:
    """The text of a cell on one line, with spaces where it has lines of its own."""
    parts: list[str] = []

    def walk(element: Element) -> None:
        apart = " " if local(element) in _BLOCKS or local(element) == "br" else ""
        opens, closes = (OPENS, CLOSES) if _is_raised(element) else (apart, apart)
        parts.append(opens + (element.text or ""))
        for child in element:
            walk(child)
            parts.append(child.tail or "")
        parts.append(closes)

    walk(cell)
    return " ".join(settled("".join(parts)).split())


def _span(cell: Element, name: str) -> int:
    value = (cell.get(name) or "1").strip()
    return min(1000, max(1, int(value))) if value.isascii() and value.isdigit() else 1
