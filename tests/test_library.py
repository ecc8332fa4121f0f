from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.database import shown
from assistant.errors import StorageError, UnknownCollection, UnknownDocument
from assistant.library import Library
from assistant.records import Chunk, Document, Stored


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "library.sqlite3")
    made.begin("default", "fake")
    made.finish("default")
    yield made
    made.close()


def document(text: str, path: str = "/d/a.txt", **more: object) -> Document:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Document(digest[:16], digest, path, Path(path).name, text, **more)


def halves(whole: Document) -> list[Chunk]:
    """Two chunks."""
    middle = len(whole.text) // 2
    spans = [(0, middle), (middle, len(whole.text))]
    return [
        Chunk(f"{whole.id}-{start}-{end}", whole.id, whole.text[start:end], start, end, file=whole.file)
        for start, end in spans
    ]


def put(library: Library, text: str, path: str = "/d/a.txt", revision: str = "r1") -> tuple[Document, list[str]]:
    whole = document(text, path)
    return whole, library.commit("default", whole, path, halves(whole), revision)


def test_a_document_comes_back_as_it_was(library: Library):
    text = "Título: a\0b 😀\r\n中国 line\u2028end"
    whole = document(text, title="Título", publisher="P", author="A", date="2024-05", pages=(0, 5, 9))
    assert library.commit("default", whole, "/d/a.txt", halves(whole), "r1") == []
    assert library.document("default", whole.id) == whole
    [info] = library.documents("default")
    assert (info.id, info.path, info.file, info.title, info.author) == (whole.id, "/d/a.txt", "a.txt", "Título", "A")
    assert (info.characters, info.chunks) == (len(text), 2)
    assert info.ingested_at.endswith("+00:00")


def test_chunks_come_with_what_is_known_of_their_document(library: Library):
    whole = document("first half second half", title="T", publisher="P", date="2024")
    parts = [replace(part, page=3) for part in halves(whole)]
    library.commit("default", whole, "/d/a.txt", parts, "r1")
    assert library.chunk_ids("default") == [part.id for part in parts]
    found = library.chunks("default", [parts[1].id, "unknown"])
    assert found == {parts[1].id: replace(parts[1], title="T", publisher="P", date="2024")}
    assert library.chunks("default", []) == {}
    assert library.count("default") == 2


def test_a_new_version_replaces_the_old_and_tells_which_chunks_go(library: Library):
    old, _ = put(library, "The ferry leaves at nine.")
    new, gone = put(library, "The ferry leaves at four.")
    assert gone == sorted(part.id for part in halves(old))
    assert [info.id for info in library.documents("default")] == [new.id]
    assert library.stored("default", old.id) is None
    assert library.match("default", "ferry nine", 5).keys() == {halves(new)[0].id}


def test_a_new_cut_keeps_the_chunks_that_are_the_same(library: Library):
    whole, _ = put(library, "The ferry leaves at nine.")
    kept = halves(whole)[0]
    other = Chunk(f"{whole.id}-12-20", whole.id, whole.text[12:20], 12, 20)
    gone = library.commit("default", whole, "/d/a.txt", [kept, other], "r2")
    assert gone == [halves(whole)[1].id]
    assert library.chunk_ids("default") == [kept.id, other.id]
    assert library.stored("default", whole.id) == Stored(whole.sha256, "r2", 2)
    assert len(library.documents("default")) == 1


def test_two_paths_to_one_document(library: Library):
    whole, _ = put(library, "Same text.", "/d/a.txt")
    assert library.attach("default", "/d/b.txt", whole.id) == []
    assert library.paths("default", whole.id) == ["/d/a.txt", "/d/b.txt"]
    assert library.at("default", "/d/b.txt") == whole.id
    assert library.detach("default", ["/d/a.txt"]) == []
    assert library.documents("default")[0].file == "b.txt"
    assert library.detach("default", ["/d/b.txt", "/d/unknown.txt"]) == sorted(part.id for part in halves(whole))
    assert library.documents("default") == []
    assert library.at("default", "/d/b.txt") is None


def test_a_move(library: Library):
    whole, _ = put(library, "Same text.", "/d/a.txt")
    library.attach("default", "/e/z.md", whole.id, gone=["/d/a.txt"])
    assert library.document("default", whole.id).path == "/e/z.md"
    assert library.at("default", "/d/a.txt") is None


