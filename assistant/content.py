"""What a reader makes of a file: its text, where pages begin, what the file says about itself, what was left out."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_NO_TITLE = re.compile(
    r"microsoft \w+ -.*|(?:new |\(?)?untitled.*|\(?anonymous\)?|unspecified|no title|powerpoint.*|"
    r"[\W\d_]*|\S*[\d_]\S*|.*\.(?:docx?|pdf|xlsx?|pptx?|tex|dvi|indd|qxd|rtf|odt|txt|html?|ps|eps|wpd|pmd|pages|epub|md|jpe?g|png|tiff?|gif)|"
    r"(?:document|presentation|title|slide|book|workbook|layout|page|scan|image|doc|home|index|welcome)\s*\d*",
    re.IGNORECASE,
)
_NO_AUTHOR = re.compile(
    r"(?:user|admin\w*|owner|unknown|author|default|guest|windows.*|microsoft.*|python-docx|openpyxl|[\W\d_]*)\s*\d*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the file states about itself outside its text. `date` is ISO 8601, as in `records.Document`."""

    title: str | None = None
    publisher: str | None = None
    author: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """`pages` are the offsets at which pages start, empty without pages. `notes` are sentences for the person about
    what of the file is not in `text`. `prose` says whether the text may state its own title and date: the rows of a
    table and the lines of a program do not. `awaits_ocr` says that scanned pages were left out for want of a program
    that reads them.
    """

    text: str
    pages: tuple[int, ...] = ()
    facts: Facts = Facts()
    notes: tuple[str, ...] = ()
    prose: bool = True
    awaits_ocr: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. `name` is its path inside, valid text; one with `problem` cannot be read."""

    name: str
    size: int = 0  # bytes, as the archive says
    problem: str = ""


def stated_title(title: str | None, name: str = "") -> str | None:
    """A title that a file's own fields give, or None: programs fill them with file names and placeholders. `name` is
    the file's.
    """
    title = " ".join((title or "").split())
    if _NO_TITLE.fullmatch(title) or not 3 <= len(title) <= 250 or _bare(title) == _bare(name.rpartition(".")[0]):
        return None
    return title


def stated_author(author: str | None) -> str | None:
    """An author that a file's own fields give, or None: often it is the account of whoever had the computer."""
    author = " ".join((author or "").split())
    if _NO_AUTHOR.fullmatch(author) or not 3 <= len(author) <= 200 or " " not in author or "://" in author:
        return None
    return author


def page_numbers(pages: Collection[int]) -> str:
    """Pages as a person is told them: "page 3", "2 pages (3, 4)"; of many the first ten."""
    shown = ", ".join(map(str, list(pages)[:10])) + (", …" if len(pages) > 10 else "")
    return f"{len(pages)} pages ({shown})" if len(pages) > 1 else f"page {shown}"


def _bare(text: str) -> str:
    return re.sub(r"\W+|_", "", text).lower()
