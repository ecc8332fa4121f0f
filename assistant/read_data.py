"""JSON and JSON lines as lines of text, each with the path of its value: "author.name: Jane Doe". Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from assistant import dates, decode
from assistant.content import Content, Facts, stated_title

_KINDS = {
    **dict.fromkeys(("title", "headline"), "title"),
    **dict.fromkeys(("author", "authors", "byline"), "author"),
    **dict.fromkeys(("date", "published", "datepublished", "publishedat", "pubdate", "publicationdate"), "date"),
    **dict.fromkeys(("publisher", "source", "sitename"), "publisher"),
}
_LONGEST_ROW = 2_000  # characters; a longer object of a list gets a line for each value


def read(data: bytes, name: str) -> Content:
    """The values of a file of JSON; one that is not valid is read as the text it is, and that is told.

    Raises UnsupportedFile for what is no text.
    """
    text, doubts = decode.read(data, name)
    try:
        value = _lines(text) if name.lower().endswith((".jsonl", ".ndjson")) else _document(text)
    except (ValueError, RecursionError):
        return Content(
            text,
            notes=(
                *doubts,
                "It is not valid JSON, and was read as plain text.",
            ),
            prose=False,
        )
    return Content("\n".join(_written(value)), facts=_facts(value), notes=doubts, prose=False)


def _facts(value: Any) -> Facts:
    """What the only record of a file says about itself; of several each speaks for itself."""
    record = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(record, dict):
        return Facts()
    stated: dict[str, str] = {}
    for key, inner in record.items():
        kind = _kind(key)
        inner = inner.get("name") if isinstance(inner, dict) else inner
        if kind and isinstance(inner, str) and inner.strip() and "://" not in inner:
            stated.setdefault(kind, " ".join(inner.split()))
    when = stated.get("date") or ""
    return Facts(
        title=stated_title(stated.get("title")),
        publisher=stated.get("publisher"),
        author=stated.get("author"),
        date=dates.value(when[:10]) or dates.value(when),
    )


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        if "\n{" in text.strip():  # JSON lines under the name of JSON
            return _lines(text)
        raise


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _written(value: Any) -> Iterator[str]:
    if not isinstance(value, list):
        yield from _pairs(value)
        return
    titles = [_titled(item) for item in value]
    headed = any(title and not _is_row(_pairs(item)) for title, item in zip(titles, value, strict=True))
    for number, (item, title) in enumerate(zip(value, titles, strict=True), 1):
        if headed:  # each under its title, which all parts of a long text are then known under
            yield f"# {item[title].strip() if title else f'Record {number}'}\n"
        pairs = _pairs({**item, title: None} if headed and title else item)
        row = _is_row(pairs)
        yield from ["; ".join(pairs)] if row else pairs
        if headed or not row:
            yield ""


def _pairs(item: Any) -> list[str]:
    return [f"{path}: {leaf}" if path else leaf for path, leaf in _leaves(item, "")]


def _is_row(pairs: list[str]) -> bool:
    """Whether a record is short enough for one line."""
    return sum(map(len, pairs)) <= _LONGEST_ROW and not any("\n" in pair for pair in pairs)


def _titled(item: Any) -> str | None:
    """The key under which a record has its title, if it has one of one line."""
    pairs = item.items() if isinstance(item, dict) else ()
    of_title = (key for key, value in pairs if _kind(key) == "title" and isinstance(value, str) and value.strip())
    return next((key for key in of_title if "\n" not in item[key].strip()), None)


def _kind(key: str) -> str | None:
    return _KINDS.get(str(key).lower().replace("_", ""))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Paths and values in their order; short lists of plain values make one line."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and all(not isinstance(inner, dict | list) for inner in value):
        if value:
            yield path, ", ".join(map(_shown, value))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _leaves(inner, f"{path}[{number}]")
    elif value not in (None, ""):
        yield path, _shown(value)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
