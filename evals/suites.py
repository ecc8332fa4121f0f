"""The suites by name: what each is about, and what it loads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import BadInput
from evals import cases, claims, injection, public
from evals.public import Loaded
from evals.records import Case, Claim

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "evaldata"
SEEDS = HERE.parent / "seeds"
SMALL, SMALL_UNANSWERED = 5, 2  # of the seed cases every fifth, and of those without an answer every second: all kinds


@dataclass(frozen=True, slots=True)
class Sources:
    """Where suites find what they load. `questions`, with `documents` or a `collection`, are the user's own."""

    data: Path = DATA
    questions: Path | None = None
    documents: Path | None = None
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """`load` takes the sources, how many cases at most, and the seed they are drawn with.

    `needs` names the folders below `Sources.data` without which there is nothing to load.
    """

    name: str
    about: str
    load: Callable[[Sources, int | None, int], Loaded]
    needs: tuple[str, ...] = ()


def named(name: str) -> Suite:
    """Raises BadInput for a name that no suite has."""
    if name not in SUITES:
        raise BadInput(f"There is no suite {name!r}.", f"Suites: {', '.join(sorted([*SUITES, CLAIMS]))}.")
    return SUITES[name]


def load_claims(sources: Sources, limit: int | None, seed: int) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """Claims that people judged, as many of each set, over texts that the checker was not calibrated on: those of the
    `checker` suite. The last set is made: see `claims.swapped`.
    """
    share = None if limit is None else max(1, limit // (len(claims.NAMES) + 1))
    found: list[Claim] = []
    problems: list[str] = []
    for name in claims.NAMES:
        every, wrong = claims.read(sources.data, name, None, seed)
        found += claims.held_out(every)[:share]
        problems += wrong
    made = claims.held_out(claims.swapped(sources.data, None, seed))  # a pair has one text, so none is parted
    found += made[: SWAPPED if share is None else share // 2 * 2]
    return tuple(found), tuple(problems)


def missing(suite: str, sources: Sources) -> list[Path]:
    """Folders of public data that a suite needs and that are not there."""
    needs = CLAIMS_NEED if suite == CLAIMS else named(suite).needs
    return [folder for name in needs if not (folder := sources.data / name).exists()]


def _seeds(_sources: Sources, limit: int | None, _seed: int) -> Loaded:
    read = cases.read(HERE / "questions" / "seeds.jsonl")
    return Loaded(_spread(read.cases, limit), files=(SEEDS,), problems=read.problems)


def _small(_sources: Sources, limit: int | None, _seed: int) -> Loaded:
    read = cases.read(HERE / "questions" / "seeds.jsonl")
    unanswered = [case for case in read.cases if case.answerable is False][::SMALL_UNANSWERED]
    some = [case for number, case in enumerate(read.cases) if number % SMALL == 0 or case in unanswered]
    return Loaded(tuple(some[:limit]), files=(SEEDS,), problems=read.problems)


def _own(sources: Sources, limit: int | None, _seed: int) -> Loaded:
    if sources.questions is None:
        raise BadInput(
            "The suite `own` needs questions.", "Name a CSV or JSONL file: `assistant eval own --questions FILE`."
        )
    if sources.documents is None and sources.collection is None:
        raise BadInput(
            "The suite `own` needs documents.", "Name a folder with --documents, or a collection with --collection."
        )
    read = cases.read(sources.questions)
    files = (sources.documents,) if sources.documents else ()
    return Loaded(read.cases[:limit], files=files, problems=read.problems)


def _spread(found: Sequence[Case], limit: int | None) -> tuple[Case, ...]:
    """`limit` cases evenly from all of them: they stand in the file by kind."""
    if limit is None or limit >= len(found):
        return tuple(found)
    return tuple(found[number * len(found) // limit] for number in range(limit))


def _public(adapter: public.Adapter) -> Suite:
    return Suite(
        adapter.name,
        adapter.about,
        lambda sources, limit, seed: adapter.load(sources.data, limit, seed),
        adapter.folders,
    )


CLAIMS = "checker"
CLAIMS_NEED = ("faithfulness", "qa_abstain/squad2_A")
CLAIMS_ABOUT = "how well the evaluation's own checker tells supported claims from others, as people judged them"
SWAPPED = 400  # claims with an answer exchanged for another of its kind

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("seeds", "questions over seeds/, the example documents", _seeds),
        Suite("small", f"every {SMALL}th question of `seeds`, and half of those without an answer", _small),
        Suite("own", "your questions over your documents", _own),
        *(_public(adapter) for adapter in [*public.ADAPTERS.values(), *injection.ADAPTERS.values()]),
    )
}
