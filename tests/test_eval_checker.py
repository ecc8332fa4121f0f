from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import REPO, real_model
from fake_embedder import FakeEmbedder

from assistant.embedder import Embedder
from assistant.errors import BadInput, EmbedderMismatch
from assistant.evidence import AGAINST, FEATURES
from assistant.terms import in_order, terms
from evals import calibrate, judging
from evals import claims as data
from evals.checker import FILE, Checker, Weights, judge, said
from evals.fitting import fit
from evals.records import Claim, Result, Score
from evals.stats import auroc

DATA = REPO.parent / "shared" / "evaldata"
TEXT = (
    "The harbour of Bergen was opened in 1875 by King Oscar. About 2,500 boats used it every year.\n\n"
    "The old town burned down in 1916. The mayor, Kristian Lund, had it built again of stone."
)
SAID = "The harbour of Bergen was opened in 1875."


@pytest.fixture
def checker() -> Checker:
    return Checker(FakeEmbedder(), Weights.read())


def claim(text: str, supported: bool = True, question: str = "", context: str = TEXT) -> Claim:
    return Claim(text, context, text, supported, "set", question)


def test_what_the_text_says_is_supported_and_other_things_are_not(checker: Checker):
    assert checker.support(SAID, TEXT) > checker.threshold
    assert checker.support("Dogs bark at night.", TEXT) < checker.threshold


@pytest.mark.parametrize(
    "changed",
    [
        "The harbour of Bergen was opened in 1885.",  # a number that is nowhere
        "The harbour of Bergen was opened in 1916.",  # one that belongs elsewhere
        "The harbour of Oslo was opened in 1875.",
        "The harbour of Lund was opened in 1875.",
        "The harbour of Bergen was not opened in 1875.",
        "The harbour of Bergen was closed in 1875.",
        "The airport of Bergen was opened in 1875.",
    ],
)
def test_a_changed_word_lowers_support(checker: Checker, changed: str):
    assert checker.support(changed, TEXT) < checker.support(SAID, TEXT)


def test_a_value_in_the_place_of_another_is_seen(checker: Checker):
    found = checker.features("The harbour of Bergen was opened in 1916.", TEXT)
    assert (found["words"], found["numbers_missing"]) == (1, 0)
    assert found["replaced"] == 1
    assert found["together"] == 0.5
    assert checker.features(SAID, TEXT)["replaced"] == 0
    assert checker.features("About 3,500 boats used it every year.", TEXT)["replaced"] == 1


@pytest.mark.parametrize(
    ("text", "feature", "value"),
    [
        (SAID, "words", 1),
        (SAID, "window", 1),
        (SAID, "together", 1),
        ("Kristian Lund opened 2500 boats.", "names_missing", 0),
        ("Boats of Kristian Berg came.", "names_missing", 0.5),
        ("It burned in 1916 and in 1917.", "numbers_missing", 0.5),
        ("Boats came.", "numbers_missing", 0),
        ("It never burned down in 1916.", "denied", 1),
        ("It burned down in 1916.", "denied", 0),
        ("Whales sing.", "pairs", 0),
        ("Whales sing.", "words", 0),
    ],
)
def test_a_feature(checker: Checker, text: str, feature: str, value: float):
    assert checker.features(text, TEXT)[feature] == pytest.approx(value)


def test_numbers_in_words_and_dates_in_other_forms_are_the_same(checker: Checker):
    text = "It has seven rooms and opened on December 5, 2025. It closed on 6 March 2026."
    assert checker.features("7 rooms opened on 2025-12-05.", text)["numbers_missing"] == 0
    assert checker.features("It opened on 6 December 2025.", text)["numbers_missing"] > 0


def test_the_best_window_may_be_several_sentences(checker: Checker):
    found = checker.features("Mayor Lund built again what burned down in 1916.", TEXT)
    assert found["window"] > max(
        checker.features("Mayor Lund built again.", one)["window"] for one in ("Mayor.", "1916")
    )
    assert found["together"] < 1


def test_a_claim_of_several_sentences_has_the_means_of_their_features(checker: Checker):
    first, second = checker.features(SAID, TEXT), checker.features("Whales sing.", TEXT)
    assert checker.features(f"{SAID} Whales sing.", TEXT) == pytest.approx(
        {n: (first[n] + second[n]) / 2 for n in first}
    )
    assert checker.features(f"Yes. {SAID}", TEXT) == first


