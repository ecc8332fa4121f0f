from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fake_embedder import FakeEmbedder
from test_index import MODEL, vectors

from assistant.flat import Flat
from assistant.index import Index
from assistant.ingest import Ingest
from assistant.records import Chunk

CHUNKS = [Chunk(f"{name}-{at}-{at + 1}", name, f"text {at}", at, at + 1) for name in "abcd" for at in range(5)]


def nearest(made: np.ndarray, question: np.ndarray, n: int, documents: set[str]) -> dict[str, float]:
    """What comes of comparing all."""
    scores = {chunk.id: float(v @ question) for chunk, v in zip(CHUNKS, made, strict=True)}
    meant = {chunk.id: scores[chunk.id] for chunk in CHUNKS if chunk.document_id in documents}
    return dict(sorted(meant.items(), key=lambda one: -one[1])[:n])


def test_all_chunks_of_the_documents_are_compared(tmp_path: Path):
    flat, made = Flat(tmp_path / "vectors.sqlite3"), vectors(len(CHUNKS))
    flat.put("one", "model", [chunk.id for chunk in CHUNKS], 7 * made)  # lengths do not matter
    for documents in ({"a"}, {"b", "d"}, set("abcd")):
        for n in (1, 4, 50):
            found = flat.search("one", "model", made[3], n, documents)
            expected = nearest(made, made[3], n, documents)
            assert found == pytest.approx(expected, abs=1e-6)
            assert list(found) == list(expected)
    flat.close()


def test_what_it_lacks_is_said(tmp_path: Path):
    flat, made = Flat(tmp_path / "vectors.sqlite3"), vectors(len(CHUNKS))
    flat.put("one", "model", [chunk.id for chunk in CHUNKS[:10]], made[:10])
    assert flat.search("one", "model", made[0], 5, {"a", "b"})
    for collection, model, documents in (
        ("one", "model", {"a", "c"}),
        ("one", "other", {"a"}),
        ("two", "model", {"a"}),
    ):
        assert flat.search(collection, model, made[0], 5, documents) is None
    flat.drop("one", [CHUNKS[0].id, CHUNKS[3].id, CHUNKS[7].id, "c-0-1"])
    assert flat.search("one", "model", made[0], 50, {"a", "b"}) == pytest.approx(
        {chunk.id: float(made[at] @ made[0]) for at, chunk in enumerate(CHUNKS[:10]) if at not in (0, 3, 7)}, abs=1e-6
    )
    flat.put("one", "model", [chunk.id for chunk in CHUNKS[1:4]], made[11:14])  # in the place of what was there
    assert flat.search("one", "model", made[0], 50, {"a"}) == pytest.approx(
        {CHUNKS[at].id: float(made[v] @ made[0]) for at, v in ((1, 11), (2, 12), (3, 13), (4, 4))}, abs=1e-6
    )
    flat.drop("one", [chunk.id for chunk in CHUNKS[:5]])
    assert flat.search("one", "model", made[0], 5, {"a"}) is None
    flat.clear("one")
    assert flat.search("one", "model", made[0], 5, {"b"}) is None
    flat.close()


def test_an_index_with_vectors_and_one_without_find_the_same(tmp_path: Path):
    index, made = Index(tmp_path / "chroma"), vectors(len(CHUNKS))
    index.add("default", CHUNKS, made, MODEL)
    expected = nearest(made, made[7], 4, {"b", "c"})
    assert index.search("default", made[7], 4, MODEL, {"b", "c"}) == pytest.approx(expected, abs=1e-5)
    index._beside().flat.clear()  # as it was before there was a flat index
    assert index.search("default", made[7], 4, MODEL, {"b", "c"}) == pytest.approx(expected, abs=1e-5)
    index._beside().flat.put(
        "default", MODEL.sha256, [CHUNKS[5].id, "a-900-950"], made[5:7]
    )  # one that is gone by now
    index.fill("default")
    assert index._beside().flat.count("default") == len(CHUNKS)
    kept = index._beside().flat.search("default", MODEL.sha256, made[7], 4, {"b", "c"})
    assert kept == pytest.approx(expected, abs=1e-5)
    index.delete("default", [chunk.id for chunk in CHUNKS])
    assert index._beside().flat.chunk_ids("default") == set()
    assert index.search("default", made[7], 4, MODEL, {"b", "c"}) == {}
    index.close()


def test_the_next_ingest_puts_in_what_came_in_before(tmp_path: Path):
    ingest = Ingest(tmp_path / "home", FakeEmbedder)
    ingest.add_bytes("ferry.txt", b"The ferry leaves at nine.", "default")
    ingest.index._beside().flat.clear()
    assert ingest.add_bytes("ferry.txt", b"The ferry leaves at nine.", "default").outcome == "unchanged"
    assert ingest.index._beside().flat.chunk_ids("default") == set(ingest.library.chunk_ids("default"))
    ingest.close()


def test_what_is_lacking_comes_by_whole_documents(tmp_path: Path):
    flat, made = Flat(tmp_path / "vectors.sqlite3"), vectors(len(CHUNKS))
    known = [chunk.id for chunk in CHUNKS]
    owners = sorted({chunk.document_id for chunk in CHUNKS})
    parts = list(flat.lacking("one", known, 1))
    assert [{name.split("-")[0] for name in part} for part in parts] == [{name} for name in owners]
    assert sorted(name for part in parts for name in part) == sorted(known)
    assert list(flat.lacking("one", known, 1000)) == [sorted(known)]
    flat.put("one", "model", [*known, "z-0-1"], np.vstack([made, made[:1]]))
    assert list(flat.lacking("one", known, 1)) == []
    assert flat.chunk_ids("one") == set(known)
    assert list(flat.lacking("one", [], 1)) == []
    assert flat.count("one") == 0
    flat.close()
