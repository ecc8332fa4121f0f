"""What a web page says about itself outside its text: <meta>, JSON-LD by schema.org, and <time>."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from assistant import dates
from assistant.content import Facts, stated_title
from assistant.markup import Element

_TITLE_END = re.compile(r"\s+(?:[|·»–—-])\s+[^|·»–—]+$")
_WRITTEN = re.compile(r"(?:Article|Posting|Report|WebPage|CreativeWork|Book|Dataset|Review|Thesis|HowTo)$")
_PUBLISHED = re.compile(r"(?:^|[\s_-])(?:published|pubdate|entry-date|datepublished)(?:$|[\s_-])", re.IGNORECASE)
_CHANGED = re.compile(r"(?:^|[\s_-])(?:updated|modified|datemodified)(?:$|[\s_-])", re.IGNORECASE)
_OTHERS = frozenset(["itemListElement", "hasPart", "mentions", "citation", "comment", "review", "isPartOf"])
_DEEPEST = 20  # objects in each other of which JSON-LD is looked through


def facts(root: Element) -> Facts:
    """What the page states; of several places the most explicit one counts."""
    stated: dict[str, str] = {}
    for meta in root.iter("meta"):
        key = (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower()
        stated.setdefault(key, _single(meta.get("content")))
    linked = _linked_data(root)
    head = root.find(".//title")
    title = stated.get("og:title") or (_flat(head) if head is not None else "") or linked.get("title", "")
    author = _named(stated.get("author")) or _named(stated.get("dc.creator")) or linked.get("author")
    publisher = stated.get("og:site_name") or stated.get("dc.publisher") or linked.get("publisher")
    when = (
        *(stated.get("article:published_time"), linked.get("date"), stated.get("datepublished")),
        *(stated.get("date"), stated.get("dc.date"), _time(root)),
    )
    return Facts(
        title=stated_title(_title(title, root)),
        publisher=publisher or None,
        author=author or None,
        date=next((iso for each in when if each and (iso := _date(each))), None),
    )


def _date(text: str) -> str | None:
    return dates.value(text[:10]) or dates.value(text)


def _named(author: str | None) -> str | None:
    """An author; the address of a page about one is none."""
    return author if author and not author.startswith("http") else None


def _title(title: str, root: Element) -> str:
    """<title> without the site's name where the page's first heading is without it."""
    heading = next((_flat(each) for each in root.iter("h1")), "")
    return heading if heading and _TITLE_END.sub("", title) == heading else title


def _time(root: Element) -> str | None:
    """The day of the <time> that says it is the one of publication, or else the only day of all there are: a page of
    many articles has many.
    """
    times = [each for each in root.iter("time") if each.get("datetime")]
    names = [f"{each.get('itemprop') or ''} {each.get('class') or ''}" for each in times]
    said = [each for each, name in zip(times, names, strict=True) if _is_published(each, name)]
    unsaid = [each for each, name in zip(times, names, strict=True) if not _CHANGED.search(name)]
    days = {iso for each in said[:1] or unsaid if (iso := _date(each.get("datetime") or ""))}
    return days.pop() if len(days) == 1 else None


def _is_published(time: Element, name: str) -> bool:
    return time.get("pubdate") is not None or _PUBLISHED.search(name) is not None


# --- JSON-LD


def _linked_data(root: Element) -> dict[str, str]:
    """Title, date, author and publisher of the first thing described that is written and states its date or author; of
    an article rather than of its page.
    """
    for script in root.iter("script"):
        if (script.get("type") or "").lower() != "application/ld+json":
            continue
        try:
            nodes = list(_nodes(json.loads(script.text or "")))
        except (ValueError, RecursionError):
            continue
        known = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str) and "name" in node}
        for node in sorted(filter(_is_written, nodes), key=lambda node: "WebPage" in str(node["@type"])):
            found = _described(node, known)
            if found.get("date") or found.get("author"):
                return found
    return {}


def _nodes(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        yield value
        value = [inner for key, inner in value.items() if key not in _OTHERS]
    for inner in value if isinstance(value, list) else ():
        yield from _nodes(inner, depth + 1)


def _is_written(node: dict[str, Any]) -> bool:
    kinds = node.get("@type")
    return any(
        isinstance(kind, str) and _WRITTEN.search(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])
    )


def _described(node: dict[str, Any], known: dict[str, dict[str, Any]]) -> dict[str, str]:
    date, title = node.get("datePublished"), node.get("headline") or node.get("name")
    found = {
        "title": _single(title) if isinstance(title, str) else "",
        "date": date if isinstance(date, str) else "",
        "author": ", ".join(_names(node.get("author"), known)),
        "publisher": ", ".join(_names(node.get("publisher"), known)),
    }
    return {key: value for key, value in found.items() if value}


def _names(value: Any, known: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The names of people or organisations: given as such, as objects, or by reference to other objects."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, dict):
            name = each.get("name") or known.get(str(each.get("@id")), {}).get("name")
            yield from _names(name if isinstance(name, str) else None, known)
        elif isinstance(each, str) and _named(_single(each)):
            yield _single(each)


def _single(text: str | None) -> str:
    return " ".join((text or "").split())


def _flat(element: Element) -> str:
    return _single("".join(element.itertext()))
