"""XML and HTML to trees, safely: no entities, no network, bounded depth. The owner of lxml.

Elements are lxml's; what the readers use of them (`tag`, `text`, `tail`, `get`, `iter`, `find`) is in `Element`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

from lxml import etree  # type: ignore[import-untyped]

from assistant.errors import DamagedFile

_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_BOX = re.compile(r"<(?P<closes>/?)(?P<name>div|span)(?P<attributes>(?=[\s>/])[^>]*)>", re.IGNORECASE)
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)


class Element(Protocol):
    tag: Any
    text: str | None
    tail: str | None

    def get(self, name: str, default: str | None = None) -> str | None: ...
    def iter(self, *tags: str) -> Iterator[Element]: ...
    def find(self, path: str) -> Element | None: ...
    def findall(self, path: str) -> list[Element]: ...
    def itertext(self) -> Iterator[str]: ...
    def getparent(self) -> Element | None: ...
    def remove(self, child: Element) -> None: ...
    def __iter__(self) -> Iterator[Element]: ...
    def __len__(self) -> int: ...


def xml(data: bytes, name: str) -> Element:
    """The root of an XML document. Raises DamagedFile for one that is not well formed or declares entities."""
    if _ENTITY.search(data) or _ENTITY.search(data.replace(b"\x00", b"")):
        raise DamagedFile(
            f"{name} is refused: its XML defines entities.", "Save it again with the program it is from."
        )
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root: Element = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DamagedFile(
            f"{name} is damaged: {error}.", "Open it with the program it is from and save it again."
        ) from error
    return root


def html(text: str) -> tuple[Element | None, bool]:
    """The root of an HTML page, mended as browsers do, None for one without any element; and whether it is whole. The
    parser ends at 2048 elements in each other. As boxes that say nothing are what nests so, it tries without them.
    """
    text = _DECLARATION.sub("", text).replace("\x00", "")
    root, is_whole = _parsed(text)
    return (root, True) if is_whole else _parsed(_flattened(text))


def _parsed(text: str) -> tuple[Element | None, bool]:
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True, recover=True
    )
    try:
        root: Element | None = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None, not _is_too_deep(parser)
    return root, not _is_too_deep(parser)


def _is_too_deep(parser: Any) -> bool:
    return any("depth" in error.message for error in parser.error_log)


def _flattened(text: str) -> str:
    """HTML without boxes that state nothing of themselves; a line end stands where one began or ended. Those with
    attributes stay: they may hide what is in them.
    """
    opened: dict[str, list[bool]] = {"div": [], "span": []}  # for each that is open: whether it was taken out

    def kept(tag: re.Match[str]) -> str:
        name = tag["name"].lower()
        if not tag["closes"]:
            opened[name].append(not tag["attributes"].strip())
            bare = opened[name][-1]
        else:
            bare = opened[name].pop() if opened[name] else False
        return tag[0] if not bare else "<br>" if name == "div" else ""

    return _BOX.sub(kept, text)


def local(element: Element) -> str:
    """An element's name without its namespace, in lower case; "" for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def drop(element: Element) -> None:
    """Takes an element out of its tree; the text behind it stays."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = None
        for child in parent:
            if child is element:
                break
            before = child
        if before is None:
            parent.text = (parent.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    parent.remove(element)


def outermost(root: Element, elements: list[Element]) -> list[Element]:
    """Those of some elements below `root` that stand in none of the others."""
    others = set(elements)
    return [element for element in elements if others.isdisjoint(_between(element, root))]


def _between(element: Element, root: Element) -> Iterator[Element]:
    parent = element.getparent()
    while parent is not None and parent is not root:
        yield parent
        parent = parent.getparent()
