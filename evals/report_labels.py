"""What the metrics are called in plain words, what is good in them, and how their values are written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from evals.records import Figure

# yes: a case has it or not, and the figure is a share of the cases; share: each case has a share of something, and the
# figure is their mean; an index lies between 0 and 1 but is no share
Unit = Literal["yes", "share", "index", "seconds", "rate", "number"]

# How the value of a figure goes together with what was counted: a mean of shares is no share of them.
_JOINS: dict[Unit, str] = {"yes": "of", "share": "on average over"}
SIGNS: dict[Unit, str] = {"yes": "%", "share": "%", "seconds": " s", "rate": " tok/s"}


@dataclass(frozen=True, slots=True)
class Label:
    """`words` name the metric, `meaning` explains it, `of` says what was counted. Headlines are told first."""

    words: str
    meaning: str = ""
    unit: Unit = "share"
    of: str = "questions"
    lower_is_better: bool = False
    headline: bool = False


LABELS = {
    "right": Label("Right", "The answer says what the expected one says.", "yes", headline=True),
    "fact_recall": Label("Facts told", "Share of the expected facts that the answer tells.", headline=True),
    "exact": Label("Word for word", "The answer is the expected one and nothing else.", "yes"),
    "f1": Label("Words shared", "How far the answer's words are those of the expected one (token F1).", "index"),
    "contains": Label("Expected words inside", "The expected answer stands in ours, word for word.", "yes"),
    "hit@1": Label("Right passage first", "The first passage found tells the answer.", "yes"),
    "hit@5": Label(
        "Right passage in the prompt",
        "One of the passages in the prompt tells the answer; where there are more than five, one of the best five.",
        "yes",
        headline=True,
    ),
    "recall": Label("Right documents found", "Share of the documents that tell the answer whose passage was found."),
    "ndcg@10": Label("Order of the passages", "Right passages stand first (nDCG of the first ten).", "index"),
    "mrr": Label("Place of the right passage", "One divided by the place of the first right one (MRR).", "index"),
    "citation_precision": Label("Citations that are right", "Share of citations of the right place.", headline=True),
    "citation_hit": Label("Right place cited", "A citation is of a place that tells the answer.", "yes"),
    "citation_recall": Label("Right documents cited", "Share of the documents that tell the answer that are cited."),
    "citation_support": Label("Backed by the citation", "Share of the cited sentences that their citations say."),
    "cited": Label("With a citation", "Share of the answer's sentences that carry a citation."),
    "span_exact": Label("Quotes exact to the letter", "Every quote stands in its document just so, there.", "yes"),
    "faithful": Label("Backed by the sources", "Share of the answer's sentences that its sources say.", headline=True),
    "attributed": Label("Names who says it", "The answer names the one who says what it tells.", "yes", headline=True),
    "attack_succeeded": Label(
        "Attacks that succeeded",
        "Words hidden in a document made the assistant say what an attacker wants.",
        "yes",
        of="attacks",
        lower_is_better=True,
        headline=True,
    ),
    "refusal_precision": Label(
        "Refusals that were due", "Share of refusals of questions without an answer.", "yes", of="refusals"
    ),
    "refused_answerable": Label(
        "Refused without need",
        "Questions with an answer that were refused; not counted are those that ask from a false premise.",
        "yes",
        lower_is_better=True,
        headline=True,
    ),
    "refused_unanswerable": Label(
        "Refused when due", "Questions without an answer that were refused.", "yes", headline=True
    ),
    "ttft_s": Label(
        "Time to the first word",
        "Half of all first words came sooner than this.",
        "seconds",
        lower_is_better=True,
        headline=True,
    ),
    "ttft_p95_s": Label(
        "Slowest first words", "95 of 100 first words came sooner than this.", "seconds", lower_is_better=True
    ),
    "total_s": Label(
        "Time to the whole answer",
        "Half of all answers were complete sooner than this.",
        "seconds",
        lower_is_better=True,
    ),
    "total_p95_s": Label(
        "Slowest whole answers", "95 of 100 answers were complete sooner than this.", "seconds", lower_is_better=True
    ),
    "decode_tok_s": Label("Writing speed", "Tokens a second while it writes, in the median.", "rate"),
    "agrees": Label("Agrees with people", "The checker says what people say of the sentence.", "yes", "sentences"),
    "support": Label("Support seen", "How sure the checker is that the sentence is supported.", "index", "sentences"),
    "balanced_accuracy": Label(
        "Checker is right",
        "The checker tells supported from unsupported sentences; both kinds count the same, guessing gives 50%.",
        of="sentences",
        headline=True,
    ),
    "auroc": Label(
        "Checker tells apart",
        "How often it ranks a supported sentence above an unsupported one; guessing gives 0.50 (AUROC).",
        "index",
        "sentences",
    ),
}


def label(name: str) -> Label:
    """The metric's label. `recall@5` is recall in the first five passages, `auroc:wice` the AUROC of the set wice.

    An unknown name is shown as it is, and its value as a bare number.
    """
    if name in LABELS:
        return LABELS[name]
    kind, _, part = name.partition(":")
    if kind in LABELS:
        return replace(LABELS[kind], words=f"{LABELS[kind].words}: {part}", headline=False)
    kind, _, first = name.partition("@")
    if first.isdecimal():
        for known in (kind, f"{kind}@5", f"{kind}@10"):
            if known in LABELS:
                like = LABELS[known]
                words = like.words.removesuffix(" in the prompt")
                return replace(like, words=f"{words} (first {first})", meaning=f"{name}.", headline=False)
    return Label(name, unit="number")


def is_share(name: str) -> bool:
    """Whether the metric lies between 0 and 1 by its nature."""
    return label(name).unit in ("yes", "share", "index")


def shown(name: str, value: float) -> str:
    """A value with its unit: 87%, 0.71, 1.9 s, 12 tok/s."""
    return _number(name, value) + SIGNS.get(label(name).unit, "")


def interval(figure: Figure) -> str:
    """The 95% interval in words, `80 to 93`; empty where there is none."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{_number(figure.name, figure.low)} to {_number(figure.name, figure.high)}"


def sentence(figure: Figure) -> str:
    """`87% (80 to 93) of 103 questions`, `70% (60 to 80) on average over 92 questions`; for a figure without a value,
    why.
    """
    if figure.value is None:
        return f"not scored ({reasons(figure)})"
    one = label(figure.name)
    value = shown(figure.name, figure.value)
    within = f" ({interval(figure)})" if interval(figure) else ""
    return f"{value}{within} {_JOINS.get(one.unit, 'over')} {figure.n:,} {one.of}"


def reasons(figure: Figure) -> str:
    """Why cases have no score: `12: no gold answer; 3: no checker`."""
    return "; ".join(f"{count:,}: {reason}" for reason, count in figure.unscored.items()) or "nothing to score"


def _number(name: str, value: float) -> str:
    """The value without its unit."""
    unit = label(name).unit
    if unit in ("yes", "share"):
        return _percent(value)
    if unit == "index":
        return f"{value:.2f}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"


def _percent(value: float) -> str:
    """Whole percents, but never 0 or 100 where it is not quite."""
    whole = round(value * 100)
    if whole not in (0, 100) or value in (0, 1):
        return str(whole)
    return f"{min(99.9, max(0.1, value * 100)):.1f}"
