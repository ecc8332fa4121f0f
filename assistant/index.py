"""Owns chromadb: the vectors of every chunk, by collection. Made from the library, and can be made again from it.
The codes of the chunks' tokens (late.py) and the flat index (flat.py) come and go with them.

Chroma reads its vector files once, when a process first asks, changes them in place, and can take the process down
when they are damaged. Hence the shared folder: changes are made under a lock, a process opens Chroma anew after
another one's change, and files that a cut-off writer left are first read by a process of their own.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import chromadb
import numpy as np
from chromadb.config import Settings
from chromadb.errors import ChromaError, NotFoundError
from numpy.typing import NDArray

from assistant.errors import BadInput, EmbedderMismatch, StorageError
from assistant.flat import Flat
from assistant.late import Codes
from assistant.records import Chunk
from assistant.shared_folder import AGAIN, RESERVE, SharedFolder, explained

BATCH = 1000  # records a call to Chroma; its own limit is some thousands

_NAME = re.compile(r"(?!.*\.\.)[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_numbers = itertools.count()
_log = logging.getLogger(__name__)


class Identity(Protocol):
    """What an index remembers of the model that made its vectors."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...


def check_name(collection: str) -> str:
    """The name, if a collection can have it. Raises BadInput."""
    if not _NAME.fullmatch(collection) or _ADDRESS.fullmatch(collection):
        raise BadInput(
            f"{collection!r} cannot be the name of a collection.",
            "Use 3 to 512 letters, digits, dots, dashes and underscores, with a letter or digit first and last.",
        )
    return collection


class _Beside(NamedTuple):
    codes: Codes
    flat: Flat


