"""The write path: files and uploads become documents with embedded chunks. Idempotent and resumable."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import watchfiles
from filelock import FileLock, Timeout

from assistant import documents, models, walk
from assistant.database import shown
from assistant.errors import AssistantError, BadInput, HomeInUse, UnreadableFile
from assistant.ingest_run import Run, Stopped
from assistant.library import Library
from assistant.records import CollectionInfo, Document, DocumentInfo, FileOutcome, IngestReport, OnProgress
from assistant.settings import Settings
from assistant.shared_folder import explained

if TYPE_CHECKING:
    from assistant.embedder import Embedder
    from assistant.index import Index

LOCK_WAIT_S = 5  # how long to wait for another process's ingest to end
_POLL_S = 0.1  # how often who waits for a thread of this process looks whether to stop
DEBOUNCE_MS = 1000  # a file that is being saved changes several times

_log = logging.getLogger(__name__)


class Ingest:
    """Adds, removes and lists documents. Safe to use from several threads; one at a time writes to a HOME.

    `library`, `index` and `embedder` are there for the read path to share; the last two load when first used, so that
    listing documents is quick. `ocr` are the languages in which scans are read ("eng+deu"), "" leaves them. Every
    method may raise StorageError, those that embed ModelMissing and ModelDamaged, and those that take a collection
    UnknownCollection unless they make it.
    """

    def __init__(
        self,
        home: Path,
        load_embedder: Callable[[], Embedder],
        max_chars: int = 1000,
        overlap_chars: int = 0,
        ocr: str = "",
    ) -> None:
        self.library = Library(home / "library.sqlite3")
        self._home = home
        self._load_embedder = load_embedder
        self._cut = (max_chars, overlap_chars)
        self._ocr = ocr
        self._loading = threading.Lock()
        self._turn = threading.Lock()  # held by the thread that writes
        self._embedder: Embedder | None = None
        self._index: Index | None = None

    @classmethod
    def open(cls, settings: Settings) -> Ingest:
        """The documents in `settings.home`, which is made where there is none."""

        def load() -> Embedder:
            from assistant.embedder import Embedder

            model = models.resolve(settings.models.embedder, settings.models.folder, "embedder")
            threads = settings.engine.threads
            return Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256, threads)

        ocr = settings.read.ocr_languages if settings.read.ocr == "auto" else ""
        return cls(settings.home, load, settings.chunks.max_chars, settings.chunks.overlap_chars, ocr)

    @property
    def embedder(self) -> Embedder:
        with self._loading:
            if self._embedder is None:
                self._embedder = self._load_embedder()
            return self._embedder

    @property
    def index(self) -> Index:
        with self._loading:
            if self._index is None:
                from assistant.index import Index  # Chroma takes a second to import

                self._index = Index(self._home / "chroma")
            return self._index

    def warm(self, collection: str) -> None:
        """Has Chroma read its files ahead of the first search, which will tell what is wrong with them."""
        with suppress(AssistantError):
            if self.library.count(collection):
                self.index.count(collection)

    def close(self) -> None:
        with self._loading:
            if self._index is not None:
                self._index.close()
            if self._embedder is not None:
                self._embedder.close()
        self.library.close()

    # --- adding

    def add(
        self,
        paths: Iterable[Path | str],
        collection: str,
        *,
        prune: bool = False,
        progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> IngestReport:
        """Brings the collection, made where there is none, up to date with files and all files in folders.

        What did not change costs a hash. A file that cannot be read is "failed" in the report and the run goes on.
        `prune` removes documents of these paths whose files are gone, and all of a path that is itself gone. When
        `cancel` is set it stops within a batch of chunks, and keeps what is complete. Raises UnreadableFile for a path
        that is not there, BadInput for a folder without any file that can be read and for an impossible collection
        name, EmbedderMismatch.
        """
        self.index.check_name(collection)
        folders, files, gone = walk.split(paths)
        self._check_gone(gone, collection, prune)
        found = walk.find(
            folders,
            files,
            documents.NAMED,
            empty_ok=lambda folder: prune and bool(self.library.paths_under(collection, folder)),
            summary=documents.SUMMARY,
        )
        report = self._add(found, collection, [*folders, *gone] if prune else [], progress, cancel)
        known = [path for folder in folders for path in self.library.paths_under(collection, folder)]
        if left := sum(map(walk.is_gone, known)):
            _log.warning("Documents of these folders whose files are gone: %d. `--prune` removes them.", left)
        return report

    def watch(
        self,
        paths: Iterable[Path | str],
        collection: str,
        *,
        progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[IngestReport]:
        """`add` with `prune`, now and after every change of the files, until `cancel` is set.

        Gives the first report, and then those that tell of something. A named file may come and go; a named folder
        has to stay. While another process writes to HOME, changes wait.
        """
        self.index.check_name(collection)
        folders, files, gone = walk.split(paths)
        if gone:
            raise walk.not_there(gone[0], "Check the path.")
        first, due, waits = True, True, False
        for change in chain([set()], self._changes(folders, files, cancel)):
            due = due or any(_matters(kind, path, files) for kind, path in change)
            if not due:
                continue
            try:
                report = self._follow(folders, files, collection, progress, cancel)
            except HomeInUse as error:
                if not waits:
                    _log.warning("%s Changes are taken in when it is done.", error.message)
                waits = True
                continue
            if first or any(file.outcome != "unchanged" for file in report.files):
                yield report
            first, due, waits = False, first, False  # what changed during the first run was not seen yet

    def add_bytes(self, name: str, data: bytes, collection: str) -> FileOutcome:
        """Adds a document that came without a path; the same name again replaces it.

        Raises BadInput for an impossible name, UnsupportedFile, FileTooLarge, UnreadableFile, EmbedderMismatch.
        """
        self.index.check_name(collection)
        name = _file_name(name)
        with self._writing(), closing(self._run(collection)) as run:
            run.repair()
            outcome = run.upload(name, data)
            run.finish()
        return outcome

    # --- what there is

    def collections(self) -> list[CollectionInfo]:
        """All collections, by name."""
        return self.library.collections()

    def documents(self, collection: str) -> list[DocumentInfo]:
        """All documents of a collection, in the order they came in."""
        return self.library.documents(collection)

    def document(self, document_id: str, collection: str) -> Document:
        """A document with its text. Raises UnknownDocument."""
        return self.library.document(collection, document_id)

    def delete(self, document_id: str, collection: str) -> None:
        """Forgets a document, whatever paths it was seen at; its files are not touched. Raises UnknownDocument."""
        with self._writing():
            unfinished = self.library.unfinished(collection)
            self.index.delete(collection, self.library.remove(collection, document_id))
            if not unfinished:
                self.library.finish(collection)

    def delete_collection(self, collection: str) -> None:
        """Forgets a collection with all its documents; their files are not touched. Raises UnknownCollection."""
        with self._writing():
            self.library.drop(collection)
            self.index.drop(collection)

    # --- runs

    def _run(self, collection: str, progress: OnProgress | None = None, cancel: threading.Event | None = None) -> Run:
        return Run(self.library, self.index, lambda: self.embedder, collection, self._cut, progress, cancel, self._ocr)

    def _check_gone(self, gone: Sequence[str], collection: str, prune: bool) -> None:
        """Tells what pruning paths that are gone removes. Raises UnreadableFile where nothing was ever read there."""
        for path in gone:
            known = len(self.library.paths_under(collection, path)) + bool(self.library.at(collection, path))
            if not known:
                raise walk.not_there(path, "Check the path.")
            if not prune:
                raise walk.not_there(path, f"Documents that came from there: {known:,}. `--prune` removes them.")
            _log.warning("%s is gone; its documents are removed: %d.", path, known)

    def _changes(
        self, folders: Sequence[str], files: Sequence[str], cancel: threading.Event | None
    ) -> Iterator[set[watchfiles.main.FileChange]]:
        """Sets of changes as they come, and empty ones in between."""
        roots = {*folders, *(str(Path(file).parent) for file in files)}
        try:
            yield from watchfiles.watch(
                *sorted(roots),
                watch_filter=watchfiles.DefaultFilter(ignore_paths=[self._home]),
                debounce=DEBOUNCE_MS,
                stop_event=cancel,
                recursive=bool(folders),
                yield_on_timeout=True,
                rust_timeout=DEBOUNCE_MS,
            )
        except (OSError, RuntimeError) as error:
            raise UnreadableFile(
                f"Cannot watch {', '.join(sorted(roots))}: {error}",
                "Check the path; on Linux fs.inotify.max_user_watches limits how many folders can be watched.",
            ) from error

    def _follow(
        self,
        folders: Sequence[str],
        files: Sequence[str],
        collection: str,
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> IngestReport:
        for folder in folders:
            if not Path(folder).is_dir():
                raise UnreadableFile(
                    f"The folder {folder} is gone.", "Its documents are kept; start again with --watch."
                )
        present = [file for file in files if not walk.is_gone(file)]
        found = walk.find(folders, present, documents.NAMED)
        return self._add(found, collection, [*folders, *files], progress, cancel)

    def _add(
        self,
        found: walk.Found,
        collection: str,
        prune: Sequence[str],
        progress: OnProgress | None,
        cancel: threading.Event | None,
    ) -> IngestReport:
        """`prune` are the files and folders whose documents go when their files are gone."""
        outcomes = [
            FileOutcome(shown(path), "failed", detail=f"{shown(path)}: {why}.") for path, why in found.unreadable
        ]
        try:
            with self._writing(cancel), closing(self._run(collection, progress, cancel)) as run:
                started = time.monotonic()
                run.repair()
                try:
                    for number, path in enumerate(found.files):
                        run.check_stop()
                        run.report(number, len(found.files))
                        outcomes += run.file(path)
                    run.report(len(found.files), len(found.files))
                    outcomes += run.prune(prune)
                    stopped = False
                except Stopped:
                    stopped = True
                run.finish()
        except Stopped:  # before the first file
            return IngestReport(collection, tuple(outcomes), stopped=True)
        passed_over = dict(run.passed_over + Counter(found.passed_over))
        took_s = round(time.monotonic() - started, 3)
        return IngestReport(collection, tuple(outcomes), stopped, passed_over, run.read, run.embedded, took_s)

    @contextmanager
    def _writing(self, cancel: threading.Event | None = None) -> Iterator[None]:
        """Holds the lock on HOME, for which the threads of this process take turns, however long that takes. Raises
        Stopped when `cancel` is set meanwhile, and HomeInUse, naming the holder, when another process does not let go.
        """
        while not self._turn.acquire(timeout=_POLL_S):
            if cancel is not None and cancel.is_set():
                raise Stopped
        try:
            with self._locked():
                yield
        finally:
            self._turn.release()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Holds the lock on HOME against other processes. Raises HomeInUse."""
        note = self._home / "ingest.pid"
        with explained(self._home):
            try:
                held = FileLock(self._home / "ingest.lock", timeout=LOCK_WAIT_S).acquire()
            except Timeout as error:
                holder = note.read_text("utf-8") if note.is_file() else "?"
                raise HomeInUse(
                    f"Another ingest is writing to {self._home} (process {holder}).", "Try again when it is done."
                ) from error
        with held:
            with explained(self._home):
                note.write_text(str(os.getpid()), "utf-8")
            yield


def _matters(kind: watchfiles.Change, path: str, files: Sequence[str]) -> bool:
    """Whether what happened to a path can change what is read. What is gone may have been a folder."""
    if kind == watchfiles.Change.deleted or path in files or Path(path).suffix.lower() in documents.NAMED:
        return True
    return os.path.isdir(path)  # noqa: PTH112 - of one that may not be looked at pathlib raises an error


def _file_name(name: str) -> str:
    """The last part of a name that came from outside. Raises BadInput."""
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    if last in ("", ".", "..") or not last.isprintable() or len(last.encode(errors="replace")) > 255:
        raise BadInput(
            f"{name!r} cannot be the name of a document.",
            "Use a file name of at most 255 bytes, without control characters.",
        )
    return last
