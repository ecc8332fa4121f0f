"""What the language model has in mind when it begins its answer: whether the sources answer the question.

A linear probe (Alain and Bengio 2016) on the hidden state of one layer at the prompt's last token, before anything is
written. It sees what the words of the finished sentence no longer show (Slobodkin et al. 2023 found unanswerable
questions told apart there). `probe.json` holds its weights; `evals.calibrate_check` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from assistant.errors import BadInput

FILE = Path(__file__).with_suffix(".json")


class Probe(BaseModel):
    """The log odds are `bias` and the sum of the hidden state's numbers times `weights`. Good for one model alone.

    Below `out_of_scope` hardly any answer is right, so none need be written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_sha256: str
    layer: int = Field(ge=0)  # counted from 0
    bias: FiniteFloat
    out_of_scope: FiniteFloat
    weights: tuple[FiniteFloat, ...]

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """Raises BadInput when the file is missing or damaged."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise BadInput(
                f"The probe's weights cannot be read from {file}: {error}",
                "Restore the file, or make it anew with `python -m evals.calibrate_check ROWS`.",
            ) from error

    @classmethod
    def of(cls, model_sha256: str, file: Path = FILE) -> Self | None:
        """The probe of a model; None where it has none. Raises BadInput as `read` does."""
        found = cls.read(file)
        return found if found.model_sha256 == model_sha256 else None

    def log_odds(self, hidden: Sequence[float] | NDArray[np.float32]) -> float:
        """That the sources answer the question, for a hidden state of as many numbers as there are weights."""
        return self.bias + float(np.dot(np.asarray(hidden, np.float64), self.weights))
