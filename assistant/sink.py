"""Puts a fetched model file in place: written to `NAME.part`, hashed meanwhile, renamed when the hash fits."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from assistant.errors import DownloadFailed, ModelDamaged, StorageError
from assistant.records import OnProgress, Progress

BLOCK = 1 << 20  # bytes read, hashed and written at a time
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_FREE_SPACE = "Free some space, or set models.folder to a folder on another disk; what came so far is kept."


@dataclass(frozen=True, slots=True)
class Watch:
    """Where a pull tells how far it is, and learns that it should stop. `name` is the model's."""

    name: str
    progress: OnProgress | None = None
    cancel: threading.Event | None = None

    @property
    def stopped(self) -> bool:
        return self.cancel is not None and self.cancel.is_set()

    @property
    def hint(self) -> str:
        return f"`assistant models pull {self.name}` goes on from there."

    def report(self, step: str, done: int, total: int | None) -> None:
        """Tells `done` of `total` bytes. Raises DownloadFailed when the user has asked to stop."""
        if self.stopped:
            raise DownloadFailed(f"The pull of {self.name} was stopped; what came so far is kept.", self.hint)
        if self.progress is not None:
            self.progress(Progress(step, done, total, "B"))


class Sink:
    """The file `NAME.part` on its way to `target`. `resume` goes on behind what an earlier try left there.

    Raises StorageError where the disk is full or the folder not writable. A part that cannot be resumed is removed
    when anything goes wrong.
    """

    def __init__(self, target: Path, *, resume: bool = False) -> None:
        self._target = target
        self._part = target.with_name(target.name + ".part")
        self._resume = resume
        self._digest = hashlib.sha256()
        self.written = 0
        with storage(self._part):
            self._part.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open()

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            with storage(self._part):
                self._file.close()
        finally:
            if kind is not None and not self._resume:
                self._part.unlink(missing_ok=True)

    def write(self, block: bytes) -> None:
        with storage(self._part):
            self._file.write(block)
        self._count(block)

    def restart(self) -> None:
        """Forgets what was written."""
        with storage(self._part):
            self._file.seek(0)
            self._file.truncate()
        self._digest, self.written = hashlib.sha256(), 0

    def place(self, expected: str | None, watch: Watch) -> str:
        """Renames `NAME.part` to the target; returns its sha256.

        `expected` is a sha256, or the sha1 that git gives a small file. Raises ModelDamaged, and removes the part,
        where it does not fit.
        """
        with storage(self._target):
            self._file.flush()
            os.fsync(self._file.fileno())
            found = self._git_hash() if expected is not None and len(expected) == 40 else self._digest.hexdigest()
            if expected not in (None, found):
                self._part.unlink()
                raise wrong_hash(f"{self._target.name} came damaged", str(expected), found, watch)
            self._file.close()
            self._part.replace(self._target)
        return self._digest.hexdigest()

    def _open(self) -> BinaryIO:
        if not (self._resume and self._part.is_file()):
            return self._part.open("w+b")
        file = self._part.open("r+b")
        while block := file.read(BLOCK):
            self._count(block)
        return file

    def _count(self, block: bytes) -> None:
        self._digest.update(block)
        self.written += len(block)

    def _git_hash(self) -> str:
        content = self._part.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def wrong_hash(what: str, expected: str, found: str, watch: Watch) -> ModelDamaged:
    return ModelDamaged(
        f"{what}: expected hash {expected}, found {found}. It was not put in place.",
        f"Run `assistant models pull {watch.name}` again; if it stays so, the source is altered.",
    )


def require_space(folder: Path, needed: int, watch: Watch) -> None:
    """Raises StorageError with both figures where `folder` has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(f"{watch.name} needs {needed:,} bytes in {folder}; {free:,} are free.", _FREE_SPACE)


@contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turns an OSError of the file system into a StorageError that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise disk_full(f"cannot write {path}") from error
        reason = error.strerror or str(error)
        raise StorageError(
            f"Cannot use {path}: {reason}.", "Check its permissions, or set models.folder to another folder."
        ) from error


def disk_full(what: str) -> StorageError:
    return StorageError(f"The disk is full: {what}.", _FREE_SPACE)