def test_chinese(checker: Checker):
    text = "北京大学成立于1898年。它位于海淀区。"
    true = checker.support("北京大学成立于1898年。", text)
    assert true > checker.threshold
    for other in ("北京大学成立于1912年。", "北京大学不是1898年成立的。", "今天天气很好。"):
        assert checker.support(other, text) < true


@pytest.mark.parametrize(
    "text", [SAID, "北京大学成立于1898年, the 11th.", "AMPK's 2,500.5 ブルー中 x", "", "中", "a中国b"]
)
def test_terms_in_order_are_the_terms_of_citations(text: str):
    assert set(in_order(text)) == terms(text)


def test_more_found_is_never_less_support(checker: Checker):
    assert all((weight <= 0) == (name in AGAINST) or weight == 0 for name, weight in checker.weights.weights.items())
    whole = checker.features(SAID, TEXT)
    for sentence in TEXT.split(". "):
        part = checker.features(SAID, sentence)
        assert part["pairs"] <= whole["pairs"]
        assert part["numbers_missing"] >= whole["numbers_missing"]
    assert checker.support(SAID, f"{TEXT} {SAID}") >= checker.support(SAID, TEXT)


def test_nothing_to_check(checker: Checker):
    assert checker.support(SAID, " \n") == 0.0
    assert math.isnan(checker.support("It is.", TEXT))
    assert 0 < checker.support("Yes.", "---") < checker.threshold
    with pytest.raises(ValueError, match="empty claim"):
        checker.support(" \n", TEXT)


def test_embeddings_of_a_text_are_kept():
    embedder = FakeEmbedder()
    checker = Checker(embedder, Weights.read())
    checker.support(SAID, TEXT)
    once = embedder.texts
    assert once <= 4  # the claim, the best window, two sentences
    checker.support(SAID, TEXT)
    assert embedder.texts == once


def test_every_process_says_the_same(checker: Checker):
    code = (
        "from fake_embedder import FakeEmbedder; from evals.checker import *; "
        f"print(repr(Checker(FakeEmbedder(), Weights.read()).support({SAID!r}, {TEXT!r})))"
    )
    path = os.pathsep.join([str(REPO), str(REPO / "tests")])
    for seed in "12":
        env = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
        told = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        assert float(told) == checker.support(SAID, TEXT)


def test_a_fragment_is_read_with_its_question():
    question = "When was the harbour opened?"
    assert said(claim("1875", question=question)) == f"{question} 1875"
    assert said(claim("1875")) == "1875"
    assert said(claim(SAID, question=question)) == SAID
    assert said(claim("word " * 20, question=question)) == "word " * 20


def damaged(**changes: object) -> str:
    return json.dumps(json.loads(FILE.read_text("utf-8")) | changes)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", "\0", damaged(weights={"words": 1.0}), damaged(bias="many"), damaged(threshold=7), damaged(x=1)],
)
def test_damaged_weights(tmp_path: Path, text: str):
    file = tmp_path / "checker.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"checker\.json") as caught:
        Weights.read(file)
    assert "evals.calibrate" in caught.value.hint


def test_missing_weights(tmp_path: Path):
    with pytest.raises(BadInput, match="No such file"):
        Weights.read(tmp_path / "checker.json")


def test_weights_belong_to_their_embedder():
    with pytest.raises(EmbedderMismatch, match="all-minilm-l6-v2, not fake"):
        Checker.load(FakeEmbedder())
    assert Checker.load(FakeEmbedder(sha256=Weights.read().embedder_sha256)).threshold == Weights.read().threshold


def test_a_fit_finds_what_tells_and_leaves_out_what_goes_the_wrong_way():
    rng = np.random.default_rng(1)
    supported = rng.random(400) < 0.5
    rows = rng.random((400, len(FEATURES)))
    names = list(FEATURES)
    for name, sign in (("words", 1), ("replaced", -1), ("pairs", -1)):
        rows[:, names.index(name)] += sign * supported
    weights, bias = fit(rows, supported, np.ones(400), calibrate.SIGNS, calibrate.PENALTY)
    found = dict(zip(names, weights, strict=True))
    assert found["words"] > 0.5
    assert found["replaced"] < -0.5
    assert found["pairs"] == 0
    assert (((rows @ weights + bias) > 0) == supported).mean() > 0.95


