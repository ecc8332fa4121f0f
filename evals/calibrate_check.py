"""The weights and thresholds of `assistant.check` and `assistant.probe`, from what the language model and the words
say of judged sentences.

    python -m evals.calibrate_check ROWS.jsonl [--within]

ROWS is what `evals.witness` gathered. The probe is fitted to all rows with a hidden state, the check to all with
sentences. How good it is, is said by scores that each row gets from weights that were fitted without its text and
those in the same of FOLDS parts (cross-fitting), with thresholds that come from one half of the texts and are held
against the other. What the model answered counts as SHARE of all, and each set of claims the same in the rest; so do
the supported and the other rows within each. The threshold is that of answers: at most REFUSED of the right ones fall
below it. For the claims, where nothing is refused, a second one is chosen as people would grade: that with the best
mean balanced accuracy (`about.even`). EDGES say how many of the sentences lie below the two log odds between which the
model's word is reckoned with (`Checker.asks`). Two minutes.

With --within only these two are made anew, and it is told how many of the sentences need not be asked about, and of
how many of them what the model said would have changed the verdict.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from assistant import models, probe
from assistant.check import KNOWN, STATED, Checker, Weights, WordsWeights
from assistant.embedder import Embedder
from assistant.errors import AssistantError
from assistant.evidence import AGAINST
from assistant.probe import Probe
from assistant.settings import Settings
from assistant.terms import terms
from evals import claims, witness
from evals.calibrate import threshold
from evals.fitting import Array, Labels, fit, fit_probe
from evals.stats import auroc, balanced_accuracy
from evals.witness import ANSWERS, FOUND, LAYER, Row

SEED = 7
FOLDS = 6
SHARE = 0.8  # of 0.25, 0.5, 0.8 and 0.95 the best: more refused at REFUSED, and claims are told as well (lab book)
PENALTY = 10.0  # of 1, 3, 10, 30 and 100; it makes little difference
PROBE_PENALTY = 300.0  # of 300, 1000 and 3000 the best (lab book)
REFUSED = 0.08  # of the right answers, at most
OUT_OF_SCOPE = 0.01  # of the right answers, and of what was only read and has an answer, are not even begun
EDGES = (0.02, 0.995)  # of the sentences lie below the log odds that are reckoned with (lab book)
ANSWERED = (ANSWERS, FOUND)  # groups that the model answered

Kind = type[Weights] | type[WordsWeights]


class Rows:
    """The rows with sentences, with what is known of each. `known` is the probe's log odds, from probes that had not
    seen the row's text; where there was no hidden state, the mean over supported answers, as the product takes it.
    """

    def __init__(self, rows: Sequence[Row], checker: Checker) -> None:
        self.rows = [row for row in rows if row.sentences]
        self.true = np.array([row.supported for row in self.rows])
        self.groups = np.array([row.group for row in self.rows])
        self.folds = np.array([_fold(row.text) for row in self.rows])
        self.first = np.array([claims.half(row.text, SEED) == 0 for row in self.rows])
        self.known = self._known(crossed(rows))
        self.found = [
            _features(checker, row) | {KNOWN: known} for row, known in zip(self.rows, self.known.tolist(), strict=True)
        ]

    def _known(self, odds: Mapping[str, float]) -> Array:
        known = np.array([odds.get(row.id, np.nan) for row in self.rows])
        return np.where(np.isnan(known), np.nanmean(known[self.true]), known)

    def table(self, names: Sequence[str]) -> Array:
        return np.array([[one[name] for name in names] for one in self.found])

    def counts(self) -> Array:
        """How much each row counts, 1 on average."""
        counts = np.zeros(len(self.rows))
        answered = np.isin(self.groups, ANSWERED)
        claimed = [self.groups == group for group in set(self.groups[~answered].tolist())]
        for share, inside in [(SHARE, answered), *(((1 - SHARE) / len(claimed), one) for one in claimed)]:
            for kind in (self.true & inside, ~self.true & inside):
                counts[kind] = share / 2 / max(kind.sum(), 1)
        return counts * len(counts)


def _probe(rows: Sequence[Row]) -> tuple[Array, float]:
    states = np.array([row.hidden for row in rows], dtype=np.float64)
    return fit_probe(states, np.array([row.supported for row in rows]), PROBE_PENALTY)


def crossed(rows: Sequence[Row]) -> dict[str, float]:
    """The log odds of each row with a hidden state, by its id, from a probe that had not seen the row's text."""
    begun, odds = [row for row in rows if row.hidden], dict[str, float]()
    for fold in range(FOLDS):
        weights, bias = _probe([row for row in begun if _fold(row.text) != fold])
        odds |= {row.id: float(np.dot(row.hidden, weights) + bias) for row in begun if _fold(row.text) == fold}
    return odds


