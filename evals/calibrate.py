"""The weights and the threshold of `evals.checker`, from claims that people judged.

    python -m evals.calibrate FOLDER [--output evals/checker.json]

FOLDER holds the data sets of docs/datasets.md. Of each set, and of claims made false on purpose, LIMIT are drawn and
parted in two by their texts. One half gives the weights and the threshold; the other only says how good they are, set
by set, beside the plain share of the claim's terms that the text has, whose threshold is chosen in the same way. Each
set counts the same in all this, and so do the supported and the other claims within it. Takes five minutes.

Which features there are was settled while looking at claims of both halves, so the figures flatter a little. Those of
the claims made false flatter more: the true ones stand in the text word for word.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant import models
from assistant.embedder import Embedder
from assistant.errors import AssistantError
from assistant.evidence import AGAINST, FEATURES, Embeds
from assistant.settings import Settings
from assistant.terms import terms
from evals import claims as data
from evals.checker import FILE, Checker, Weights, judge, said
from evals.fitting import Array, Labels, fit
from evals.records import Claim
from evals.stats import auroc, balanced_accuracy

LIMIT = 400  # claims of a set
SEED = data.SEED
PENALTY = 100.0  # of 10, 30, 100, 200 and 400 the best in threefold cross-validation within the first halves
SIGNS = [-1 if name in AGAINST else 1 for name in FEATURES]
_RESAMPLES = 1000

Halves = Mapping[str, tuple[Sequence[Claim], Sequence[Claim]]]


def halves(folder: Path) -> Halves:
    """Each set in two halves. Claims over an empty text are left out: nothing supports them, whatever the weights.

    Raises BadInput when a set is not there.
    """
    sets = {name: data.read(folder, name, LIMIT, SEED)[0] for name in data.NAMES}
    sets[data.SWAPPED] = data.swapped(folder, LIMIT, SEED)
    return {name: data.halves((c for c in claims if c.context.strip()), SEED) for name, claims in sets.items()}


def calibrate(parted: Halves, embedder: Embeds) -> Weights:
    """The weights and the threshold of the first halves, and what they do on the second."""
    first = {name: parts[0] for name, parts in parted.items()}
    second = {name: parts[1] for name, parts in parted.items()}
    weights = Weights(
        embedder=embedder.name,
        embedder_sha256=embedder.sha256,
        bias=0.0,
        weights=dict.fromkeys(FEATURES, 0.0),
        threshold=0.5,
        about={"command": Weights.command, "limit": LIMIT, "seed": SEED, "penalty": PENALTY},
    )
    found, bias = fit(*_rows(Checker(embedder, weights), first), SIGNS, PENALTY)
    named = {name: round(float(weight), 4) for name, weight in zip(FEATURES, found, strict=True)}
    weights = weights.model_copy(update={"weights": named, "bias": round(bias, 4)})
    checker = Checker(embedder, weights)
    cut = round(threshold([(judge(checker, claims), labels(claims)) for claims in first.values()]), 4)
    plain = threshold([(overlaps(claims), labels(claims)) for claims in first.values()])
    held_out = {
        name: {"n": len(claims), "supported": int(labels(claims).sum())}
        | {"checker": measured(judge(checker, claims), claims, cut)}
        | {"overlap": measured(overlaps(claims), claims, plain)}
        for name, claims in second.items()
    }
    about = weights.about | {"calibrated_on": {name: len(claims) for name, claims in first.items()}}
    return weights.model_copy(update={"threshold": cut, "about": about | {"held_out": held_out}})


def overlaps(claims: Sequence[Claim]) -> list[float]:
    """The share of each claim's terms that its context has: what a checker must beat."""
    pairs = [(terms(said(claim)), terms(claim.context)) for claim in claims]
    return [len(wanted & has) / len(wanted) if wanted else 0.0 for wanted, has in pairs]


def labels(claims: Sequence[Claim]) -> Labels:
    return np.array([claim.supported for claim in claims])


def threshold(sets: Sequence[tuple[Sequence[float], Labels]]) -> float:
    """The score from which a claim is taken as supported: of all between two scores, that with the best mean of the
    sets' balanced accuracies.
    """
    known = np.unique(np.concatenate([scores for scores, _ in sets]))
    between = (known[1:] + known[:-1]) / 2
    means = [
        np.mean([balanced_accuracy((np.asarray(scores) >= cut).tolist(), true.tolist()) for scores, true in sets])
        for cut in between
    ]
    return float(between[int(np.argmax(means))])


def measured(scores: Sequence[float], claims: Sequence[Claim], cut: float) -> dict[str, str]:
    """Area under the ROC curve and balanced accuracy, each with its 95% interval."""
    known, true = np.array(scores), labels(claims)
    return {
        "auroc": _interval(lambda some: auroc(known[some].tolist(), true[some].tolist()), claims),
        "balanced_accuracy": _interval(
            lambda some: balanced_accuracy((known[some] >= cut).tolist(), true[some].tolist()), claims
        ),
    }


def _interval(measure: Callable[[NDArray[np.int64]], float], claims: Sequence[Claim]) -> str:
    """Texts are drawn, each with all its claims: claims about one text are alike."""
    places: dict[str, list[int]] = {}
    for place, claim in enumerate(claims):
        places.setdefault(claim.context, []).append(place)
    texts, rng = [np.array(some) for some in places.values()], np.random.default_rng(SEED)
    drawn = (np.concatenate([texts[i] for i in rng.integers(0, len(texts), len(texts))]) for _ in range(_RESAMPLES))
    found = [measure(some) for some in drawn if len(set(labels(claims)[some].tolist())) > 1]
    low, high = np.percentile(found, [2.5, 97.5])
    return f"{measure(np.arange(len(claims))):.3f} ({low:.3f} to {high:.3f})"


def _rows(checker: Checker, sets: Mapping[str, Sequence[Claim]]) -> tuple[Array, Labels, Array]:
    """The features of all claims, which of them are supported, and how much each counts, 1 on average."""
    every = [claim for claims in sets.values() for claim in claims]
    found = [checker.features(said(claim), claim.context) for claim in every]
    rows = np.array([[one[name] for name in FEATURES] for one in found])
    true = [labels(claims) for claims in sets.values()]
    counts = np.concatenate([np.where(one, 0.5 / one.sum(), 0.5 / (~one).sum()) for one in true])
    return rows, np.concatenate(true), counts * len(every) / len(sets)


def _report(weights: Weights) -> str:
    rows = [f"{name:18} {weight:8}" for name, weight in weights.weights.items()]
    for name, held in weights.about["held_out"].items():
        rows.append(f"{name} (n {held['n']})")
        rows += [f"    {by:8} {kind:18} {held[by][kind]}" for by in ("checker", "overlap") for kind in held[by]]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=FILE)
    given = parser.parse_args()
    settings = Settings()
    try:
        parted = halves(given.folder)
        model = models.resolve(settings.models.embedder, settings.models.folder)
        embedder = Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256)
    except AssistantError as error:
        sys.exit(str(error))
    weights = calibrate(parted, embedder)
    given.output.write_text(weights.model_dump_json(indent=2) + "\n", "utf-8")
    print(_report(weights))


if __name__ == "__main__":
    main()
