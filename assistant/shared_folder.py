"""A folder of files that several processes read and one at a time changes in place.

Every change is made under a lock and framed by a mark in the folder. A reader that finds a mark it has not seen opens
the files anew; a mark that says "changing" while nobody holds the lock tells of a writer that did not come to its end,
and then the files are examined before anybody uses them.
"""

from __future__ import annotations

import errno
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from assistant.errors import StorageError

RESERVE = 64 << 20  # bytes that must be free before a change: a disk that fills up meanwhile would damage the files
WAIT_S = 60  # how long to wait for another process's change to end; one takes about a second at most
AGAIN = "Free some space and run it again: what was committed is kept."


class SharedFolder:
    """The lock and the mark of a folder. One object belongs to one thread at a time.

    `readable` tells whether the files in the folder can be read. Every method raises StorageError when the folder
    cannot be used.
    """

    def __init__(self, path: Path, readable: Callable[[Path], bool]) -> None:
        self.path = path
        self._readable = readable
        self._mark = path / "mark"
        self._lock = FileLock(path / "lock", timeout=WAIT_S)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds the lock; may be entered again inside."""
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                held = self._lock.acquire()
            except Timeout as error:
                raise StorageError(
                    f"{self.path} has been in use by another process for {WAIT_S} s.", "Try again when it is done."
                ) from error
        with held:
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """The frame of a change, while alone. A failed one leaves the mark "changing"."""
        self.suspect()
        yield
        self._write("whole")

    def suspect(self) -> None:
        """Has the files examined before they are next used."""
        self._write("changing")

    def mark(self) -> str:
        """What is written now: a state and an id that no other writing has; nothing where nobody ever wrote."""
        with explained(self.path):
            try:
                return self._mark.read_text("utf-8")
            except FileNotFoundError:
                return ""

    def settle(self) -> str:
        """The mark, after finding out what became of a change that did not come to its end. Only while alone."""
        if self._state() == "changing":
            self.require_space()  # without, the files cannot even be opened and would seem damaged
            self._write("whole" if self._readable(self.path) else "damaged")
        return self.mark()

    def damaged(self) -> bool:
        """Whether the files cannot be read any more, so that `clear` is due."""
        with self.alone():
            self.settle()
            return self._state() == "damaged"

    def clear(self) -> None:
        """Deletes all files. Only while alone."""
        with explained(self.path):
            for entry in self.path.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry.name not in ("lock", "mark"):
                    entry.unlink()
        self._write("whole")

    def require_space(self) -> None:
        """Raises StorageError where less than RESERVE is free."""
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.path).free
        if free < RESERVE:
            raise StorageError(
                f"The disk is full: {free >> 20} MB are free at {self.path}, {RESERVE >> 20} MB are needed.", AGAIN
            )

    def _state(self) -> str:
        return self.mark().partition(" ")[0]

    def _write(self, state: str) -> None:
        with explained(self.path):
            draft = self._mark.with_suffix(".part")
            draft.write_text(f"{state} {uuid.uuid4().hex}", "utf-8")
            draft.replace(self._mark)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns troubles of the file system into StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(f"The disk is full: cannot write {path}.", AGAIN) from error
        reason = error.strerror or str(error)
        raise StorageError(f"Cannot use {path}: {reason}.", "Check the folder's permissions.") from error
