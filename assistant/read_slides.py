"""Presentations (.pptx): the text of each slide, its tables, diagrams and notes. A slide is a page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from assistant import grid, markup
from assistant.content import Content
from assistant.errors import DamagedFile
from assistant.markup import Element, local
from assistant.packed import Packed
from assistant.raised import CLOSES, OPENS, settled
from assistant.read_office import core_facts

_TITLES = ("title", "ctrTitle")
_FURNITURE = ("sldNum", "dt", "ftr")
_DESIGN = ("ppt/slideLayouts/", "ppt/slideMasters/")  # where a slide's shapes get what they do not say themselves
_IN_MASTER = {"ctrTitle": "title", **{kind: kind for kind in ("title", *_FURNITURE)}}  # all others: "body"


def read(data: bytes, name: str) -> Content:
    """The text of a presentation, and what of it is damaged. Raises DamagedFile, EncryptedFile and UnreadableFile."""
    packed = Packed(data, name)
    slides = list(_slides(packed))
    starts: list[int] = []
    text = ""
    hidden, astray, broken = 0, 0, []
    design = _Design(packed)
    for number, slide in enumerate(slides, 1):
        starts.append(len(text))
        blocks: list[str] = []
        try:
            root = _root(packed, slide)
            hidden += root.get("show") in ("0", "false")
            blocks += _blocks(root)
            blocks += _diagrams(packed, slide)
            blocks += _notes(packed, slide)
            blocks += _comments(packed, slide)
            astray += design.astray(slide, root)
        except DamagedFile:
            broken.append(str(number))
        text += "\n\n".join(blocks) + ("\n\n" if blocks else "")
    text = text.rstrip()
    if not slides or (broken and not text):
        what = "its slides cannot be read" if slides else "it holds no slides"
        raise DamagedFile(f"{name} is damaged: {what}.", "Save it again with the program it is from.")
    notes = [f"Damaged, not read in full: slide {', '.join(broken)} of {len(slides)}."] if broken else []
    notes += [f"Damaged: texts that have no place on their slides: {astray}."] if astray else []
    notes += [f"Hidden slides, read as well: {hidden}."] if hidden else []
    return Content(text, tuple(starts), core_facts(packed, name), (*notes, *_left_out(packed)))


def _left_out(packed: Packed) -> Iterator[str]:
    pictures = len([each for each in packed.matching("ppt/media/", "") if not each.endswith(".xml")])
    if pictures:
        yield f"Pictures not read: {pictures:,}."
    charts = len(list(packed.matching("ppt/charts/chart", ".xml")))
    if charts:
        yield f"Charts not read: {charts:,}."


def _slides(packed: Packed) -> Iterator[str]:
    """Names of the slides in the order in which they are shown; also of such as are missing."""
    main = "ppt/presentation.xml"
    if main not in packed:
        return
    targets = _related(packed, main)
    for slide in _root(packed, main).iter():
        if local(slide) == "sldid":
            keys = (value for key, value in _attributes(slide) if key.endswith("}id"))
            yield targets.get(next(keys, ""), "")


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
    for relation in _root(packed, name):
        target = relation.get("Target") or ""
        if relation.get("TargetMode") != "External":
            found[relation.get("Id") or ""] = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return found


def _root(packed: Packed, part: str) -> Element:
    """The root of a part. Raises DamagedFile for one that is missing, too."""
    if part not in packed:
        raise DamagedFile(f"{packed.name} is damaged: {part or 'a slide'} is missing.", "Get it anew.")
    root = markup.xml(packed.read(part), packed.name)
    for alternatives in [each for each in root.iter() if local(each) == "alternatecontent"]:
        _choose(alternatives)
    return root


def _choose(alternatives: Element) -> None:
    """Leaves one of several forms of the same content: the first that holds text, else the first."""
    forms = [each for each in alternatives if local(each) in ("choice", "fallback")]
    chosen = next((form for form in forms if any(_paragraphs(form))), next(iter(forms), None))
    for form in forms:
        if form is not chosen:
            markup.drop(form)


class _Design:
    """The layouts and masters of a presentation, each read once."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed
        self._placed: dict[str, set[str]] = {}  # part to the placeholders that it gives a place

    def astray(self, slide: str, root: Element) -> int:
        """How many texts have no place: neither the slide gives one, nor its layout, nor the layout's master.

        ECMA-376-1, 19.3.1.36: a placeholder takes what it does not say itself from the one above it, which is of the
        same index or kind. Raises DamagedFile.
        """
        texts = (shape for shape in _shapes(root) if not _has_place(shape) and any(_paragraphs(shape)))
        astray = [keys for keys in map(_keys, texts) if keys]
        part = slide
        for folder in _DESIGN:
            above = next((each for each in _related(self._packed, part).values() if each.startswith(folder)), "")
            if not astray or not above:
                break
            astray = [keys for keys in astray if not keys & self._places(above)]
            part = above
        return len(astray) if part != slide else 0

    def _places(self, part: str) -> set[str]:
        """The placeholders that a layout or master gives a place, by their keys; none where it is damaged."""
        if part not in self._placed:
            try:
                shapes = list(filter(_has_place, _shapes(_root(self._packed, part))))
            except DamagedFile:
                shapes = []
            self._placed[part] = {key for shape in shapes for key in _keys(shape)}
        return self._placed[part]


