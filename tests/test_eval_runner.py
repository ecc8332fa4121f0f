"""The runner over inspect_ai: every case once, in order, errors kept, and a killed run that goes on."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO
from inspect_ai import Task
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample

from assistant import Settings, models
from assistant.errors import AssistantError, BadInput, Busy, EngineFailed, ModelMissing, StorageError
from assistant.records import Progress
from evals import about, evaluation, runner, summary
from evals.clock import Clock, forget
from evals.records import Case, Result, Run, Score

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


def test_ctrl_c_before_the_first_case_is_no_failure_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "eval_set", interrupted)
    assert runner.run([job(lambda _: answer("yes"))], tmp_path / "logs") == ([], False)


def test_finished_logs_move_into_the_report(tmp_path: Path) -> None:
    runner.run([job(lambda _: answer("yes"))], tmp_path / "logs")
    runner.finish(tmp_path / "logs", tmp_path / "report" / "logs")
    assert not (tmp_path / "logs").exists()
    assert list((tmp_path / "report" / "logs").glob("*.eval"))


@pytest.mark.parametrize("name", ["notes.txt", "2026-01-01T00-00-00_other_x.eval", "folder"])
def test_a_folder_with_other_things_is_no_place_for_logs(tmp_path: Path, name: str) -> None:
    """Here may lie the logs of somebody's own evaluations, as inspect_ai writes them to `logs` by default."""
    runner.run([job(lambda _: answer("yes"))], tmp_path / "unfinished")
    logs = tmp_path / "report" / "logs"
    (logs / "folder").mkdir(parents=True) if name == "folder" else logs.mkdir(parents=True)
    if name != "folder":
        (logs / name).write_text("mine")
    for checked in (lambda: runner.check(logs), lambda: runner.finish(tmp_path / "unfinished", logs)):
        with pytest.raises(BadInput, match=re.escape(str(logs / name))) as caught:
            checked()
        assert "--report" in caught.value.hint
    assert [path.name for path in logs.iterdir()] == [name]
    assert (tmp_path / "unfinished").is_dir()


def test_logs_of_an_earlier_report_are_replaced(tmp_path: Path) -> None:
    logs = tmp_path / "report" / "logs"
    for _ in range(2):
        runner.run([job(lambda _: answer("yes"))], tmp_path / "unfinished")
        runner.check(logs)
        runner.finish(tmp_path / "unfinished", logs)
    assert len(list(logs.glob("*.eval"))) == 1


def test_what_inspect_wrote_for_another_program_is_not_replaced(tmp_path: Path) -> None:
    foreign = Task(name="theirs", dataset=MemoryDataset([Sample(id="1", input="?")]))
    inspect_eval(foreign, model="mockllm/model", log_dir=str(tmp_path / "logs"), display="none")
    with pytest.raises(BadInput, match=r"\.eval is no log of the evaluation"):
        runner.check(tmp_path / "logs")


@pytest.mark.parametrize("there", ["report.md", "report.html", "run.json"])
def test_a_report_does_not_take_the_place_of_another_file(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(BadInput, match=re.escape(there)):
        evaluation.check_folder(tmp_path)
    with pytest.raises(BadInput, match="no folder"):
        evaluation.check_folder(tmp_path / there)
    (tmp_path / "run.json").unlink(missing_ok=True)
    summary.write(Run({}, (), ()), tmp_path / "run.json")
    evaluation.check_folder(tmp_path)


def test_a_report_is_written_over_an_earlier_one_of_ours_and_leaves_nothing_unfinished(tmp_path: Path) -> None:
    unfinished, folder = tmp_path / "unfinished", tmp_path / "report"
    for _ in range(2):
        results, _ = evaluation._run(
            [job(lambda _: answer("yes"))], unfinished, Clock(unfinished, "now", time.monotonic()), None
        )
        done = Run({}, (summary.summarise("made-up", results, ()),), ())
        evaluation.check_folder(folder)
        evaluation.write(evaluation.Outcome(done, {}, unfinished, True), folder)
        assert not unfinished.exists()
    assert {path.name for path in folder.iterdir()} == {"run.json", "report.html", "report.md", "logs"}
    assert not list((folder / "logs").glob("clock*"))


FACTS = {"model": {"sha256": "m"}, "code": {"sha256": "c", "commit": "1"}, "started": "then"}


def test_a_commit_or_an_edited_text_does_not_begin_a_run_anew() -> None:
    other = FACTS | {"code": {"sha256": "c", "commit": "2 and changes"}, "started": "now"}
    assert about.identity(FACTS) == about.identity(other)
    assert about.identity(FACTS) != about.identity(FACTS | {"code": {"sha256": "d", "commit": "1"}})
    assert about.identity(FACTS) != about.identity(FACTS | {"model": {"sha256": "n"}})


def test_a_run_that_goes_on_keeps_its_start_and_adds_its_seconds(tmp_path: Path) -> None:
    first = Clock(tmp_path / "logs", "2026-01-01T10:00", time.monotonic() - 100)
    first.keep()  # and then it is killed
    second = Clock(tmp_path / "logs", "2026-01-02T10:00", time.monotonic() - 10)
    assert second.started == "2026-01-01T10:00"
    assert second.took_s == pytest.approx(110, abs=1)
    forget(tmp_path / "logs")
    assert list((tmp_path / "logs").iterdir()) == []
    (tmp_path / "logs" / "clock").write_text("{")
    assert Clock(tmp_path / "logs", "2026-01-03T10:00", time.monotonic()).started == "2026-01-03T10:00"


def test_the_clock_runs_from_case_to_case(tmp_path: Path) -> None:
    """And what it keeps stands among the logs, which inspect_ai must not mind."""
    logs, kept = tmp_path / "logs", []

    def ask(case: Case) -> dict[str, Any]:
        kept.append(Clock(logs, "later", time.monotonic()).started)
        if case.id == "c3" and len(kept) < 5:
            raise EngineFailed("It is closed.")
        return answer(case.id)

    with pytest.raises(EngineFailed):
        evaluation._run([job(ask)], logs, Clock(logs, "first", time.monotonic()), None)
    results, whole = evaluation._run([job(ask)], logs, Clock(logs, "second", time.monotonic()), None)
    assert whole
    assert len(results) == 6
    assert set(kept) == {"first"}


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
