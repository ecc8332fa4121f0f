"""Do the sources say what a sentence of an answer says?

Three witnesses are heard: the language model itself, asked over the sources it has read already whether they state it
(the log odds of yes over no, not a text); what it had in mind when it began its answer (`probe`); and what the words,
numbers, names and meaning of the sentence have in common with the sources (`evidence`). A logistic regression weighs
them; `check.json` holds its weights and thresholds, how they came about, and how good they are on what had no part in
them (`evals.calibrate_check`).

A fourth witness is heard where the user has one: a groundedness model (`groundedness`). Nobody has calibrated it with
the others, so its log odds are added to theirs: where it thinks both equally likely, they decide alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from assistant import logistic
from assistant.conflict import refuted
from assistant.errors import AssistantError
from assistant.evidence import FEATURES, Embeds, Evidence
from assistant.languages import foreign
from assistant.orders import obeyed
from assistant.probe import Probe
from assistant.records import Hit, Verdict, heading

STATED = "stated"  # the model's log odds, beside the FEATURES of evidence
KNOWN = "known"  # the probe's
ALIKE = frozenset(["numbers_missing"])  # of them those that are the same in every language
YES_OR_NO = (("yes", "Yes", " yes", " Yes", "YES"), ("no", "No", " no", " No", "NO"))

log = logging.getLogger(__name__)


class Weighs(Protocol):
    """A question to the model that goes on beside the answer."""

    @property
    def done(self) -> bool: ...
    def result(self) -> float | None: ...  # log odds of yes over no; None where it was stopped
    def close(self) -> None: ...


class Grounds(Protocol):
    """What the checker needs of `assistant.groundedness.Groundedness`."""

    def begin(self, sentence: str, passages: Sequence[tuple[str, str]]) -> Future[float]: ...
    def close(self) -> None: ...


Hidden = NDArray[np.float32]
Ask = Callable[[str], Weighs]  # asks the model whether the sources state a sentence


class Weights(logistic.Weights):
    """`check.json`: how likely the sources support a sentence, by all that is known of it.

    The log odds of one language model mean nothing for another, so they belong to the file with `model_sha256`.
    """

    features: ClassVar[Collection[str]] = (*FEATURES, STATED, KNOWN)
    file: ClassVar[Path] = Path(__file__).with_suffix(".json")
    command: ClassVar[str] = "python -m evals.calibrate_check ROWS"

    model_sha256: str
    average: dict[str, FiniteFloat]  # over supported sentences: stands in for what a language hides or nobody saw
    stated_within: tuple[FiniteFloat, FiniteFloat]  # the bounds of nearly all of the model's log odds


class WordsWeights(logistic.Weights):
    """`check_words.json`: the same without the language model's word, for models that nobody has calibrated."""

    features: ClassVar[Collection[str]] = tuple(FEATURES)
    file: ClassVar[Path] = Path(__file__).with_name("check_words.json")
    command: ClassVar[str] = Weights.command


class Checker:
    """Begins checks. Safe to use from several threads."""

    grounds: Grounds | None = None  # the fourth witness, where somebody puts one here; closed with the checker

    def __init__(self, embedder: Embeds, weights: Weights | WordsWeights, probe: Probe | None = None) -> None:
        self._evidence = Evidence(embedder)
        self._weights = weights
        self._probe = probe

    @classmethod
    def load(cls, embedder: Embeds, model_sha256: str) -> Checker | None:
        """With the weights for this model, or those for any; None with another embedder than theirs, as then nothing
        can be checked. Raises BadInput when a file is damaged.
        """
        own = Weights.read()
        weights = own if own.model_sha256 == model_sha256 else WordsWeights.read()
        return cls(embedder, weights, Probe.of(model_sha256)) if embedder.sha256 == weights.embedder_sha256 else None

    def close(self) -> None:
        if self.grounds:
            self.grounds.close()

    def glance(self, strict: bool) -> Glance:
        """For one answer. Where it is `strict`, one that would hardly be right is not written at all."""
        return Glance(self._probe, strict)

    def begin(self, sentence: str, hits: Sequence[Hit], ask: Ask, known: float | None = None) -> SentenceCheck:
        """Begins to check a sentence against the texts of the hits. `known` is what a glance saw at the beginning of
        its answer.
        """
        return SentenceCheck(self, sentence, hits, ask, known)

    def asks(self, found: Mapping[str, float], known: float | None) -> bool:
        """Whether the language model is asked about a sentence of which `features` found this: what it says can tip
        the scales. It takes half a second, so where the other witnesses are so sure that no log odds of those it
        gives would change the verdict, nobody waits for it. A fourth witness counts by how sure the others are.
        """
        if not found or not isinstance(self._weights, Weights):
            return False
        if self.grounds:
            return True
        return len({self.verdict(self.support(found, stated, known)) for stated in self._weights.stated_within}) > 1

    def support(self, found: Mapping[str, float], stated: float | None, known: float | None = None) -> float:
        """The probability that the sources support a sentence of which `features` found this; NaN for nothing. For a
        witness that was not heard stands what it says of supported sentences on average.
        """
        if not found:
            return math.nan
        average = self._weights.average if isinstance(self._weights, Weights) else {STATED: 0.0, KNOWN: 0.0}
        own = {STATED: stated, KNOWN: known}
        told = {name: average[name] if value is None else value for name, value in own.items()}
        return self._weights.probability({**found, **told})

    def features(self, sentence: str, passages: Sequence[str]) -> dict[str, float]:
        """Those of `evidence`; empty where there is no passage, no term to look for, or only words of another language
        and no model to be asked.
        """
        found = self.evidence(sentence, passages)
        if not found or not foreign(sentence, " ".join(passages)):
            return found
        average = self._weights.average if isinstance(self._weights, Weights) else {}
        return average and {name: found[name] if name in ALIKE else average[name] for name in found}

    def evidence(self, sentence: str, passages: Sequence[str]) -> dict[str, float]:
        """The same, whatever the language."""
        return self._evidence.features(sentence, "\n\n".join(passages)) if passages else {}

    def nearest(self, sentence: str, texts: Sequence[str]) -> int | None:
        """Which of the texts says nearly what the sentence says, in words of its own; None for none, and where they
        cannot be compared.
        """
        try:
            return self._evidence.nearest(sentence, texts)
        except AssistantError as error:
            log.warning("A sentence stays without a source: %s", error.message)
            return None

    def verdict(self, support: float) -> Verdict:
        if math.isnan(support):
            return "unchecked"
        return "supported" if support >= self._weights.threshold else "unsupported"


