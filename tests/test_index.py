from __future__ import annotations

import errno
import itertools
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from assistant import shared_folder
from assistant.errors import BadInput, EmbedderMismatch, StorageError
from assistant.index import Index, check_name
from assistant.records import Chunk

WIDTH = 16


@dataclass(frozen=True)
class Model:
    name: str = "fake"
    sha256: str = "a" * 64


MODEL = Model()


def chunk(number: int, document: str = "doc", **more: object) -> Chunk:
    return Chunk(f"{document}-{number}-{number + 1}", document, f"text {number}", number, number + 1, **more)


def vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def filled(folder: Path, count: int = 20) -> tuple[Index, NDArray[np.float32]]:
    index = Index(folder)
    made = vectors(count)
    index.add("default", [chunk(i) for i in range(count)], made, MODEL)
    return index, made


LOOP = """
import json, os, sys
import numpy as np
from pathlib import Path
from assistant.index import Index
from test_index import MODEL, chunk, vectors
opened = {}
for line in sys.stdin:
    folder, code = json.loads(line)
    index = opened.setdefault(folder, Index(Path(folder)))
    exec(code)
    print("done", flush=True)
"""


class Elsewhere:
    """Another process, which keeps what it opened."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOOP], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, folder: Path, code: str) -> str:
        """Runs code with `index` there; gives what it prints. The last word is missing when the process ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(folder), textwrap.dedent(code)]) + "\n")
        self._process.stdin.flush()
        lines = iter(self._process.stdout.readline, "")
        return "".join(itertools.takewhile(lambda line: line != "done\n", lines)).strip()

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    process = Elsewhere()
    yield process
    process.close()


def test_search_gives_the_nearest_first_with_their_cosine(tmp_path: Path):
    index, made = filled(tmp_path / "chroma")
    found = index.search("default", made[7], 5, MODEL)
    cosines = made @ made[7]
    expected = np.argsort(-cosines)[:5]
    assert list(found) == [f"doc-{i}-{i + 1}" for i in expected]
    assert list(found.values()) == pytest.approx(cosines[expected], abs=1e-5)


def test_add_replaces_and_delete_forgets(tmp_path: Path):
    index, made = filled(tmp_path / "chroma")
    index.add("default", [chunk(3)], made[:1], MODEL)
    assert index.count("default") == 20
    assert set(index.search("default", made[0], 2, MODEL)) == {"doc-0-1", "doc-3-4"}
    index.delete("default", ["doc-0-1", "never-there"])
    index.delete("default", [])
    index.delete("other", ["doc-0-1"])
    assert "doc-0-1" not in index.search("default", made[0], 20, MODEL)
    assert index.chunk_ids("default") == {f"doc-{i}-{i + 1}" for i in range(1, 20)}


def test_collections_are_apart(tmp_path: Path):
    index, made = filled(tmp_path / "chroma")
    index.add("other", [chunk(1, "b")], made[:1], MODEL)
    assert list(index.search("other", made[0], 5, MODEL)) == ["b-1-2"]
    assert index.collections() == ["default", "other"]


def test_an_unknown_collection_has_nothing(tmp_path: Path):
    index = Index(tmp_path / "chroma")
    assert index.search("default", vectors(1)[0], 3, MODEL) == {}
    assert index.count("default") == 0
    assert index.chunk_ids("default") == set()


def test_everything_is_there_after_opening_again(tmp_path: Path):
    index, made = filled(tmp_path / "chroma", 30)
    index.close()
    again = Index(tmp_path / "chroma")
    assert again.count("default") == 30
    assert next(iter(again.search("default", made[29], 1, MODEL))) == "doc-29-30"


def test_texts_and_metadata_are_stored_for_other_readers(tmp_path: Path):
    index = Index(tmp_path / "chroma")
    index.add("default", [chunk(0, title="Title", file="a.txt", page=2)], vectors(1), MODEL)
    stored = index._handle("default").get(ids=["doc-0-1"])
    assert stored["documents"] == ["text 0"]
    assert stored["metadatas"] == [
        {"document_id": "doc", "start": 0, "end": 1, "page": 2, "file": "a.txt", "title": "Title"}
    ]


def test_another_embedder_is_refused(tmp_path: Path):
    index, made = filled(tmp_path / "chroma")
    other = Model("other-model", "b" * 64)
    with pytest.raises(EmbedderMismatch, match=r"made with the embedding model fake .*settings name other-model"):
        index.search("default", made[0], 1, other)
    with pytest.raises(EmbedderMismatch, match="--collection"):
        index.add("default", [chunk(99)], made[:1], other)
    with pytest.raises(EmbedderMismatch):
        index.check("default", other)
    assert index.count("default") == 20
    index.add("second", [chunk(99)], made[:1], other)
    index.check("second", other)


@pytest.mark.parametrize("name", ["abc", "a.b-c_d", "A1b", "x" * 512, "1.2.3"])
def test_names_a_collection_can_have(name: str, tmp_path: Path):
    assert check_name(name) == name
    index = Index(tmp_path / "chroma")
    index.add(name, [chunk(0)], vectors(1), MODEL)
    assert index.count(name) == 1


@pytest.mark.parametrize("name", ["", "ab", "-abc", "abc-", "a b c", "x" * 513, "a..b", "1.2.3.4", "däta", "abc\n"])
def test_names_a_collection_cannot_have(name: str, tmp_path: Path):
    index = Index(tmp_path / "chroma")
    with pytest.raises(BadInput, match="cannot be the name") as caught:
        index.add(name, [chunk(0)], vectors(1), MODEL)
    assert "3 to 512" in caught.value.hint
    with pytest.raises(BadInput):
        index.count(name)


# --- other processes