class Index:
    """Chunk vectors in a folder. Safe to use from several threads and processes; opened when first needed.

    Methods that take a collection raise BadInput for a name that none can have, and all raise StorageError: disk full,
    no permission, files damaged.
    """

    check_name = staticmethod(check_name)

    def __init__(self, folder: Path) -> None:
        self._folder = SharedFolder(folder, _readable)
        self._number = next(_numbers)
        self._lock = threading.RLock()
        self._client: Any = None
        self._seen = ""
        self._handles: dict[str, Any] = {}
        self._opened: _Beside | None = None

    def close(self) -> None:
        with self._lock:
            self._handles.clear()
            opened, self._opened = self._opened, None
            for kept in opened or ():
                kept.close()
            if self._client is not None:
                client, self._client = self._client, None
                client.close()

    def add(
        self,
        collection: str,
        chunks: Sequence[Chunk],
        vectors: NDArray[np.float32],
        embedder: Identity,
        codes: Sequence[bytes] = (),
    ) -> None:
        """Puts chunks in, in the place of those with the same ids; makes the collection where there is none.

        `vectors` is [len(chunks), dimensions]; `codes` are of the chunks' tokens, where they are known. Raises
        EmbedderMismatch.
        """
        self._folder.require_space()
        self.check(collection, embedder)
        with self._changing():
            handle = self._handle(collection) or self._create(collection, embedder, vectors.shape[1])
            for first in range(0, len(chunks), BATCH):
                part = chunks[first : first + BATCH]
                handle.upsert(
                    ids=[chunk.id for chunk in part],
                    embeddings=vectors[first : first + BATCH],
                    documents=[chunk.text for chunk in part],
                    metadatas=[_metadata(chunk) for chunk in part],
                )
        ids = [chunk.id for chunk in chunks]
        self._beside().flat.put(collection, embedder.sha256, ids, vectors)
        if codes:
            self._beside().codes.put(collection, embedder.sha256, zip(ids, codes, strict=True))

    def delete(self, collection: str, chunk_ids: Sequence[str]) -> None:
        """Takes chunks out; ids that are not there do not matter."""
        if not chunk_ids:
            return
        with self._changing():
            handle = self._handle(collection)
            for first in range(0, len(chunk_ids) if handle else 0, BATCH):
                handle.delete(ids=list(chunk_ids[first : first + BATCH]))
        for kept in self._beside():
            kept.drop(collection, chunk_ids)

    def drop(self, collection: str) -> None:
        """Takes a whole collection out; one that is not there does not matter."""
        with self._changing():
            if self._handle(collection) is not None:
                self._client.delete_collection(collection)
                del self._handles[collection]
        for kept in self._beside():
            kept.clear(collection)

    def codes(self, collection: str, chunk_ids: Sequence[str], embedder: Identity) -> dict[str, bytes]:
        """Chunk id to the code of its tokens by this model, for those that have one."""
        return self._beside().codes.get(collection, embedder.sha256, chunk_ids)

    def search(
        self,
        collection: str,
        vector: NDArray[np.float32],
        n: int,
        embedder: Identity,
        documents: Collection[str] | None = None,
    ) -> dict[str, float]:
        """The `n` nearest chunks to a vector [dimensions]: chunk id to cosine similarity, best first.

        `documents` are the ids of those to look in, None: all; the time grows with their number. Fewer where there are
        fewer, none where the collection is not there. Raises EmbedderMismatch.
        """
        within = None if documents is None else {"document_id": {"$in": list(documents)}}
        with self._reading():
            handle = self._handle(collection)
            if handle is None:
                return {}
            _check_embedder(collection, handle.metadata, embedder)
            if documents is not None:
                compared = self._beside().flat.search(collection, embedder.sha256, vector, n, documents)
                if compared is not None:
                    return compared
            found = handle.query(query_embeddings=vector[None, :], n_results=n, where=within, include=["distances"])
        return {name: 1.0 - far for name, far in zip(found["ids"][0], found["distances"][0], strict=True)}

    def fill(self, collection: str) -> None:
        """Makes the flat index hold what Chroma does: older chunks are not in it, and a kill leaves either ahead."""
        with self._reading():
            flat, handle = self._beside().flat, self._handle(collection)
            if handle is not None and handle.count() == flat.count(collection):
                return
            parts = list(flat.lacking(collection, handle.get(include=[])["ids"] if handle else [], BATCH))
        for part in parts:
            with self._reading():
                flat, handle = self._beside().flat, self._handle(collection)
                found = handle.get(ids=part, include=["embeddings"])
                flat.put(collection, handle.metadata["embedder_sha256"], found["ids"], np.asarray(found["embeddings"]))

    def check(self, collection: str, embedder: Identity) -> None:
        """Raises EmbedderMismatch if the collection was made with another model."""
        with self._reading():
            handle = self._handle(collection)
            if handle is not None:
                _check_embedder(collection, handle.metadata, embedder)

    def count(self, collection: str) -> int:
        """How many chunks there are; 0 for an unknown collection."""
        with self._reading():
            handle = self._handle(collection)
            return handle.count() if handle else 0

    def chunk_ids(self, collection: str) -> set[str]:
        """Every chunk there is; none for an unknown collection."""
        with self._reading():
            handle = self._handle(collection)
            return set(handle.get(include=[])["ids"]) if handle else set()

    def collections(self) -> list[str]:
        """The names, sorted."""
        with self._reading():
            return sorted(found.name for found in self._client.list_collections())

    def damaged(self) -> bool:
        """Whether the files cannot be read any more, so that `reset` is due."""
        with self._lock:
            return self._folder.damaged()

    def reset(self) -> None:
        """Throws the vectors of all collections away."""
        with self._lock, self._folder.alone():
            self.close()
            self._folder.clear()
            for kept in self._beside():
                kept.clear()

    def _beside(self) -> _Beside:
        """What lies beside Chroma's folder."""
        with self._lock:
            if self._opened is None:
                named = self._folder.path.with_name
                self._opened = _Beside(Codes(named("tokens.sqlite3")), Flat(named("vectors.sqlite3")))
            return self._opened

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, _explained(self._folder.path):
            self._refresh()
            try:
                yield
            except ChromaError:
                with self._folder.alone():
                    self._folder.suspect()
                raise

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock, _explained(self._folder.path), self._folder.alone():
            self._refresh()
            try:
                with self._folder.changing():
                    yield
            except BaseException:
                self.close()
                raise
            self._seen = self._folder.mark()

    def _refresh(self) -> None:
        """Opens Chroma, or opens it anew after a change that was not made here."""
        if self._client is not None and self._folder.mark() == self._seen:
            return
        with self._folder.alone():
            self.close()
            self._seen = self._folder.settle()
            if self._folder.damaged():
                raise StorageError(
                    f"The index in {self._folder.path} is damaged: a run that wrote to it was cut off.",
                    "Run `assistant ingest` on any of your folders: it is made again from the stored texts.",
                )
            self._client = _client(self._folder.path, self._number)

    def _handle(self, collection: str) -> Any:
        """Chroma's object for a collection, or None."""
        if collection not in self._handles:
            try:
                handle = self._client.get_collection(check_name(collection), embedding_function=None)
            except NotFoundError:
                return None
            with self._folder.alone():
                handle.count()  # the first question makes Chroma read the files
            self._handles[collection] = handle
        return self._handles[collection]

    def _create(self, collection: str, embedder: Identity, dimensions: int) -> Any:
        self._handles[collection] = self._client.create_collection(
            collection,
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 200}},
            metadata={"embedder": embedder.name, "embedder_sha256": embedder.sha256, "dimensions": dimensions},
        )
        return self._handles[collection]


