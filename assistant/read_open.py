"""Texts and presentations of LibreOffice and others (.odt, .odp), by OpenDocument 1.3."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant import grid, markup
from assistant.content import Content, Facts, stated_author, stated_title
from assistant.errors import DamagedFile, EncryptedFile
from assistant.markup import Element, local
from assistant.packed import Packed
from assistant.raised import CLOSES, OPENS, settled

_SKIPPED = frozenset(["tracked-changes", "sequence-decls", "forms", "note-citation"])
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_REPEATS = 50  # most times that a repeated cell is written; sheets repeat empty ones a thousandfold


def read(data: bytes, name: str) -> Content:
    """The text of an OpenDocument file. Raises DamagedFile, EncryptedFile and UnreadableFile."""
    packed = Packed(data, name)
    if "META-INF/manifest.xml" in packed and b"encryption-data" in packed.read("META-INF/manifest.xml"):
        raise EncryptedFile(f"{name} is encrypted: it needs a password.", "Save a copy without a password.")
    if "content.xml" not in packed:
        raise DamagedFile(f"{name} is damaged: it holds no content.", "Save it again with the program it is from.")
    root = markup.xml(packed.read("content.xml"), name)
    _name_raised(root)
    body = next((each for each in root.iter() if local(each) == "body"), None)
    if body is None:
        raise DamagedFile(f"{name} is damaged: it holds no text.", "Save it again with the program it is from.")
    pages = [each for each in body.iter() if local(each) == "page"]
    starts: list[int] = []
    text = ""
    for part in pages or [body]:
        starts.append(len(text))
        text += "\n\n".join(_blocks(part)) + "\n\n"
    pictures = len([each for each in packed.matching("Pictures/", "") if packed.size(each)])
    notes = (f"Pictures not read: {pictures:,}.",) if pictures else ()
    return Content(text.rstrip(), tuple(starts) if pages else (), _facts(packed), notes)


def _name_raised(root: Element) -> None:
    """Calls spans "sup" whose style stands above the line ("super 58%", "33% 58%")."""
    places = {
        style.get(f"{_STYLE}name"): each.get(f"{_STYLE}text-position") or ""
        for style in root.iter(f"{_STYLE}style")
        for each in style
    }
    for span in root.iter(f"{_TEXT}span"):
        if re.match(r"super|[1-9]", places.get(span.get(f"{_TEXT}style-name"), "")):
            span.tag = "sup"


def _facts(packed: Packed) -> Facts:
    if "meta.xml" not in packed:
        return Facts()
    stated = {
        local(each): (each.text or "").strip() for each in markup.xml(packed.read("meta.xml"), packed.name).iter()
    }
    author = stated.get("initial-creator") or stated.get("creator")
    return Facts(title=stated_title(stated.get("title"), packed.name), author=stated_author(author))


def _blocks(parent: Element) -> Iterator[str]:
    for element in parent:
        tag = local(element)
        if tag == "h":
            text = _inline(element)
            if text:
                yield f"{'#' * _level(element)} {text}"
        elif tag == "p":
            boxes = markup.outermost(element, [each for each in element.iter() if local(each) == "text-box"])
            if text := _inline(element):
                yield text
            for box in boxes:
                yield from _blocks(box)
        elif tag == "list":
            if text := "\n".join(_items(element)):
                yield text
        elif tag == "table":
            if text := "\n".join(_table(element)):
                yield text
        elif tag == "notes":
            yield from (f"Notes: {text}" for text in _blocks(element))
        elif tag not in _SKIPPED:
            yield from _blocks(element)


def _level(heading: Element) -> int:
    value = heading.get(f"{_TEXT}outline-level") or "1"
    return max(1, min(6, int(value))) if value.isascii() and value.isdigit() else 1


def _items(items: Element) -> Iterator[str]:
    for item in items:
        first = True
        for text in _blocks(item):
            yield text if text.startswith("- ") else f"- {text}" if first else text
            first = False


def _table(table: Element) -> list[str]:
    rows = [row for row in table.iter() if local(row) == "table-row" and _nearest(row, "table") is table]
    heads = [number for number, row in enumerate(rows) if _nearest(row, "table-header-rows", "table") is not table]
    reaching: dict[int, tuple[int, str]] = {}  # column: how many rows a cell goes on below, and its text
    return grid.lines([_cells(row, reaching) for row in rows], heads)


def _nearest(element: Element, *tags: str) -> Element | None:
    """The closest element around one that is of these kinds."""
    parent = element.getparent()
    while parent is not None and local(parent) not in tags:
        parent = parent.getparent()
    return parent


def _cells(row: Element, reaching: dict[int, tuple[int, str]]) -> list[str]:
    cells: list[str] = []
    reached: dict[int, str] = {}
    for cell in row:
        tag = local(cell)
        if tag not in ("table-cell", "covered-table-cell"):
            continue
        times = min(_REPEATS, _count(cell, "number-columns-repeated"))
        text = " ".join(_blocks(cell))
        for at in range(len(cells), len(cells) + times):
            below, above = reaching.pop(at, (0, ""))
            if tag == "covered-table-cell" and below:
                reached[at] = above
                reaching[at] = below - 1, above
            elif _count(cell, "number-rows-spanned") > 1:
                reaching[at] = _count(cell, "number-rows-spanned") - 1, text
        cells += [text] * times
    return grid.repeated(cells, reached)


def _count(cell: Element, name: str) -> int:
    value = cell.get(f"{_TABLE}{name}") or "1"
    return int(value) if value.isascii() and value.isdigit() else 1


def _inline(element: Element) -> str:
    parts: list[str] = []
    _collect(element, parts)
    return "\n".join(" ".join(line.split()) for line in settled("".join(parts)).split("\n")).strip()


def _collect(element: Element, parts: list[str]) -> None:
    parts.append(element.text or "")
    for child in element:
        tag = local(child)
        if tag in ("s", "tab"):
            parts.append(" ")
        elif tag == "line-break":
            parts.append("\n")
        elif tag in ("note", "annotation"):
            body = " ".join(text for text in _blocks(child))
            parts.append(f" [{body}] " if body else "")
        elif tag == "sup":
            parts.append(OPENS)
            _collect(child, parts)
            parts.append(CLOSES)
        elif tag not in _SKIPPED and tag not in ("text-box", "desc", "title"):
            _collect(child, parts)
        parts.append(child.tail or "")
