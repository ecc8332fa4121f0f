"""Rich text (.rtf). The owner of striprtf."""

from __future__ import annotations

import re

from striprtf.striprtf import destinations, rtf_to_text

from assistant import grid
from assistant.content import Content, Facts, stated_author, stated_title
from assistant.decode import unified
from assistant.errors import DamagedFile

_FIELD = r"\{\\%s (?P<value>[^{}]*)\}"
_PAGE = re.compile(rb"\\ansicpg(\d{3,5})")
_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'[0-9a-fA-F]{2}|\\[^a-zA-Z]|[{}]|[^\\{}]+|\\"
)
_HIDING = frozenset(["v", "deleted"])  # switches; 0 is off
_NO_TEXT = destinations - {"footnote"}


def read(data: bytes, name: str) -> Content:
    """The text of a rich text file, its notes last. Raises DamagedFile."""
    page = _PAGE.search(data[:2048])
    encoding = f"cp{page[1].decode()}" if page else "cp1252"
    source = data.decode("latin-1")
    seen, hidden = _visible(source)
    try:
        text = re.sub(r"^(Footnote \d+:) +", r"\1 ", _plain(seen, encoding), flags=re.MULTILINE)
        fields = [re.search(_FIELD % field, source[:20_000]) for field in ("title", "author")]
        title, author = (_plain(f"{{{field['value']}}}", encoding).strip() if field else None for field in fields)
    except (LookupError, ValueError, IndexError, KeyError, TypeError) as error:
        raise DamagedFile(f"{name} is damaged: {error}.", "Save it again with the program it is from.") from error
    facts = Facts(stated_title(title, name), author=stated_author(author))
    pictures = source.count("{\\pict")
    notes = [f"Hidden text left out: {hidden:,} characters."] if hidden else []
    notes += [f"Pictures not read: {pictures:,}."] if pictures else []
    return Content(text, facts=facts, notes=tuple(notes))


def _plain(source: str, encoding: str) -> str:
    plain: str = rtf_to_text(source, encoding=encoding, errors="replace")  # type: ignore[no-untyped-call]
    return "\n".join(_row(line) for line in unified(plain).split("\n")).strip()


def _visible(source: str) -> tuple[str, int]:
    """The file without hidden and deleted text, its notes at the end, and the number of characters that are hidden."""
    parts: list[str] = []
    notes: list[str] = []
    groups = [(False, True)]  # around the place: hidden?, text at all?
    note: tuple[int, int] | None = None  # where the note begins: groups around it, parts before it
    hidden = at = end = 0
    while found := _TOKEN.match(source, at):
        token, word, is_on = found[0], found["word"], found["number"] != "0"
        at = found.end()
        if word == "bin":  # so many bytes of anything
            at += max(0, int(found["number"] or 0))
            continue
        if token == "{":
            groups.append(groups[-1])
        elif token == "}" and len(groups) > 1:
            groups.pop()
            end = end if len(groups) > 1 else len(parts)
        elif word in _HIDING:
            groups[-1] = (is_on, groups[-1][1])
        elif word == "plain":
            groups[-1] = (False, groups[-1][1])
        elif word in _NO_TEXT or token == "\\*":
            groups[-1] = (groups[-1][0], False)
        elif word == "footnote" and note is None and groups[-1] == (False, True):
            note = len(groups), len(parts)
            continue
        elif word == "chftn":
            token = f"[{len(notes) + 1}]" if note is None else ""
        is_text = word is None and token not in ("{", "}", "\\*")
        if groups[-1] == (True, True) and (is_text or word == "u"):
            hidden += 0 if word else len(token.strip("\r\n")) if token[0] != "\\" else 1
            continue
        parts.append(token)
        if note and len(groups) < note[0]:
            notes.append(f"\\par Footnote {len(notes) + 1}: {{{''.join(parts[note[1] :])}")
            parts[note[1] :] = ["}"]
            note = None
    end = end or len(parts)
    return "".join([*parts[:end], "\\par " if notes else "", *notes, *parts[end:]]), hidden


def _row(line: str) -> str:
    """A table's row, whose cells striprtf ends with a bar each."""
    if line.rstrip().endswith("|") and line.count("|") > 1:
        return "".join(grid.lines([line.rstrip().removesuffix("|").split("|")]))
    return line.rstrip()