def test_attaching_a_path_lets_go_of_what_was_there(library: Library):
    first, _ = put(library, "First text.", "/d/a.txt")
    second, _ = put(library, "Second text.", "/d/b.txt")
    assert library.attach("default", "/d/a.txt", second.id) == sorted(part.id for part in halves(first))
    assert library.document("default", second.id).file == "b.txt"
    with pytest.raises(UnknownDocument):
        library.attach("default", "/d/a.txt", first.id)
    assert library.paths("default", second.id) == ["/d/b.txt", "/d/a.txt"]


def test_removing(library: Library):
    whole, _ = put(library, "Some text.")
    library.attach("default", "/d/b.txt", whole.id)
    assert library.remove("default", whole.id) == sorted(part.id for part in halves(whole))
    with pytest.raises(UnknownDocument, match=f"'{whole.id}' in the collection default") as caught:
        library.document("default", whole.id)
    assert "documents list" in caught.value.hint
    with pytest.raises(UnknownDocument):
        library.remove("default", whole.id)
    assert library.match("default", "text", 5) == {}


def test_paths_under_a_folder(library: Library):
    paths = ["/d/a.txt", "/d/e/b.txt", "/d-other/c.txt", "/d.txt", "/da/x.txt", os.fsdecode(b"/d/\xff.txt")]
    for number, path in enumerate(paths):
        put(library, f"Text {number}", path)
    inside = {"/d/a.txt", "/d/e/b.txt", os.fsdecode(b"/d/\xff.txt")}
    assert set(library.paths_under("default", "/d")) == inside
    assert set(library.paths_under("default", "/")) == set(paths)
    assert library.paths_under("unknown", "/d") == []


def test_a_path_of_any_bytes(library: Library):
    path = os.fsdecode(b"/d/caf\xe9\n.txt")
    whole, _ = put(library, "Text.", path)
    assert library.at("default", path) == whole.id
    assert library.paths("default", whole.id) == [path]
    assert library.document("default", whole.id).path == shown(path) == "/d/caf\\xe9\n.txt"
    library.document("default", whole.id).path.encode()


def test_unknown_collections(library: Library):
    with pytest.raises(UnknownCollection, match="no collection 'other'") as caught:
        library.documents("other")
    assert caught.value.hint == "There are: default. Choose with --collection NAME."
    for ask in (library.chunk_ids, library.generation, library.finish):
        with pytest.raises(UnknownCollection):
            ask("other")
    assert library.stored("other", "x") is None
    assert library.at("other", "/x") is None
    assert library.count("other") == 0
    assert not library.unfinished("other")


def test_collections(library: Library):
    put(library, "Text.")
    library.begin("another", "model-b")
    found = [(info.name, info.documents, info.chunks, info.embedder) for info in library.collections()]
    assert found == [("another", 0, 0, "model-b"), ("default", 1, 2, "fake")]


def test_every_change_leaves_a_collection_unfinished_and_its_generation_higher(library: Library):
    whole = document("Some text.")
    changes = (
        lambda: library.commit("default", whole, "/d/a.txt", halves(whole), "r"),
        lambda: library.attach("default", "/d/b.txt", whole.id),
        lambda: library.detach("default", ["/d/b.txt"]),
        lambda: library.remove("default", whole.id),
    )
    for change in changes:
        before = library.generation("default")
        assert not library.unfinished("default")
        change()
        assert library.generation("default") > before
        assert library.unfinished("default")
        library.finish("default")
    library.begin("default", "fake")
    assert library.unfinished("default")


