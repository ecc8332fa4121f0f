"""From a file's kind to its reader. Readers load when first needed, and only in the process that parses."""

from __future__ import annotations

from dataclasses import replace

from assistant import formats
from assistant.content import Content
from assistant.errors import DamagedFile, EmptyFile, EncryptedFile, UnsupportedFile
from assistant.tesseract import Ocr


def read(data: bytes, name: str, ocr: Ocr | None = None) -> Content:
    """The content of a file. What it is decides its beginning, and then its name; where they differ it is told. `ocr`
    says how scans are to be read, None: not at all.

    Raises UnsupportedFile, UnreadableFile and its kinds.
    """
    if not data.strip(b" \t\r\n\0"):
        raise EmptyFile(f"{name} is empty.", "Check that it was saved, and is the file you meant.")
    kind = formats.kind(data, name)
    _refuse(kind, name)
    content = _read(kind, data, name, ocr)
    named = formats.named(name)
    if kind != named:
        ending = formats.suffix(name) or "without a suffix"
        note = f"Its name ends in {ending}, but it is a {kind} and was read as such."
        return replace(content, notes=(note, *content.notes))
    return content


def _refuse(kind: str, name: str) -> None:
    suffix = formats.suffix(name)
    if kind == "encrypted":
        raise EncryptedFile(f"{name} is encrypted: it needs a password.", "Save a copy without a password.")
    if kind == "damaged":
        what = formats.named(name) or "file of its kind"
        raise DamagedFile(
            f"{name} is damaged or wrongly named: it does not begin as a {what} does.",
            "Open it with the program it is from and save it again.",
        )
    if kind == "old Word document":
        raise UnsupportedFile(
            f"{name} is not supported: it is a Word document of before 2007.", formats.LEGACY[".doc"]
        )
    if kind == "old presentation":
        raise UnsupportedFile(f"{name} is not supported: it is a presentation of before 2007.", formats.LEGACY[".ppt"])
    if kind != "picture" and kind not in formats.KINDS.values():
        hint = formats.LEGACY.get(suffix, "Convert it to .pdf, .docx or .txt.")
        raise UnsupportedFile(f"{name} is not supported: it is a {kind}.", hint)


def _read(kind: str, data: bytes, name: str, ocr: Ocr | None) -> Content:
    if kind in ("text", "code"):
        from assistant import decode

        text, doubts = decode.read(data, name)
        return Content(text, notes=doubts, prose=kind == "text")
    if kind == "PDF":
        from assistant import read_pdf

        return read_pdf.read(data, name, ocr)
    if kind == "picture":
        from assistant import read_picture

        return read_picture.read(data, name, ocr)
    if kind == "web page":
        from assistant import read_web

        return read_web.read(data, name)
    if kind in ("Word document", "presentation", "spreadsheet", "OpenDocument file"):
        return _read_office(kind, data, name)
    if kind in ("mail", "mailbox"):
        from assistant import read_mail

        return (read_mail.read_mail if kind == "mail" else read_mail.read_mailbox)(data, name)
    return _read_other(kind, data, name)


def _read_office(kind: str, data: bytes, name: str) -> Content:
    if kind == "Word document":
        from assistant import read_office

        return read_office.read(data, name)
    if kind == "presentation":
        from assistant import read_slides

        return read_slides.read(data, name)
    if kind == "spreadsheet":
        from assistant import read_tables

        return read_tables.read_sheets(data, name)
    from assistant import read_open

    return read_open.read(data, name)


def _read_other(kind: str, data: bytes, name: str) -> Content:
    if kind == "table":
        from assistant import read_tables

        return read_tables.read_delimited(data, name)
    if kind == "book":
        from assistant import read_book

        return read_book.read(data, name)
    if kind == "rich text file":
        from assistant import read_rich

        return read_rich.read(data, name)
    if kind == "JSON file":
        from assistant import read_data

        return read_data.read(data, name)
    raise UnsupportedFile(f"{name} is an archive, which is not read here.", "Unpack it and add the files in it.")
