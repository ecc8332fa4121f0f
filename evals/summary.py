"""From the scores of cases to the figures of a suite, and a run as it is kept in `run.json`."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from assistant.errors import BadInput, StorageError
from evals.records import Figure, Result, Run, Score, Summary
from evals.report_labels import LABELS
from evals.stats import Interval, mean_interval, quantile_interval, ratio_interval

# Times are skewed, so their figures are quantiles: metric to the figures made of it.
TIMES: Mapping[str, Mapping[str, float]] = {
    "ttft_s": {"ttft_s": 0.5, "ttft_p95_s": 0.95},
    "total_s": {"total_s": 0.5, "total_p95_s": 0.95},
    "decode_tok_s": {"decode_tok_s": 0.5},
}
LOWER_IS_BETTER = frozenset(name for name, label in LABELS.items() if label.lower_is_better)
REFUSAL_PRECISION = "refusal_precision"
# Reasons of scorers that tell of the case and not of what came of it.
WITHOUT_GOLD = frozenset(
    {"no gold", "no attack", "answerable", "unanswerable", "not known whether answerable", "false premise"}
)
_AGAIN = "Run the evaluation again."
_RUN = TypeAdapter(Run)


def summarise(suite: str, results: Sequence[Result], problems: Iterable[str]) -> Summary:
    """One figure for each metric, in the order in which the results name them. Unscored cases count in none."""
    names = dict.fromkeys(name for result in results for name in result.scores)
    figures = tuple(figure for name in names for figure in _figures(name, results))
    failed = sum(result.answer is None for result in results)
    return Summary(suite, len(results), failed, figures, tuple(problems))


def figures_of(metric: str) -> tuple[str, ...]:
    """The names of the figures that are made of a metric."""
    more = (REFUSAL_PRECISION,) if metric == "refused_answerable" else ()
    return (*TIMES.get(metric, (metric,)), *more)


def failures(run: Run) -> list[str]:
    """A line for each suite in which cases failed. No figure counts them, so figures alone tell too little."""
    return [f"{one.suite}: {one.failed} of {one.cases} cases failed." for one in run.summaries if one.failed]


def without_gold(figure: Figure) -> bool:
    """Whether no case has gold for it: then nobody could have scored it, however the run went."""
    return figure.value is None and bool(figure.unscored) and WITHOUT_GOLD.issuperset(figure.unscored)


def nothing_scored(summary: Summary) -> bool:
    """Whether no figure says anything of the answers. How long they took does not."""
    times = {shown for figures in TIMES.values() for shown in figures}
    return all(figure.value is None for figure in summary.figures if figure.name not in times)


def to_json(run: Run) -> dict[str, Any]:
    """The whole run as JSON has it; each case in it in the form of `cases.to_json`."""
    fields: dict[str, Any] = _RUN.dump_python(run, mode="json")
    return fields


def from_json(fields: Any) -> Run:
    """The run of which `to_json` made `fields`. Raises BadInput."""
    try:
        return _RUN.validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BadInput(f"This is not a run of the evaluation: {where}: {first['msg']}.", _AGAIN) from error


def write(run: Run, path: Path) -> None:
    """Writes the run; a reader sees the file before or after, never a part. Raises StorageError."""
    text = json.dumps(to_json(run))  # ASCII only: a question may hold half of a surrogate pair, which UTF-8 cannot
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="ascii") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.", "Name another folder.") from error


def read(path: Path) -> Run:
    """The run that `write` left. Raises BadInput where there is none or it is damaged."""
    try:
        return from_json(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", "Name the run.json of a report.") from error
    except ValueError as error:
        raise BadInput(f"{path} is not JSON: {error}.", _AGAIN) from error
    except BadInput as error:
        raise BadInput(f"{path}: {error.message}", error.hint) from error


def _figures(name: str, results: Sequence[Result]) -> Iterator[Figure]:
    """The figures made of one metric."""
    scores = [_score(result, name) for result in results]
    known = [(score.value, result) for score, result in zip(scores, results, strict=True) if score.value is not None]
    values, groups = [value for value, _ in known], [result.case.group for _, result in known]
    unscored = Counter(score.reason for score in scores if score.value is None)
    if name not in TIMES:
        yield _figure(name, mean_interval(values, groups) if values else None, len(values), unscored)
    for shown, q in TIMES.get(name, {}).items():
        yield _figure(shown, quantile_interval(values, q) if values else None, len(values), unscored)
    if name == "refused_answerable":
        yield _refusal_precision(results)


def _refusal_precision(results: Sequence[Result]) -> Figure:
    """Of the refusals, the share that was due. Its `n` is the number of refusals."""
    due, refused = [], []
    unscored: Counter[str] = Counter()
    for result in results:
        scores = [_score(result, name) for name in ("refused_unanswerable", "refused_answerable")]
        due.append(scores[0].value or 0.0)
        refused.append(sum(score.value or 0.0 for score in scores))
        if not refused[-1]:
            known = any(score.value is not None for score in scores)
            unscored["not refused" if known else scores[0].reason] += 1
    groups = [result.case.group for result in results]
    found = ratio_interval(due, refused, groups) if any(refused) else None
    return _figure(REFUSAL_PRECISION, found, round(sum(refused)), unscored)


def _score(result: Result, name: str) -> Score:
    reason = "failed" if result.answer is None else "not scored"
    return result.scores.get(name, Score(None, reason))


def _figure(name: str, found: Interval | None, n: int, unscored: Mapping[str, int]) -> Figure:
    value, low, high = found or (None, None, None)
    return Figure(name, value, low, high, n, dict(unscored))