def test_changes_of_another_process_are_seen(tmp_path: Path, elsewhere: Elsewhere):
    index, made = filled(tmp_path / "chroma")
    index.search("default", made[0], 1, MODEL)
    elsewhere.run(
        tmp_path / "chroma",
        """
        index.add("default", [chunk(i, "late") for i in range(1100)], vectors(1100, 1), MODEL)
        index.delete("default", ["doc-0-1"])
        """,
    )
    assert next(iter(index.search("default", vectors(1100, 1)[1099], 1, MODEL))) == "late-1099-1100"
    assert "doc-0-1" not in index.search("default", made[0], 50, MODEL)
    assert index.count("default") == 1119


def test_writers_in_turn_lose_nothing(tmp_path: Path, elsewhere: Elsewhere):
    """More than Chroma keeps in memory before it writes, so that a stale writer would undo the other's work."""
    index = Index(tmp_path / "chroma")
    for turn in range(2):
        index.add("default", [chunk(i, f"here{turn}") for i in range(600)], vectors(600, turn), MODEL)
        code = f'index.add("default", [chunk(i, "there{turn}") for i in range(600)], vectors(600, {turn + 10}), MODEL)'
        elsewhere.run(tmp_path / "chroma", code)
    assert index.count("default") == 2400
    for turn in range(2):
        assert f"here{turn}-5-6" in index.search("default", vectors(600, turn)[5], 3, MODEL)
        assert f"there{turn}-5-6" in index.search("default", vectors(600, turn + 10)[5], 3, MODEL)


def test_a_writer_killed_between_calls_leaves_a_usable_index(tmp_path: Path):
    filled(tmp_path / "chroma")[0].close()
    code = """
    with index._changing():
        index._handle("default").upsert(ids=["half"], embeddings=vectors(1, 5), documents=["half"])
        print("written", flush=True)
        os._exit(9)
    """
    assert Elsewhere().run(tmp_path / "chroma", code) == "written"
    index = Index(tmp_path / "chroma")
    assert (tmp_path / "chroma" / "mark").read_text().startswith("changing")
    assert not index.damaged()
    assert index.count("default") == 21


def test_damage_is_found_before_it_can_do_harm_and_reset_helps(tmp_path: Path):
    """Files cut short end Chroma's process; a writer that was cut off has them examined in another one."""
    index, made = filled(tmp_path / "chroma", 1500)
    index.close()
    data = next((tmp_path / "chroma").glob("*/data_level0.bin"))
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    index = Index(tmp_path / "chroma")
    index._folder.suspect()
    with pytest.raises(StorageError, match="damaged") as caught:
        index.search("default", made[0], 1, MODEL)
    assert "assistant ingest" in caught.value.hint
    assert index.damaged()
    index.reset()
    assert not index.damaged()
    index.add("default", [chunk(0)], made[:1], MODEL)
    assert index.count("default") == 1


def test_several_threads_at_once(tmp_path: Path):
    index, made = filled(tmp_path / "chroma")

    def write(name: str) -> None:
        for i in range(20):
            index.add("default", [chunk(i, name)], vectors(1, i), MODEL)
            index.search("default", made[0], 3, MODEL)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, "abc"))
    assert index.count("default") == 80


# --- storage trouble


def test_a_nearly_full_disk_is_refused_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    index, made = filled(tmp_path / "chroma")
    monkeypatch.setattr(shared_folder, "RESERVE", 1 << 62)
    with pytest.raises(StorageError, match="disk is full") as caught:
        index.add("default", [chunk(50)], made[:1], MODEL)
    assert "Free some space" in caught.value.hint
    assert index.count("default") == 20


def test_a_disk_that_fills_up_is_named_and_leads_to_an_examination(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    index, made = filled(tmp_path / "chroma")

    class Full:
        metadata = {"embedder_sha256": MODEL.sha256}  # noqa: RUF012

        def upsert(self, **_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    index._handles["default"] = Full()
    with pytest.raises(StorageError, match="disk is full"):
        index.add("default", [chunk(50)], made[:1], MODEL)
    assert (tmp_path / "chroma" / "mark").read_text().startswith("changing")
    assert index.count("default") == 20
    assert (tmp_path / "chroma" / "mark").read_text().startswith("whole")


def test_a_folder_that_is_a_file(tmp_path: Path):
    (tmp_path / "chroma").write_text("x")
    with pytest.raises(StorageError, match="chroma"):
        Index(tmp_path / "chroma").count("default")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied"):
        Index(tmp_path / "chroma").count("default")


def test_a_file_that_is_no_database(tmp_path: Path):
    (tmp_path / "chroma").mkdir()
    (tmp_path / "chroma" / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    index = Index(tmp_path / "chroma")
    with pytest.raises(StorageError, match="not a database"):
        index.count("default")


def test_nothing_is_sent_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Even if the environment asks for it: with every way out closed, nothing tries one."""
    code = """
    import socket, threading
    def refuse(*arguments, **_):
        print("NETWORK", arguments)
        raise OSError("no network")
    socket.socket.connect = socket.getaddrinfo = refuse
    index.add("default", [chunk(i) for i in range(10)], vectors(10), MODEL)
    print(len(index.search("default", vectors(1)[0], 3, MODEL)))
    index.close()
    print([thread.name for thread in threading.enumerate() if "otel" in thread.name.lower()])
    """
    monkeypatch.setenv("CHROMA_OTEL_GRANULARITY", "all")
    monkeypatch.setenv("CHROMA_OTEL_COLLECTION_ENDPOINT", "http://192.0.2.1:4317")
    monkeypatch.setenv("ANONYMIZED_TELEMETRY", "True")
    process = Elsewhere()
    assert process.run(tmp_path / "chroma", code) == "3\n[]"
    process.close()