def _shapes(root: Element) -> Iterator[Element]:
    return (each for each in root.iter() if local(each) == "sp")


def _has_place(shape: Element) -> bool:
    return any(local(each) == "off" for each in shape.iter())


def _keys(shape: Element) -> set[str]:
    """By what a placeholder is found in a layout or master: its index and its kind; nothing for other shapes."""
    for each in shape.iter():
        if local(each) == "ph":
            return {f"#{each.get('idx') or 0}", _IN_MASTER.get(each.get("type") or "", "body")}
    return set()


def _diagrams(packed: Packed, slide: str) -> Iterator[str]:
    """The texts of the drawings that PowerPoint calls SmartArt, in their order."""
    for target in _related(packed, slide).values():
        if re.match(r"ppt/diagrams/data\d*\.xml", target) and target in packed:
            yield from filter(None, ["\n".join(_paragraphs(_root(packed, target)))])


def _notes(packed: Packed, slide: str) -> Iterator[str]:
    for target in _related(packed, slide).values():
        if target.startswith("ppt/notesSlides/") and target in packed:
            blocks = list(_blocks(_root(packed, target), titles=False))
            if blocks:
                yield "Notes: " + "\n".join(blocks)


def _comments(packed: Packed, slide: str) -> Iterator[str]:
    """What people noted beside a slide, in the form of before 2021 (a text) or the one since (paragraphs)."""
    for target in _related(packed, slide).values():
        if not target.startswith("ppt/comments/") or target not in packed:
            continue
        for each in _root(packed, target).iter():
            plain = " ".join((each.text or "").split()) if local(each) == "text" else ""
            text = plain or (" ".join(_paragraphs(each)) if local(each) == "txbody" else "")
            if text:
                yield f"Comment: {text}"


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
        rows = list(_rows(table))
        headed = any(each.get("firstRow") in ("1", "true") for each in table if local(each) == "tblpr")
        facts = max(map(len, rows), default=0) < 3  # "Founded | 2019": every new table has the mark of headings
        yield from grid.lines(rows, [0] if headed and not facts else [])
    else:
        yield from _paragraphs(shape)


def _rows(table: Element) -> Iterator[list[str]]:
    """The cells of each row; one that goes on from above says the same."""
    reaching: dict[int, str] = {}
    for row in (each for each in table if local(each) == "tr"):
        cells: list[str] = []
        reached: dict[int, str] = {}
        for at, cell in enumerate(each for each in row if local(each) == "tc"):
            cells.append(" ".join(_paragraphs(cell)))
            if cell.get("vMerge") in ("1", "true"):
                reached[at] = reaching.get(at, "")
            else:
                reaching[at] = cells[-1]
        yield grid.repeated(cells, reached)


def _paragraphs(shape: Element) -> Iterator[str]:
    for paragraph in (each for each in shape.iter() if local(each) == "p"):
        parts = []
        for part in paragraph.iter():
            if local(part) == "t":
                text = part.text or ""
                parts.append(f"{OPENS}{text}{CLOSES}" if _is_raised(part) else text)
            elif local(part) in ("br", "tab"):
                parts.append(" ")
        text = " ".join(settled("".join(parts)).split())
        if text:
            yield text


def _is_raised(text: Element) -> bool:
    run = text.getparent()
    properties = [] if run is None else [each for each in run if local(each) == "rpr"]
    return any(re.match(r"0*[1-9]", each.get("baseline") or "") for each in properties)  # negative ones stand below
