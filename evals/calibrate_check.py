"""The weights and thresholds of `assistant.check`, from what the language model and the words say of judged sentences.

    python -m evals.calibrate_check ROWS.jsonl

ROWS is what `evals.witness` gathered. Of each set of rows one half gives the weights and the threshold; the other only
says how good they are. Each set counts the same, and so do the supported and the other rows within it. The threshold
is that of answers: at most REFUSED of the right ones fall below it. For the claims, where nothing is refused, a second
one is chosen as people would grade: that with the best mean balanced accuracy (`about.even`). A minute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from assistant import models
from assistant.check import STATED, Checker, Weights, WordsWeights
from assistant.cite import terms
from assistant.embedder import Embedder
from assistant.errors import AssistantError
from assistant.evidence import AGAINST
from assistant.settings import Settings
from evals import claims, witness
from evals.calibrate import threshold
from evals.fitting import Array, Labels, fit
from evals.stats import auroc, balanced_accuracy
from evals.witness import ANSWERS, Row

SEED = 7
PENALTY = 3.0  # of 3, 10 and 30 the best by the area under the curve of answers, in the mean of four ways to halve
REFUSED = 0.08  # of the right answers, at most

Sets = Mapping[str, Sequence[Row]]
Kind = type[Weights] | type[WordsWeights]


def calibrate(kind: Kind, rows: Sequence[Row], embedder: Embedder, model_sha256: str) -> Weights | WordsWeights:
    """The weights of the first halves, and what they do on the second."""
    first, second = _halves(rows)
    blank: dict[str, object] = {
        "embedder": embedder.name,
        "embedder_sha256": embedder.sha256,
        "bias": 0.0,
        "weights": dict.fromkeys(kind.features, 0.0),
        "threshold": 0.5,
        "about": {},
    }
    if kind is Weights:
        blank["model_sha256"] = model_sha256
        blank["average"] = dict.fromkeys(kind.features, 0.0)
    weights = kind.model_validate(blank)
    checker = Checker(embedder, weights)
    names = list(kind.features)
    table, true, counts = _table(checker, names, first)
    found, bias = fit(table, true, counts, [-1 if name in AGAINST else 1 for name in names], PENALTY)
    named = {name: round(float(weight), 4) for name, weight in zip(names, found, strict=True)}
    weights = weights.model_copy(update={"weights": named, "bias": round(bias, 4)})
    if isinstance(weights, Weights):
        average = {name: round(float(value), 4) for name, value in zip(names, table[true].mean(axis=0), strict=True)}
        weights = weights.model_copy(update={"average": average})
    scores = {name: _scores(checker, weights, rows) for name, rows in first.items()}
    cut = round(_cut(scores[ANSWERS], _labels(first[ANSWERS])), 4)
    even = round(threshold([(scores[name], _labels(first[name])) for name in first if name != ANSWERS]), 4)
    plain = threshold([(_overlaps(rows), _labels(rows)) for name, rows in first.items() if name != ANSWERS])
    held_out = {
        name: _measured(_scores(checker, weights, rows), _labels(rows), cut if name == ANSWERS else even)
        | {"overlap": _measured(_overlaps(rows), _labels(rows), plain)}
        for name, rows in second.items()
    }
    about = {
        "command": f"{kind.command} (seed {SEED}, penalty {PENALTY})",
        "threshold": f"at most {REFUSED} of the right answers of the first half fall below it",
        "even": even,
        "calibrated_on": {name: len(rows) for name, rows in first.items()},
        "held_out": held_out,
    }
    return weights.model_copy(update={"threshold": cut, "about": about})


def _halves(rows: Sequence[Row]) -> tuple[Sets, Sets]:
    parts: tuple[dict[str, list[Row]], dict[str, list[Row]]] = ({}, {})
    for row in rows:
        parts[claims.half(row.text, SEED)].setdefault(row.group, []).append(row)
    return parts


def _table(checker: Checker, names: Sequence[str], sets: Sets) -> tuple[Array, Labels, Array]:
    """Features, labels, and how much each row counts, 1 on average."""
    every = [row for rows in sets.values() for row in rows]
    found = [_features(checker, row) for row in every]
    true = [_labels(rows) for rows in sets.values()]
    counts = np.concatenate([np.where(one, 0.5 / max(one.sum(), 1), 0.5 / max((~one).sum(), 1)) for one in true])
    return (
        np.array([[one[name] for name in names] for one in found]),
        np.concatenate(true),
        counts * len(every) / len(sets),
    )


def _features(checker: Checker, row: Row) -> dict[str, float]:
    """The means over the row's sentences."""
    found = [
        checker.evidence(sentence, row.passages) | {STATED: stated}
        for sentence, stated in zip(row.sentences, row.stated, strict=True)
    ]
    found = [one for one in found if len(one) > 1] or [dict.fromkeys(Weights.features, 0.0)]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _scores(checker: Checker, weights: Weights | WordsWeights, rows: Sequence[Row]) -> list[float]:
    return [weights.probability(_features(checker, row)) for row in rows]


def _labels(rows: Sequence[Row]) -> Labels:
    return np.array([row.supported for row in rows])


def _overlaps(rows: Sequence[Row]) -> list[float]:
    """The share of the sentences' terms that the passages have."""
    pairs = [(terms(" ".join(row.sentences)), terms(" ".join(row.passages))) for row in rows]
    return [len(wanted & has) / len(wanted) if wanted else 0.0 for wanted, has in pairs]


def _cut(scores: Sequence[float], true: Labels) -> float:
    right = np.sort(np.asarray(scores)[true])
    return float(right[int(REFUSED * len(right))]) if len(right) else 0.5


def _measured(scores: Sequence[float], true: Labels, cut: float) -> dict[str, object]:
    known = np.asarray(scores)
    above = known >= cut
    return {
        "n": len(true),
        "supported": int(true.sum()),
        "auroc": round(auroc(list(scores), true.tolist()), 3),
        "balanced_accuracy": round(balanced_accuracy(above.tolist(), true.tolist()), 3),
        "kept_of_supported": round(float(above[true].mean()), 3),
        "kept_of_others": round(float(above[~true].mean()), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    given = parser.parse_args()
    settings = Settings()
    rows = witness.read(given.rows)
    try:
        llm = models.resolve(settings.models.llm, settings.models.folder, "llm")
        model = models.resolve(settings.models.embedder, settings.models.folder)
        embedder = Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256)
    except AssistantError as error:
        sys.exit(str(error))
    for kind in (Weights, WordsWeights):
        weights = calibrate(kind, rows, embedder, llm.sha256)
        kind.file.write_text(weights.model_dump_json(indent=2) + "\n", "utf-8")
        print(weights.model_dump_json(indent=2))


if __name__ == "__main__":
    main()
