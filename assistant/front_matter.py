"""The block of fields at the start of many Markdown files: YAML between lines of `---`, or TOML between `+++`.

Plain fields and lists are read; what else these languages allow is passed over.
"""

from __future__ import annotations

import re

from assistant import dates, names
from assistant.statements import Kind, Statement, Strength

_BLOCK = re.compile(r"\s*(?P<fence>---|\+\+\+)[ \t]*\n(?P<fields>.*?)\n(?:(?P=fence)|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_FIELD = re.compile(r"^(?P<key>\w[\w -]*?)\s*[:=][ \t]*(?P<value>.*(?:\n[ \t]*-[ \t].*)*)$", re.MULTILINE)
_ITEM = re.compile(r"\n[ \t]*-[ \t]|,(?=[^\"']*(?:[\"'][^\"']*[\"'][^\"']*)*$)")  # a dash, or a comma outside quotes
_BLOCK_SCALARS = frozenset([">", ">-", "|", "|-"])  # the value stands in the lines below
_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")  # between notes: [[Jane Doe]], [[people/jane|Jane Doe]]
_CLIPPED = re.compile(r"^(?:source|url|link)\s*[:=]\W*https?://", re.MULTILINE | re.IGNORECASE)
_CREATED = "created"  # of a note's file; it stands in where nothing else states a date
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("title", "headline"), "title"),
    **dict.fromkeys(("author", "authors", "byline", "creator"), "author"),
    **dict.fromkeys(("date", "published", "publishdate", "pubdate", "date_published"), "date"),
    **dict.fromkeys(("updated", "lastmod", "modified", _CREATED), "updated"),
    **dict.fromkeys(("publisher", "source", "publication", "site", "site_name", "outlet"), "publisher"),
}


def read(text: str) -> tuple[list[Statement], int]:
    """What the block at the start of `text` states, and where the text after it begins: 0 without such a block."""
    block = _BLOCK.match(text)
    if block is None:
        return [], 0
    statements = []
    clipped = _CLIPPED.search(block["fields"]) is not None
    for found in _FIELD.finditer(block["fields"]):
        key = found["key"].lower().replace(" ", "_")
        kind = _KINDS.get(key)
        value = _value(kind, found["value"]) if kind else None
        if not kind or not value or (clipped and key == _CREATED):  # a page from the web is older than its copy
            continue
        statements.append(Statement(kind, value, Strength.WEAK if key == _CREATED else Strength.FRONT_MATTER))
    return statements, block.end()


def _value(kind: Kind, text: str) -> str | None:
    if kind == "author":
        items = (_unquoted(item) for item in _ITEM.split(_LINK.sub(r"\1", text).strip("[] ")))
        return ", ".join(item for item in items if item and "://" not in item)
    if kind == "publisher":
        return names.publisher(_unquoted(text))
    return dates.value(_unquoted(text)) if kind in ("date", "updated") else _unquoted(text)


def _unquoted(text: str) -> str:
    if text.strip() in _BLOCK_SCALARS:
        return ""
    text = re.sub(r"^name:\s*", "", text.strip())
    text = text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text
    return _LINK.sub(r"\1", text).strip()
