"""`evals.scale`: files that the product's readers understand, steps that go on where they were stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import real_model
from fake_embedder import FakeEmbedder

from assistant import documents
from assistant.ingest import Ingest
from evals import scale as module
from evals import scale_texts
from evals.scale import STEPS, Scale, run
from evals.scale_texts import TableEmbedder, Writer

WORDS = tuple(
    f"{first}{second}{third}" for first in "bdfgklmnpr" for second in "aeiou" for third in "bdfgklmnprstvwxz"
)
DOCUMENTS = 12


@pytest.fixture
def scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scale:
    monkeypatch.setattr(scale_texts, "WORDS", 150)
    monkeypatch.setattr(Scale, "ingest", lambda self, runs=False: Ingest(self.folder / "home", FakeEmbedder))
    return made(tmp_path)


def made(folder: Path, count: int = DOCUMENTS) -> Scale:
    found = Scale(folder, count, 3, threading.Event())
    found.writer = Writer(WORDS)  # type: ignore[misc]
    return found


def test_a_file_states_what_the_readers_find():
    writer = Writer(WORDS)
    for number in range(20):
        text = writer.text(number)
        read = documents.read_bytes(text.encode(), "a.txt", "/a.txt")
        assert (read.title, read.publisher) == (writer.title(number), writer.publisher(number))
        assert read.date == writer.day(number).isoformat()
        assert read.author
        assert text == Writer(WORDS).text(number)
        assert writer.question(number).rstrip("?").split()[1] in text


def test_the_steps(scale: Scale):
    found = run(scale, [step for step in STEPS if step != "sample"])
    assert found["ingest"]["documents"] == DOCUMENTS
    assert found["ingest"]["done"]
    assert found["ingest"]["chunks"] >= DOCUMENTS
    assert found["ingest"]["chunks_per_s"] > 0
    assert found["unchanged"]["documents_per_s"] > 0
    assert found["search"]["plain, all"]["own_document_found"] == 1
    assert found["search"]["reranked, a title"]["chunks"] == found["ingest"]["chunks"] // DOCUMENTS
    with pytest.raises(SystemExit, match="12 documents"):
        run(made(scale.folder, 13), ["make"])


def test_what_was_stopped_goes_on(scale: Scale, monkeypatch: pytest.MonkeyPatch):
    run(scale, ["make"])
    scale.cancel.set()
    with pytest.raises(SystemExit) as stopped:
        run(scale, ["ingest"])
    assert stopped.value.code == 130
    assert not module.figures(scale.folder)["ingest"]["done"]
    again = made(scale.folder)
    with pytest.raises(SystemExit, match="Before unchanged comes the step ingest"):
        run(again, ["unchanged"])
    found = run(again, ["ingest", "unchanged"])
    assert found["ingest"]["done"]
    assert found["ingest"]["documents"] == DOCUMENTS


def test_the_table_stands_for_the_model():
    model = real_model("all-minilm-l6-v2")
    embedder = TableEmbedder(model, runs=False)
    one, same, other = embedder.embed(["harbour timber", "the timber of the harbour", "senate election"])
    assert one.shape == (384,)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert one @ same > 0.9 > 0.3 > one @ other
    embedder.close()
