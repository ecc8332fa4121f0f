"""PDF: the visible text of each page in reading order, and what was left out. One of three that use pypdfium2."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pypdfium2 as pdfium  # type: ignore[import-untyped]
from pypdfium2 import raw

from assistant import ocr as ocr_room
from assistant import pdf_headings, pdf_page, pdf_streams
from assistant.content import Content, Facts, page_numbers, stated_author, stated_title
from assistant.decode import unified
from assistant.errors import DamagedFile, EncryptedFile, OcrMissing, ScannedFile
from assistant.ocr import Recognised
from assistant.pdf_layout import SOFT_HYPHEN
from assistant.pdf_page import Tally
from assistant.tesseract import Ocr, Picture

_UNKNOWN_SHARE = 0.05  # of letters without a known character above which it is told
_BROKEN_WORD = re.compile(rf"(\w+){SOFT_HYPHEN}(\w+)")


def read(data: bytes, name: str, ocr: Ocr | None = None) -> Content:
    """The text of a PDF. Of pages that show something but hold no text it is what OCR reads, where that is wanted.

    Raises EncryptedFile, ScannedFile (OcrMissing where OCR could help) and DamagedFile.
    """
    document = _opened(data, name)
    tally = Tally()
    shown = [pdf_page.blocks(document, number, tally) for number in range(len(document))]
    pages = [unified(page) for page in pdf_headings.texts(shown)]
    scans = ocr_room.recognise(tally.without_text, partial(_draw, document), ocr)
    for number, read_text in scans.texts.items():
        pages[number - 1] = unified(read_text)
    secret = raw.FPDF_GetSecurityHandlerRevision(document) >= 0  # its streams tell nothing without the key
    streams = (0, 0) if secret else pdf_streams.broken(data)
    if not any(page.strip() for page in pages):
        raise _without_text(name, len(pages), tally, scans, broken=streams[0] > 0)
    text, starts = _whole(pages)
    notes = (*_damage(document, streams), *_notes(len(pages), tally, scans))
    return Content(text, starts, _facts(document, name), notes, awaits_ocr=scans.awaits)


def _draw(document: pdfium.PdfDocument, number: int) -> Picture:
    """The page of that number, counted from 1."""
    return pdf_page.draw(document, number - 1, ocr_room.DPI, ocr_room.LONGEST_SIDE)


def _opened(data: bytes, name: str) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(data)
        pages = len(document)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD or "password" in str(error).lower():
            raise EncryptedFile(
                f"{name} is encrypted: it needs a password to be opened.",
                "Save a copy without a password and add that one.",
            ) from error
        raise _damaged(name) from error
    if pages == 0:
        raise _damaged(name)
    return document


def _damaged(name: str) -> DamagedFile:
    return DamagedFile(
        f"{name} is damaged: it is not a whole PDF.", "Open it in a PDF viewer and save it again, or get it anew."
    )


def _without_text(name: str, pages: int, tally: Tally, scans: Recognised, broken: bool) -> Exception:
    if len(tally.unread) == pages or (broken and not tally.without_text):
        return _damaged(name)
    if not tally.without_text:
        count = f"{pages} pages" if pages > 1 else "only page"
        hidden = ", but holds hidden text" if tally.hidden else ""
        return ScannedFile(f"{name} shows nothing on its {count}{hidden}.", "Check that it is the file you meant.")
    if tally.unknown and scans.missing:
        return OcrMissing(f"{name} does not say which characters its letters are, and {scans.missing}.", scans.hint)
    return scans.error(name, pages)


def _damage(document: pdfium.PdfDocument, streams: tuple[int, int]) -> Iterator[str]:
    if not raw.FPDF_DocumentHasValidCrossReferenceTable(document):
        yield "The file is damaged; what could be recovered was read."
    bad, count = streams
    if bad:
        yield f"Damaged: {bad:,} of its {count:,} compressed parts cannot be decoded in full, so text may be missing."


def _notes(pages: int, tally: Tally, scans: Recognised) -> Iterator[str]:
    if tally.unread:
        yield f"Damaged, not read: {page_numbers(tally.unread)} of {pages}."
    if tally.without_text and scans.missing:
        yield f"Without text, perhaps scanned: {page_numbers(tally.without_text)} of {pages}; {scans.missing}."
    yield from scans.notes(pages)
    if tally.hidden:
        yield f"Hidden text left out: {tally.hidden:,} characters."
    if tally.unknown > _UNKNOWN_SHARE * (tally.letters + tally.unknown):
        yield f"Letters whose characters the file does not say: {tally.unknown:,}."
    if tally.pictures:
        yield f"Pictures not read: {tally.pictures:,}."


def _facts(document: pdfium.PdfDocument, name: str) -> Facts:
    """What the PDF's own fields say. Programs fill them with file names and users' accounts, which are not taken."""
    stated = document.get_metadata_dict(skip_empty=True)
    title = stated_title(unified(stated.get("Title", "")), name)
    return Facts(title=title, author=stated_author(unified(stated.get("Author", ""))))


# --- pages


def _whole(pages: list[str]) -> tuple[str, tuple[int, ...]]:
    """The pages joined, words that were broken at a line's end mended, and where each page starts.

    A hyphen at a line's end stays where the file elsewhere writes that word with one; where it does not write it
    without one but has both parts as words; and before a capital or a figure.
    """
    unbroken = (_BROKEN_WORD.sub(" ", page).lower() for page in pages)
    words = Counter(word for page in unbroken for word in re.findall(r"\w+(?:-\w+)*", page))

    def mended(found: re.Match[str]) -> str:
        with_one, without = f"{found[1]}-{found[2]}", found[1] + found[2]
        uses, bare = words[with_one.lower()], words[without.lower()]
        both = bool(words[found[1].lower()] and words[found[2].lower()])
        stays = not found[2][0].islower() or uses > bare or (both and not bare)
        return with_one if stays else without

    starts: list[int] = []
    text: list[str] = []
    at = 0
    for page in pages:
        starts.append(at)
        whole = _BROKEN_WORD.sub(mended, page).replace(SOFT_HYPHEN, "-")
        text.append(f"{whole}\n\n" if whole else "")
        at += len(text[-1])
    return "".join(text).rstrip(), tuple(starts)
