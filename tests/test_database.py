from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from assistant import database as database_module
from assistant.database import Database
from assistant.errors import StorageError

SCHEMA = ("CREATE TABLE items (name TEXT UNIQUE)",)


def opened(path: Path, version: int = 1) -> Database:
    return Database(path, SCHEMA, version)


def test_a_change_happens_wholly_or_not_at_all(tmp_path: Path):
    database = opened(tmp_path / "deep" / "d.sqlite3")
    with database.change():
        database.run("INSERT INTO items VALUES (?)", "one")
        database.run_many("INSERT INTO items VALUES (?)", [("two",), ("three",)])

    def fail() -> None:
        with database.change():
            database.run("INSERT INTO items VALUES (?)", "four")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised just above
        fail()
    assert database.read("SELECT name FROM items ORDER BY rowid") == [("one",), ("two",), ("three",)]
    database.close()
    assert len(opened(tmp_path / "deep" / "d.sqlite3").read("SELECT name FROM items")) == 3


def test_a_file_of_another_version_is_refused(tmp_path: Path):
    opened(tmp_path / "d.sqlite3", version=3).close()
    with pytest.raises(StorageError, match=r"another release .*format is 3, this one's 1") as caught:
        opened(tmp_path / "d.sqlite3")
    assert "Update" in caught.value.hint
    assert opened(tmp_path / "d.sqlite3", version=3).read("SELECT * FROM items") == []


def test_a_file_of_an_older_version_is_brought_up_step_by_step(tmp_path: Path):
    path = tmp_path / "d.sqlite3"
    opened(path).close()
    with pytest.raises(StorageError, match="format is 1, this one's 3") as caught:
        Database(path, SCHEMA, 3, {2: lambda _: None})
    assert "ingest your files again" in caught.value.hint
    steps = {
        1: lambda file: file.run("INSERT INTO items VALUES (?)", "one"),
        2: lambda file: file.run("INSERT INTO items VALUES (?)", "two"),
    }
    Database(path, SCHEMA, 3, steps).close()
    again = Database(path, SCHEMA, 3, steps)
    assert again.read("SELECT name FROM items ORDER BY rowid") == [("one",), ("two",)]


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "d.sqlite3"
    opened(path).close()

    def fail(file: Database) -> None:
        file.run("INSERT INTO items VALUES (?)", "half")
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - raised just above
        Database(path, SCHEMA, 2, {1: fail})
    assert opened(path).read("SELECT * FROM items") == []


def test_a_file_that_is_no_database(tmp_path: Path):
    (tmp_path / "d.sqlite3").write_bytes(b"not a database " * 500)
    with pytest.raises(StorageError, match="not a database") as caught:
        opened(tmp_path / "d.sqlite3")
    assert "damaged" in caught.value.hint


def test_a_place_where_nothing_can_be_made(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="file"):
        opened(tmp_path / "file" / "d.sqlite3")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="unable to open") as caught:
        opened(tmp_path / "folder")
    assert "permissions" in caught.value.hint


def test_a_full_disk(tmp_path: Path):
    database = opened(tmp_path / "d.sqlite3")
    pages = database.read("PRAGMA page_count")[0][0]
    database.read(f"PRAGMA max_page_count = {pages + 2}")

    def fill() -> None:
        with database.change():
            database.run_many("INSERT INTO items VALUES (?)", [(f"{i} " * 500,) for i in range(100)])

    with pytest.raises(StorageError, match="disk is full") as caught:
        fill()
    assert "space" in caught.value.hint
    assert database.read("SELECT * FROM items") == []


def test_another_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(database_module, "WAIT_S", 0.1)
    database, other = opened(tmp_path / "d.sqlite3"), sqlite3.connect(tmp_path / "d.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO items VALUES ('theirs')")
    assert database.read("SELECT * FROM items") == []  # reading goes on

    def change() -> None:
        with database.change():
            raise AssertionError

    with pytest.raises(StorageError, match="locked") as caught:
        change()
    assert "Another process" in caught.value.hint
    other.execute("COMMIT")
    assert database.read("SELECT * FROM items") == [("theirs",)]


def test_mistakes_of_ours_are_not_explained_away(tmp_path: Path):
    database = opened(tmp_path / "d.sqlite3")
    with pytest.raises(sqlite3.OperationalError):
        database.read("SELECT nonsense FROM items")
    with database.change():
        database.run("INSERT INTO items VALUES ('one')")

    def double() -> None:
        with database.change():
            database.run("INSERT INTO items VALUES ('one')")

    with pytest.raises(sqlite3.IntegrityError):
        double()


def test_threads_take_turns(tmp_path: Path):
    database = opened(tmp_path / "d.sqlite3")

    def write(name: str) -> None:
        for i in range(50):
            with database.change():
                database.run("INSERT INTO items VALUES (?)", f"{name}{i}")
            database.read("SELECT count(*) FROM items")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read("SELECT count(*) FROM items") == [(150,)]
