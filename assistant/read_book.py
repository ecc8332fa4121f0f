"""Books (.epub), by EPUB 3.3 and 2: the chapters in reading order, each through the reader of web pages."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

from assistant import dates, decode, markup, read_web
from assistant.content import Content, Facts
from assistant.errors import DamagedFile, EncryptedFile
from assistant.markup import Element, local
from assistant.packed import Packed

_FONTS_ONLY = re.compile(rb"EncryptionMethod[^>]*Algorithm=[\"'](?!http://(?:www\.idpf\.org|ns\.adobe\.com)/)")


def read(data: bytes, name: str) -> Content:
    """The text of a book. Raises DamagedFile, EncryptedFile and UnreadableFile."""
    packed = Packed(data, name)
    if "META-INF/encryption.xml" in packed and _FONTS_ONLY.search(packed.read("META-INF/encryption.xml")):
        raise EncryptedFile(f"{name} is encrypted: it has copy protection.", "Get a copy without it.")
    place, package = _package(packed)
    chapters: list[str] = []
    notes: list[str] = []
    hidden = 0
    for chapter in _spine(package, posixpath.dirname(place)):
        if chapter not in packed:
            notes.append(f"A chapter is missing: {chapter}.")
            continue
        raw = packed.read(chapter)
        content = read_web.page(decode.text(raw, chapter, read_web.charset(raw) or "utf-8"), whole=True)
        hidden += bool(content.notes)
        if content.text.strip():
            chapters.append(content.text.strip())
    pictures = sum(each.lower().endswith((".jpg", ".jpeg", ".png", ".gif", ".svg")) for each in packed.names())
    notes += [f"Pictures not read: {pictures:,}."] if pictures else []
    notes += [f"Hidden text left out in {hidden} chapters."] if hidden else []
    # What a chapter states, its heading first of all, is not the book's title or date.
    return Content("\n\n".join(chapters), facts=_facts(package), notes=tuple(notes[:10]), prose=False)


def _package(packed: Packed) -> tuple[str, Element]:
    """Name and content of the file that tells what the book is made of."""
    places = [name for name in packed.names() if name.lower().endswith(".opf")]
    if "META-INF/container.xml" in packed:
        roots = markup.xml(packed.read("META-INF/container.xml"), packed.name)
        places = [each.get("full-path") or "" for each in roots.iter() if local(each) == "rootfile"] + places
    place = next((each for each in places if each in packed), None)
    if place is None:
        raise DamagedFile(f"{packed.name} is damaged: it does not say what it is made of.", "Get it anew.")
    return place, markup.xml(packed.read(place), packed.name)


def _spine(package: Element, folder: str) -> list[str]:
    files = {
        each.get("id") or "": posixpath.normpath(posixpath.join(folder, unquote(each.get("href") or "")))
        for each in package.iter()
        if local(each) == "item" and "html" in (each.get("media-type") or "html") and each.get("properties") != "nav"
    }
    order = [each.get("idref") or "" for each in package.iter() if local(each) == "itemref"]
    return [files[key] for key in order if key in files] or list(files.values())


def _facts(package: Element) -> Facts:
    stated: dict[str, str] = {}
    for each in package.iter():
        if isinstance(each.tag, str) and each.tag.startswith("{http://purl.org/dc/elements/1.1/}"):
            stated.setdefault(local(each), " ".join("".join(each.itertext()).split()))
    when = stated.get("date") or ""
    return Facts(
        title=stated.get("title") or None,  # a field of the book, which no program fills: "1984"
        publisher=stated.get("publisher") or None,
        author=stated.get("creator") or None,
        date=dates.value(when[:10]) or dates.value(when),
    )
