"""One evaluation from suites to report: load, check the gold, take in the documents, ask, score, sum up."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assistant import Assistant, Settings
from assistant.errors import BadInput, EmbedderMismatch
from assistant.records import OnProgress, Progress
from assistant.wire import answer_json
from evals import about, cases, corpora, judging, report, runner, scorers, suites, summary
from evals.checker import Checker
from evals.clock import Clock, forget
from evals.corpora import Corpus
from evals.public import Loaded
from evals.records import Case, Claim, Result, Run, Summary
from evals.scorers import faithfulness
from evals.suites import CLAIMS, Sources

SEED = 7
_RUN, _PAGES, _LOGS = "run.json", ("report.html", "report.md"), "logs"  # what a report is made of


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate: suites by name, each with how many of its cases at most."""

    suites: Mapping[str, int | None]
    sources: Sources = field(default_factory=Sources)
    seed: int = SEED


@dataclass(frozen=True, slots=True)
class Outcome:
    """`whole` is false for a run that was stopped: then nothing was written, and the same plan goes on from there."""

    run: Run
    texts: Mapping[str, str]
    logs: Path
    whole: bool


def evaluate(plan: Plan, settings: Settings, progress: OnProgress | None = None) -> Outcome:
    """Raises BadInput for what cannot be asked, before anything is; ModelMissing and the like as `Assistant.open`."""
    since = time.monotonic()
    _check(plan)
    loaded = {
        name: suites.named(name).load(plan.sources, limit, plan.seed)
        for name, limit in plan.suites.items()
        if name != CLAIMS
    }
    claims: tuple[Claim, ...] = ()
    wrong: tuple[str, ...] = ()
    if CLAIMS in plan.suites:
        claims, wrong = suites.load_claims(plan.sources, plan.suites[CLAIMS], plan.seed)
    own = settings if plan.sources.collection else corpora.home(settings)
    with Assistant.open(own) as assistant:
        corpus = {
            name: corpora.bring(assistant, name, one, plan.sources.collection, progress)
            for name, one in loaded.items()
        }
        asked = {name: one.cases for name, one in loaded.items()}
        facts = about.about(own, asked | ({CLAIMS: judging.cases(claims)} if claims else {}), corpus, plan.seed)
        checker, unjudged = _checker(assistant)
        jobs = [_job(assistant, name, loaded[name], corpus[name], checker) for name in loaded]
        if claims and checker:
            jobs.append(judging.job(claims, checker))
        logs = own.home / "unfinished" / about.identity(facts)
        clock = Clock(logs, facts["started"], since)
        results, whole = _run(jobs, logs, clock, progress)
        results = [_judged(result, checker) for result in results]
    facts |= {"started": clock.started, "took_s": clock.took_s}
    problems = {name: (*one.problems, *corpus[name].unread, *unjudged) for name, one in loaded.items()}
    problems[CLAIMS] = wrong
    summaries = tuple(_summary(job.suite, results, problems[job.suite]) for job in jobs)
    return Outcome(Run(facts, summaries, tuple(results)), _texts(corpus, loaded), logs, whole)


def check_folder(folder: Path) -> None:
    """Raises BadInput where a report written there would destroy what is no report of ours."""
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"The report cannot be written to {folder}: it is no folder.", "Name a folder with --report.")
    there = [name for name in (_RUN, *_PAGES) if (folder / name).exists()]
    try:
        if there:
            summary.read(folder / _RUN)
    except BadInput as error:
        raise BadInput(
            f"{folder / there[0]} is there and belongs to no report of the evaluation.",
            "Move it away, or name another folder with --report.",
        ) from error
    runner.check(folder / _LOGS)


def write(outcome: Outcome, folder: Path) -> None:
    """The report of a whole run: run.json, report.html, report.md, and inspect_ai's logs. Raises BadInput as
    `check_folder` does.
    """
    check_folder(folder)
    summary.write(outcome.run, folder / _RUN)
    for name, text in zip(
        _PAGES, (report.html(outcome.run, outcome.texts), report.markdown(outcome.run)), strict=True
    ):
        (folder / name).write_text(text, "utf-8")
    forget(outcome.logs)
    runner.finish(outcome.logs, folder / _LOGS)


def figures(suite: str) -> tuple[str, ...]:
    """The names of the figures that a suite may have."""
    if suite == CLAIMS:
        return judging.names()
    return tuple(figure for metric in scorers.METRICS for figure in summary.figures_of(metric))


def _check(plan: Plan) -> None:
    for name in plan.suites:
        if gone := suites.missing(name, plan.sources):
            raise BadInput(
                f"The suite {name} needs {', '.join(map(str, gone))}, which is not there.",
                "docs/datasets.md says how to get it; --data names the folder.",
            )


def _run(
    jobs: Sequence[runner.Job], logs: Path, clock: Clock, progress: OnProgress | None
) -> tuple[list[Result], bool]:
    def told(step: Progress) -> None:
        clock.keep()
        if progress:
            progress(step)

    try:
        return runner.run(jobs, logs, told)
    finally:
        clock.keep()


def _checker(assistant: Assistant) -> tuple[Checker | None, tuple[str, ...]]:
    """None, and why, where it was calibrated with another embedder: faithfulness is then unscored."""
    try:
        return Checker.load(assistant.ingest.embedder), ()
    except EmbedderMismatch as error:
        return None, (str(error),)


def _job(assistant: Assistant, suite: str, loaded: Loaded, corpus: Corpus, checker: Checker | None) -> runner.Job:
    def ask(case: Case) -> dict[str, Any]:
        if case.given:
            corpora.show_only(assistant, case.given)
        collection = corpora.GIVEN if case.given else corpus.collection
        return answer_json(assistant.answer(case.question, history=case.history, collection=collection))

    def score(result: Result) -> Mapping[str, Any]:
        return scorers.score_all(result, cases.given_texts(result.case) or corpus.texts, checker)

    return runner.Job(suite, loaded.cases, ask, score)


def _judged(result: Result, checker: Checker | None) -> Result:
    """With what the checker thinks of each sentence, for the report; it keeps what it read, so this is quick."""
    if checker is None or result.answer is None or result.suite == CLAIMS or result.answer["abstained"]:
        return result
    support = faithfulness.verdicts(result.answer, checker)
    return replace(result, judged=tuple(None if math.isnan(one) else round(one, 4) for one in support))


def _summary(suite: str, results: Sequence[Result], problems: Sequence[str]) -> Summary:
    own = [result for result in results if result.suite == suite]
    found = summary.summarise(suite, own, problems)
    return replace(found, figures=judging.figures(own)) if suite == CLAIMS else found


def _texts(corpus: Mapping[str, Corpus], loaded: Mapping[str, Loaded]) -> dict[str, str]:
    """By file name; of several documents of one name the report has the last, and quotes of the others stand alone."""
    texts = {name: text for one in corpus.values() for name, of_name in one.texts.items() for text in of_name.values()}
    return texts | {given.file: given.text for one in loaded.values() for case in one.cases for given in case.given}
