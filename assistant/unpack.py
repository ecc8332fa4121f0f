"""The files in an archive, and in archives in it, one at a time; mailboxes are archives of mails. Nothing is unpacked
to disk.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant import formats, readers
from assistant.content import Content, Member
from assistant.errors import BadInput, UnreadableFile
from assistant.mailbox import Mailbox
from assistant.packed import Packed
from assistant.tesseract import Ocr

MAX_DEPTH = 3  # archives in archives
_HIDDEN = re.compile(r"(?:^|/)\.(?!\.?/)")  # a file or folder whose name begins with a dot, as `walk` passes them over
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MAX_NESTED = 300 * 1024 * 1024  # bytes of all archives in an archive, which are kept in memory
_MOST = 100_000  # files and mails in all


class _Container(Protocol):
    """What holds files. Reading one raises BadInput."""

    def names(self) -> Sequence[str]: ...
    def size(self, name: str) -> int: ...
    def read(self, name: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class _Place:
    container: _Container
    name: str


class Archive:
    """An opened archive. Raises DamagedFile, EncryptedFile and, for one beyond the limits, UnreadableFile."""

    def __init__(self, data: bytes, name: str) -> None:
        self.members: list[Member] = []
        self._places: list[_Place | None] = []
        self._nested = 0
        self._seen: set[str] = set()
        self._list(_opened(data, name), "", 1)

    def digest(self, number: int) -> str:
        """The sha256 of a member's content."""
        return hashlib.sha256(self._bytes(number)).hexdigest()

    def read(self, number: int, ocr: Ocr | None = None) -> Content:
        """The content of a member. Raises what `readers.read` does."""
        return readers.read(self._bytes(number), self.members[number].name.rpartition("/")[2], ocr)

    def _bytes(self, number: int) -> bytes:
        place = self._places[number]
        if place is None:
            raise UnreadableFile(f"{self.members[number].name} cannot be read.", "Unpack the archive.")
        return place.container.read(place.name)

    def _list(self, container: _Container, prefix: str, depth: int) -> None:
        for name in container.names():
            shown = prefix + _shown(name)
            last = shown.rpartition("/")[2]
            if _HIDDEN.search(shown) or "__MACOSX/" in shown:
                continue
            problem = self._problem(shown, name)
            if not problem and formats.suffix(last) in formats.ARCHIVES:
                self._enter(container, name, shown, depth)
            else:
                self._add(Member(shown, container.size(name), problem), None if problem else _Place(container, name))

    def _problem(self, shown: str, name: str) -> str:
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or name.startswith(("/", "\\")) or _DRIVE.match(name):
            return "Its path leads out of the archive."
        if shown in self._seen:
            return "The archive holds a second file of that name."
        self._seen.add(shown)
        suffix = formats.suffix(shown)
        if suffix not in formats.KINDS and suffix not in formats.LEGACY:
            return "Files of its kind are not read."
        return ""

    def _enter(self, container: _Container, name: str, shown: str, depth: int) -> None:
        size = container.size(name)
        if depth >= MAX_DEPTH and formats.suffix(shown) == ".zip":
            self._add(Member(shown, size, f"Archives are read {MAX_DEPTH} deep and no deeper."), None)
            return
        try:
            self._nested += size
            if self._nested > _MAX_NESTED:
                raise UnreadableFile("The archives in the archive are too large together.", "Unpack them.")
            inner = _opened(container.read(name), shown)
            self._list(inner, f"{shown}/", depth + isinstance(inner, Packed))
        except BadInput as error:
            self._add(Member(shown, size, str(error)), None)

    def _add(self, member: Member, place: _Place | None) -> None:
        if len(self.members) >= _MOST:
            raise UnreadableFile(f"It holds more than {_MOST:,} files.", "Split it into smaller ones.")
        self.members.append(member)
        self._places.append(place)


def _opened(data: bytes, name: str) -> _Container:
    """What a file that is an archive by its name or its content holds. Raises what `Archive` does."""
    kind = formats.kind(data, name)
    if formats.suffix(name) == ".mbox" and kind != "archive":
        if kind != "mailbox":
            raise UnreadableFile(f"{name} is no mailbox: it is a {kind}.", "Give its name the ending of what it is.")
        return Mailbox(data)
    return Packed(data, name)


def _shown(name: str) -> str:
    """A name in an archive as valid, printable text."""
    text = name.replace("\\", "/").encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
