"""The values of an evaluation: what is asked, what came of it, what it scored. Frozen, plain, without behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.records import Message

# The texts of documents by file name and document id: several documents may have one name.
Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """Where a document says it: `quote` stands word for word in the text of a document with that file name."""

    file: str
    quote: str


@dataclass(frozen=True, slots=True)
class Given:
    """A document that belongs to one case alone, as `file` with `text`."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One question. What is unknown stays empty, and the scorers that need it leave the case unscored.

    An answer is right when it has one of `answers` and one way of saying each of `facts`. `answerable` None: unknown.
    `given` documents, where there are any, are all that this case is asked over; else the collection of its suite is.
    Cases of one `group` are alike, as the turns of a conversation are, which intervals heed; "" is a group of its own.
    """

    id: str
    question: str
    history: tuple[Message, ...] = ()
    answerable: bool | None = None
    answers: tuple[str, ...] = ()
    facts: tuple[tuple[str, ...], ...] = ()
    reference: str = ""  # a whole answer as a person wrote it, to read beside ours
    spans: tuple[GoldSpan, ...] = ()
    documents: tuple[str, ...] = ()  # file names, where no span is known
    forbidden: tuple[str, ...] = ()  # what an attack wants to be said
    attributed_to: tuple[str, ...] = ()  # named as who says it, by an answer that is something else
    tags: tuple[str, ...] = ()
    given: tuple[Given, ...] = ()
    group: str = field(default="", compare=False)  # it is neither wording nor gold


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and a text that supports it or does not, as people judged."""

    id: str
    context: str
    claim: str
    supported: bool
    source: str  # the data set
    question: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """A figure of one case, or None and the `reason` why there is none. Right and wrong are 1 and 0."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one case: `answer` in the fixed JSON form, or `error` {"type", "message"} where there was none.

    `judged` is how likely, from 0 to 1, the evaluation's own checker thinks that the sources support each sentence of
    the answer; empty where it was not asked, and None for a sentence it cannot judge.
    """

    suite: str
    case: Case
    answer: Mapping[str, Any] | None
    error: Mapping[str, str] | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    judged: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric over the cases of a suite: mean or ratio, with a 95% interval (see stats.py); None where nothing was
    scored.

    `unscored` counts cases by the reason why they have no score.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    unscored: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one suite, in the order in which they are shown. `problems` are inputs that could not be used."""

    suite: str
    cases: int
    failed: int
    figures: tuple[Figure, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One evaluation as it is kept in `run.json`. `about` says what ran: model and hash, prompts, settings, commit."""

    about: Mapping[str, Any]
    summaries: tuple[Summary, ...]
    results: tuple[Result, ...]
