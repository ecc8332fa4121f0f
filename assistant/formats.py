"""Which kinds of files there are, by their names' suffixes and by how they begin. Pure."""

from __future__ import annotations

import io
import re
import zipfile
from codecs import BOM_UTF8
from pathlib import PurePath

PROSE = (".adoc", ".markdown", ".md", ".org", ".rst", ".text", ".txt")
_CODE = (
    ".bash .bat .bib .c .cc .cfg .clj .cmake .conf .cpp .cs .css .cxx .dart .diff .erl .ex .exs .go .gradle .graphql "
    ".h .hpp .hs .ini .java .jl .js .jsx .kt .less .log .lua .m .mjs .ml .patch .php .pl .pm .proto .ps1 .py .pyi .r "
    ".rb .rs .sass .scala .scss .sh .sql .srt .svelte .swift .tcl .tex .tf .toml .ts .tsx .vb .vtt .vue .xml .yaml "
    ".yml .zig .zsh"
)
CODE = tuple(_CODE.split())
KINDS: dict[str, str] = {
    **dict.fromkeys(PROSE, "text"),
    **dict.fromkeys(CODE, "code"),
    **dict.fromkeys((".htm", ".html", ".xhtml"), "web page"),
    ".pdf": "PDF",
    **dict.fromkeys((".docm", ".docx", ".dotx"), "Word document"),
    **dict.fromkeys((".pptm", ".pptx", ".ppsx"), "presentation"),
    **dict.fromkeys((".ods", ".xls", ".xlsb", ".xlsm", ".xlsx"), "spreadsheet"),
    **dict.fromkeys((".csv", ".tab", ".tsv"), "table"),
    **dict.fromkeys((".odp", ".odt"), "OpenDocument file"),
    ".epub": "book",
    ".eml": "mail",
    ".mbox": "mailbox",
    ".rtf": "rich text file",
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "JSON file"),
    ".zip": "archive",
}
ARCHIVES = (".mbox", ".zip")  # what holds files, each of them a document of its own
_EXPORT = "Save or export it as .pdf or .docx with the program it is from."
SUMMARY = (
    ".txt, .md, .rst, .html, .pdf, .docx, .pptx, .xlsx, .xls, .ods, .csv, .tsv, .odt, .odp, .rtf, .epub, .eml, .mbox, "
    ".json, .jsonl, .zip of these, and source code"
)
# Documents that people have and that cannot be read: named one by one, with what to do. None of them is passed over.
LEGACY: dict[str, str] = {
    ".doc": "Open it in Word or LibreOffice and save it as .docx.",
    ".ppt": "Open it in PowerPoint or LibreOffice and save it as .pptx.",
    **dict.fromkeys((".key", ".numbers", ".pages", ".pub", ".wpd", ".wps", ".xps"), _EXPORT),
    **dict.fromkeys((".azw", ".azw3", ".mobi"), "Convert it to .epub, for example with Calibre."),
    ".djvu": "Convert it to .pdf.",
    ".msg": "Save it as .eml in the mail program.",
}
# Pictures of pages are read by OCR, but only where they are named: in a folder most pictures are none of text.
SCANS = (".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
PICTURES = (*SCANS, ".bmp", ".heic", ".webp")

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "rich text file"),
    (b"\x89PNG\r\n", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"\x1f\x8b", "packed file of another kind than zip"),
    (b"7z\xbc\xaf", "packed file of another kind than zip"),
    (b"Rar!", "packed file of another kind than zip"),
)
_BINARY = frozenset(
    ["PDF", "Word document", "presentation", "spreadsheet", "OpenDocument file", "book", "archive", "picture"]
)
_WITHIN = 1024  # bytes in which the mark of a PDF stands; its readers allow some before it
_PDF = re.compile(rb"%PDF-\d\.\d[ \t]*[\r\n]")  # a whole first line
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_HTML = re.compile(rb"\s*(?:<!doctype html|<html)", re.IGNORECASE)


def suffix(name: str) -> str:
    """The end of a name from its last dot on, in lower case; "" for none."""
    return PurePath(name).suffix.lower()


def is_plain(data: bytes, name: str) -> bool:
    """Whether a file is text that needs no parsing."""
    return KINDS.get(suffix(name)) in ("text", "code") and _begins(data, name) is None


def named(name: str) -> str | None:
    """The kind of file that a name promises, None for one of an unknown kind."""
    return "picture" if suffix(name) in SCANS else KINDS.get(suffix(name))


def kind(data: bytes, name: str) -> str:
    """What a file is: one of the values of `KINDS`, "picture", or "encrypted", "damaged", "old Word document", "old
    presentation", "packed file ...", "file of an unknown kind". How it begins counts for more than its name.
    """
    promised = named(name) or "file of an unknown kind"
    begins = _begins(data, name)
    if begins == "archive":
        begins = _packed(data, promised)
    if begins:
        return begins
    if promised in _BINARY or suffix(name) in LEGACY:
        return "web page" if _HTML.match(data[:1024]) else "damaged"
    return promised


def _begins(data: bytes, name: str) -> str | None:
    """What the first bytes say, None where they say nothing: texts of all kinds have no mark."""
    if data.startswith(_OLE):
        return _old(data)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "archive"
    for mark, what in _BEGINNINGS:
        if data.startswith(mark):
            return what
    at = data[:_WITHIN].find(b"%PDF-")
    is_text = KINDS.get(suffix(name), "PDF") not in _BINARY
    return None if at < 0 or (is_text and _mentions(data, at)) else "PDF"


def _mentions(data: bytes, at: int) -> bool:
    """Whether a file that calls itself some kind of text only mentions the mark of PDFs, which stands at `at`."""
    before = data[:at].removeprefix(BOM_UTF8)
    if not before.strip():
        return not _PDF.match(data, at)
    try:
        before.decode()
    except UnicodeDecodeError:
        return False
    return not _CONTROL.search(before)


def _old(data: bytes) -> str:
    """What is in a compound file, by the names of the streams in it (MS-CFB)."""
    streams = {"EncryptedPackage": "encrypted", "WordDocument": "old Word document", "Workbook": "spreadsheet"}
    streams |= {"Book": "spreadsheet", "PowerPoint Document": "old presentation"}
    for stream, what in streams.items():
        if (stream + "\0").encode("utf-16-le") in data:
            return what
    return "file of an unknown kind"


def _packed(data: bytes, promised: str) -> str:
    """What is in a zip, by the files in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            info = archive.getinfo("mimetype") if "mimetype" in names else None
            stated = archive.open(info).read(200).decode("ascii", "replace") if info and info.file_size < 200 else ""
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, EOFError):
        return promised if promised in _BINARY else "archive"
    for mark, what in (
        ("epub", "book"),
        ("opendocument.spreadsheet", "spreadsheet"),
        ("opendocument", "OpenDocument file"),
    ):
        if mark in stated:
            return what
    for start, what in (("word/", "Word document"), ("ppt/", "presentation"), ("xl/", "spreadsheet")):
        if "[Content_Types].xml" in names and any(name.startswith(start) for name in names):
            return what
    return "book" if "META-INF/container.xml" in names and promised == "book" else "archive"
