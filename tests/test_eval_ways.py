"""The ways of keeping chunks, compared with the tiny model: each answers, and the exact ones alike."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from conftest import real_model

from evals import reuse, ways

PARAGRAPHS = [
    "The Northern Line opened in 1890. It carried 5.1 million passengers in its first year.",
    "Engineers led by Ada Marsh had dug for four years.",
    "In 1924 the line was extended to Morden.",
    "A museum shows the first train.",
    "Escalators of wood were replaced in 1987.",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = [{"_id": f"p{n}", "title": "Northern Line", "text": text} for n, text in enumerate(PARAGRAPHS)]
    questions = [
        {"_id": "a", "text": "When did the line open?", "gold": "p0", "answers": ["1890"], "is_impossible": False},
        {"_id": "b", "text": "Who led the engineers?", "gold": "p1", "answers": ["Ada Marsh"], "is_impossible": False},
        {"_id": "c", "text": "Who drove the train?", "gold": "p3", "answers": [], "is_impossible": True},
    ]
    for name, rows in (("corpus", corpus), ("questions", questions)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return tmp_path


def test_cases_are_the_same_in_every_run(folder: Path) -> None:
    assert reuse.cases(folder, 5) == reuse.cases(folder, 5)
    assert {case.id for case in reuse.cases(folder, 5)} == {"a", "b"}
    assert all(len(case.hits) == 1 + reuse.OTHERS for case in reuse.cases(folder, 5))


@pytest.mark.parametrize(
    ("answer", "right"), [("It opened in 1890.", True), ("the 1890", True), ("In 18901.", False), ("", False)]
)
def test_an_answer_is_right_when_it_contains_a_gold_one(answer: str, right: bool) -> None:
    assert reuse.right(answer, ["The 1890"]) is right


@pytest.mark.real
def test_every_way_answers_and_a_stopped_run_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real_model("smollm2-135m")
    monkeypatch.setenv("ASSISTANT_MODELS__LLM", "smollm2-135m")
    monkeypatch.setattr(ways, "CONTEXT", 2048)
    output = tmp_path / "answers.jsonl"
    monkeypatch.setattr(sys, "argv", ["ways", str(folder), "--articles", "1", "--output", str(output)])
    ways.main()
    rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert {(row["way"], row["id"]) for row in rows} == {(way, name) for way in ways.WAYS for name in ("a", "b")}
    assert all(row["answer"] for row in rows)
    first = capsys.readouterr().out
    ways.main()
    assert len(output.read_text("utf-8").splitlines()) == len(rows)
    assert capsys.readouterr().out == first
