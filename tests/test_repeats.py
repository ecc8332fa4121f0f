"""Near copies of documents, and lines that many of them have, as the library keeps them."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.boilerplate import LEAST, hashes
from assistant.database import Database
from assistant.library import Library
from assistant.records import Chunk, Document
from assistant.repeats import Repeats
from assistant.schema import SCHEMA, VERSION

MENU = "Home\nAbout us\nSubscribe to our letter"
ARTICLE = " ".join(f"word{number}" for number in range(60)) + "."


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(tmp_path / "library.sqlite3")
    made.begin("default", "fake")
    yield made
    made.close()


def put(library: Library, name: str, text: str, revision: str = "r") -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    whole = Document(digest[:16], digest, f"/d/{name}", name, text)
    chunk = Chunk(f"{whole.id}-0-{len(text)}", whole.id, text, 0, len(text), file=name)
    library.commit("default", whole, whole.path, [chunk], revision)
    return whole.id


def page(number: int) -> str:
    return f"{MENU}\n" + " ".join(f"page{number}word{place}" for place in range(30))


def originals(library: Library) -> dict[str, str | None]:
    return {info.file: info.near_copy_of for info in library.documents("default")}


def tables(path: Path) -> list[list[tuple[object, ...]]]:
    raw = sqlite3.connect(path)
    found = [
        raw.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall() for name in ("copies", "sketches", "lines")
    ]
    raw.close()
    return found


def test_a_near_copy_names_the_first_document_it_repeats(library: Library):
    put(library, "a.txt", ARTICLE)
    put(library, "other.txt", page(1))
    put(library, "b.txt", f"{ARTICLE} Printed on Monday.")
    put(library, "c.txt", f"{ARTICLE} Printed on Friday.")
    assert originals(library) == {"a.txt": None, "other.txt": None, "b.txt": "a.txt", "c.txt": "a.txt"}


def test_when_the_first_goes_the_next_takes_its_place(library: Library):
    for name in "abc":
        put(library, f"{name}.txt", f"{ARTICLE} Copy {name}.")
    library.detach("default", ["/d/a.txt"])
    assert originals(library) == {"b.txt": None, "c.txt": "b.txt"}


def test_lines_of_many_documents_are_known_as_long_as_they_are(library: Library):
    for number in range(LEAST - 1):
        put(library, f"{number}.txt", page(number))
    assert library.boilerplate("default") == frozenset()
    put(library, "last.txt", page(LEAST))
    assert library.boilerplate("default") == hashes(MENU)
    library.detach("default", ["/d/last.txt"])
    assert library.boilerplate("default") == frozenset()


def test_a_collection_made_again_is_not_taken_for_the_one_before(library: Library):
    """It may get the number of the one before, and be changed as often."""
    for menu in (MENU, "Start\nContact us\nTerms of use"):
        for number in range(LEAST):
            put(library, f"{number}.txt", page(number).replace(MENU, menu))
        assert library.boilerplate("default") == hashes(menu)
        library.drop("default")
        library.begin("default", "fake")


def test_what_near_copies_say_is_no_boilerplate(library: Library):
    for number in range(40):
        put(library, f"{number}.txt", f"{ARTICLE}\nCopy {number}.")
    assert library.boilerplate("default") == frozenset()


def test_a_new_cut_of_the_same_text_changes_nothing(library: Library, tmp_path: Path):
    for number in range(3):
        put(library, f"{number}.txt", f"{ARTICLE} Copy {number}.")
    before = tables(tmp_path / "library.sqlite3")
    put(library, "0.txt", f"{ARTICLE} Copy 0.", "r2")
    assert tables(tmp_path / "library.sqlite3") == before


def test_a_library_of_an_earlier_format_is_brought_up(library: Library, tmp_path: Path):
    for number in range(LEAST):
        put(library, f"{number}.txt", page(number))
    put(library, "copy.txt", f"{page(0)} again")
    before, lines = tables(tmp_path / "library.sqlite3"), library.boilerplate("default")
    library.close()
    raw = sqlite3.connect(tmp_path / "library.sqlite3")
    for name in ("copies", "sketches", "lines"):
        raw.execute(f"DROP TABLE {name}")
    raw.execute("DROP INDEX documents_by_facts")
    raw.execute("PRAGMA user_version = 2")
    raw.commit()
    raw.close()
    again = Library(tmp_path / "library.sqlite3")
    assert tables(tmp_path / "library.sqlite3") == before
    assert again.boilerplate("default") == lines == hashes(MENU)
    again.close()


TEXTS = [*(f"{ARTICLE} Copy {number}." for number in range(4)), *(page(number) for number in range(4))]


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, len(TEXTS) - 1)), max_size=20))
def test_what_is_counted_is_what_is_there(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, int]]):
    """After any additions and removals the lines counted are those of the documents that copy no other."""
    path = tmp_path_factory.mktemp("repeats") / "library.sqlite3"
    database = Database(path, SCHEMA, VERSION)
    repeats = Repeats(database)
    there: set[int] = set()
    for added, number in steps:
        with database.change():
            if added:
                repeats.put(1, number + 1, TEXTS[number])
                there.add(number + 1)
            else:
                repeats.drop(1, number + 1)
                there.discard(number + 1)
    copies = dict(database.read("SELECT document, original FROM copies"))
    assert copies.keys() == there
    assert all(original is None or original in there for original in copies.values())
    alone = [document for document, original in copies.items() if original is None]
    expected = Counter(line for document in alone for line in hashes(TEXTS[document - 1]))
    assert dict(database.read("SELECT hash, documents FROM lines")) == expected
    keys = database.read("SELECT DISTINCT document FROM sketches")
    assert {document for (document,) in keys} == there
    database.close()
