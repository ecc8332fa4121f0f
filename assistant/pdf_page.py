"""One page of a PDF: its visible characters, as words in the order of the file. One of three that use pypdfium2.

Left out, and counted, is text that nobody sees: drawn invisibly with no picture beneath (with one it is the text layer
of a scan), in white on white, under something that is filled, clipped away, too small to read, or off the page.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]
from pypdfium2 import raw

from assistant import pdf_layout
from assistant.decode import unified
from assistant.pdf_columns import Word
from assistant.pdf_drawn import Box, Colour, Drawn, colour_of, is_in, is_white, key_of
from assistant.pdf_layout import SOFT_HYPHEN, Block
from assistant.tesseract import Picture

_TINY = 1.5  # points; letters of less nobody reads
_WORD_END = 0.3  # a gap of so many letter sizes ends a word
_ANNOTATIONS = 5_000  # annotations of a page that are looked at
_TYPED = (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT)
_LARGEST_FIELD = 0.5  # of its page
_BOLD = 600  # of CSS's weights from 100 to 900, in which 400 is regular and 700 bold
_BOLD_NAME = re.compile(r"bold|black|heavy|(?<![a-z])demi(?!light)|CM(?:SS)?BX|CMB\d|SFBX|[-,]Bd", re.IGNORECASE)
_FONT_NAME = 256  # bytes of a font's name, with its closing zero


@dataclass(slots=True)
class Tally:
    """What was met in a whole file."""

    hidden: int = 0
    letters: int = 0
    unknown: int = 0
    pictures: int = 0  # on pages with text
    without_text: list[int] = field(default_factory=list)  # numbers of pages on which something is drawn
    unread: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Style:
    """How one text object of a page is drawn."""

    invisible: bool
    white: bool
    angle: int  # 0, 90, 180 or 270 degrees; -1 for others
    size: float  # of its letters in points; 0 if not known
    bold: bool
    typed: bool  # into a form, or on the page
    colour: Colour | None
    covers: list[Box]  # what is filled over it, or around it in its own colour
    clips: list[Box]  # outside of which nothing of it is drawn
    unseen: int = 0  # of its letters that are covered or clipped, those where nothing can be seen
    doubtful: list[_Glyph] = field(default_factory=list)  # and those where something can


@dataclass(slots=True)
class _Glyph:
    """A character; `text` is "" where a word ends."""

    text: str
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0
    x: float = 0.0
    y: float = 0.0
    angle: int = 0
    size: float = 0.0
    bold: bool = False
    drawn: bool = True


def blocks(document: pdfium.PdfDocument, number: int, tally: Tally) -> list[Block]:
    """What a page, counted from 0, has of text; nothing for one that cannot be read, or holds none, which the tally
    tells.
    """
    try:
        page = document[number]
        is_typed_on, typed = _typed_on(page)
        if is_typed_on and raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS:
            page.close()
            page = document[number]  # with what is typed into the form, or on the page, as text of the page
        text_page = page.get_textpage()
    except pdfium.PdfiumError:
        tally.unread.append(number + 1)
        return []
    before = tally.unknown
    drawn = Drawn(page)
    glyphs = list(_glyphs(text_page, page.get_bbox(), drawn, tally, typed))
    upright, aside = _turned(glyphs)
    found = [*pdf_layout.blocks(_words(upright)), *(Block(" ".join(run)) for run in aside)]
    shown = [block for block in found if unified(block.text).strip()]
    if shown:
        tally.pictures += len(drawn.pictures)
    elif drawn.count or tally.unknown > before:
        tally.without_text.append(number + 1)
    text_page.close()
    page.close()
    return shown


def _typed_on(page: pdfium.PdfPage) -> tuple[bool, list[Box]]:
    """Whether a page has fields of a form, or annotations that are text on it, and where those that people type into
    are; links and highlights are none. One as large as the page tells nothing of what stands there.
    """
    found, boxes, box = False, list[Box](), raw.FS_RECTF()
    width, height = page.get_size()
    for number in range(min(raw.FPDFPage_GetAnnotCount(page), _ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        kind = raw.FPDFAnnot_GetSubtype(annotation)
        found = found or kind in (*_TYPED, raw.FPDF_ANNOT_STAMP)
        if kind in _TYPED and raw.FPDFAnnot_GetRect(annotation, box):
            (left, right), (bottom, top) = sorted((box.left, box.right)), sorted((box.bottom, box.top))
            if (right - left) * (top - bottom) < _LARGEST_FIELD * width * height:
                boxes.append((left, bottom, right, top))
        raw.FPDFPage_CloseAnnot(annotation)
    return found, boxes


def draw(document: pdfium.PdfDocument, number: int, dpi: int, longest_side: int) -> Picture:
    """A page, counted from 0, as a person sees it; with fewer dots an inch where it is larger than so many pixels."""
    page = document[number]
    scale = min(dpi / 72, longest_side / max(1.0, *page.get_size()))
    bitmap = page.render(scale=scale, grayscale=True)
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    grey = bytes(bitmap.buffer)
    page.close()
    if stride != width:  # rows end in padding
        grey = b"".join(grey[row * stride : row * stride + width] for row in range(height))
    return Picture(grey, width, height, max(1, round(72 * scale)))


# --- characters


def _glyphs(
    text_page: pdfium.PdfTextPage,
    page: tuple[float, float, float, float],
    drawn: Drawn,
    tally: Tally,
    typed: Sequence[Box],
) -> Iterator[_Glyph]:
    """The visible characters in the order of the file, and ends of words."""
    styles: dict[int | None, _Style] = {}
    box = raw.FS_RECTF()
    x, y = ctypes.c_double(), ctypes.c_double()
    count = text_page.count_chars()
    unsure = {number for number in range(count) if raw.FPDFText_HasUnicodeMapError(text_page, number)}
    tally.unknown += len(unsure)
    if 2 * len(unsure) > count:
        unsure = set()  # better perhaps wrong than nothing; it is told
    high = 0  # the first half of a character beyond U+FFFF, which pdfium gives in two
    for number in range(count):
        if number in unsure:
            continue
        code = raw.FPDFText_GetUnicode(text_page, number)
        if high and 0xDC00 <= code <= 0xDFFF:
            code = 0x10000 + (high - 0xD800) * 0x400 + code - 0xDC00
        elif high:
            tally.unknown += 1
        high = code if 0xD800 <= code <= 0xDBFF else 0
        if high:
            continue
        if code in (0x20, 0xA0, 0x09, 0x0A, 0x0D) or 0x2000 <= code <= 0x200A:
            yield _Glyph("")
            continue
        character = _character(code)
        if not character:
            tally.unknown += code > 0x20 and code != 0x200B
            continue
        raw.FPDFText_GetLooseCharBox(text_page, number, box)
        raw.FPDFText_GetCharOrigin(text_page, number, x, y)
        style = _style(text_page, number, styles, drawn, box, typed)
        glyph = _glyph(character, box, (x.value, y.value), style)
        if _is_hidden(glyph, style, page, drawn):
            tally.hidden += 1
            continue
        tally.letters += 1
        yield glyph
    for style in styles.values():
        if len(style.doubtful) < style.unseen:  # what is seen at their places is something else
            tally.hidden += len(style.doubtful)
            tally.letters -= len(style.doubtful)
            for glyph in style.doubtful:
                glyph.text = ""


def _glyph(character: str, box: Any, origin: tuple[float, float], style: _Style) -> _Glyph:
    height = max(box.top - box.bottom, box.right - box.left) if style.angle % 180 else box.top - box.bottom
    size = style.size if 0.4 < style.size / (height or 1.0) < 2.5 else height / 1.2
    place = box.left, box.right, box.bottom, box.top, *origin
    return _Glyph(character, *place, style.angle, size or 1.0, style.bold, not style.invisible and not style.typed)


def _character(code: int) -> str:
    """The character, or "" where the file does not say which one it is."""
    if code in (0x02, 0xFFFE, 0xAD):  # how pdfium marks a hyphen at the end of a line
        return SOFT_HYPHEN
    if code < 0x20 or code in (0xFFFD, 0x200B, 0xFEFF) or 0xE000 <= code <= 0xF8FF or code >= 0xF0000:
        return _PRIVATE.get(code, "")
    if 0xD800 <= code <= 0xDFFF:
        return ""
    return _LIGATURES.get(code, chr(code))


_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_PRIVATE = dict.fromkeys((0xF0B7, 0xF0A7, 0xF0D8, 0xF076, 0xF0A8), "•")  # bullets of the fonts Symbol and Wingdings


def _style(
    text_page: pdfium.PdfTextPage,
    number: int,
    known: dict[int | None, _Style],
    drawn: Drawn,
    box: Any,
    typed: Sequence[Box],
) -> _Style:
    shape = raw.FPDFText_GetTextObject(text_page, number)
    key = key_of(shape)
    style = known.get(key) if key else None
    if style is None:
        degrees = math.degrees(raw.FPDFText_GetCharAngle(text_page, number)) % 360
        nearest = round(degrees / 90) * 90
        mode = raw.FPDFTextObj_GetTextRenderMode(shape) if key else raw.FPDF_TEXTRENDERMODE_FILL
        colour = colour_of(shape) if key else None
        lines = (box.bottom, box.top) if abs(degrees - nearest) < 0.5 and nearest % 180 == 0 else None
        style = known[key] = _Style(
            invisible=mode in (raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP),
            white=mode == raw.FPDF_TEXTRENDERMODE_FILL and colour is not None and is_white(colour),
            angle=nearest % 360 if abs(degrees - nearest) < 10 else -1,
            size=_letter_size(shape) if key else 0.0,
            bold=bool(key) and (mode == raw.FPDF_TEXTRENDERMODE_FILL_STROKE or _is_bold(shape)),
            typed=any(is_in((box.left + box.right) / 2, (box.bottom + box.top) / 2, each) for each in typed),
            colour=colour[:3] if colour else None,
            covers=drawn.covers(shape, key, colour[:3] if colour else None, lines) if key else [],
            clips=drawn.clips(shape, key) if key else [],
        )
    return style


def _letter_size(shape: Any) -> float:
    size, matrix = ctypes.c_float(), raw.FS_MATRIX()
    if not raw.FPDFTextObj_GetFontSize(shape, size) or not raw.FPDFPageObj_GetMatrix(shape, matrix):
        return 0.0
    return abs(size.value) * math.hypot(matrix.c, matrix.d)


def _is_bold(shape: Any) -> bool:
    """Whether its font says that it is a bold one, by weight or by name: many leave out the first."""
    font = raw.FPDFTextObj_GetFont(shape)
    if not font:
        return False
    name = ctypes.create_string_buffer(_FONT_NAME)
    length = raw.FPDFFont_GetBaseFontName(font, name, _FONT_NAME)
    return raw.FPDFFont_GetWeight(font) >= _BOLD or bool(
        length <= _FONT_NAME and _BOLD_NAME.search(name.value.decode("utf-8", "replace"))
    )


def _is_hidden(glyph: _Glyph, style: _Style, page: tuple[float, float, float, float], drawn: Drawn) -> bool:
    left, bottom, right, top = page
    x, y = (glyph.left + glyph.right) / 2, (glyph.bottom + glyph.top) / 2
    if not (left - 2 <= x <= right + 2 and bottom - 2 <= y <= top + 2):
        return True
    if style.invisible:
        return not drawn.is_on_picture(x, y)
    if max(glyph.top - glyph.bottom, glyph.right - glyph.left) < _TINY:
        return True
    if not (style.white or style.covers or style.clips):
        return False
    box = glyph.left, glyph.bottom, glyph.right, glyph.top
    if style.white and drawn.is_blank(box):
        return True
    covered = any(is_in(x, y, cover) for cover in style.covers) or not all(is_in(x, y, clip) for clip in style.clips)
    if not covered:
        return False
    if drawn.is_even(box, style.colour):
        style.unseen += 1
        return True
    style.doubtful.append(glyph)
    return False


def _turned(glyphs: list[_Glyph]) -> tuple[list[_Glyph], list[list[str]]]:
    """The glyphs that are written as most of the page is, turned upright, with y growing downwards; and the words of
    the others, run by run.
    """
    angles = Counter(glyph.angle for glyph in glyphs if glyph.text)
    main = max((angle for angle in angles if angle >= 0), key=lambda angle: angles[angle], default=0)
    upright: list[_Glyph] = []
    aside: list[list[str]] = []
    last: _Glyph | None = None
    for glyph in glyphs:
        if not glyph.text:
            upright.append(glyph)
            if last and aside[-1][-1]:
                aside[-1].append("")
        elif glyph.angle == main:
            upright.append(_upright(glyph, main))
            last = None
        else:
            if last is None or last.angle != glyph.angle:
                aside.append([""])
            aside[-1][-1] += glyph.text
            last = glyph
    return upright, aside


def _upright(glyph: _Glyph, angle: int) -> _Glyph:
    left, right, bottom, top = glyph.left, glyph.right, glyph.bottom, glyph.top
    sides = {
        0: (left, right, -bottom, -top, glyph.x, -glyph.y),
        270: (bottom, top, right, left, glyph.y, glyph.x),  # pdfium counts clockwise
        180: (-right, -left, top, bottom, -glyph.x, glyph.y),
        90: (-top, -bottom, -left, -right, -glyph.y, -glyph.x),
    }[angle]
    return _Glyph(glyph.text, *sides, angle, glyph.size, glyph.bold, glyph.drawn)


def _words(glyphs: list[_Glyph]) -> list[Word]:
    """Words in the order of the file, without those drawn twice to look bold. On a page in a script from right to
    left x is mirrored.
    """
    rtl = sum(len(_RIGHT_TO_LEFT.findall(glyph.text)) for glyph in glyphs)
    mirrored = 2 * rtl > sum(bool(glyph.text) for glyph in glyphs)
    words: list[Word] = []
    last: _Glyph | None = None
    for glyph in glyphs:
        if not glyph.text:
            last = None
            continue
        size = glyph.size
        left, right = (-glyph.right, -glyph.left) if mirrored else (glyph.left, glyph.right)
        if last and _continues(words[-1], last, glyph, left, right, size):
            word = words[-1]
            word.text += glyph.text
            word.x0, word.x1 = min(word.x0, left), max(word.x1, right)
        else:
            words.append(Word(glyph.text, left, right, glyph.y, size, glyph.bold, glyph.drawn))
        last = glyph
    places = {(word.text, round(word.x0 / 2), round(word.y / 2)): word for word in reversed(words)}
    return [word for word in words if places[word.text, round(word.x0 / 2), round(word.y / 2)] is word]


_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


def _continues(word: Word, last: _Glyph, glyph: _Glyph, left: float, right: float, size: float) -> bool:
    """Whether a glyph goes on with the word: right behind it, or one of the letters of a ligature."""
    if (last.left, last.right, last.y) == (glyph.left, glyph.right, glyph.y):
        return True
    largest = max(word.size, size)
    gap = max(left - word.x1, word.x0 - right) / largest
    return -0.5 < gap < _WORD_END and abs(glyph.y - word.y) < 0.55 * largest
