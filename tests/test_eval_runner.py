"""The runner over inspect_ai: every case once, in order, errors kept, and a killed run that goes on."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO

from assistant import Settings, models
from assistant.errors import AssistantError, BadInput, Busy, EngineFailed, ModelMissing, StorageError
from assistant.records import Progress
from evals import about, runner
from evals.records import Case, Result, Score

CASES = tuple(Case(f"c{number}", f"Question {number}?") for number in range(6))


def answer(text: str) -> dict[str, Any]:
    return {"answer": text, "sentences": [], "citations": [], "hits": []}


def score(result: Result) -> dict[str, Score]:
    if result.answer is None:
        return {"right": Score(None, "failed"), "f1": Score(None, "failed")}
    return {"right": Score(1.0), "f1": Score(None, "no gold")}


def job(ask: Any) -> runner.Job:
    return runner.Job("made-up", CASES, ask, score)


def test_every_case_gives_one_result_in_order(tmp_path: Path) -> None:
    seen: list[Progress] = []
    results, whole = runner.run([job(lambda case: answer(case.id))], tmp_path / "logs", seen.append)
    assert whole
    assert [result.case for result in results] == list(CASES)
    assert [result.answer and result.answer["answer"] for result in results] == [case.id for case in CASES]
    assert all(result.scores == {"right": Score(1.0), "f1": Score(None, "no gold")} for result in results)
    assert [step.done for step in seen] == list(range(7))


def test_a_case_that_fails_says_why_and_the_others_go_on(tmp_path: Path) -> None:
    def ask(case: Case) -> dict[str, Any]:
        if case.id == "c2":
            raise BadInput("It cannot be asked.", "Ask another.")
        if case.id == "c4":
            raise RuntimeError("broken")
        return answer("yes")

    results, whole = runner.run([job(ask)], tmp_path / "logs")
    assert whole
    failed = {result.case.id: result for result in results if result.answer is None}
    assert set(failed) == {"c2", "c4"}
    assert failed["c2"].error == {"type": "bad_input", "message": "It cannot be asked. Ask another."}
    assert failed["c2"].scores["right"] == Score(None, "failed")
    assert failed["c4"].error is not None
    assert "broken" in failed["c4"].error["message"]


def test_a_case_that_cannot_be_scored_says_why(tmp_path: Path) -> None:
    def broken(result: Result) -> dict[str, Score]:
        if result.answer and result.case.id == "c2":
            raise RuntimeError("broken")
        return score(result)

    results, whole = runner.run([runner.Job("made-up", CASES, lambda _: answer("yes"), broken)], tmp_path / "logs")
    assert whole
    failed = {result.case.id: result for result in results if result.answer is None}
    assert set(failed) == {"c2"}
    assert failed["c2"].error == {"type": "unexpected", "message": "RuntimeError: broken"}
    assert failed["c2"].scores["right"] == Score(None, "failed")


@pytest.mark.parametrize("kind", [EngineFailed, Busy, StorageError, ModelMissing])
def test_what_is_not_the_cases_fault_ends_the_run_and_the_same_run_goes_on(
    tmp_path: Path, kind: type[AssistantError]
) -> None:
    asked: list[str] = []
    dead = True

    def ask(case: Case) -> dict[str, Any]:
        asked.append(case.id)
        if dead and case.id == "c3":
            raise kind("It is closed.", "Start it again.")
        return answer(case.id)

    jobs = [job(ask), runner.Job("other", CASES[:2], ask, score)]
    with pytest.raises(kind, match=r"It is closed\. Start it again\. The same command goes on"):
        runner.run(jobs, tmp_path / "logs")
    assert asked == ["c0", "c1", "c2", "c3"]
    dead = False
    results, whole = runner.run(jobs, tmp_path / "logs")
    assert whole
    assert [result.answer and result.answer["answer"] for result in results] == [
        *(case.id for case in CASES),
        "c0",
        "c1",
    ]
    assert sorted(asked[4:]) == ["c0", "c1", "c3", "c4", "c5"]


def test_several_suites_in_one_run(tmp_path: Path) -> None:
    other = runner.Job("other", CASES[:2], lambda _: answer("no"), score)
    results, whole = runner.run([job(lambda _: answer("yes")), other], tmp_path / "logs")
    assert whole
    assert [result.suite for result in results] == ["made-up"] * 6 + ["other"] * 2


KILLED = """
    import os, sys
    from pathlib import Path
    sys.path[:0] = [{repo!r}, {tests!r}]
    from evals import runner
    from test_eval_runner import CASES, answer, score

    def ask(case):
        with open({asked!r}, "a") as stream:
            stream.write(case.id + "\\n")
        if case.id == {dies!r}:
            os._exit(9)
        return answer(case.id)

    results, whole = runner.run([runner.Job("made-up", CASES, ask, score)], Path({logs!r}))
    print(whole, [result.answer["answer"] for result in results])
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    asked = tmp_path / "asked"

    def start(dies: str) -> subprocess.CompletedProcess[str]:
        script = textwrap.dedent(KILLED).format(
            repo=str(REPO), tests=str(REPO / "tests"), asked=str(asked), dies=dies, logs=str(tmp_path / "logs")
        )
        environment = os.environ | {"XDG_DATA_HOME": str(tmp_path)}
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)

    assert start(dies="c3").returncode == 9
    second = start(dies="")
    assert second.returncode == 0, second.stderr
    assert second.stdout.startswith("True ['c0', 'c1', 'c2', 'c3', 'c4', 'c5']")
    assert sorted(asked.read_text().split()) == ["c0", "c1", "c2", "c3", "c3", "c4", "c5"]


