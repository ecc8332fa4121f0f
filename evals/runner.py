"""Asks the cases of suites and scores what comes back: tasks, solver, scorer and logs of inspect_ai, which this room
alone imports.

A log is written after every case. A run that was stopped lies in `unfinished/`, under a digest of all that could
change an answer; the same command finds it there and asks only what is left. What fails for a reason of its own is a
failed case; where the engine, a model or the disk failed, the run ends: its figures would say nothing of the answers.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("INSPECT_DISABLE_VERSION_CHECK", "1")

import anyio
from inspect_ai import Task, eval_set
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, EvalSample, list_eval_logs, read_eval_log, read_eval_log_sample_summaries
from inspect_ai.scorer import Score as Graded
from inspect_ai.scorer import Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from assistant.errors import AssistantError, BadInput, Busy, EngineFailed, ModelError, StorageError
from assistant.records import OnProgress, Progress
from evals import cases
from evals.records import Case, Result, Score

ANSWER, ERROR = "answer", "error"  # what a case leaves in its sample's store
_SCORER, _SOLVER = "scores", "assistant"
_OF_A_SET = (".eval-set-id", "eval-set.json", "logs.json")  # what inspect_ai writes beside logs
_ELSEWHERE = "Move it away, or name another folder with --report."
_NOT_THE_CASES = (EngineFailed, Busy, ModelError, StorageError)  # errors that are not the case's own
_GOES_ON = "The same command goes on from there."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """A suite ready to be asked. `ask` gives the Answer's JSON form or raises; `score` may ask documents and judge."""

    suite: str
    cases: Sequence[Case]
    ask: Callable[[Case], Mapping[str, Any]]
    score: Callable[[Result], Mapping[str, Score]]


def run(jobs: Sequence[Job], logs: Path, progress: OnProgress | None = None) -> tuple[list[Result], bool]:
    """The result of every case, in the order of the jobs, and whether all were asked. `logs` is the run's own folder.

    One case is asked after the other: cases side by side would share steps of the engine, and round otherwise.
    Raises EngineFailed, Busy, ModelError and StorageError where a case met one, and EngineFailed when inspect_ai gave
    up on a suite; the same jobs and logs go on from there.
    """
    counting = _Counting(sum(len(job.cases) for job in jobs), _asked_before(logs), progress)
    breaker = _Breaker()
    tasks = [_task(job, counting, breaker) for job in jobs]
    root = logging.getLogger()
    level, handlers, stopped = root.level, root.handlers[:], False
    try:
        _, found = eval_set(
            tasks,
            log_dir=str(logs),
            model="none/none",
            display="none",
            log_level="error",
            max_tasks=1,
            max_samples=1,
            log_buffer=1,
            log_realtime=False,
            fail_on_error=True,  # errors that are a case's own do not get as far
            retry_attempts=0,
            retry_immediate=False,
            acp_server=False,
            ctl_server=False,
        )
    except KeyboardInterrupt:
        found, stopped = [], True
    finally:  # inspect_ai makes all logging of the process its own
        root.setLevel(level)
        root.handlers[:] = handlers
    if error := breaker.error:
        raise type(error)(error.message, f"{error.hint} {_GOES_ON}".strip()) from error
    if len(found) < len(jobs):  # Ctrl-C: inspect_ai may keep it to itself, and does not give what was cancelled
        found = [read_eval_log(info) for info in list_eval_logs(str(logs), descending=False)]
    by_suite = {log.eval.task: log for log in found}
    results = [result for job in jobs if job.suite in by_suite for result in _results(job, by_suite[job.suite])]
    done = len(results) == counting.total
    if not done and not stopped and not any(log.status in ("cancelled", "started") for log in found):
        raise EngineFailed(f"The evaluation broke off: {_why(found)}.", _GOES_ON)
    return results, done


def check(folder: Path) -> None:
    """Raises BadInput where `folder` is there and holds anything but logs of earlier runs, which `finish` replaces."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise BadInput(f"{folder}, where the logs would go, is no folder of its own.", _ELSEWHERE)
    if foreign := next((path for path in sorted(folder.iterdir()) if not _ours(path)), None):
        raise BadInput(f"{foreign} is no log of the evaluation, and the logs would take its place.", _ELSEWHERE)


def finish(logs: Path, folder: Path) -> None:
    """Moves the logs of a whole run into its report, where `inspect view --log-dir` shows them. Raises BadInput as
    `check` does.
    """
    check(folder)
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(str(logs), str(folder))


def _ours(path: Path) -> bool:
    """Whether a run of ours left this file: people who use inspect_ai have such logs of their own."""
    if path.is_symlink() or not path.is_file():
        return False
    if path.suffix != ".eval":
        return path.name in _OF_A_SET
    try:
        log = read_eval_log(str(path), header_only=True)
    except Exception:  # noqa: BLE001 - whatever it is, it is no log
        return False
    return [step.solver for step in log.plan.steps] == [_SOLVER]


class _Counting:
    """Tells how many cases are done. The lock: solver and scorer run in threads of their own."""

    def __init__(self, total: int, done: int, progress: OnProgress | None) -> None:
        self.total = total
        self._done = done
        self._progress = progress
        self._lock = threading.Lock()
        self._tell()

    def one_more(self) -> None:
        with self._lock:
            self._done += 1
            self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(Progress("Asking", min(self._done, self.total), self.total, "cases"))


class _Breaker:
    """Keeps the first error that is not a case's own. After it no case is asked: a dead engine would fail them all."""

    def __init__(self) -> None:
        self.error: AssistantError | None = None

    def guarded(self, call: Callable[[], T]) -> T:
        """What `call` gives. Raises EngineFailed where an error was kept before."""
        if self.error:
            raise EngineFailed("The evaluation had broken off.")
        try:
            return call()
        except _NOT_THE_CASES as error:
            self.error = error
            raise