def test_sets_of_any_size_count_the_same_for_the_threshold():
    large = ([0.1] * 50 + [0.6] * 50, np.array([False] * 50 + [True] * 50))
    small = ([0.3, 0.8], np.array([False, True]))
    assert calibrate.threshold([large, small]) == pytest.approx(0.45)


def test_calibration_of_made_up_claims():
    rng = random.Random(3)
    words = [f"word{chr(97 + i)}{chr(97 + j)}" for i in range(9) for j in range(9)]
    claims = []
    for number in range(60):
        sentences = [" ".join(rng.sample(words, 8)).capitalize() + "." for _ in range(4)]
        asked = rng.choice(sentences) if number % 2 else " ".join(rng.sample(words, 8)).capitalize() + "."
        claims.append(Claim(str(number), " ".join(sentences), asked, bool(number % 2), "made"))
    parted = {"made": (claims[:30], claims[30:])}
    weights = calibrate.calibrate(parted, FakeEmbedder())
    assert Weights.model_validate_json(weights.model_dump_json()) == weights
    assert weights.about["held_out"]["made"]["checker"]["auroc"].startswith("1.000")
    assert weights.about["calibrated_on"] == {"made": 30}
    likely = judge(Checker(FakeEmbedder(), weights), claims[30:])
    assert [value >= weights.threshold for value in likely] == [one.supported for one in claims[30:]]
    assert calibrate.calibrate(parted, FakeEmbedder()) == weights


def test_calibration_without_data(tmp_path: Path):
    with pytest.raises(BadInput, match="is not there"):
        calibrate.halves(tmp_path)


@pytest.fixture(scope="module")
def real_checker() -> Checker:
    model = real_model("all-minilm-l6-v2")
    return Checker.load(Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256))


@pytest.mark.real
def test_other_words_for_the_same(real_checker: Checker):
    same, other = "Around 2500 vessels called there annually.", "Around 3500 vessels called there annually."
    assert real_checker.support(same, TEXT) > real_checker.support(other, TEXT)
    assert real_checker.features(same, TEXT)["likeness"] > real_checker.features("Dogs bark.", TEXT)["likeness"] + 0.2


@pytest.mark.real
def test_it_tells_claims_of_people_better_than_shared_words_do(real_checker: Checker):
    if not DATA.is_dir():
        pytest.skip("needs the public evaluation data (docs/datasets.md)")
    sets = [data.read(DATA, name, calibrate.LIMIT, calibrate.SEED)[0] for name in data.NAMES]
    held_out = [data.halves(claims, calibrate.SEED)[1][:40] for claims in sets]
    ours = [auroc(judge(real_checker, claims), [one.supported for one in claims]) for claims in held_out]
    theirs = [auroc(calibrate.overlaps(claims), [one.supported for one in claims]) for claims in held_out]
    assert np.mean(ours) > np.mean(theirs)


def test_a_silent_judge_is_no_verdict_on_a_claim():
    class Silent:
        threshold = 0.5

        def support(self, claim: str, context: str) -> float:
            return math.nan if claim == "silent" else 0.9

    claims = [claim("silent", supported=False), claim(SAID), claim("Dogs bark.", supported=False)]
    job = judging.job(claims, Silent())  # type: ignore[arg-type]
    results = []
    for case in job.cases:
        result = Result(job.suite, case, json.loads(json.dumps(job.ask(case), allow_nan=False)))
        results.append(Result(job.suite, case, result.answer, scores=job.score(result)))
    assert set(results[0].scores.values()) == {Score(None, "the judge gave no verdict")}
    assert results[0].answer
    assert results[0].answer["sentences"][0]["verdict"] == "unchecked"
    of_all = next(figure for figure in judging.figures(results) if figure.name == "balanced_accuracy")
    assert (of_all.n, of_all.unscored) == (2, {"the judge gave no verdict": 1})
    assert of_all.name in judging.names()