def train(rows: Sequence[Row], model_sha256: str) -> Probe:
    """The probe of all hidden states: that the answer will be right, or, of what was only read, that there is one."""
    odds = crossed(rows)
    right = [odds[row.id] for row in rows if row.hidden and row.supported]
    weights, bias = _probe([row for row in rows if row.hidden])
    return Probe(
        model_sha256=model_sha256,
        layer=LAYER,
        bias=round(bias, 4),
        out_of_scope=round(float(np.quantile(right, OUT_OF_SCOPE)), 4),
        weights=tuple(round(float(weight), 6) for weight in weights),
    )


def calibrate(kind: Kind, rows: Rows, embedder: Embedder, model_sha256: str) -> Weights | WordsWeights:
    """The weights of all rows, and how good such weights are on rows they have not seen."""
    names = list(kind.features)
    table, counts = rows.table(names), rows.counts()
    signs = [-1 if name in AGAINST else 1 for name in names]
    scores = np.zeros(len(rows.rows))
    for fold in range(FOLDS):
        inside = rows.folds == fold
        found, bias = fit(table[~inside], rows.true[~inside], counts[~inside], signs, PENALTY)
        scores[inside] = 1 / (1 + np.exp(-(table[inside] @ found + bias)))
    found, bias = fit(table, rows.true, counts, signs, PENALTY)
    cut, even, _ = _thresholds(rows, scores, np.ones(len(scores), bool))
    fields: dict[str, object] = {
        "embedder": embedder.name,
        "embedder_sha256": embedder.sha256,
        "bias": round(bias, 4),
        "weights": {name: round(float(weight), 4) for name, weight in zip(names, found, strict=True)},
        "threshold": cut,
        "about": {
            "command": f"{kind.command} (seed {SEED}, penalty {PENALTY}, {FOLDS} folds)",
            "threshold": f"at most {REFUSED} of the right answers fall below it",
            "even": even,
            "rows": {group: int((rows.groups == group).sum()) for group in sorted(set(rows.groups.tolist()))},
            "held_out": _held_out(rows, scores),
        },
    }
    if kind is Weights:
        average = table[rows.true].mean(axis=0)
        fields["model_sha256"] = model_sha256
        fields["average"] = {name: round(float(value), 4) for name, value in zip(names, average, strict=True)}
        fields["stated_within"] = stated_within(rows.rows)
    return kind.model_validate(fields)


def stated_within(rows: Sequence[Row]) -> tuple[float, float]:
    """The log odds between which the model's word on nearly every sentence lies."""
    low, high = np.quantile([stated for row in rows for stated in row.stated], EDGES).tolist()
    return round(low, 4), round(high, 4)


def _narrow(rows: Sequence[Row], weights: Weights, embedder: Embedder) -> Weights:
    """The weights with `stated_within` of these rows; `about.within` says what comes of it."""
    weights = weights.model_copy(update={"stated_within": stated_within(rows)})
    checker, sight = Checker(embedder, weights), Probe.of(weights.model_sha256)
    alone, changed, every = 0, 0, 0
    for row in rows:
        known = sight.log_odds(np.array(row.hidden, np.float32)) if sight and row.hidden else None
        for sentence, stated in zip(row.sentences, row.stated, strict=True):
            found, every = checker.features(sentence, row.passages), every + 1
            if found and not checker.asks(found, known):
                verdicts = [checker.verdict(checker.support(found, word, known)) for word in (stated, None)]
                alone, changed = alone + 1, changed + (verdicts[0] != verdicts[1])
    told = f"{alone} of {every} sentences need not be asked; {changed} would change"
    return weights.model_copy(update={"about": {**weights.about, "within": f"{weights.command} --within: {told}"}})


