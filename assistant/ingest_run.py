"""One run of the write path on one collection.

A document's chunks go into the index, then its row into the library, which is what makes it count, then the chunks it
replaces leave the index. Whatever ends a run in between, the next one finds the collection unfinished and first makes
the index equal to what the library says.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from assistant import chunks as cutting
from assistant import documents, late, tesseract
from assistant.content import Member
from assistant.database import shown
from assistant.errors import AssistantError, FileTooLarge, OcrMissing, ReaderFailed, UnreadableFile, UnsupportedFile
from assistant.library import Library
from assistant.records import Chunk, Document, FileOutcome, OnProgress, Progress, headed
from assistant.sandbox import Cancelled, Sandbox
from assistant.walk import is_gone

if TYPE_CHECKING:
    from assistant.embedder import Embedder
    from assistant.index import Index

PIPELINE = 5  # goes up when documents or chunks come to make something else of the same file
BATCH = 32  # chunks embedded and stored at a time; a stop takes effect between two batches
T = TypeVar("T")
AWAITS = "-awaits-ocr"  # ends the revision of what was read without its scanned pages
AGAIN = "-again"  # ends that of an archive in which the reader failed at a file: it is current for no run
UPLOADS = "upload/"  # what stands in the place of a folder for documents that came without one

_log = logging.getLogger(__name__)
_UNREAD = (UnreadableFile, UnsupportedFile, FileTooLarge)  # what is wrong with a file and not with the run


class Stopped(Exception):
    """The user asked to stop; what is committed stays, and nothing else is left behind."""


class Run:
    """Reads, cuts, embeds and commits files, one after the other. Only while holding the lock on HOME.

    `embedder` is asked for when there is something to embed. Raises StorageError and EmbedderMismatch anywhere.
    `ocr` are the languages of scans, "" leaves them unread. Close it: what it reads, it reads in another process.
    """

    def __init__(
        self,
        library: Library,
        index: Index,
        embedder: Callable[[], Embedder],
        collection: str,
        cut: tuple[int, int],
        progress: OnProgress | None = None,
        cancel: threading.Event | None = None,
        ocr: str = "",
    ) -> None:
        self._sandbox = Sandbox(cancel=cancel, ocr=ocr, on_page=self._page)
        self._ocr = ocr
        self._library = library
        self._index = index
        self._get_embedder = embedder
        self._collection = collection
        self._cut = cut
        self._revision = hashlib.sha256(repr((PIPELINE, *cut)).encode()).hexdigest()[:16]
        self._progress = progress
        self._cancel = cancel
        self.read = self.embedded = 0  # documents stored and chunks embedded, up to now
        self._scanned = self._scanned_before = 0  # scanned pages up to now, and those of the files before
        self._awaiting = False  # something of the archive at hand was left that OCR could read
        self.passed_over: Counter[str] = Counter()  # files in archives of kinds that are not read, by suffix
        self._left: list[tuple[str, str]] = []  # what of the archive at hand was not read: names and reasons
        self._again = False  # the reader failed at something of it, which may have been for want of time or memory
        self._changed = False

    def close(self) -> None:
        self._sandbox.close()

    # --- before and after

    def repair(self) -> None:
        """Makes the index hold exactly the committed chunks, if it may not. Raises Stopped."""
        name = self._collection
        if self._index.damaged():
            self._index.reset()
        self._index.fill(name)
        if not self._library.unfinished(name) and self._index.count(name) == self._library.count(name):
            return
        if not self._library.count(name):
            self._index.drop(name)  # what a cut-off run left, or made with a model that is no longer in use
        self._begin()
        there = self._index.chunk_ids(name)
        committed = self._library.chunk_ids(name)
        self._index.delete(name, sorted(there - set(committed)))
        missing = [chunk_id for chunk_id in committed if chunk_id not in there]
        for batch in _batches(missing):
            stored = self._library.chunks(name, batch)
            self._embed([stored[chunk_id] for chunk_id in batch])

    def finish(self) -> None:
        """Says that nothing is left to do, if something was done."""
        if self._changed:
            self._library.finish(self._collection)

    def check_stop(self) -> None:
        """Raises Stopped when the user asked for it."""
        if self._cancel is not None and self._cancel.is_set():
            raise Stopped

    def report(self, done: int, total: int) -> None:
        """Tells how many files are done."""
        if self._progress is not None:
            self._progress(Progress("Reading files", done, total, "files"))

    def _page(self, done: int, total: int) -> None:
        """Tells how many scanned pages are done, of those met so far; `done` of `total` are those of one file."""
        if done == 0:
            self._scanned_before = self._scanned
        self._scanned = self._scanned_before + done
        if self._progress is not None:
            self._progress(Progress("Reading scans", self._scanned, self._scanned_before + total, "pages"))

    # --- files

    def file(self, path: str) -> list[FileOutcome]:
        """Brings one file up to date, and the files in it if it is an archive. What is wrong with one is told in its
        outcome. Raises Stopped.
        """
        try:
            sha256 = _hash(path)
            if documents.is_archive(path):
                return self._archive(path, sha256, lambda: _bytes(path))
            return [self._take(path, sha256, lambda: _read(path, self._sandbox))]
        except _UNREAD as error:
            return [self._failed(path, str(error))]

    def upload(self, name: str, data: bytes) -> FileOutcome:
        """Brings a document without a file up to date. Raises what `documents.read_bytes` does.

        Of an archive it is the outcome of the list of its files; what is wrong with them is in its `detail`.
        """
        path = UPLOADS + name
        sha256 = hashlib.sha256(data).hexdigest()
        if not documents.is_archive(name):
            return self._take(path, sha256, lambda: documents.read_bytes(data, name, path, sandbox=self._sandbox))
        *inside, whole = self._archive(path, sha256, lambda: data)
        failed = [outcome for outcome in inside if outcome.outcome == "failed"]
        read = sum(outcome.outcome not in ("failed", "removed") for outcome in inside)
        told = [f"{read} {documents.held(name)} in it were read.", *(outcome.detail for outcome in failed[:5])]
        told += [f"And {len(failed) - 5} more."] if failed[5:] else []
        told += [f"Of kinds that are not read: {self.passed_over.total()}."] if self.passed_over else []
        return replace(whole, detail=" ".join(told))

    def prune(self, roots: Sequence[str]) -> list[FileOutcome]:
        """Forgets paths, in these folders or being one of these files, at which there is no file any more."""
        known = [path for root in roots for path in self._library.paths_under(self._collection, root)]
        known += [root for root in roots if self._library.at(self._collection, root)]
        gone = sorted(path for path in set(known) if is_gone(path))
        outcomes = [FileOutcome(shown(path), "removed", self._library.at(self._collection, path)) for path in gone]
        if gone:
            self._drop(self._library.detach(self._collection, gone))
        return outcomes

    def _archive(self, path: str, sha256: str, load: Callable[[], bytes]) -> list[FileOutcome]:
        """The files in an archive, then the list of them, which makes the archive count as read. Until it is stored
        the next run begins with the archive again.
        """
        known = self._library.paths_under(self._collection, path)
        if self._library.at(self._collection, path) == sha256[:16] and self._current(sha256):
            return self._unchanged([*known, path], path, self._library.unread(self._collection, sha256[:16]))
        data = load()
        name = Path(shown(path)).name
        if len(data) > documents.MAX_BYTES:
            raise FileTooLarge(f"{name} is larger than the limit.", "Split it, or add what is in it.")
        members = self._guarded(path, lambda: self._sandbox.open(data, name))
        self._awaiting = self._again = False
        wanted = [not member.problem or Path(member.name).suffix.lower() in documents.NAMED for member in members]
        self._left = [(member.name, "") for member, taken in zip(members, wanted, strict=True) if not taken]
        self._pass_over(self._left)
        outcomes = [self._member(path, number, member) for number, member in enumerate(members) if wanted[number]]
        gone = sorted(set(known) - {f"{path}/{member.name}" for member in members})
        outcomes += [FileOutcome(shown(inner), "removed", self._library.at(self._collection, inner)) for inner in gone]
        if gone:
            self._drop(self._library.detach(self._collection, gone))
        listing = replace(documents.listing(members, name), awaits_ocr=self._awaiting)
        whole = self._take(path, sha256, lambda: documents.document(listing, name, path, sha256), again=self._again)
        return [*outcomes, whole]

    def _unchanged(self, paths: Sequence[str], archive: str, left: Sequence[tuple[str, str]]) -> list[FileOutcome]:
        """What is told of an archive that is as it was: what failed in it fails as a file in a folder does."""
        self._pass_over(left)
        failed = {f"{archive}/{name}": reason for name, reason in left if reason}
        at = {path: self._library.at(self._collection, path) for path in paths if path not in failed}
        told = [self._failed(path, reason) for path, reason in failed.items()]
        return told + [FileOutcome(shown(path), "unchanged", found) for path, found in at.items()]

    def _pass_over(self, left: Iterable[tuple[str, str]]) -> None:
        others = (Path(name) for name, reason in left if not reason)
        self.passed_over.update(path.suffix.lower() or "without a suffix" for path in others)

    def _member(self, archive: str, number: int, member: Member) -> FileOutcome:
        self.check_stop()
        path = f"{archive}/{member.name}"
        if member.problem:
            return self._left_out(path, member, f"{member.name}: {member.problem}")
        try:
            sha256 = self._guarded(path, lambda: self._sandbox.digest(number))
            name = Path(member.name).name
            read = lambda: documents.document(self._sandbox.member(number), name, path, sha256)  # noqa: E731
            return self._take(path, sha256, read)
        except _UNREAD as error:
            self._awaiting |= isinstance(error, OcrMissing)
            self._again |= isinstance(error, ReaderFailed)
            return self._left_out(path, member, str(error))

    def _left_out(self, path: str, member: Member, reason: str) -> FileOutcome:
        self._left.append((member.name, reason))
        return self._failed(path, reason)

    def _failed(self, path: str, reason: str) -> FileOutcome:
        before = self._library.at(self._collection, path)
        return FileOutcome(
            shown(path), "failed", before, detail=reason + (" Its earlier version is kept." if before else "")
        )

    def _guarded(self, path: str, read: Callable[[], T]) -> T:
        """What `read` makes of the file at `path`. Raises Stopped where the user stopped it, and ReaderFailed for
        whatever else goes wrong: a file that we have a mistake with fails alone.
        """
        try:
            return read()
        except Cancelled as stop:
            raise Stopped from stop
        except (AssistantError, Stopped):
            raise
        except Exception as error:
            _log.exception("Reading %s failed.", shown(path))
            what = f"{Path(shown(path)).name} cannot be read: it makes the reader fail ({error!r})."
            raise ReaderFailed(what, "Convert it to another format, or leave it out.") from error

    def _current(self, sha256: str) -> bool:
        """Whether a document of this content is stored as it would be now."""
        stored = self._library.stored(self._collection, sha256[:16])
        if stored is None or stored.sha256 != sha256:
            return False
        return stored.revision == self._revision or (stored.revision == self._revision + AWAITS and not self._has_ocr)

    @cached_property
    def _has_ocr(self) -> bool:
        """Whether scans can be read now."""
        if not self._ocr:
            return False
        try:
            tesseract.check(self._ocr)
        except tesseract.Unavailable:
            return False
        return True

    def _take(self, path: str, sha256: str, read: Callable[[], Document], again: bool = False) -> FileOutcome:
        """Brings the document that `read` gives up to date; `again` leaves it to the next run to do the same."""
        stored = self._library.stored(self._collection, sha256[:16])
        if stored is not None and self._current(sha256):
            self._awaiting |= stored.revision.endswith(AWAITS)
            return self._place(path, sha256[:16], stored.chunks)
        document, chunks = self._guarded(path, lambda: _in_chunks(read(), path, self._cut))
        self._awaiting |= document.awaits_ocr
        revision = self._revision + (AGAIN if again else AWAITS if document.awaits_ocr else "")
        return self._store(path, document, chunks, revision)

    def _place(self, path: str, document_id: str, chunks: int) -> FileOutcome:
        """Notes where a stored document was seen."""
        before = self._library.at(self._collection, path)
        if before == document_id:
            return FileOutcome(shown(path), "unchanged", document_id, chunks)
        elsewhere = self._library.paths(self._collection, document_id)
        gone = [other for other in elsewhere if not other.startswith(UPLOADS) and is_gone(other)]
        self._drop(self._library.attach(self._collection, path, document_id, gone))
        outcome: Literal["changed", "moved", "added"] = "changed" if before else "moved" if gone else "added"
        detail = f"{'Was' if gone else 'The same content as'} {shown((gone or elsewhere)[0])}."
        return FileOutcome(shown(path), outcome, document_id, chunks, detail)

    def _store(self, path: str, document: Document, chunks: Sequence[Chunk], revision: str) -> FileOutcome:
        before = self._library.at(self._collection, path)
        self._begin()
        try:
            for batch in _batches(chunks):
                self._embed(batch)
        except Stopped:
            ids = [chunk.id for chunk in chunks]
            committed = self._library.chunks(self._collection, ids)  # of an earlier cut of the same content
            self._index.delete(self._collection, [chunk_id for chunk_id in ids if chunk_id not in committed])
            raise
        left = self._left if documents.is_archive(document.file) else ()
        self._drop(self._library.commit(self._collection, document, path, chunks, revision, left))
        self.read += 1
        outcome: Literal["changed", "added"] = "changed" if before else "added"
        return FileOutcome(shown(path), outcome, document.id, len(chunks), " ".join(document.notes))

    # --- the index

    def _begin(self) -> None:
        if not self._changed:
            embedder = self._get_embedder()
            self._index.check(self._collection, embedder)
            self._library.begin(self._collection, embedder.name)
            self._changed = True

    def _embed(self, chunks: Sequence[Chunk]) -> None:
        self.check_stop()
        embedder = self._get_embedder()
        vectors, tokens = embedder.read([headed(chunk) for chunk in chunks])
        self._index.add(self._collection, chunks, vectors, embedder, [late.code(states) for states in tokens])
        self.embedded += len(chunks)
        if self._progress is not None:
            self._progress(Progress("Embedding", self.embedded, None, "chunks"))

    def _drop(self, chunk_ids: Sequence[str]) -> None:
        self._changed = True
        self._index.delete(self._collection, chunk_ids)


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[first : first + BATCH] for first in range(0, len(items), BATCH))


def _hash(path: str) -> str:
    with _opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: str, sandbox: Sandbox) -> Document:
    name = shown(path)
    if name == path:
        return documents.read(Path(path), sandbox=sandbox)
    return documents.read_bytes(_bytes(path), Path(name).name, name, sandbox=sandbox)  # the name is no text


def _bytes(path: str) -> bytes:
    with _opened(path) as file:
        return file.read(documents.MAX_BYTES + 1)


@contextmanager
def _opened(path: str) -> Iterator[BufferedReader]:
    try:
        with Path(path).open("rb") as file:
            yield file
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFile(f"{shown(path)} cannot be read: {reason}.", "Check that you may read it.") from error


def _in_chunks(document: Document, path: str, cut: tuple[int, int]) -> tuple[Document, list[Chunk]]:
    """The document as one at `path`, and its chunks. Raises UnreadableFile where there are none."""
    document = replace(document, path=shown(path), file=Path(shown(path)).name)
    chunks = cutting.split(document, *cut)
    if not chunks:
        raise UnreadableFile(f"{document.file} holds no text.", "Check that it is the file you meant.")
    return document, chunks
