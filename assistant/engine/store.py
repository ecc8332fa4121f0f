"""KV cells of chunks, kept between requests: in memory up to a limit, and on disk up to another.

A key stands for everything that the cells depend on (`key`), so a file is either exactly right or not found. Files
carry a checksum; one that is damaged or foreign is deleted, and its cells are computed anew.
"""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_MAGIC = b"KVCHUNK1"
_FULL = 0.95  # of the limit
_TICK_S = 0.02  # by which the clock that stamps files may be behind that of `time.time`
_ABANDONED_S = 3600  # a file that is being written is younger
_HEAD = len(_MAGIC) + 4 + 8  # magic, CRC-32 of the data, length of the data


def key(identity: str, prefix: Iterable[int], tokens: Iterable[int]) -> str:
    """The name of a chunk's cells. `identity` names model file, engine version and cell types."""
    return hashlib.sha256(repr((identity, tuple(prefix), tuple(tokens))).encode()).hexdigest()


class KVStore:
    """Cells by key. Thread safe. Without a folder it keeps them in memory only.

    A disk that is full or cannot be written costs speed, not answers: `trouble` then says what went wrong.
    """

    def __init__(self, folder: Path | None, memory_bytes: int, disk_bytes: int) -> None:
        self._folder = folder if disk_bytes > 0 else None
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_bytes, self._memory_used = memory_bytes, 0
        self._disk_bytes = disk_bytes
        self._opened = time.time() - _TICK_S
        self._uncounted = 0  # bytes written since the folder was looked at
        self._lock = threading.RLock()
        self.trouble = ""
        self._sweep()
        self._disk_used = sum(size for _, size, _ in self._files())

    def has(self, name: str) -> bool:
        """Whether there are cells of that name. Their file counts as used now."""
        with self._lock:
            if self._folder is not None:
                with suppress(OSError):  # it is not there, or not ours to touch
                    os.utime(self._path(name))
            return name in self._memory or (self._folder is not None and self._path(name).is_file())

    def get(self, name: str) -> bytes | None:
        """The cells, or None when they are not kept or their file is damaged."""
        with self._lock:
            if name in self._memory:
                self._memory.move_to_end(name)
                return self._memory[name]
            data = self._load(name)
            if data is not None:
                self._remember(name, data)
            return data

    def put(self, name: str, data: bytes) -> None:
        with self._lock:
            self._remember(name, data)
            if self._folder is not None and len(data) <= self._disk_bytes:
                self._write(name, data)

    @property
    def disk_full(self) -> bool:
        """Whether what is put now pushes out what was used since the store was opened. What is older may go: cells of
        another model, of documents that have changed, or that nobody asked for.
        """
        with self._lock:
            if self._folder is None or self._disk_used < _FULL * self._disk_bytes:
                return self._folder is None
            return min((used for used, _, _ in self._files()), default=math.inf) >= self._opened

    def usage(self) -> tuple[int, int]:
        """Bytes in memory and on disk."""
        with self._lock:
            return self._memory_used, self._disk_used

    def _remember(self, name: str, data: bytes) -> None:
        self._memory_used -= len(self._memory.pop(name, b""))
        if len(data) > self._memory_bytes:
            return  # would push out all others and then itself
        self._memory_used += len(data)
        self._memory[name] = data
        while self._memory_used > self._memory_bytes:
            _, oldest = self._memory.popitem(last=False)
            self._memory_used -= len(oldest)

    def _load(self, name: str) -> bytes | None:
        if self._folder is None:
            return None
        path = self._path(name)
        try:
            raw = path.read_bytes()
            data = raw[_HEAD:]
            if raw[:_HEAD] != _head(data):
                self._discard(path, len(raw))
                return None
            with suppress(OSError):  # the time of last use decides what goes first; some folders can only be read
                os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.trouble = f"{path}: {error.strerror}"
            return None
        return data

    def _write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                self._discard(path, path.stat().st_size)
            self._make_room(len(data) + _HEAD)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as draft:
                try:
                    draft.write(_head(data))
                    draft.write(data)
                except OSError:
                    Path(draft.name).unlink(missing_ok=True)
                    raise
            Path(draft.name).replace(path)
        except OSError as error:
            self.trouble = f"{path.parent}: {error.strerror}"
        else:
            self._disk_used += len(data) + _HEAD
            self._uncounted += len(data) + _HEAD

    def _make_room(self, size: int) -> None:
        if self._disk_used + size <= self._disk_bytes and self._uncounted < (1 - _FULL) * self._disk_bytes:
            return
        files = sorted(self._files())  # another process may have written or deleted: count again
        self._disk_used, self._uncounted = sum(length for _, length, _ in files), 0
        for _, length, path in files:
            if self._disk_used + size <= self._disk_bytes:
                return
            self._discard(path, length)

    def _discard(self, path: Path, size: int) -> None:
        path.unlink(missing_ok=True)
        self._disk_used -= size

    def _sweep(self) -> None:
        """Deletes what a killed process left half written."""
        for path in self._folder.glob("*/*.part") if self._folder else ():
            with suppress(OSError):
                if path.stat().st_mtime < self._opened - _ABANDONED_S:
                    path.unlink()

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of last use, size and path of each file."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = []
        for path in self._folder.glob("*/*.kv"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            found.append((stat.st_mtime, stat.st_size, path))
        return found

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / name[:2] / f"{name}.kv"


def _head(data: bytes) -> bytes:
    return _MAGIC + zlib.crc32(data).to_bytes(4, "big") + len(data).to_bytes(8, "big")


class PrefixCache:
    """KV cells of recent prompts, for those that begin alike. Exact: equal tokens at equal places have equal cells."""

    def __init__(self, memory_bytes: int) -> None:
        self._entries: OrderedDict[tuple[int, ...], bytes] = OrderedDict()
        self._limit, self._used = memory_bytes, 0

    def longest(self, prompt: tuple[int, ...], most: int) -> tuple[int, tuple[int, ...], bytes] | None:
        """Shared length, tokens and cells of the entry of at most `most` tokens that shares the longest prefix.

        Of equally good ones the shortest is taken: less to load.
        """
        best: tuple[int, tuple[int, ...]] | None = None
        for tokens in self._entries:
            length = shared(tokens, prompt)
            if length and len(tokens) <= most and (best is None or (length, -len(tokens)) > (best[0], -len(best[1]))):
                best = length, tokens
        if best is None:
            return None
        self._entries.move_to_end(best[1])
        return best[0], best[1], self._entries[best[1]]

    def put(self, tokens: tuple[int, ...], data: bytes) -> None:
        for known in [known for known in self._entries if known == tokens]:
            self._used -= len(self._entries.pop(known))
        if len(data) > self._limit:
            return  # would push out all others and then itself
        self._entries[tokens] = data
        self._used += len(data)
        while self._used > self._limit:
            _, oldest = self._entries.popitem(last=False)
            self._used -= len(oldest)

    def __contains__(self, tokens: tuple[int, ...]) -> bool:
        return tokens in self._entries


def shared(known: tuple[int, ...], prompt: tuple[int, ...]) -> int:
    """Length of the longest prefix that both have."""
    most = min(len(known), len(prompt))
    if known[:most] == prompt[:most]:
        return most
    low, high = 0, most - 1  # known[:low] is shared, known[:high + 1] is not
    while low < high:
        middle = (low + high + 1) // 2
        if known[:middle] == prompt[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
