"""Does a text support a claim? Words, numbers, names and likeness of meaning say how likely that is.

What the language model itself says of an answer decides whether it is let through, so the answer must be graded by
something else. This checker is a logistic regression over `assistant.evidence`, calibrated on claims that people
judged (`evals.calibrate`). `checker.json` holds its weights, how they came about, and how good they are on claims that
had no part in them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from assistant.errors import BadInput, EmbedderMismatch
from assistant.evidence import FEATURES, Embeds, Evidence
from evals.records import Claim

FILE = Path(__file__).with_name("checker.json")

_FRAGMENT = 10  # words that an answer which is no sentence has at most
_STOPPED = re.compile(r"[.!?。！？]['\"”’)\]]*\s*$")


class Weights(BaseModel):
    """`checker.json`: the log-odds of support are `bias` and the sum of each feature times its weight.

    `threshold` is the probability from which a claim counts as supported. `about` says how all this came about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedder: str
    embedder_sha256: str
    bias: FiniteFloat
    weights: dict[str, FiniteFloat]
    threshold: float = Field(ge=0, le=1)
    about: dict[str, Any]

    @field_validator("weights")
    @classmethod
    def _known(cls, weights: dict[str, float]) -> dict[str, float]:
        if set(weights) != set(FEATURES):
            raise ValueError(f"must name the features {', '.join(FEATURES)}")
        return weights

    @classmethod
    def read(cls, file: Path = FILE) -> Weights:
        """Raises BadInput when the file is missing or damaged."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise BadInput(
                f"The checker's weights cannot be read from {file}: {error}",
                "Restore the file, or make it anew with `python -m evals.calibrate FOLDER`.",
            ) from error


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
                "Use that one, or calibrate with `python -m evals.calibrate FOLDER`.",
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
        if not found:
            return math.nan
        odds = self.weights.bias + sum(self.weights.weights[name] * value for name, value in found.items())
        return 1 / (1 + math.exp(-odds))


def judge(checker: Checker, claims: Sequence[Claim]) -> list[float]:
    """The probability that its context supports it, for each claim."""
    return [checker.support(said(claim), claim.context) for claim in claims]


def said(claim: Claim) -> str:
    """What is claimed: a short answer without a full stop claims something only together with its question."""
    fragment = len(claim.claim.split()) <= _FRAGMENT and not _STOPPED.search(claim.claim)
    return f"{claim.question} {claim.claim}".strip() if fragment else claim.claim
