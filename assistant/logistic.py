"""A logistic regression as a file: the weights of named features, the threshold, and how they came about.

Small enough to be read, and to be argued with. `evals/fitting.py` finds such weights.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from assistant.errors import BadInput


class Weights(BaseModel):
    """The log-odds of what is asked are `bias` and the sum of each feature times its weight.

    `threshold` is the probability from which it counts as true. `about` says how all this came about. The features are
    only good with the embedder that they were calibrated with. A subclass says what its `features` are, where its
    `file` lies and which `command` makes it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: ClassVar[Collection[str]] = ()
    file: ClassVar[Path]
    command: ClassVar[str]

    embedder: str
    embedder_sha256: str
    bias: FiniteFloat
    weights: dict[str, FiniteFloat]
    threshold: float = Field(ge=0, le=1)
    about: dict[str, Any]

    @field_validator("weights")
    @classmethod
    def _known(cls, weights: dict[str, float]) -> dict[str, float]:
        if set(weights) != set(cls.features):
            raise ValueError(f"must name the features {', '.join(cls.features)}")
        return weights

    @classmethod
    def read(cls, file: Path | None = None) -> Self:
        """From `cls.file` unless another is given. Raises BadInput when it is missing or damaged."""
        file = file or cls.file
        try:
            return cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise BadInput(
                f"The weights cannot be read from {file}: {error}",
                f"Restore the file, or make it anew with `{cls.command}`.",
            ) from error

    def probability(self, found: Mapping[str, float]) -> float:
        """From 0 to 1, for one value of each feature."""
        odds = self.bias + math.fsum(weight * found[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0  # beyond, exp has no number for it
