"""Zip files, read in memory and within limits; nothing is ever unpacked to disk.

Sizes in a zip are claims, so what is read is counted too.
"""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator

from assistant.errors import DamagedFile, EncryptedFile, UnreadableFile

MAX_MEMBERS = 10_000
MAX_TOTAL = 1024 * 1024 * 1024  # bytes, unpacked
MAX_MEMBER = 100 * 1024 * 1024
MAX_RATIO = 200  # unpacked to packed; office files and texts stay below 100
_UTF_8 = 0x800  # the flag that says in which encoding a name is
_FREE = 10 * 1024 * 1024  # bytes; what is no larger unpacked harms nobody, whatever its ratio


class Packed:
    """The files in a zip. Raises DamagedFile, EncryptedFile and, for one beyond the limits, UnreadableFile."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise self._damaged(str(error)) from error
        self._entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        self._by_name = {_name(entry): entry for entry in self._entries}
        self._left = MAX_TOTAL
        self._counted: set[str] = set()  # what was read once; it may be read again
        if len(self._zip.infolist()) > MAX_MEMBERS:
            raise self._refused(f"it holds {len(self._zip.infolist()):,} files, and the limit is {MAX_MEMBERS:,}")
        total = sum(entry.file_size for entry in self._entries)
        if total > MAX_TOTAL or (total > _FREE and total > MAX_RATIO * max(1, len(data))):
            raise self._refused(f"{len(data):,} bytes would become {total:,}")

    def names(self) -> list[str]:
        """Names of the files in it, links left out, in their order."""
        return [_name(entry) for entry in self._entries if not stat.S_ISLNK(entry.external_attr >> 16)]

    def size(self, name: str) -> int:
        """What the zip says a file in it has, in bytes."""
        return self._by_name[name].file_size

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def read(self, name: str) -> bytes:
        """The content of a file in it. Raises KeyError for none of that name."""
        entry = self._by_name[name]
        if entry.flag_bits & 1:
            raise EncryptedFile(
                f"{name} in {self.name} is encrypted.", "Unpack it with its password and add the file."
            )
        limit = MAX_MEMBER if name in self._counted else min(MAX_MEMBER, self._left)
        if entry.file_size > limit or (
            entry.file_size > _FREE and entry.file_size > MAX_RATIO * max(1, entry.compress_size)
        ):
            raise self._refused(f"{name} would become {entry.file_size:,} bytes")
        try:
            with self._zip.open(entry) as file:
                data = file.read(limit + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise self._damaged(f"{name}: {error}") from error
        if len(data) > limit:
            raise self._refused(f"{name} would become more than {limit:,} bytes")
        self._left -= 0 if name in self._counted else len(data)
        self._counted.add(name)
        return data

    def matching(self, prefix: str, suffix: str) -> Iterator[str]:
        """Names that begin and end so, in natural order: slide2 before slide10."""
        found = [name for name in self.names() if name.startswith(prefix) and name.endswith(suffix)]
        yield from sorted(found, key=lambda name: (len(name), name))

    def _damaged(self, reason: str) -> DamagedFile:
        return DamagedFile(
            f"{self.name} is damaged: {reason.rstrip('.')}.",
            "Open it with the program it is from and save it again, or get it anew.",
        )

    def _refused(self, reason: str) -> UnreadableFile:
        return UnreadableFile(f"{self.name} is refused: {reason}.", "If you trust it, unpack it and add the files.")


def _name(entry: zipfile.ZipInfo) -> str:
    """A name in a zip. Without the mark of UTF-8 it should be in DOS's code page, but macOS leaves the mark out."""
    if entry.flag_bits & _UTF_8 or entry.filename.isascii():
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename
