"""Reads documents ahead while the server runs, so that a question finds their cells ready."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.errors import EngineFailed, UnknownCollection
from assistant.records import Progress

if TYPE_CHECKING:
    from assistant.chain import Assistant

_CLOSE_S = 30  # a step takes far less; should the engine hang, the server must still end
_TRIES = 4  # the first one, and three after a failure
_PAUSE_S = 5.0  # before another try

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a collection is read: `done` of `total` chunks."""

    collection: str
    done: int
    total: int


class Reader:
    """One thread that reads collection by collection; answers go first, which the engine sees to.

    With `engine.reuse` "exact" there is nothing to read ahead and it does nothing. Errors go to the log.
    """

    def __init__(self, assistant: Assistant) -> None:
        self.state: Reading | None = None  # None while nothing is read
        self.works = assistant.settings.engine.reuse == "chunks"
        self._assistant = assistant
        self._wanted: dict[str, None] = {}  # collections in order, each once
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        """Begins with what is not read yet of any collection, the default one first."""
        if self.works:
            self._thread.start()

    def wake(self, collection: str) -> None:
        """Tells that documents came into a collection."""
        with self._changed:
            self._wanted[collection] = None
            self._changed.notify()

    def close(self) -> None:
        """Stops within a step of the engine. To be called before the assistant is closed."""
        self._closing.set()
        with self._changed:
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def stats(self) -> dict[str, float]:
        """Chunks of the collection that is being read, and how many of them are; 0 while nothing is read."""
        state = self.state
        return {"chunks": state.total if state else 0, "chunks_done": state.done if state else 0}

    def _run(self) -> None:
        self._want_all()
        while (collection := self._next()) is not None:
            try:
                self._read(collection)
            except UnknownCollection:
                log.info("collection %s is gone", collection)
            except Exception:
                log.exception("collection %s could not be read ahead", collection)
            self.state = None

    def _read(self, collection: str) -> None:
        """Reads a collection. It goes on after a failed step, which may have been another's; what was read is kept."""
        for left in reversed(range(_TRIES)):
            try:
                self._assistant.read_ahead(collection, self._progress(collection), self._closing)
                break
            except EngineFailed as error:
                if left == 0:
                    raise
                log.warning("reading collection %s ahead failed and is tried again: %s", collection, error)
            if self._closing.wait(_PAUSE_S):
                break

    def _want_all(self) -> None:
        default = self._assistant.settings.collection
        try:
            names = [info.name for info in self._assistant.ingest.collections() if info.chunks]
        except Exception:
            log.exception("the collections could not be listed")
            return
        for name in sorted(names, key=lambda name: name != default):
            self.wake(name)

    def _next(self) -> str | None:
        """The next collection, when there is one; None when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted or self._closing.is_set())
            if self._closing.is_set():
                return None
            collection = next(iter(self._wanted))
            del self._wanted[collection]
            return collection

    def _progress(self, collection: str) -> Callable[[Progress], None]:
        def note(progress: Progress) -> None:
            self.state = Reading(collection, progress.done, progress.total or 0)

        return note