def test_a_commit_that_fails_changes_nothing(library: Library, monkeypatch: pytest.MonkeyPatch):
    old, _ = put(library, "The ferry leaves at nine.")
    library.finish("default")
    before = library.generation("default")
    monkeypatch.setattr("assistant.lexical.Words.add", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        put(library, "The ferry leaves at four.")
    monkeypatch.undo()
    assert library.document("default", old.id).text == "The ferry leaves at nine."
    assert library.chunk_ids("default") == [part.id for part in halves(old)]
    assert library.match("default", "nine", 5).keys() == {halves(old)[1].id}
    assert (library.generation("default"), library.unfinished("default")) == (before, False)


def test_words_of_other_collections_are_not_found(library: Library):
    put(library, "The ferry leaves at nine.")
    library.begin("second", "fake")
    whole = document("The ferry is late.")
    library.commit("second", whole, "/d/a.txt", halves(whole), "r")
    assert all(name.startswith(whole.id) for name in library.match("second", "ferry", 9))
    assert len(library.match("default", "ferry", 9)) == 1


def test_two_processes_share_it(library: Library, tmp_path: Path):
    other = Library(tmp_path / "library.sqlite3")
    whole, _ = put(library, "Some text.")
    assert other.document("default", whole.id).text == "Some text."
    other.close()


def test_another_format_is_refused(library: Library, tmp_path: Path):
    library.close()
    raw = sqlite3.connect(tmp_path / "library.sqlite3")
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StorageError, match="99"):
        Library(tmp_path / "library.sqlite3")


def test_the_words_of_an_earlier_format_are_indexed_anew(library: Library, tmp_path: Path):
    whole, _ = put(library, "ＦＥＲＲＹ ２０２４ กรุงเทพ")
    other, _ = put(library, "The ferry leaves at nine.", "/d/b.txt")
    library.close()
    raw = sqlite3.connect(tmp_path / "library.sqlite3", isolation_level=None)
    raw.execute("DROP TABLE words_1")
    raw.execute("CREATE VIRTUAL TABLE words_1 USING fts5(text, content = '', tokenize = 'porter unicode61')")
    raw.execute("INSERT INTO words_1 (rowid, text) SELECT id, text FROM chunks")
    raw.execute("PRAGMA user_version = 4")
    raw.close()
    again = Library(tmp_path / "library.sqlite3")
    assert {name.partition("-")[0] for name in again.match("default", "ferry", 9)} == {whole.id, other.id}
    assert again.match("default", "กรุง", 9)
    again.detach("default", ["/d/a.txt"])
    assert {name.partition("-")[0] for name in again.match("default", "ferry", 9)} == {other.id}
    assert again.match("default", "2024", 9) == {}
    again.close()


@pytest.mark.parametrize("version", [4, 5])
def test_a_library_without_sections_is_read_on(library: Library, tmp_path: Path, version: int):
    whole, _ = put(library, "The ferry leaves at nine.")
    library.close()
    raw = sqlite3.connect(tmp_path / "library.sqlite3", isolation_level=None)
    raw.execute("ALTER TABLE chunks DROP COLUMN section")
    raw.execute("DROP TABLE unread")
    raw.execute(f"PRAGMA user_version = {version}")
    raw.close()
    again = Library(tmp_path / "library.sqlite3")
    names = again.match("default", "ferry", 9)
    assert {chunk.section for chunk in again.chunks("default", names).values()} == {None}
    assert again.unread("default", whole.id) == []
    again.detach("default", ["/d/a.txt"])
    assert again.match("default", "ferry", 9) == {}
    again.close()


def test_what_of_an_archive_was_left_out_goes_with_it(library: Library):
    whole = document("A list.")
    left_out = [("b.pdf", "It is damaged."), ("c.png", "")]
    library.commit("default", whole, "/d/a.zip", halves(whole), "r", left_out)
    assert library.unread("default", whole.id) == left_out
    library.commit("default", whole, "/d/a.zip", halves(whole), "r")
    assert library.unread("default", whole.id) == []


def test_a_dropped_collection_leaves_nothing_behind(library: Library, tmp_path: Path):
    """A new collection may get its number, and must not find its lines or copies."""
    for number in range(4):
        put(
            library,
            f"The same line stands in every document here.\nBut {number} does not, whatever else.",
            f"/{number}",
        )
    library.drop("default")
    with sqlite3.connect(tmp_path / "library.sqlite3") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        owned = [t for t in tables if "collection" in {row[1] for row in database.execute(f"PRAGMA table_info({t})")}]
        assert {"chunks", "copies", "sketches", "lines", "unread"} <= set(owned)
        assert all(database.execute(f"SELECT count(*) FROM {t}").fetchone() == (0,) for t in owned)
