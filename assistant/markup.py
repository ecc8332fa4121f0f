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


def html(text: str) -> Element | None:
    """The root of an HTML page, mended as browsers do; None for one without any element."""
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True, recover=True
    )
    data = _DECLARATION.sub("", text).replace("\x00", "").encode("utf-8", "replace")
    try:
        root: Element | None = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None
    return root


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
