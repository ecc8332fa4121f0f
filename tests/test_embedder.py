from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import real_model

from assistant.embedder import WINDOW_TOKENS, Embedder
from assistant.errors import ModelDamaged


def test_a_file_that_is_no_tokenizer(tmp_path: Path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelDamaged, match=r"tokenizer\.json") as caught:
        Embedder("name", tmp_path / "model.onnx", tmp_path / "tokenizer.json", "0" * 64)
    assert "models verify" in caught.value.hint


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    model = real_model("all-minilm-l6-v2")
    return Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256)


@pytest.mark.real
def test_a_file_that_is_no_model(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelDamaged, match=r"model\.onnx"):
        Embedder("name", tmp_path / "model.onnx", real_model("all-minilm-l6-v2").paths["tokenizer"], "0" * 64)


@pytest.mark.real
def test_vectors_have_length_one_and_the_models_width(embedder: Embedder):
    vectors = embedder.embed(["A sentence.", "", "中国创新", "x" * 5000, "\n\t \0"])
    assert vectors.shape == (5, embedder.dimensions) == (5, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-5)


@pytest.mark.real
def test_no_texts_give_no_vectors(embedder: Embedder):
    assert embedder.embed([]).shape == (0, 384)


@pytest.mark.real
@pytest.mark.parametrize(
    ("text", "found"),
    [("A LAMP\nburns — 中国 🙂 é.", {"LAMP", "burns", "中"}), ("word " * 900, {"word"}), ("", set())],
)
def test_each_token_has_its_place(embedder: Embedder, text: str, found: set[str]):
    (places,), (states,) = embedder.places([text]), embedder.read([text])[1]
    assert len(places) == len(states)
    assert {text[place.start : place.end] for place in places} >= found


@pytest.mark.real
def test_likeness_of_meaning(embedder: Embedder):
    cat, feline, stocks = embedder.embed(
        ["The cat sits on the mat.", "A feline rests on a rug.", "Share prices fell sharply on Monday."]
    )
    assert cat @ feline > 0.4
    assert cat @ stocks < 0.2


@pytest.mark.real
def test_a_text_has_the_same_vector_alone_and_among_others(embedder: Embedder):
    texts = ["Short.", "A longer sentence about the weather in Bergen. " * 8, "word " * 900, "", "Another one."]
    together = embedder.embed(texts)
    assert np.array_equal(together, np.vstack([embedder.embed([text]) for text in texts]))
    assert np.array_equal(together, embedder.embed(texts[::-1])[::-1])


@pytest.mark.real
def test_the_end_of_a_long_text_counts(embedder: Embedder):
    start = "The harbour master counts the boats every morning before the ferry leaves. " * 40
    end = "Volcanic ash closed the airport in Iceland for six days."
    assert len(embedder._tokenizer.encode(start).overflowing) > 1
    question = embedder.embed(["Why was the airport closed?"])[0]
    without, with_end = embedder.embed([start, f"{start} {end * 10}"])
    assert question @ with_end > question @ without + 0.1


@pytest.mark.real
def test_windows_hold_every_token_of_a_text(embedder: Embedder):
    text = " ".join(f"number{i}" for i in range(1000))
    first = embedder._tokenizer.encode(text)
    windows = [first, *first.overflowing]
    assert max(len(window.ids) for window in windows) == WINDOW_TOKENS
    covered = {span for window in windows for span in window.offsets}
    assert {i for start, end in covered for i in range(start, end)} >= {i for i, c in enumerate(text) if c != " "}


@pytest.mark.real
def test_several_threads_at_once(embedder: Embedder):
    texts = [f"Sentence number {i} about harbours." for i in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: embedder.embed([text])[0], texts))
    assert np.array_equal(np.vstack(found), embedder.embed(texts))
