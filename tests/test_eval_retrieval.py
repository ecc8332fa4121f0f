from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny_models
from fake_embedder import FakeEmbedder

from assistant import Settings, models
from assistant.errors import BadInput
from assistant.ingest import Ingest
from evals import retrieval
from evals.bm25 import Bm25

PARAGRAPHS = {
    "p1": ("Skarv", "The lighthouse on Skarv was built in 1874."),
    "p2": ("Ferry", "The ferry leaves at nine in the morning."),
    "p3": ("Quay", "Herring is sold on the quay every Friday."),
}
QUESTIONS = {
    "q1": ("When was the lighthouse built?", "p1", "1874"),
    "q2": ("When does the ferry leave?", "p2", "nine"),
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "retrieval" / "nq_paragraphs"
    folder.mkdir(parents=True)
    rows = [{"_id": id, "title": title, "text": text} for id, (title, text) in PARAGRAPHS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    rows = [{"_id": id, "text": text, "gold": gold, "answers": [a]} for id, (text, gold, a) in QUESTIONS.items()]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return tmp_path / "data"


def test_every_way_is_measured_and_the_documents_stay(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    embedder = FakeEmbedder()
    monkeypatch.setattr(Ingest, "open", lambda settings: Ingest(settings.home, lambda: embedder))
    settings = Settings(home=tmp_path / "home")
    rows = list(retrieval.measure(["nq_paragraphs"], data, settings, None, 0, None))
    assert [row.way for row in rows] == list(retrieval.WAYS)
    assert {row.questions for row in rows} == {2}
    assert all(row.figures["R@1"][0] == 1 for row in rows)
    assert all(0 <= row.ms["p50"] <= row.ms["p95"] for row in rows)
    text = "\n".join(retrieval.lines(rows))
    assert "| nq_paragraphs | reranked | 2 | 100.0 (15.8 to 100.0) |" in text
    json.dumps(retrieval.to_json(rows))
    before = embedder.texts
    list(retrieval.measure(["nq_paragraphs"], data, settings, 1, 0, None))
    assert embedder.texts < before + 12  # questions only


def test_a_cross_encoder_that_the_settings_name_is_a_way_of_its_own(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, tokenizer = (tmp_path / "models" / one.name for one in models.catalog["ms-marco-minilm-l6-v2"].files)
    tiny_models.counting(model)
    tiny_models.tokenizer(tokenizer, [text for _, text in PARAGRAPHS.values()])
    monkeypatch.setattr(Ingest, "open", lambda settings: Ingest(settings.home, FakeEmbedder))
    named = {"folder": tmp_path / "models", "reranker": "ms-marco-minilm-l6-v2"}
    settings = Settings(home=tmp_path / "home", models=named)
    rows = list(retrieval.measure(["nq_paragraphs"], data, settings, None, 0, None))
    assert [row.way for row in rows] == [*retrieval.WAYS, retrieval.CROSS_ENCODER]
    assert rows[-1].figures["R@1"][0] == 1


def test_an_unknown_set_is_told(data: Path, tmp_path: Path):
    with pytest.raises(BadInput, match="no set 'other'"):
        list(retrieval.measure(["other"], data, Settings(home=tmp_path), None, 0, None))


def test_plain_bm25():
    index = Bm25([text for _, text in PARAGRAPHS.values()])
    assert index.best("When was the LIGHTHOUSE built?", 2)[0] == 0
    assert index.best("zebra", 2) == []
    assert index.best("Friday herring", 1) == [2]
