"""`--where`: SQL finds what `Where.fits` names, and a search in it finds what one through all its chunks does."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_embedder import FakeEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assistant import retrieve
from assistant.ingest import Ingest
from assistant.library import Library
from assistant.records import Document
from assistant.retrieve import Retriever
from assistant.where import Where

NAMES = (
    None,
    "Xinhua",
    "xinhua",
    "XINHUA ",
    "Café",
    unicodedata.normalize("NFD", "CAFÉ"),
    "Straße",
    "STRASSE",
    "100%",
)
DAYS = (None, "2023", "2024", "2024-05", "2024-05-01", "2024-05-17", "2024-12-31", "2025-01-01")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A document for each pair of a name and a day; a second collection's fit nothing of it."""
    made = Library(tmp_path_factory.mktemp("filters") / "library.sqlite3")
    for collection in ("first", "other"):
        made.begin(collection, "fake")
    for number, (name, day) in enumerate((name, day) for name in NAMES for day in DAYS):
        facts = {"title": name, "author": NAMES[number % 3], "publisher": NAMES[number % 5], "date": day}
        whole = Document(f"{number:016x}", f"{number:064x}", f"/d/{name}.txt", f"{name}.txt", f"{number}", **facts)
        made.commit("first", whole, f"/d/{number}/{name}.txt", [], "r1")
        made.commit("other", replace(whole, id=f"{1000 + number:016x}"), f"/o/{number}.txt", [], "r1")
    made.attach("first", "/d/elsewhere.txt", f"{3:016x}")  # a document is known by the path it was first seen at
    yield made
    made.close()


def asked(values: Sequence[str | None]) -> st.SearchStrategy[str]:
    return st.sampled_from(["", "", *(value for value in values if value), "nothing"])


@settings(deadline=None, max_examples=300)
@given(
    where=st.builds(
        Where,
        publisher=asked(NAMES),
        title=asked(NAMES),
        file=asked(["xinhua.txt", "None.txt", "CAFÉ.TXT", "strasse.txt", "elsewhere.txt"]),
        author=asked(NAMES),
        date=asked(DAYS),
        after=asked(DAYS),
        before=asked(DAYS),
    )
)
def test_sql_finds_the_documents_that_fit(library: Library, where: Where):
    expected = [info.id for info in library.documents("first") if where.fits(info)]
    found, chunks, every = library.fitting("first", where)
    assert sorted(found) == sorted(expected)
    sizes = {info.id: info.chunks for info in library.documents("first")}
    assert (chunks, every) == (sum(sizes[name] for name in expected), sum(sizes.values()))


class Exact:
    """An index that compares the question with every chunk of the documents that are meant."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        chunks = ingest.library.chunks("default", ingest.library.chunk_ids("default")).values()
        self._chunks = list(chunks)
        self._vectors = ingest.embedder.embed([chunk.text for chunk in self._chunks])

    def search(
        self,
        collection: str,
        vector: NDArray[np.float32],
        n: int,
        embedder: FakeEmbedder,
        documents: Sequence[str] | None = None,
    ) -> dict[str, float]:
        scores = {
            chunk.id: float(score)
            for chunk, score in zip(self._chunks, self._vectors @ vector, strict=True)
            if documents is None or chunk.document_id in documents
        }
        return dict(sorted(scores.items(), key=lambda one: -one[1])[:n])

    def codes(self, *arguments: object) -> dict[str, bytes]:
        return self._ingest.index.codes(*arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ingest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    """Eighty documents: half by one publisher, a tenth by another, one by a third; each of a month of its own."""
    folder = tmp_path_factory.mktemp("files")
    rng = random.Random(3)
    words = [f"{chr(97 + number % 26)}ord{number}" for number in range(300)]
    for number in range(80):
        publisher = "Large" if number % 2 else "Small" if number % 10 == 0 else "Lone" if number == 8 else "Another"
        head = f"---\npublisher: {publisher} Post\ndate: {2000 + number // 12}-{1 + number % 12:02d}\n---\n"
        common = ["harbour"] * (1 if number < 20 else 0 if number % 2 else 9)  # the best are no Large Post's
        common += ["ferry"] * rng.randrange(9) + ["skarv"] * rng.randrange(7) + ["late"] * rng.randrange(5)
        (folder / f"{number}.txt").write_text(head + " ".join([*common, *rng.sample(words, 30)]) + ".\n")
    made = Ingest(tmp_path_factory.mktemp("home"), FakeEmbedder)
    made.add([folder], "default")
    yield made
    made.close()


@pytest.mark.parametrize("rerank", [True, False])
@pytest.mark.parametrize(
    "where",
    [
        Where(publisher="large post"),
        Where(publisher="small post"),
        Where(publisher="lone post"),
        Where(after="2002"),
        Where(before="2000-02"),
        Where(date="2003", publisher="large post"),
        Where(after="1990"),
    ],
    ids=str,
)
def test_what_is_found_is_what_a_search_through_all_would_find(
    ingest: Ingest, where: Where, rerank: bool, monkeypatch: pytest.MonkeyPatch
):
    """With pools so small that some of these are looked for among all chunks, and not always enough of them found."""
    for name, value in (("POOL", 3), ("PER_HIT", 1), ("RERANKED", 3), ("DEARER", 3)):
        monkeypatch.setattr(retrieve, name, value)
    fitting = {info.id for info in ingest.documents("default") if where.fits(info)}
    for question in ("Is the ferry to Skarv late?", "ferry", "harbour", "ord5 aord0 late", "nothing of it"):
        hits = Retriever(ingest.embedder, ingest.index, ingest.library, rerank).search(
            "default", question, 3, where=where
        )
        with monkeypatch.context() as patch:
            patch.setattr(retrieve, "DEARER", 1000)
            expected = Retriever(ingest.embedder, Exact(ingest), ingest.library, rerank).search(
                "default", question, 3, where=where
            )
        assert {hit.chunk.document_id for hit in hits} <= fitting
        assert len(hits) == min(3, len(fitting))
        assert [hit.chunk.id for hit in hits] == [hit.chunk.id for hit in expected]
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)


def test_a_collection_that_another_process_has_just_removed(tmp_path: Path):
    made = Ingest(tmp_path, FakeEmbedder)
    made.add_bytes("ferry.txt", b"The ferry leaves at nine.", "default")
    place = retrieve._Place("default", frozenset({"gone"}))
    seen = Retriever(made.embedder, made.index, made.library)._best(
        place, 3, lambda *, n, documents=None: {"a-0-1": 1.0}, exact=True
    )
    assert seen == {"a-0-1": 1.0}
    assert made.library.fitting("default", Where(publisher="nobody"))[:2] == ([], 0)
    made.close()
