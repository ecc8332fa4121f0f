"""Word documents (.docx): paragraphs, headings, lists, tables, formulas, notes, headers and footers.

Written by the parts of ISO/IEC 29500-1 that hold text. Deleted text of tracked changes and hidden text are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant import grid, markup, symbols
from assistant.content import Content, Facts, stated_author, stated_title
from assistant.errors import DamagedFile
from assistant.formula import formula
from assistant.markup import Element, local
from assistant.numbering import Numbers
from assistant.packed import Packed
from assistant.raised import CLOSES, OPENS, settled

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING = re.compile(r"heading\s*(\d)|title$", re.IGNORECASE)
_LISTED = re.compile(r"list (?:bullet|number)", re.IGNORECASE)
_PAGE_NUMBER = re.compile(
    r"(?:page|seite|p[aá]gin[ae]|p\.|s\.)?[\s\d]*(?:(?:of|von|sur|de|di|van|/|\|)[\s\d]*)?", re.IGNORECASE
)
_NUMBERING, _STYLES = "word/numbering.xml", "word/styles.xml"
_ITEM = -1  # in the place of a heading's level
_SKIPPED = frozenset("del movefrom instrtext deltext ppr rpr tblpr tcpr sectpr trpr proofErr fldchar".lower().split())


def read(data: bytes, name: str) -> Content:
    """The text of a Word document. Raises DamagedFile, EncryptedFile and UnreadableFile."""
    packed = Packed(data, name)
    main = next((each for each in packed.names() if re.fullmatch(r"word/document\d*\.xml", each)), None)
    if main is None:
        raise DamagedFile(f"{name} is damaged: it holds no document.", "Save it again with the program it is from.")
    numbering, styles = (_part(packed, part) if part in packed else None for part in (_NUMBERING, _STYLES))
    writer = _Writer(_levels(styles), Numbers(numbering, styles))
    body = _part(packed, main)
    blocks = list(writer.blocks(body))
    notes = list(_notes(packed, writer))
    # Behind the text, as they are no title of it, nor its beginning.
    around = [*_around(packed, "header", writer), *_around(packed, "footer", writer)]
    text = "\n\n".join(block for block in [_joined(blocks), *notes, *around] if block)
    return Content(text, facts=core_facts(packed, name), notes=tuple(_left_out(packed, writer)))


def core_facts(packed: Packed, name: str) -> Facts:
    """What `docProps/core.xml` says, the same in all Office formats."""
    if "docProps/core.xml" not in packed:
        return Facts()
    stated: dict[str, str] = {}
    try:
        for field in markup.xml(packed.read("docProps/core.xml"), name):
            stated[local(field)] = (field.text or "").strip()
    except DamagedFile:
        return Facts()
    title, author = stated_title(stated.get("title"), name), stated_author(stated.get("creator"))
    return Facts(title=title, author=author)


def _part(packed: Packed, name: str) -> Element:
    return markup.xml(packed.read(name).replace(*_TRANSITIONAL), packed.name)


_TRANSITIONAL = (b"http://purl.oclc.org/ooxml/wordprocessingml/main", _W[1:-1].encode())


def _joined(blocks: list[tuple[str, bool]]) -> str:
    """Blocks apart by blank lines; items of one list are not."""
    out = ""
    for number, (text, item) in enumerate(blocks):
        gap = "\n" if number and item and blocks[number - 1][1] else "\n\n"
        out += (gap if out else "") + text
    return out


def _levels(styles: Element | None) -> dict[str, int]:
    """Level of heading of each style that is one, by its name, its level in the outline or the style that it is based
    on; 0 is the title, and -1 a style of items.
    """
    stated: dict[str, int | None] = {}
    based: dict[str, str] = {}
    for style in styles.iter(f"{_W}style") if styles is not None else ():
        key = style.get(f"{_W}styleId") or ""
        called, base = style.find(f"{_W}name"), style.find(f"{_W}basedOn")
        title = (called.get(f"{_W}val") if called is not None else None) or ""
        found = _HEADING.match(title)
        outline = style.find(f"{_W}pPr/{_W}outlineLvl")
        if found or _LISTED.match(title):
            stated[key] = int(found[1] or 0) if found else _ITEM
        elif outline is not None:
            stated[key] = _outlined(outline)
        elif base is not None:
            based[key] = base.get(f"{_W}val") or ""
    for key in based:
        above = [key]
        while (base_key := based.get(above[-1])) is not None and base_key not in above:
            above.append(base_key)
        stated[key] = stated.get(above[-1])
    return {key: level for key, level in stated.items() if level is not None}


def _outlined(outline: Element) -> int | None:
    """The level of heading that a level in the outline stands for; the tenth is that of plain text."""
    level = _digits(outline.get(f"{_W}val"), "9")
    return int(level) + 1 if level < "9" and len(level) == 1 else None


def _around(packed: Packed, kind: str, writer: _Writer) -> Iterator[str]:
    """The different texts of headers or footers, without page numbers ("Page 2 of 9")."""
    seen: set[str] = set()
    for name in packed.matching(f"word/{kind}", ".xml"):
        blocks = list(writer.blocks(_part(packed, name)))
        text = _joined([block for block in blocks if not _PAGE_NUMBER.fullmatch(block[0].strip(" -–—"))])
        if text not in seen and re.search(r"[^\W\d]", text):
            seen.add(text)
            yield text


def _notes(packed: Packed, writer: _Writer) -> Iterator[str]:
    for kind in ("footnote", "endnote", "comment"):
        name = f"word/{kind}s.xml"
        if name not in packed:
            continue
        lines = []
        for note in _part(packed, name).iter(f"{_W}{kind}"):
            text = " ".join(text for text, _ in writer.blocks(note))
            if text and note.get(f"{_W}type") in (None, "normal"):
                who = f" ({note.get(f'{_W}author')})" if note.get(f"{_W}author") else ""
                lines.append(f"{kind.capitalize()} {note.get(f'{_W}id')}{who}: {text}")
        if lines:
            yield "\n".join(lines)


def _left_out(packed: Packed, writer: _Writer) -> Iterator[str]:
    if writer.hidden:
        yield f"Hidden text left out: {writer.hidden:,} characters."
    pictures = len(list(packed.matching("word/media/", "")))
    if pictures:
        yield f"Pictures not read: {pictures:,}."
    embedded = len(list(packed.matching("word/embeddings/", "")))
    if embedded:
        yield f"Embedded files not read: {embedded:,}."


class _Writer:
    def __init__(self, levels: dict[str, int], numbers: Numbers) -> None:
        self._levels = levels
        self._numbers = numbers
        self.hidden = 0

    def blocks(self, parent: Element) -> Iterator[tuple[str, bool]]:
        """Texts of paragraphs and tables in order, and whether each is an item of a list."""
        for element in parent:
            tag = local(element)
            if tag == "p":
                boxes = markup.outermost(
                    element, [box for box in element.iter(f"{_W}txbxContent") if not _is_fallback(box)]
                )
                text, item = self._paragraph(element)
                if text:
                    yield text, item
                for box in boxes:
                    yield from self.blocks(box)
            elif tag == "tbl":
                yield from self._table(element)
            elif tag not in _SKIPPED:
                yield from self.blocks(element)

    def _table(self, table: Element) -> Iterator[tuple[str, bool]]:
        rows: list[list[str]] = []
        heads: list[int] = []
        reaching: dict[int, str] = {}  # column: text of the cell that goes on below
        for row in table.iter(f"{_W}tr"):
            if _owner(row) is not table:
                continue
            if _is_on(row.find(f"{_W}trPr/{_W}tblHeader")):
                heads.append(len(rows))
            cells: list[str] = []
            reached: dict[int, str] = {}
            for cell in (each for each in row.iter(f"{_W}tc") if _owner(each, "tr") is row):
                text = "\n".join(text for text, _ in self.blocks(cell))
                span, merged = cell.find(f"{_W}tcPr/{_W}gridSpan"), cell.find(f"{_W}tcPr/{_W}vMerge")
                wide = int(_digits(span.get(f"{_W}val"))) if span is not None else 1
                if merged is not None and merged.get(f"{_W}val") != "restart":
                    reached[len(cells)] = reaching.get(len(cells), "")
                else:
                    reaching[len(cells)] = text if merged is not None else ""
                cells += [text, *[""] * (min(wide, 100) - 1)]
            rows.append(grid.repeated(cells, reached))
        if max((len(row) for row in rows), default=0) < 2:  # a frame around text
            for cells in rows:
                yield from ((cell, False) for cell in cells if cell)
        elif text := "\n".join(grid.lines(rows, heads)):
            yield text, False

    def _paragraph(self, paragraph: Element) -> tuple[str, bool]:
        parts: list[str] = []
        self._inline(paragraph, parts)
        text = "\n".join(" ".join(line.split()) for line in settled("".join(parts)).split("\n")).strip()
        properties = paragraph.find(f"{_W}pPr")
        number = self._number(properties)
        if not text or properties is None:
            return text, False
        style = properties.find(f"{_W}pStyle")
        level = self._levels.get((style.get(f"{_W}val") if style is not None else None) or "")
        outline = properties.find(f"{_W}outlineLvl")
        if level is None and outline is not None:
            level = _outlined(outline)
        if level is not None and level != _ITEM:
            return f"{'#' * max(1, min(6, level))} {' '.join(text.split())}", False
        listed = properties.find(f"{_W}numPr/{_W}numId")
        if level == _ITEM or (listed is not None and listed.get(f"{_W}val") != "0"):
            return f"{number or '-'} {text}", True
        return text, False

    def _number(self, properties: Element | None) -> str:
        """The number that a paragraph has as an item of a list; an empty one counts, one that is gone does not."""
        listed = properties.find(f"{_W}numPr/{_W}numId") if properties is not None else None
        if properties is None or listed is None:
            return ""
        if any(_is_on(properties.find(f"{_W}rPr/{_W}{gone}")) for gone in ("del", "moveFrom", "vanish")):
            return ""
        level = properties.find(f"{_W}numPr/{_W}ilvl")
        at = _digits(level.get(f"{_W}val"), "0") if level is not None else "0"
        return self._numbers.count(listed.get(f"{_W}val") or "", int(at))

    def _inline(self, element: Element, parts: list[str]) -> None:
        for child in element:
            tag = local(child)
            if tag == "t":
                parts.append(symbols.translated(child.text or "", _font(element)))
            elif tag == "sym":
                parts.append(_symbol(child))
            elif tag in ("tab", "ptab"):
                parts.append("\t")
            elif tag in ("br", "cr"):
                parts.append("\n")
            elif tag == "nobreakhyphen":
                parts.append("-")
            elif tag in ("omath", "omathpara"):
                parts.append(f" {formula(child)} ")
            elif tag in ("footnotereference", "endnotereference"):
                parts.append(f"[{child.get(f'{_W}id')}]")
            elif tag == "r" and _is_on(child.find(f"{_W}rPr/{_W}vanish")):
                self.hidden += sum(len(text.text or "") for text in child.iter(f"{_W}t"))
            elif tag == "r" and _is_raised(child):
                parts.append(OPENS)
                self._inline(child, parts)
                parts.append(CLOSES)
            elif tag not in _SKIPPED and tag not in ("txbxcontent", "fallback", "pict"):
                self._inline(child, parts)


def _is_on(switch: Element | None) -> bool:
    """Whether a property that is on or off is there, and not switched off again."""
    return switch is not None and switch.get(f"{_W}val") not in ("0", "false", "off")


def _font(run: Element) -> str:
    """The font that a run states for itself."""
    fonts = run.find(f"{_W}rPr/{_W}rFonts")
    return (fonts.get(f"{_W}ascii") or fonts.get(f"{_W}hAnsi") or "") if fonts is not None else ""


def _symbol(element: Element) -> str:
    code = element.get(f"{_W}char") or ""
    known = re.fullmatch(r"[0-9A-Fa-f]{1,6}", code)
    return symbols.character(int(code, 16), element.get(f"{_W}font") or "") if known else symbols.UNKNOWN


def _is_raised(run: Element) -> bool:
    place = run.find(f"{_W}rPr/{_W}vertAlign")
    return place is not None and place.get(f"{_W}val") == "superscript"


def _is_fallback(element: Element) -> bool:
    parent = element.getparent()
    while parent is not None:
        if local(parent) == "fallback":
            return True
        parent = parent.getparent()
    return False


def _owner(element: Element, tag: str = "tbl") -> Element | None:
    parent = element.getparent()
    while parent is not None and local(parent) != tag:
        parent = parent.getparent()
    return parent


def _digits(value: str | None, default: str = "1") -> str:
    return value if value and value.isascii() and value.isdigit() else default
