"""Presentations (.pptx): the text of each slide, its tables and its notes. A slide is a page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from assistant import grid, markup
from assistant.content import Content
from assistant.errors import DamagedFile
from assistant.markup import Element, local
from assistant.packed import Packed
from assistant.read_office import core_facts

_TITLES = ("title", "ctrTitle")
_FURNITURE = ("sldNum", "dt", "ftr")


def read(data: bytes, name: str) -> Content:
    """The text of a presentation. Raises DamagedFile, EncryptedFile and UnreadableFile."""
    packed = Packed(data, name)
    slides = list(_slides(packed))
    if not slides:
        raise DamagedFile(f"{name} is damaged: it holds no slides.", "Save it again with the program it is from.")
    starts: list[int] = []
    text = ""
    hidden = 0
    for slide in slides:
        root = markup.xml(packed.read(slide), name)
        hidden += root.get("show") in ("0", "false")
        starts.append(len(text))
        blocks = [*_blocks(root), *_notes(packed, slide)]
        text += "\n\n".join(blocks) + ("\n\n" if blocks else "")
    notes = [f"Hidden slides, read as well: {hidden}."] if hidden else []
    pictures = len([each for each in packed.matching("ppt/media/", "") if not each.endswith(".xml")])
    notes += [f"Pictures not read: {pictures:,}."] if pictures else []
    charts = len(list(packed.matching("ppt/charts/chart", ".xml")))
    notes += [f"Charts not read: {charts:,}."] if charts else []
    text = text.rstrip()
    return Content(text, tuple(starts), core_facts(packed, name), tuple(notes))


def _slides(packed: Packed) -> Iterator[str]:
    """Names of the slides in the order in which they are shown."""
    main = "ppt/presentation.xml"
    if main not in packed:
        return
    targets = _related(packed, main)
    for slide in markup.xml(packed.read(main), packed.name).iter():
        if local(slide) == "sldid":
            keys = (value for key, value in _attributes(slide) if key.endswith("}id"))
            found = targets.get(next(keys, ""), "")
            if found in packed:
                yield found


def _attributes(element: Element) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = list(element.items())  # type: ignore[attr-defined]
    return items


def _related(packed: Packed, part: str) -> dict[str, str]:
    """Names of the files that a part refers to, by the id of the reference; none outside the archive."""
    folder, file = posixpath.split(part)
    name = f"{folder}/_rels/{file}.rels"
    if name not in packed:
        return {}
    found: dict[str, str] = {}
    for relation in markup.xml(packed.read(name), packed.name):
        target = relation.get("Target") or ""
        if relation.get("TargetMode") != "External":
            found[relation.get("Id") or ""] = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return found


def _notes(packed: Packed, slide: str) -> Iterator[str]:
    for target in _related(packed, slide).values():
        if target.startswith("ppt/notesSlides/") and target in packed:
            blocks = list(_blocks(markup.xml(packed.read(target), packed.name), titles=False))
            if blocks:
                yield "Notes: " + "\n".join(blocks)


def _blocks(root: Element, titles: bool = True) -> Iterator[str]:
    """The texts of the shapes, the title first, then from top to bottom and left to right."""
    found: list[tuple[tuple[int, int, int], str]] = []
    for number, shape in enumerate(each for each in root.iter() if local(each) in ("sp", "graphicframe")):
        kind = next((each.get("type") or "" for each in shape.iter() if local(each) == "ph"), "")
        if kind in _FURNITURE or (not titles and kind == "sldImg"):
            continue
        text = "\n".join(_lines(shape))
        if text and kind in _TITLES and titles:
            found.append(((-1, 0, number), f"# {' '.join(text.split())}"))
        elif text:
            y, x = _place(shape)
            found.append(((y, x, number), text))
    yield from (text for _, text in sorted(found))


def _place(shape: Element) -> tuple[int, int]:
    """Top and left edge in tenths of an inch; shapes without a place keep their order."""
    for each in shape.iter():
        if local(each) == "off":
            x, y = each.get("x") or "", each.get("y") or ""
            if re.fullmatch(r"-?\d+", x) and re.fullmatch(r"-?\d+", y):
                return int(y) // 91_440, int(x) // 91_440
    return 0, 0


def _lines(shape: Element) -> Iterator[str]:
    table = next((each for each in shape.iter() if local(each) == "tbl"), None)
    if table is not None:
        rows = [
            [" ".join(_paragraphs(cell)) for cell in row if local(cell) == "tc"] for row in table if local(row) == "tr"
        ]
        yield from grid.lines(rows)
    else:
        yield from _paragraphs(shape)


def _paragraphs(shape: Element) -> Iterator[str]:
    for paragraph in (each for each in shape.iter() if local(each) == "p"):
        parts = []
        for part in paragraph.iter():
            if local(part) == "t":
                parts.append(part.text or "")
            elif local(part) in ("br", "tab"):
                parts.append(" ")
        text = " ".join("".join(parts).split())
        if text:
            yield text
