"""The `assistant eval` commands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from assistant import settings as settings_room
from assistant import terminal
from assistant.errors import BadInput

if TYPE_CHECKING:
    from evals.evaluation import Outcome
    from evals.suites import Sources

# What `assistant eval` runs when no suite is named, and how many cases of each; None: all. A claim takes no time.
USUAL: dict[str, int | None] = {"seeds": None, "squad2": 50, "mtrag": 50, "checker": 350, "injection": 50}


class _RunByDefault(TyperGroup):
    """`assistant eval SUITE` is short for `assistant eval run SUITE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "-h")):
            args = ["run", *args]
        return super().parse_args(ctx, args)


commands = typer.Typer(
    cls=_RunByDefault, help="Measure answers: `assistant eval [SUITE]`, retrieval, compare, draft, suites."
)

Report = Annotated[Path, typer.Argument(help="The folder of a report, or its run.json.")]


@commands.command("run")
def run(
    suite: Annotated[list[str] | None, typer.Argument(help="Suites; without any, the usual ones.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Cases of each suite at most.")] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Ask over this collection of yours, as it is.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    questions: Annotated[Path | None, typer.Option(help="Your questions, for `own`: CSV or JSONL.")] = None,
    documents: Annotated[Path | None, typer.Option(help="Your documents, for `own`: a folder or file.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Where the public data lie; ../shared/evaldata by default.")
    ] = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Exit 1 when a figure is worse; as [SUITE.]NAME=VALUE."),
    ] = None,
    baseline: Annotated[Path | None, typer.Option(help="Exit 1 when a figure is below this file's.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Ask the questions of suites, score the answers, write a report. A stopped run goes on where it was."""
    evaluation = _room("evaluation")
    wanted = _floors(fail_under or [])
    sources = _sources(questions, documents, collection, data)
    chosen = dict.fromkeys(suite, limit) if suite else _usual(sources, limit)
    _check_floors(wanted, chosen)
    least = _room("compare").read_baseline(baseline) if baseline else None
    settings = settings_room.load()
    folder = report or settings.home / "reports" / f"{datetime.now():%Y-%m-%d-%H%M%S}-{'-'.join(chosen)}"
    evaluation.check_folder(folder)
    with terminal.progress() as progress:
        outcome = evaluation.evaluate(evaluation.Plan(chosen, sources), settings, progress)
    if not outcome.whole:
        terminal.say(f"Stopped after {len(outcome.run.results)} cases. The same command goes on from there.")
        raise typer.Exit(terminal.INTERRUPTED)
    evaluation.write(outcome, folder)
    _print(outcome, folder, json)
    short = [*_short(outcome, wanted), *(_room("compare").below(outcome.run, least) if least is not None else [])]
    for line in dict.fromkeys(short):
        terminal.say(line)
    if short:
        raise typer.Exit(1)


@commands.command("retrieval")
def retrieval(
    name: Annotated[list[str] | None, typer.Option("--set", help="Sets; without any, all that are here.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions of each set at most.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Where the public data lie; ../shared/evaldata by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The questions are drawn with it.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure the search alone, each of its parts and all together, on public data. No language model is loaded."""
    room = _room("retrieval")
    folder = data or _room("suites").DATA
    sets = name or _present(room.SETS, lambda one: room.missing(one, folder))
    if not sets:
        raise BadInput(f"No set's data are in {folder}.", "docs/datasets.md says how to get them.")
    found: list[Any] = []
    try:
        with terminal.progress() as progress:
            for row in room.measure(sets, folder, settings_room.load(), limit, seed, progress):
                found.append(row)
                if not json:  # at once: a set takes minutes, and the next one may fail
                    terminal.write("\n".join(room.lines([row])[0 if len(found) == 1 else -1 :]) + "\n")
    finally:
        if json and found:
            terminal.print_json(room.to_json(found))


@commands.command("compare")
def compare(a: Report, b: Report, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Pair two runs case by case: what got better, what worse, and whether that is more than chance."""
    room, summary = _room("compare"), _room("summary")
    before, after = (summary.read(path / "run.json" if path.is_dir() else path) for path in (a, b))
    found = room.compare(before, after)
    if json:
        terminal.print_json(room.to_json(found))
    else:
        terminal.write("\n".join(room.lines(found)) + "\n")


@commands.command("baseline")
def baseline(
    runs: Annotated[list[Path], typer.Argument(help="Reports of the same suites, of repeated runs.")],
    output: Annotated[Path, typer.Option(help="Where to write it.")] = Path("evals/baseline.json"),
) -> None:
    """Figures below which no later run may fall, from repeated runs: their means, and how far they differ."""
    import json

    summary = _room("summary")
    read = [summary.read(path / "run.json" if path.is_dir() else path) for path in runs]
    figures = _room("compare").baseline(read)
    ran = [{key: run.about[key] for key in ("model", "engine", "code", "machine", "started")} for run in read]
    output.write_text(json.dumps({"suites": figures, "runs": ran}, indent=1) + "\n", "utf-8")
    terminal.say(f"{output}: {sum(map(len, figures.values()))} figures of {len(read)} runs.")


@commands.command("suites")
def list_suites(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """All suites, and whether their data are here."""
    suites = _room("suites")
    about = {one.name: one.about for one in suites.SUITES.values()} | {suites.CLAIMS: suites.CLAIMS_ABOUT}
    gone = {name: [str(folder) for folder in suites.missing(name, suites.Sources())] for name in about}
    if json:
        terminal.print_json([{"name": name, "about": about[name], "missing": gone[name]} for name in about])
    else:
        rows = [(name, about[name], f"missing: {gone[name][0]}" if gone[name] else "here") for name in about]
        terminal.print_table(("Suite", "About", "Data"), rows)


@commands.command("draft")
def draft(
    output: Annotated[Path, typer.Option(help="JSONL file for the questions; what is in it stays.")],
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Collection to ask about.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Questions to propose.")] = 20,
    yes: Annotated[bool, typer.Option("--yes", help="Keep every question without asking.")] = False,
) -> None:
    """Propose questions from your documents; you keep, change or drop each. For `assistant eval own --questions`."""
    propose = _room("propose")
    known = propose.known(output)
    settings = settings_room.load()
    kept = 0
    with propose.Proposer.open(settings) as proposer:
        for proposal in proposer.propose(collection or settings.collection, count, known):
            chosen = proposal if yes else _asked(proposal)
            if chosen is not None:
                propose.append(output, chosen)
                kept += 1
    terminal.say(f"{kept} questions in {output}. Ask them: `assistant eval own --questions {output} --collection ...`")


def _room(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"evals.{name}")
    except ImportError as error:
        raise BadInput(
            f"The evaluation is not installed ({error}).", "Run it in the repository: `make eval`."
        ) from error


def _sources(questions: Path | None, documents: Path | None, collection: str | None, data: Path | None) -> Sources:
    suites = _room("suites")
    found: Sources = suites.Sources(data or suites.DATA, questions, documents, collection)
    return found


def _usual(sources: Sources, limit: int | None) -> dict[str, int | None]:
    """The usual suites of which the data are here."""
    suites = _room("suites")
    here = _present(USUAL, lambda name: suites.missing(name, sources))
    return {name: min(filter(None, (USUAL[name], limit)), default=None) for name in here}


def _present(names: Iterable[str], missing: Callable[[str], Sequence[Path]]) -> list[str]:
    """The names of which no data are missing; the others are told."""
    here = []
    for name in names:
        if gone := missing(name):
            terminal.say(f"Left out: {name}, as {gone[0]} is not there. docs/datasets.md says how to get it.")
        else:
            here.append(name)
    return here


def _floors(given: Sequence[str]) -> dict[str, float]:
    floors = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            floors[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name.strip() or not math.isfinite(floors[name.strip()]):
            raise BadInput(f"--fail-under {text!r} is not NAME=VALUE.", "For example: --fail-under right=0.8")
    return floors


def _check_floors(floors: Iterable[str], suites: Iterable[str]) -> None:
    """Raises BadInput for a figure that none of the suites has."""
    known = {suite: _room("evaluation").figures(suite) for suite in suites}
    for wanted in floors:
        suite, _, name = wanted.rpartition(".")
        if not any(name in figures for one, figures in known.items() if suite in ("", one)):
            names = sorted({figure for figures in known.values() for figure in figures})
            raise BadInput(f"No suite has a figure {wanted!r}.", f"Figures: {', '.join(names)}.")


def _short(outcome: Outcome, floors: dict[str, float]) -> list[str]:
    """A line for each figure that misses its floor, and where there are floors for each suite with failed cases.

    A name without a suite means each suite that has gold for it, and at least one has to.
    """
    summary = _room("summary")
    lower = summary.LOWER_IS_BETTER
    short: list[str] = summary.failures(outcome.run) if floors else []
    for wanted, floor in floors.items():
        suite, _, name = wanted.rpartition(".")
        found = [
            (one.suite, figure)
            for one in outcome.run.summaries
            if suite in ("", one.suite)
            for figure in one.figures
            if figure.name == name and (suite or not summary.without_gold(figure))
        ]
        if not found:
            short.append(f"{wanted} was not scored, and {floor} was wanted.")
        for where, figure in found:
            if figure.value is None:
                short.append(f"{where}.{name} was not scored, and {floor} was wanted.")
            elif (figure.value > floor) if name in lower else (figure.value < floor):
                short.append(f"{where}.{name} is {figure.value:.4g}, and {floor} was wanted.")
    return short


def _print(outcome: Outcome, folder: Path, json: bool) -> None:
    report, summary = _room("report"), _room("summary")
    if json:
        whole = summary.to_json(outcome.run)
        terminal.print_json({"report": str(folder), "about": whole["about"], "summaries": whole["summaries"]})
    else:
        terminal.write(report.markdown(outcome.run))
    empty = [one.suite for one in outcome.run.summaries if summary.nothing_scored(one)]
    for one in outcome.run.summaries:
        for problem in one.problems:
            terminal.say(f"{one.suite}: {problem}")
        if one.failed:
            terminal.say(f"{one.suite}: {one.failed} of {one.cases} cases failed; the report says why.")
    terminal.say(f"Report: {folder / 'report.html'}")
    if empty:
        terminal.say(f"Nothing was scored in {', '.join(empty)}: that is a failure.")
        raise typer.Exit(1)


def _asked(proposal: Any) -> Any:
    """The proposal as the user wants it, or None."""
    terminal.say(f"\n{proposal.spans[0].file}: {proposal.spans[0].quote}")
    terminal.say(f"Question: {proposal.question}\nAnswer: {proposal.answers[0]}")
    word = typer.prompt("Keep it? [y]es, [n]o, or another question in its place", default="y", err=True).strip()
    if word.lower() in ("n", "no"):
        return None
    if word.lower() in ("y", "yes"):
        return proposal
    return _room("propose").reworded(proposal, word)