def _fold(text: str) -> int:
    return int(hashlib.sha256(f"{SEED} {text}".encode()).hexdigest()[:8], 16) % FOLDS


def _thresholds(rows: Rows, scores: Array, inside: Labels) -> tuple[float, float, float]:
    """By the rows `inside`: that of answers, that of claims, and that of claims by the plain overlap."""
    answers = inside & np.isin(rows.groups, ANSWERED)
    sets = [inside & (rows.groups == group) for group in set(rows.groups.tolist()) - set(ANSWERED)]
    sets = [one for one in sets if 0 < rows.true[one].sum() < one.sum()]  # of few claims all can be of one kind
    overlaps = _overlaps(rows.rows)
    return (
        round(_cut(scores[answers], rows.true[answers]), 4),
        round(threshold([(scores[one].tolist(), rows.true[one]) for one in sets]), 4),
        threshold([(overlaps[one].tolist(), rows.true[one]) for one in sets]),
    )


def _held_out(rows: Rows, scores: Array) -> dict[str, object]:
    cut, even, plain = _thresholds(rows, scores, rows.first)
    overlaps = _overlaps(rows.rows)
    held: dict[str, object] = {}
    for group in sorted(set(rows.groups.tolist())):
        one = ~rows.first & (rows.groups == group)
        held[group] = _measured(scores[one], rows.true[one], cut if group in ANSWERED else even) | {
            "overlap": _measured(overlaps[one], rows.true[one], plain)
        }
    return held


def _features(checker: Checker, row: Row) -> dict[str, float]:
    """The means over the row's sentences."""
    found = [
        checker.evidence(sentence, row.passages) | {STATED: stated}
        for sentence, stated in zip(row.sentences, row.stated, strict=True)
    ]
    found = [one for one in found if len(one) > 1] or [dict.fromkeys(WordsWeights.features, 0.0) | {STATED: 0.0}]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _overlaps(rows: Sequence[Row]) -> Array:
    """The share of the sentences' terms that the passages have."""
    pairs = [(terms(" ".join(row.sentences)), terms(" ".join(row.passages))) for row in rows]
    return np.array([len(wanted & has) / len(wanted) if wanted else 0.0 for wanted, has in pairs])


def _cut(scores: Array, true: Labels) -> float:
    right = np.sort(scores[true])
    return float(right[int(REFUSED * len(right))]) if len(right) else 0.5


def _measured(scores: Array, true: Labels, cut: float) -> dict[str, float]:
    above = scores >= cut
    counts: dict[str, float] = {"n": len(true), "supported": int(true.sum())}
    if not 0 < true.sum() < len(true):
        return counts
    return counts | {
        "auroc": round(auroc(scores.tolist(), true.tolist()), 3),
        "balanced_accuracy": round(balanced_accuracy(above.tolist(), true.tolist()), 3),
        "kept_of_supported": round(float(above[true].mean()), 3),
        "kept_of_others": round(float(above[~true].mean()), 3),
    }


def _write(weights: Weights | WordsWeights) -> None:
    weights.file.write_text(weights.model_dump_json(indent=2) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--within", action="store_true", help="make only `stated_within` anew")
    given = parser.parse_args()
    settings = Settings()
    rows = witness.read(given.rows)
    try:
        llm = models.resolve(settings.models.llm, settings.models.folder, "llm")
        model = models.resolve(settings.models.embedder, settings.models.folder)
        embedder = Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256)
    except AssistantError as error:
        sys.exit(str(error))
    if given.within:
        narrowed = _narrow(rows, Weights.read(), embedder)
        _write(narrowed)
        print(narrowed.stated_within, narrowed.about["within"])
        return
    table = Rows(rows, Checker(embedder, WordsWeights.read()))
    probe.FILE.write_text(train(rows, llm.sha256).model_dump_json() + "\n", "utf-8")
    for kind in (Weights, WordsWeights):
        weights = calibrate(kind, table, embedder, llm.sha256)
        _write(weights)
        print(weights.model_dump_json(indent=2))


if __name__ == "__main__":
    main()