class Glance:
    """What the model had in mind when it began its answer. The engine calls it with a hidden state, where it watches
    a layer, and asks whether to write on.
    """

    def __init__(self, probe: Probe | None = None, strict: bool = False) -> None:
        self.known: float | None = None  # the log odds that the sources answer the question
        self.out_of_scope = False
        self._probe = probe
        self._strict = strict

    def __call__(self, hidden: Hidden) -> bool:
        if self._probe:
            self.known = self._probe.log_odds(hidden)
            self.out_of_scope = self._strict and self.known < self._probe.out_of_scope
        return not self.out_of_scope


class SentenceCheck:
    """The check of one sentence. What goes wrong with it is logged, and the sentence is unchecked. Where the sources
    refute it, or only bid their reader to say it, the check is over. The model is asked where its word can tip the
    scales (`Checker.asks`).
    """

    def __init__(self, checker: Checker, sentence: str, hits: Sequence[Hit], ask: Ask, known: float | None) -> None:
        self._checker = checker
        self._known = known
        self._weighing: Weighs | None = None
        self._grounded: Future[float] | None = None
        self._over: Verdict | None = None
        try:
            self._begin(sentence, hits, ask)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer goes on
            self._fail(error)

    @property
    def done(self) -> bool:
        weighed = self._weighing is None or self._weighing.done
        return self._over is not None or (weighed and (self._grounded is None or self._grounded.done()))

    def verdict(self) -> Verdict:
        """Waits for the model where it was asked."""
        try:
            return self._over or self._verdict()
        except Exception as error:  # noqa: BLE001 - as above
            return self._fail(error)
        finally:
            if self._grounded:
                self._grounded.cancel()  # where nobody waits for it any more

    def _begin(self, sentence: str, hits: Sequence[Hit], ask: Ask) -> None:
        shown = [_shown(hit) for hit in hits]
        if refuted(sentence, shown) or obeyed(sentence, shown):
            self._over = "unsupported"
            return
        if self._checker.grounds:
            parts = [(heading(hit.chunk), hit.chunk.text) for hit in hits]
            self._grounded = self._checker.grounds.begin(sentence, parts)
        self._found = self._checker.features(sentence, shown)
        self._weighing = ask(sentence) if self._checker.asks(self._found, self._known) else None

    def _verdict(self) -> Verdict:
        stated = self._weighing.result() if self._weighing else None
        if self._weighing and stated is None:
            return "unchecked"
        grounded = self._grounded.result() if self._grounded else None
        support = self._checker.support(self._found, stated, self._known)
        return self._checker.verdict(support if grounded is None else joined(support, grounded))

    def _fail(self, error: Exception) -> Verdict:
        log.warning("A sentence could not be checked: %s", error, exc_info=not isinstance(error, AssistantError))
        self._over = "unchecked"
        if self._weighing:
            self._weighing.close()
        return self._over


def _shown(hit: Hit) -> str:
    """A hit as the model was shown it: what stands in its heading may be said too."""
    return f"{heading(hit.chunk)}\n\n{hit.chunk.text}"


def joined(support: float, grounded: float) -> float:
    """The probability whose log odds are the sum of both's: an even chance changes nothing, and NaN stays NaN."""
    both = support * grounded
    return both / (both + (1 - support) * (1 - grounded)) if both else both
