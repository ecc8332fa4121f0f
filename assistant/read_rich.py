"""Rich text (.rtf). The owner of striprtf."""

from __future__ import annotations

import re

from striprtf.striprtf import rtf_to_text

from assistant import grid
from assistant.content import Content, Facts, stated_author, stated_title
from assistant.decode import unified
from assistant.errors import DamagedFile

_FIELD = r"\{\\%s (?P<value>[^{}]*)\}"
_PAGE = re.compile(rb"\\ansicpg(\d{3,5})")


def read(data: bytes, name: str) -> Content:
    """The text of a rich text file. Raises DamagedFile."""
    page = _PAGE.search(data[:2048])
    encoding = f"cp{page[1].decode()}" if page else "cp1252"
    source = data.decode("latin-1")
    try:
        plain: str = rtf_to_text(source, encoding=encoding, errors="replace")  # type: ignore[no-untyped-call]
    except (LookupError, ValueError, IndexError, KeyError, TypeError) as error:
        raise DamagedFile(f"{name} is damaged: {error}.", "Save it again with the program it is from.") from error
    text = "\n".join(_row(line) for line in unified(plain).split("\n"))
    title, author = (re.search(_FIELD % field, source[:20_000]) for field in ("title", "author"))
    facts = Facts(
        stated_title(title["value"], name) if title else None,
        author=stated_author(author["value"] if author else None),
    )
    pictures = source.count("{\\pict")
    return Content(text.strip(), facts=facts, notes=(f"Pictures not read: {pictures:,}.",) if pictures else ())


def _row(line: str) -> str:
    """A table's row, whose cells striprtf ends with a bar each."""
    if line.rstrip().endswith("|") and line.count("|") > 1:
        return "".join(grid.lines([line.rstrip().removesuffix("|").split("|")]))
    return line.rstrip()
