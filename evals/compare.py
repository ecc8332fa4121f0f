"""Two runs case by case, and a run against the baseline.

Only cases that both runs asked in the same words and with the same gold are compared, and of those, metric by metric,
the ones that both have a score for. Differences are B minus A. Of right and wrong McNemar's exact test says how
likely so uneven a change is by chance, of other scores a randomisation test does, and of all scores where several
cases belong to one group (see stats.py); intervals are the bootstrap's. Of twenty metrics one will show p < 0.05
without cause.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.errors import BadInput
from evals.records import Figure, Result, Run
from evals.stats import mcnemar, paired_interval, paired_p
from evals.summary import LOWER_IS_BETTER, TIMES, failures

GUARDED = (
    "right",
    "citation_precision",
    "citation_hit",
    "faithful",
    "refused_answerable",
    "refused_unanswerable",
    "hit@5",
    "ndcg@10",
)
_CASES = 3.0  # that may turn out otherwise by rounding alone: other kernels changed two of 26 (docs/lab.md)
_SAME = 1e-9  # scores nearer than this are the same


@dataclass(frozen=True, slots=True)
class Change:
    """A metric over the `n` pairs of a suite, from mean `a` to mean `b`.

    `change` is the mean difference; of a time it is the ratio, and the means are geometric. `p` says how likely at
    least so much is by chance. `better` and `worse` are ids of cases; of times, which differ from run to run, none are
    named. `unpaired` cases have a score in one run only.
    """

    suite: str
    metric: str
    n: int
    a: float
    b: float
    change: float
    low: float
    high: float
    p: float
    better: tuple[str, ...]
    worse: tuple[str, ...]
    unpaired: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed between two runs. `about` names what differs in what ran; `edited` cases have another wording or
    gold in B."""

    about: tuple[str, ...]
    pairs: int
    only_a: int
    only_b: int
    edited: int
    changes: tuple[Change, ...]


def compare(a: Run, b: Run) -> Comparison:
    """Pairs the runs by suite and case id."""
    before, after = _by_case(a), _by_case(b)
    both = [(before[key], after[key]) for key in before if key in after]
    pairs = [(one, other) for one, other in both if one.case == other.case]
    metrics = dict.fromkeys((one.suite, name) for one, _ in pairs for name in one.scores)
    changes = (_change(suite, name, [pair for pair in pairs if pair[0].suite == suite]) for suite, name in metrics)
    return Comparison(
        about=tuple(name for name in {**a.about, **b.about} if a.about.get(name) != b.about.get(name)),
        pairs=len(pairs),
        only_a=len(before) - len(both),
        only_b=len(after) - len(both),
        edited=len(both) - len(pairs),
        changes=tuple(change for change in changes if change is not None),
    )


def to_json(comparison: Comparison) -> dict[str, Any]:
    return asdict(comparison)


def lines(comparison: Comparison) -> list[str]:
    """The comparison as text: what was paired, a table for each suite, and which cases changed."""
    shown = [
        f"{comparison.pairs} cases in both runs, {comparison.only_a} only in A, {comparison.only_b} only in B, "
        f"{comparison.edited} with another wording or gold and left out."
    ]
    if comparison.about:
        shown.append(f"What ran differs in: {', '.join(comparison.about)}.")
    for suite in dict.fromkeys(change.suite for change in comparison.changes):
        of_suite = [change for change in comparison.changes if change.suite == suite]
        shown += ["", *_table(suite, of_suite)]
        shown += [line for change in of_suite for line in _cases(change)]
    return shown


def below(run: Run, baseline: Mapping[str, Any]) -> list[str]:
    """Which figures of the baseline the run misses by more than their noise, or does not have, and in which suites
    cases failed; one line each.

    `baseline` is {suite: {metric: {"value", "noise"}}}. Raises BadInput where it has another form.
    """
    figures = {(one.suite, figure.name): figure.value for one in run.summaries for figure in one.figures}
    missed = failures(run)
    for suite, metric, value, noise in _baseline(baseline):
        found = figures.get((suite, metric))
        sign = -1 if metric in LOWER_IS_BETTER else 1
        if found is None:
            missed.append(f"{suite}: {metric} has no figure; the baseline is {value:g}.")
        elif sign * (found - value) < -noise - _SAME:
            side = "above" if sign < 0 else "below"
            missed.append(f"{suite}: {metric} is {found:.4g}, {side} the baseline {value:g} by more than {noise:g}.")
    return missed


def read_baseline(path: Path) -> Mapping[str, Any]:
    """What `below` takes, from a file that `assistant eval baseline` wrote. Raises BadInput."""
    try:
        fields = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Name a baseline such as evals/baseline.json.") from error
    found: Mapping[str, Any] = fields.get("suites", fields) if isinstance(fields, dict) else fields
    _baseline(found)
    return found


def baseline(runs: Sequence[Run], metrics: Iterable[str] = GUARDED) -> dict[str, Any]:
    """What `below` takes, from several runs of the same suites: the mean of each figure, and as its noise twice the
    farthest that a run lies from it, and never less than what three cases make.
    """
    found: dict[str, dict[str, list[Figure]]] = {}
    for run in runs:
        for one in run.summaries:
            for figure in one.figures:
                if figure.value is not None and figure.name in metrics:
                    found.setdefault(one.suite, {}).setdefault(figure.name, []).append(figure)
    return {
        suite: {name: _noisy(figures) for name, figures in of_suite.items() if len(figures) == len(runs)}
        for suite, of_suite in found.items()
    }


def _noisy(figures: Sequence[Figure]) -> dict[str, float]:
    values = [figure.value for figure in figures if figure.value is not None]
    mean = _mean(values)
    noise = max(2 * max(abs(value - mean) for value in values), _CASES / min(figure.n for figure in figures))
    return {"value": round(mean, 4), "noise": round(noise, 4)}


def _by_case(run: Run) -> dict[tuple[str, str], Result]:
    return {(result.suite, result.case.id): result for result in run.results}


def _change(suite: str, metric: str, pairs: Sequence[tuple[Result, Result]]) -> Change | None:
    """The change of one metric, None where no case has a score for it in both runs."""
    scored = [(other.case, _value(one, metric), _value(other, metric)) for one, other in pairs]
    known = [(case, a, b) for case, a, b in scored if a is not None and b is not None]
    unpaired = sum((a is None) != (b is None) for _, a, b in scored)
    before, after, groups = [a for _, a, _ in known], [b for _, _, b in known], [case.group for case, _, _ in known]
    if not known:
        return None
    if metric in TIMES:
        return _time(suite, metric, before, after, groups, unpaired)
    sign = -1 if metric in LOWER_IS_BETTER else 1
    better = tuple(case.id for case, a, b in known if sign * (b - a) > _SAME)
    worse = tuple(case.id for case, a, b in known if sign * (a - b) > _SAME)
    independent = max(Counter(filter(None, groups)).values(), default=1) == 1
    binary = {*before, *after} <= {0.0, 1.0}
    p = mcnemar(len(better), len(worse)) if binary and independent else paired_p(before, after, groups)
    means, interval = (_mean(before), _mean(after)), paired_interval(before, after, groups)
    return Change(suite, metric, len(known), *means, *interval, p, better, worse, unpaired)


def _time(
    suite: str, metric: str, before: Sequence[float], after: Sequence[float], groups: Sequence[str], unpaired: int
) -> Change:
    """The change of a time or a speed. Ratios of such are as skewed to one side as to the other in logarithms."""
    a, b = [math.log(time) for time in before], [math.log(time) for time in after]
    ratio, low, high = map(math.exp, paired_interval(a, b, groups))
    means = math.exp(_mean(a)), math.exp(_mean(b))
    return Change(suite, metric, len(a), *means, ratio, low, high, paired_p(a, b, groups), (), (), unpaired)


def _value(result: Result, metric: str) -> float | None:
    """The score, where there is one; a time of 0 is none."""
    score = result.scores.get(metric)
    value = score.value if score else None
    return None if metric in TIMES and not value else value


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _table(suite: str, changes: Sequence[Change]) -> Iterator[str]:
    """Columns as wide as what stands in them, the names to the left and the numbers to the right."""
    rows = [(suite, "n", "A", "B", "B - A", "95% interval", "p")]
    for one in changes:
        ratio = one.metric in TIMES
        change, low, high = (f"{end:.2f}" if ratio else f"{end:+.3f}" for end in (one.change, one.low, one.high))
        means = (f"{one.a:.3f}", f"{one.b:.3f}")
        rows.append((one.metric, str(one.n), *means, f"x{change}" if ratio else change, f"{low} to {high}", _p(one.p)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = [cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)]
        yield "  ".join([name.ljust(widths[0]), *cells])


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _cases(change: Change) -> Iterator[str]:
    """Which cases changed, and how many could not be compared."""
    for word, ids in (("better", change.better), ("worse", change.worse)):
        if ids:
            yield f"  {change.metric} {word} in {len(ids)}: {', '.join(ids)}"
    if change.unpaired:
        yield f"  {change.metric} scored in one run only: {change.unpaired}"


def _baseline(baseline: Mapping[str, Any]) -> list[tuple[str, str, float, float]]:
    try:
        return [
            (suite, metric, float(one["value"]), float(one["noise"]))
            for suite, metrics in baseline.items()
            for metric, one in metrics.items()
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"The baseline has another form than expected: {error!r}.",
            'It is {"suite": {"metric": {"value": 0.8, "noise": 0.02}}}.',
        ) from error