def _task(job: Job, counting: _Counting, breaker: _Breaker) -> Task:
    samples = [Sample(id=case.id, input=case.question, metadata={"case": cases.to_json(case)}) for case in job.cases]
    return Task(
        name=job.suite,
        dataset=MemoryDataset(samples, name=job.suite),
        solver=_asking(job, breaker),
        scorer=_scoring(job, counting, breaker),
    )


@solver(name=_SOLVER)
def _asking(job: Job, breaker: _Breaker) -> Solver:
    asked = {case.id: case for case in job.cases}

    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001 - inspect_ai's own form
        def ask() -> tuple[str, Any]:
            try:
                return ANSWER, dict(breaker.guarded(lambda: job.ask(asked[str(state.sample_id)])))
            except _NOT_THE_CASES:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the case failed with it
                return ERROR, _told(error)

        kind, value = await anyio.to_thread.run_sync(ask)
        state.store.set(kind, value)
        state.output.completion = value.get("answer", "") if kind == ANSWER else ""
        return state

    return solve


@scorer(metrics={"*": [mean()]}, name=_SCORER)
def _scoring(job: Job, counting: _Counting, breaker: _Breaker) -> Scorer:
    asked = {case.id: case for case in job.cases}

    async def score(state: TaskState, target: Target) -> Graded:  # noqa: ARG001 - inspect_ai's own form
        result = Result(
            job.suite, asked[str(state.sample_id)], state.store.get(ANSWER, None), state.store.get(ERROR, None)
        )

        def scored() -> Mapping[str, Score]:
            try:
                return breaker.guarded(lambda: job.score(result))
            except _NOT_THE_CASES:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                state.store.set(ERROR, _told(error))
                return job.score(replace(result, answer=None, error=_told(error)))

        scores = await anyio.to_thread.run_sync(scored)
        counting.one_more()
        return Graded(
            value={name: math.nan if one.value is None else one.value for name, one in scores.items()},
            metadata={"reasons": {name: one.reason for name, one in scores.items() if one.value is None}},
        )

    return score


def _told(error: Exception) -> dict[str, str]:
    """An error as a result has it."""
    if isinstance(error, AssistantError):
        return {"type": error.type, "message": str(error)}
    return {"type": "unexpected", "message": f"{type(error).__name__}: {error}"}


def _results(job: Job, log: EvalLog) -> Iterator[Result]:
    """Results in the order of the cases; those that were not asked are left out."""
    whole = log if log.samples is not None else read_eval_log(log.location)
    samples = {str(sample.id): sample for sample in whole.samples or []}
    for case in job.cases:
        if case.id in samples:
            yield _result(job, case, samples[case.id])


def _result(job: Job, case: Case, sample: EvalSample) -> Result:
    error = sample.store.get(ERROR)
    if sample.error is not None:  # inspect_ai's own: the case failed, and says with what
        error = {"type": "unexpected", "message": sample.error.message}
    graded = (sample.scores or {}).get(_SCORER)
    return Result(
        job.suite, case, None if error else sample.store.get(ANSWER), error, dict(_scores(graded)) if graded else {}
    )


def _scores(graded: Graded) -> Iterator[tuple[str, Score]]:
    reasons = (graded.metadata or {})["reasons"]
    assert isinstance(graded.value, dict)
    for name, value in graded.value.items():
        unscored = not isinstance(value, int | float) or math.isnan(value)
        yield name, Score(None, reasons.get(name, "")) if unscored else Score(float(value))


def _asked_before(logs: Path) -> int:
    """How many cases the logs of a stopped run hold."""
    if not logs.is_dir():
        return 0
    known = {
        (info.task, str(summary.id))
        for info in list_eval_logs(str(logs))
        for summary in read_eval_log_sample_summaries(info)
        if summary.completed and not summary.error
    }
    return len(known)


def _why(logs: Sequence[EvalLog]) -> str:
    return next((log.error.message.strip() for log in logs if log.error), "inspect_ai gave no reason")