@pytest.mark.parametrize("stops", ["made-up", "other"])
def test_ctrl_c_is_a_run_that_was_stopped_and_no_failure(tmp_path: Path, stops: str) -> None:
    stopping = True

    def asking(suite: str) -> Any:
        def ask(case: Case) -> dict[str, Any]:
            if stopping and suite == stops and case.id == "c1":
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.5)  # a case is not asked to its end
            return answer(case.id)

        return ask

    jobs = [runner.Job(suite, CASES[:3], asking(suite), score) for suite in ("made-up", "other")]
    results, whole = runner.run(jobs, tmp_path / "logs")
    assert not whole
    assert 0 < len(results) < 6
    stopping = False
    results, whole = runner.run(jobs, tmp_path / "logs")
    assert whole
    assert [result.answer and result.answer["answer"] for result in results] == ["c0", "c1", "c2"] * 2


def test_finished_logs_move_into_the_report(tmp_path: Path) -> None:
    runner.run([job(lambda _: answer("yes"))], tmp_path / "logs")
    runner.finish(tmp_path / "logs", tmp_path / "report" / "logs")
    assert not (tmp_path / "logs").exists()
    assert list((tmp_path / "report" / "logs").glob("*.eval"))


def test_weights_and_optional_models_are_part_of_what_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about, "ROOT", tmp_path)
    (tmp_path / "assistant").mkdir()
    weights = tmp_path / "assistant" / "check.json"
    hashes = set()
    for text in ("{}", '{"threshold": 0.5}'):
        weights.write_text(text)
        hashes.add(about._code())
    assert len(hashes) == 2
    for file, text in zip(models.catalog["ms-marco-minilm-l6-v2"].files, ("model", "tokenizer"), strict=True):
        (tmp_path / file.name).parent.mkdir(exist_ok=True)
        (tmp_path / file.name).write_text(text)
    named = {"folder": tmp_path, "reranker": "ms-marco-minilm-l6-v2", "checker": "hhem-2.1-open"}
    found = about._optional(Settings(home=tmp_path, models=named))
    assert found == {
        "reranker": {"name": "ms-marco-minilm-l6-v2", "sha256": hashlib.sha256(b"model").hexdigest()},
        "checker": {"name": "hhem-2.1-open", "sha256": None},
    }
    assert about._optional(Settings(home=tmp_path, models={"folder": tmp_path})) == {}
