"""The files in an archive, and in archives in it, one at a time. Nothing is written to disk."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from assistant import formats, readers
from assistant.content import Content, Member
from assistant.errors import BadInput, UnreadableFile
from assistant.packed import MAX_MEMBERS, Packed
from assistant.tesseract import Ocr

MAX_DEPTH = 3  # archives in archives
_HIDDEN = re.compile(r"(?:^|/)\.(?!\.?/)")  # a file or folder whose name begins with a dot, as `walk` passes them over
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MAX_NESTED = 300 * 1024 * 1024  # bytes of all archives in an archive, which are kept in memory


@dataclass(frozen=True, slots=True)
class _Place:
    packed: Packed
    name: str


class Archive:
    """An opened archive. Raises DamagedFile, EncryptedFile and, for one beyond the limits, UnreadableFile."""

    def __init__(self, data: bytes, name: str) -> None:
        self.members: list[Member] = []
        self._places: list[_Place | None] = []
        self._nested = 0
        self._seen: set[str] = set()
        self._list(Packed(data, name), "", 1)

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
        return place.packed.read(place.name)

    def _list(self, packed: Packed, prefix: str, depth: int) -> None:
        for name in packed.names():
            shown = prefix + _shown(name)
            last = shown.rpartition("/")[2]
            if _HIDDEN.search(shown) or "__MACOSX/" in shown:
                continue
            problem = self._problem(shown, name)
            if not problem and formats.suffix(last) == ".zip":
                self._enter(packed, name, shown, depth)
            else:
                self._add(Member(shown, packed.size(name), problem), None if problem else _Place(packed, name))

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

    def _enter(self, packed: Packed, name: str, shown: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            self._add(Member(shown, packed.size(name), f"Archives are read {MAX_DEPTH} deep and no deeper."), None)
            return
        try:
            self._nested += packed.size(name)
            if self._nested > _MAX_NESTED:
                raise UnreadableFile("The archives in the archive are too large together.", "Unpack them.")
            self._list(Packed(packed.read(name), shown), f"{shown}/", depth + 1)
        except BadInput as error:
            self._add(Member(shown, packed.size(name), str(error)), None)

    def _add(self, member: Member, place: _Place | None) -> None:
        if len(self.members) >= MAX_MEMBERS:
            raise UnreadableFile(f"It holds more than {MAX_MEMBERS:,} files.", "Unpack it and add the files.")
        self.members.append(member)
        self._places.append(place)


def _shown(name: str) -> str:
    """A name in an archive as valid, printable text."""
    text = name.replace("\\", "/").encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