def probe(folder: str) -> None:
    """Reads every collection once. For a process of its own: damaged files may end it in any way."""
    client = _client(Path(folder), 0)
    for found in client.list_collections():
        handle = client.get_collection(found.name, embedding_function=None)
        if (count := handle.count()) and found.metadata:
            vector = np.ones((1, found.metadata["dimensions"]), np.float32)
            handle.query(query_embeddings=vector, n_results=min(count, BATCH), include=["distances"])


def _readable(folder: Path) -> bool:
    command = [sys.executable, "-c", "import sys; from assistant.index import probe; probe(sys.argv[1])", str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        _log.warning("The index in %s cannot be read and will be made again: %s", folder, last[0])
    return done.returncode == 0


def _client(folder: Path, number: int) -> Any:
    """A Chroma client that talks to nobody, whatever the environment or a .env file says."""
    settings = Settings(
        _env_file=None,
        anonymized_telemetry=False,
        chroma_api_impl="chromadb.api.rust.RustBindingsAPI",
        chroma_otel_granularity="none",
        chroma_otel_collection_endpoint="",
        migrations="apply",
    )
    # Chroma shares one view of the files among all clients that name the folder by the same letters, and keeps it
    # until the last is closed; an Index needs one of its own to be able to open it anew.
    return chromadb.PersistentClient(os.path.join(folder, *["."] * number), settings)  # noqa: PTH118


def _metadata(chunk: Chunk) -> dict[str, str | int]:
    values: dict[str, str | int | None] = {
        "document_id": chunk.document_id,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "file": chunk.file,
        "title": chunk.title,
        "publisher": chunk.publisher,
        "date": chunk.date,
    }
    return {key: value for key, value in values.items() if value is not None}


def _check_embedder(collection: str, made_with: Mapping[str, Any] | None, embedder: Identity) -> None:
    name, sha256 = ((made_with or {}).get(key, "unknown") for key in ("embedder", "embedder_sha256"))
    if sha256 != embedder.sha256:
        raise EmbedderMismatch(
            f"The collection {collection} was made with the embedding model {name} ({sha256[:12]}), "
            f"but the settings name {embedder.name} ({embedder.sha256[:12]}).",
            f"Set models.embedder to {name} again, or ingest into another collection with --collection NAME.",
        )


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turns troubles of the file system and of Chroma into StorageError."""
    try:
        with explained(folder):
            yield
    except ChromaError as error:
        raise _trouble(folder, error) from error
    except BaseException as error:
        if type(error).__module__ == "pyo3_runtime":  # a panic in Chroma's native part, which is no Exception
            raise _trouble(folder, error) from error
        raise


def _trouble(folder: Path, error: BaseException) -> StorageError:
    # Chroma seldom says that a full disk was the cause.
    if "disk is full" in str(error) or shutil.disk_usage(folder).free < RESERVE:
        return StorageError(f"The disk is full: cannot write {folder}.", AGAIN)
    return StorageError(f"The index in {folder} failed: {error}.", "Check the disk, then run it again.")
