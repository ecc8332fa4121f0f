"""What the check is fitted to: which questions and claims are taken, and that rows teach the probe and the check."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_embedder import FakeEmbedder

from assistant.check import KNOWN, Checker, WordsWeights
from evals import evaluation, witness
from evals.calibrate_check import Rows, stated_within, train
from evals.public import squad2, squad2_paragraphs
from evals.records import Case
from evals.witness import FOUND, Row, Task

DATA = Path(__file__).parents[2] / "shared" / "evaldata"


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    if not DATA.is_dir():
        pytest.skip(f"the public data are not at {DATA}")
    return witness.work(DATA, 120, 60, 2)


def test_nothing_is_taken_of_what_the_suite_asks_about(tasks: list[Task]) -> None:
    about = squad2_paragraphs(DATA)
    lines = (DATA / "qa_abstain/squad2_A/corpus.jsonl").read_text("utf-8").splitlines()
    paragraphs = {row["_id"]: row["text"] for row in map(json.loads, lines)}
    asked = {paragraphs[about[case.id]] for case in squad2(DATA, 300, evaluation.SEED).cases}
    taken = [task.of for task in tasks if isinstance(task.of, Case) and task.of.id in about]
    assert len(taken) == 120
    assert not asked & {given.text for case in taken for given in case.given}


def test_half_of_the_questions_have_an_answer_and_all_ids_differ(tasks: list[Task]) -> None:
    kinds = Counter((task.of.tags == (FOUND,), task.of.answerable) for task in tasks if isinstance(task.of, Case))
    assert kinds[False, True] == kinds[False, False] == 60
    assert abs(kinds[True, True] - kinds[True, False]) <= 2
    assert len({task.id for task in tasks}) == len(tasks)


def test_a_question_without_its_paragraph_has_its_answer_nowhere(tasks: list[Task]) -> None:
    without = [task.of for task in tasks if isinstance(task.of, Case) and task.id.endswith(" without")]
    assert without
    for case in without:
        assert not any(gold.lower() in given.text.lower() for given in case.given for gold in case.answers)


def _row(number: int, answered: bool, draw: np.random.Generator) -> Row:
    right = number % 2 == 0
    hidden = draw.normal(size=400) + (2.0 if right else -2.0)
    return Row(
        id=str(number),
        group=witness.ANSWERS,
        text=f"text {number}",
        question="Who?",
        sentences=("Ada Lovelace wrote the first program.",) if answered else (),
        passages=("Ada Lovelace wrote the first program in 1843.",),
        supported=right,
        stated=(1.0 if right else -1.0,) if answered else (),
        hidden=tuple(hidden.tolist()),
    )


def test_rows_that_were_only_read_teach_the_probe() -> None:
    draw = np.random.default_rng(5)
    rows = [_row(number, number < 12, draw) for number in range(300)]
    table = Rows(rows, Checker(FakeEmbedder(), WordsWeights.read()))
    assert len(table.rows) == len(table.found) == 12
    known = np.array([one[KNOWN] for one in table.found])
    assert (known[table.true] > 0).all()
    assert (known[~table.true] < 0).all()
    fitted = train(rows, "m")
    assert fitted.log_odds([2.0] * 400) > 0 > fitted.log_odds([-2.0] * 400)


def test_what_the_model_says_lies_within_all_but_the_outermost() -> None:
    draw = np.random.default_rng(5)
    rows = [replace(_row(number, True, draw), stated=(number - 50.0,)) for number in range(101)]
    assert stated_within(rows) == (-48.0, 49.5)
    assert stated_within([*rows, _row(1, False, draw)]) == (-48.0, 49.5)
