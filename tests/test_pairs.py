"""Cross-encoders: two texts to a score, with real ONNX files of a few kilobytes (tiny_models)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
from conftest import real_model

from assistant.errors import ModelDamaged
from assistant.pairs import CrossEncoder

TEXT = "The ferry to Skarv leaves at nine in the morning."
WORDS = [TEXT, "When does the bus leave? [SEP] [CLS]", "premise: hypothesis: true?"]

Make = Callable[..., CrossEncoder]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(kind: Callable[..., Path] = tiny_models.counting, options: Any = None, **settings: Any) -> CrossEncoder:
        model = kind(tmp_path / "model.onnx", **(options or {}))
        return CrossEncoder("tiny", model, tiny_models.tokenizer(tmp_path / "tokenizer.json", WORDS), **settings)

    return made


def test_each_pair_has_its_score_in_the_order_given(make: Make):
    pairs = [("the ferry leaves", TEXT), ("the bus leaves", TEXT), ("bus", TEXT), ("", TEXT), ("ferry", "")]
    found = make().scores(pairs)
    assert found.dtype == np.float32
    assert found.tolist() == [3, 1, -1, 0, -1]


def test_no_pairs_have_no_scores(make: Make):
    assert make().scores([]).shape == (0,)


def test_a_pair_has_the_same_score_alone_and_among_others(make: Make):
    model = make()
    pairs = [("the ferry", TEXT * n) for n in range(9)]
    assert model.scores(pairs).tolist() == [model.scores([pair])[0] for pair in pairs]


def test_several_threads_at_once(make: Make):
    model = make()
    pairs = [(word, TEXT) for word in TEXT.split()]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: model.scores(pairs).tolist(), range(20)))
    assert found == [model.scores(pairs).tolist()] * 20


def test_of_what_is_too_long_the_end_of_the_longer_text_is_left_out(make: Make):
    model, text = make(tokens=12), "at " * 20 + "ferry"
    assert model.scores([("ferry", text)])[0] == -1
    assert model.scores([("ferry", "at at at at ferry")])[0] == 1
    assert make().scores([("ferry", text)])[0] == 1, "without a limit all is read"


def test_a_control_token_in_a_text_is_text(make: Make):
    """Otherwise a document could end the question, or pose as one."""
    assert make().scores([("[SEP] ferry", "[ sep ] ferry")])[0] == 4


@pytest.mark.parametrize("yes", [0, 1, 2])
def test_of_several_outputs_the_log_odds_of_one_count(make: Make, yes: int):
    found = make(options={"classes": 3, "yes": yes}, yes=yes).scores([("ferry leaves", TEXT)])[0]
    assert found == pytest.approx(2 - np.log(2))  # over the two others, which are 0
    assert 1 / (1 + np.exp(-found)) == pytest.approx(np.exp(2) / (np.exp(2) + 2))  # what a softmax gives


def test_a_template_makes_one_text_of_two_and_the_first_token_answers(tmp_path: Path):
    words = [*WORDS, "<first>"]
    tokens = tiny_models.tokenizer(tmp_path / "tokenizer.json", words, pair=False)
    model = CrossEncoder(
        "tiny",
        tiny_models.measuring(tmp_path / "model.onnx"),
        tokens,
        yes=1,
        template="premise: {first} hypothesis: {second}",
        start="[CLS]",
    )
    assert model.scores([(TEXT, "{first}"), ("", "")]).tolist() == [tiny_models.SPECIAL.index("[CLS]")] * 2
    seen = model._encoded([("ferry {second}", "leaves")])[0].tokens
    assert seen == ["premise", ":", "ferry", "[UNK]", "[UNK]", "[UNK]", "hypothesis", ":", "leaves"]


def test_a_file_that_is_none_is_told(tmp_path: Path):
    tokens = tiny_models.tokenizer(tmp_path / "tokenizer.json", WORDS)
    (tmp_path / "model.onnx").write_bytes(tiny_models.counting(tmp_path / "whole.onnx").read_bytes()[:300])
    with pytest.raises(ModelDamaged, match=r"model tiny cannot be loaded from .*model\.onnx") as caught:
        CrossEncoder("tiny", tmp_path / "model.onnx", tokens)
    assert "models verify" in caught.value.hint
    tokens.write_text("{}")
    with pytest.raises(ModelDamaged, match=r"tokenizer\.json"):
        CrossEncoder("tiny", tmp_path / "whole.onnx", tokens)


def test_a_model_of_another_kind_is_told_when_it_is_loaded(make: Make, tmp_path: Path):
    with pytest.raises(ModelDamaged, match="index 4 is out of bounds"):
        make(yes=4)
    with pytest.raises(ModelDamaged, match="NoneType"):
        make(start="<none>")


@pytest.mark.real
def test_a_real_model_of_another_kind_is_asked_what_it_can_be(tmp_path: Path):
    """The embedder reads pairs as well: BERT's tokenizer and inputs are the cross-encoder's."""
    files = real_model("all-minilm-l6-v2").paths
    model = CrossEncoder("minilm", files["model"], files["tokenizer"], tokens=512, yes=1)
    assert model.scores([("When?", TEXT), ("x" * 9000, TEXT * 900)]).shape == (2,)
