"""The block of fields at the start of many texts: YAML between lines of `---` or TOML between `+++` in Markdown, the
keywords of Org, the header of AsciiDoc; and the preamble of LaTeX.

Plain fields and lists are read; what else these languages allow is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from assistant import dates, names
from assistant.statements import Kind, Statement, Strength

_BLOCK = re.compile(r"\s*(?P<fence>---|\+\+\+)[ \t]*\n(?P<fields>.*?)\n(?:(?P=fence)|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_FIELD = re.compile(r"^(?P<key>\w[\w -]*?)\s*[:=][ \t]*(?P<value>.*(?:\n[ \t]*-[ \t].*)*)$", re.MULTILINE)
_ITEM = re.compile(r"\n[ \t]*-[ \t]|,(?=[^\"']*(?:[\"'][^\"']*[\"'][^\"']*)*$)")  # a dash, or a comma outside quotes
_BLOCK_SCALARS = frozenset([">", ">-", "|", "|-"])  # the value stands in the lines below
_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")  # between notes: [[Jane Doe]], [[people/jane|Jane Doe]]
_CLIPPED = re.compile(r"^(?:source|url|link)\s*[:=]\W*https?://", re.MULTILINE | re.IGNORECASE)
_CREATED = "created"  # of a note's file; it stands in where nothing else states a date
_KEYWORDS = re.compile(
    r"\s*(?:#\+\w+:.*(?:\n|$)|#(?: .*)?\n|[ \t]*\n)*?(?=#\+(?:title|author|date):)(?:#\+\w+:.*(?:\n|$))+",
    re.IGNORECASE,
)
_KEYWORD = re.compile(r"^#\+(?P<key>\w+):(?P<value>.*)$", re.MULTILINE)
_ADOC = re.compile(
    r"\s*= (?P<title>\S[^\n]*[^\n=]|\S)[ \t]*\n"
    r"(?:(?P<authors>[^\W\d_][\w.' -]*(?: <[^>\n]*>)?(?:; [^\n]*)?)\n"
    r"(?:(?P<revision>v?\d[^\n]*)\n)?)?"
    r"(?P<attributes>(?::!?[\w-]+!?:.*(?:\n|$))*)(?=\s|$)"
)
_ATTRIBUTE = re.compile(r"^:(?P<key>[\w-]+):(?P<value>.*)$", re.MULTILINE)
_ATTRIBUTES = {"author": "author", "authors": "author", "revdate": "date", "date": "date", "publisher": "publisher"}
_PREAMBLE = 50_000  # characters in which LaTeX states its title
_COMMAND = re.compile(
    r"\\(?P<key>title|author|date)\s*(?:\[[^\]]*\]\s*)?\{(?P<value>(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
)
_NOTE = re.compile(r"\\(?:thanks|footnote|inst|orcid\w*)\s*\{[^{}]*\}")
_AND = re.compile(r"\\(?:and|And|AND)\b")
_BREAK = re.compile(r"\\\\(?:\[[^\]]*\])?")
_MARKUP = re.compile(r"\\[a-zA-Z]+\*?|[{}$]|\\(?=\W)")
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
        return _keywords(text) or _asciidoc(text) or ([], 0)
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


def _keywords(text: str) -> tuple[list[Statement], int] | None:
    """The lines "#+TITLE: On Lamps" at the start of a text in Org."""
    block = _KEYWORDS.match(text)
    if block is None:
        return None
    fields = ((found["key"], found["value"]) for found in _KEYWORD.finditer(block[0]))
    return list(_stated(fields)), block.end()


def _asciidoc(text: str) -> tuple[list[Statement], int] | None:
    """The header of a text in AsciiDoc: "= On Lamps", a line of authors, one of the revision, attributes."""
    block = _ADOC.match(text)
    if block is None:
        return None
    fields = [("title", block["title"].strip())]
    if block["authors"]:
        fields.append(
            ("author", ", ".join(re.sub(r"<[^>]*>", "", each).strip() for each in block["authors"].split(";")))
        )
    if block["revision"]:
        fields.append(("date", block["revision"].partition(":")[0]))
    fields += [
        (_ATTRIBUTES.get(found["key"], ""), found["value"]) for found in _ATTRIBUTE.finditer(block["attributes"])
    ]
    return list(_stated(fields)), block.end()


def _stated(fields: Iterable[tuple[str, str]]) -> Iterator[Statement]:
    for key, text in fields:
        kind = _KINDS.get(key.lower())
        value = _value(kind, text.strip(" \t<>[]")) if kind else None
        if kind and value:
            yield Statement(kind, value, Strength.FRONT_MATTER)


def latex(source: str) -> list[Statement]:
    """What \\title, \\author and \\date say in the source of a LaTeX document."""
    fields: dict[str, str] = {}
    for found in _COMMAND.finditer(re.sub(r"(?<!\\)%.*", "", source[:_PREAMBLE])):
        fields.setdefault(found["key"], _unmarked(found["value"], found["key"] == "author"))
    return list(_stated(fields.items()))


def _unmarked(value: str, is_author: bool) -> str:
    """The words of an argument: notes go, other commands leave what is in them. Of each author the first line counts:
    below it stands where they work.
    """
    parts = [_BREAK.split(part.strip()) for part in _AND.split(_NOTE.sub("", value))]
    kept = (part[0] if is_author else " ".join(part) for part in parts)
    words = (" ".join(_MARKUP.sub("", part.replace("~", " ")).split()) for part in kept)
    return ", ".join(filter(None, words))


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
