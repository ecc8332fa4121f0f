"""Does a text support a claim? Words, numbers, names and likeness of meaning say how likely that is.

What the language model itself says of an answer decides whether it is let through, so the answer must be graded by
something else. This checker is a logistic regression over `assistant.evidence`, calibrated on claims that people
judged (`evals.calibrate`). `checker.json` holds its weights, how they came about, and how good they are on claims that
had no part in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import ClassVar

from assistant import logistic
from assistant.errors import EmbedderMismatch
from assistant.evidence import FEATURES, Embeds, Evidence
from evals.records import Claim

FILE = Path(__file__).with_name("checker.json")

_FRAGMENT = 10  # words that an answer which is no sentence has at most
_STOPPED = re.compile(r"[.!?。！？]['\"”’)\]]*\s*$")


class Weights(logistic.Weights):
    """`checker.json`: how likely a text supports a claim, by `assistant.evidence`."""

    features: ClassVar[Collection[str]] = tuple(FEATURES)
    file: ClassVar[Path] = FILE
    command: ClassVar[str] = "python -m evals.calibrate FOLDER"


class Checker:
    """Says how likely it is that a text supports a claim. Safe to use from several threads."""

    def __init__(self, embedder: Embeds, weights: Weights) -> None:
        self.weights = weights
        self.threshold = weights.threshold
        self.features = Evidence(embedder).features

    @classmethod
    def load(cls, embedder: Embeds) -> Checker:
        """With the weights of `checker.json`. Raises BadInput when the file is damaged, EmbedderMismatch when the
        weights were calibrated with another embedder.
        """
        weights = Weights.read()
        if embedder.sha256 != weights.embedder_sha256:
            raise EmbedderMismatch(
                f"The checker's weights were calibrated with the embedder {weights.embedder}, not {embedder.name}.",
                f"Use that one, or calibrate with `{Weights.command}`.",
            )
        return cls(embedder, weights)

    def support(self, claim: str, context: str) -> float:
        """The probability that the context supports the claim, where half of all claims are supported.

        An empty context supports nothing: 0. NaN where the claim has no term that could be found. Raises ValueError
        for an empty claim.
        """
        if not claim.strip():
            raise ValueError("An empty claim cannot be checked.")
        if not context.strip():
            return 0.0
        found = self.features(claim, context)
        return self.weights.probability(found) if found else math.nan


def judge(checker: Checker, claims: Sequence[Claim]) -> list[float]:
    """The probability that its context supports it, for each claim."""
    return [checker.support(said(claim), claim.context) for claim in claims]


def said(claim: Claim) -> str:
    """What is claimed: a short answer without a full stop claims something only together with its question."""
    fragment = len(claim.claim.split()) <= _FRAGMENT and not _STOPPED.search(claim.claim)
    return f"{claim.question} {claim.claim}".strip() if fragment else claim.claim
