"""Rich text (.rtf). The owner of striprtf."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from striprtf.striprtf import destinations, rtf_to_text

from assistant import grid
from assistant.content import Content, Facts, stated_author, stated_title
from assistant.decode import unified
from assistant.errors import DamagedFile
from assistant.raised import CLOSES, OPENS, settled

_FIELD = r"\{\\%s (?P<value>[^{}]*)\}"
_AROUND = re.compile(r"\{\\(?:header|footer)[lrf]?\b(?P<value>(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}")
_PAGE = re.compile(rb"\\ansicpg(\d{3,5})")
_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'[0-9a-fA-F]{2}|\\[^a-zA-Z]|[{}]|[^\\{}]+|\\"
)
_HIDING = frozenset(["v", "deleted"])  # switches; 0 is off
_NO_TEXT = destinations - {"footnote"}


@dataclass(slots=True)
class _Group:
    """How the text at a place of the file is; a group within another begins as that one is."""

    hidden: bool = False
    text: bool = True  # and no table of fonts or the like
    raised: bool = False


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
    around = sum(bool(_plain(f"{{{found['value']}}}", encoding)) for found in _AROUND.finditer(source))
    notes += [f"Headers and footers not read: {around:,}."] if around else []
    return Content(text, facts=facts, notes=tuple(notes))


def _plain(source: str, encoding: str) -> str:
    plain: str = rtf_to_text(source, encoding=encoding, errors="replace")  # type: ignore[no-untyped-call]
    return "\n".join(_row(line) for line in settled(unified(plain)).split("\n")).strip()


def _visible(source: str) -> tuple[str, int]:
    """The file without hidden and deleted text, its notes at the end, and the number of characters that are hidden."""
    parts: list[str] = []
    notes: list[str] = []
    groups = [_Group()]
    note: tuple[int, int] | None = None  # where the note begins: groups around it, parts before it
    hidden = at = end = 0
    while found := _TOKEN.match(source, at):
        token, word = found[0], found["word"]
        at = found.end()
        if word == "bin":  # so many bytes of anything
            at += max(0, int(found["number"] or 0))
            continue
        if token == "{":
            groups.append(replace(groups[-1]))
        elif token == "}" and len(groups) > 1:
            groups.pop()
            end = end if len(groups) > 1 else len(parts)
        elif word == "footnote" and note is None and groups[-1].text and not groups[-1].hidden:
            note = len(groups), len(parts)
            continue
        elif word == "chftn":
            token = f"[{len(notes) + 1}]" if note is None else ""
        elif word or token == "\\*":
            _switch(groups[-1], word or token, found["number"] != "0")
        is_text = word is None and token not in ("{", "}", "\\*")
        if groups[-1].hidden and groups[-1].text and (is_text or word == "u"):
            hidden += 0 if word else len(token.strip("\r\n")) if token[0] != "\\" else 1
            continue
        if is_text and groups[-1].raised:
            token = f"{OPENS}{token}{CLOSES}"
        parts.append(token)
        if note and len(groups) < note[0]:
            notes.append(f"\\par Footnote {len(notes) + 1}: {{{''.join(parts[note[1] :])}")
            parts[note[1] :] = ["}"]
            note = None
    end = end or len(parts)
    return "".join([*parts[:end], "\\par " if notes else "", *notes, *parts[end:]]), hidden


def _switch(group: _Group, word: str, is_on: bool) -> None:
    if word in _HIDING:
        group.hidden = is_on
    elif word in ("super", "sub", "nosupersub"):
        group.raised = word == "super" and is_on
    elif word == "plain":
        group.hidden = group.raised = False
    elif word in _NO_TEXT or word == "\\*":
        group.text = False


def _row(line: str) -> str:
    """A table's row, whose cells striprtf ends with a bar each."""
    if line.rstrip().endswith("|") and line.count("|") > 1:
        return "".join(grid.lines([line.rstrip().removesuffix("|").split("|")]))
    return line.rstrip()
