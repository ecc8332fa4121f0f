"""Scanned pages to text by OCR (tesseract): which were read, how surely, and what the person is told.

What tesseract finds on a page comes as words with their places, and goes through the same layout as the words of any
other PDF (`pdf_layout`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from assistant import markup, pdf_layout, tesseract
from assistant.content import page_numbers
from assistant.errors import DamagedFile, OcrMissing, ScannedFile
from assistant.markup import Element
from assistant.pdf_columns import Word
from assistant.tesseract import Ocr, Picture

DPI = 300  # dots an inch that tesseract's manual asks for
LONGEST_SIDE = 7_000  # pixels; larger pages are drawn more coarsely
_SURE = 60  # of 100: tesseract's confidence from which a word counts as read surely
_UNSURE_SHARE = 0.25  # of words above which it is told
_SPACE = 0.15  # in letter sizes; what the layout takes for one
_UNSPACED = "\u2e80"  # from here on scripts of East Asia, mostly written without spaces
_ELSEWHERE = "recognise its text with another program, for example `ocrmypdf in.pdf out.pdf`, and add the result."
OFF = f'Set read.ocr to "auto" to have scans read here, or {_ELSEWHERE}'


@dataclass(slots=True)
class Recognised:
    """What came of the pages of one file, by their numbers, counted from 1."""

    languages: str = ""
    texts: dict[int, str] = field(default_factory=dict)
    blank: list[int] = field(default_factory=list)  # nothing was found on these
    failed: list[int] = field(default_factory=list)
    reason: str = ""  # why the last of the failed did
    missing: str = ""  # why nothing was tried at all, as the rest of a sentence
    hint: str = ""
    words: int = 0
    unsure: int = 0

    @property
    def awaits(self) -> bool:
        """Whether pages were left that another run may read: nothing was tried, as something is missing."""
        return bool(self.missing)

    def notes(self, total: int) -> Iterator[str]:
        """Sentences for the person about a file of `total` pages."""
        if self.texts:
            yield f"Read by OCR ({self.languages}), may hold misreadings: {page_numbers(self.texts)} of {total}."
        if self.unsure > _UNSURE_SHARE * self.words:
            share = f"{self.unsure / self.words:.0%}"
            yield f"OCR was unsure of {share} of the words; see read.ocr_languages (now {self.languages})."
        if self.failed:
            yield f"Not read, as {self.reason}: {page_numbers(self.failed)} of {total}."
        if self.blank:
            yield f"OCR found no text on {page_numbers(self.blank)} of {total}."

    def error(self, name: str, pages: int) -> ScannedFile:
        """What is wrong with a file of which no page was read."""
        count = f"{pages} pages are pictures" if pages > 1 else "only page is a picture"
        if self.missing:
            return OcrMissing(f"{name} is scanned: its {count} without text, and {self.missing}.", self.hint)
        if self.failed:
            return ScannedFile(f"{name} is scanned, and OCR failed: {self.reason}.", f"Otherwise {_ELSEWHERE}")
        return ScannedFile(
            f"{name} is scanned, and OCR found no text on its {f'{pages} pages' if pages > 1 else 'only page'}.",
            f"Check that it is the file you meant and that read.ocr_languages (now {self.languages}) fits it.",
        )


def recognise(numbers: Sequence[int], draw: Callable[[int], Picture], how: Ocr | None) -> Recognised:
    """The text of these pages, which `draw` draws. With None nothing is tried."""
    if not numbers:
        return Recognised()
    if how is None:
        return Recognised(missing="text recognition is off", hint=OFF)
    try:
        tesseract.check(how.languages)
    except tesseract.Unavailable as error:
        return Recognised(missing=error.why, hint=f"{error.hint} Then add the file again: it is read then.")
    found = Recognised(how.languages)
    for done, number in enumerate(numbers):
        how.on_page(done, len(numbers))
        _read_page(number, draw, how, found)
    how.on_page(len(numbers), len(numbers))
    return found


def _read_page(number: int, draw: Callable[[int], Picture], how: Ocr, found: Recognised) -> None:
    try:
        picture = draw(number)
        words, unsure = _words(tesseract.hocr(picture, how.languages), picture)
    except (tesseract.Failed, DamagedFile) as error:
        found.failed.append(number)
        found.reason = str(error) if isinstance(error, tesseract.Failed) else "the answer of tesseract is no hOCR"
        return
    text = pdf_layout.text(words) if words else ""
    if not text.strip():
        found.blank.append(number)
        return
    found.texts[number] = text
    found.words += len(words)
    found.unsure += unsure


# --- hOCR: http://kba.github.io/hocr-spec/1.2/


def _words(hocr: bytes, picture: Picture) -> tuple[list[Word], int]:
    """The words of a page, lengths in points, and how many are unsure. What lies on its side is set upright."""
    words: list[Word] = []
    unsure = 0
    scale = 72 / picture.dpi
    for paragraph in _of_class(markup.xml(hocr, "hOCR"), "ocr_par"):
        lines = [(line, _properties(line)) for line in paragraph]
        sizes = [float(stated["x_size"][0]) for _, stated in lines if "x_size" in stated]
        size = median(sizes) if sizes else 0.0  # that of single lines depends on which letters they have
        for line, stated in lines:
            _, top, _, bottom = _box(stated, stated, picture)
            base = bottom + float(stated.get("baseline", ("0", "0"))[1])
            height = (size or bottom - top) * scale
            first = len(words)
            for word in _of_class(line, "ocrx_word"):
                about = _properties(word)
                left, _, right, _ = _box(about, stated, picture)
                text = "".join(map(str, word.itertext())).strip()
                if text:
                    words.append(Word(text, left * scale, right * scale, base * scale, height))
                    unsure += float(about.get("x_wconf", ("0",))[0]) < _SURE
            _part(words[first:])
    return words, unsure


def _part(line: Sequence[Word]) -> None:
    """Puts a space where one belongs: the boxes of two words may touch, and letters that do are one word in a PDF."""
    for before, word in pairwise(line):
        if before.text[-1] < _UNSPACED and word.text[0] < _UNSPACED and before.x0 < word.x0:
            before.x1 = max(before.x0, min(before.x1, word.x0 - _SPACE * word.size))


def _box(about: dict[str, list[str]], line: dict[str, list[str]], picture: Picture) -> tuple[float, ...]:
    """Left, top, right and bottom in pixels, as they would be were the line upright; it says how it is turned."""
    left, top, right, bottom = map(float, about["bbox"])
    width, height = picture.width, picture.height
    return {
        0: (left, top, right, bottom),
        90: (height - bottom, left, height - top, right),  # counter-clockwise: it is read upwards
        180: (width - right, height - bottom, width - left, height - top),
        270: (top, width - right, bottom, width - left),
    }[round(float(line.get("textangle", ("0",))[0])) % 360]


def _of_class(parent: Element, name: str) -> Iterator[Element]:
    return (each for each in parent.iter() if each.get("class") == name)


def _properties(element: Element) -> dict[str, list[str]]:
    """hOCR's "bbox 10 20 30 40; x_wconf 96" by key."""
    parts = (part.split() for part in (element.get("title") or "").split(";"))
    return {key: values for key, *values in parts if values}
