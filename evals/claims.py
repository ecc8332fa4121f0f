"""Claims that people judged against a text, and claims made false on purpose: what says how good a checker is.

`NAMES` are the data sets of docs/datasets.md; `swapped` makes further claims of SQuAD's paragraphs. Whoever chooses a
threshold does so on one of the `halves` and reports the other: `evals.calibrate` parts them by `SEED`, and what it did
not see is `held_out`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.sentences import spans
from evals.public_data import Asked, Judged, Paragraph, alternating, drawn, place, rank, rows
from evals.records import Claim

NAMES: Mapping[str, str] = {
    "expertqa": "expertqa_val.jsonl",
    "wice": "wice_claim_dev.jsonl",
    "factcheckgpt": "factcheckgpt_stance.jsonl",
    "mtrag_human_faith": "mtrag_human_faith.jsonl",
    "scifact_dev": "scifact_dev.jsonl",
    "halueval": "halueval_qa_one.jsonl",
}
SWAPPED = "swapped"
SEED = 7  # parts the texts of claims in halves; checker.json was calibrated on the first

_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_NAME = r"[A-Z][\w'’-]*[^\W\d_](?: (?:(?:of|the|de|von|van) ){0,2}[A-Z][\w'’-]*[^\W\d_])*"
# Kinds of values, the narrowest first: a value takes the place of another of its kind only.
_KINDS = {
    "day": re.compile(rf"\b(?:\d{{1,2}} {_MONTH}|{_MONTH} \d{{1,2}})(?:,? [12]\d{{3}})?\b"),
    "month": re.compile(rf"\b{_MONTH} [12]\d{{3}}\b"),
    "year": re.compile(r"(?<![\w.,$£€–-])[12]\d{3}(?![\w%–-]|[.,]\d)"),
    "share": re.compile(rf"(?<![\d.,]){_NUMBER} ?(?:%|percent|per cent)(?!\w)"),
    "money": re.compile(rf"[$£€]{_NUMBER}(?: (?:million|billion|trillion))?(?![\d%])"),
    "number": re.compile(rf"(?<![\w.,$£€–-]){_NUMBER}(?![\w%–-]|[.,]\d)"),
    "name": re.compile(rf"\b{_NAME}\b"),
}
_STEM = 4  # letters; words that begin with the same ones may mean the same: France, French
_WHO = ("who ", "whose ", "whom ")


@dataclass(frozen=True, slots=True)
class _Value:
    kind: str
    text: str
    start: int
    end: int


def read(folder: Path, name: str, limit: int | None, seed: int) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """The claims of one of `NAMES`, drawn with the seed, and what is wrong with its file.

    Raises BadInput when the data set is not there.
    """
    problems: list[str] = []
    judged = rows(place(folder, name, NAMES[name]), Judged, problems)
    found = tuple(
        Claim(row.id, row.context, row.claim, row.label == 1, name, _question(row))
        for row in drawn(judged, seed)[:limit]
    )
    return found, tuple(problems)


def _question(row: Judged) -> str:
    return row.question or (row.turns[-1].text.strip() if row.turns else "")


def swapped(folder: Path, count: int | None, seed: int) -> tuple[Claim, ...]:
    """At most `count` claims in pairs: a sentence of a SQuAD paragraph that gives a question's answer, and the same
    sentence with another value of the paragraph in the answer's place.

    The answer is a number, a date or, where the question is who, a name. The other value is of the same kind and
    stands in other sentences only. A paragraph's second pair comes after the first ones of all. Raises BadInput when
    SQuAD is not there.
    """
    problems: list[str] = []  # those of squad2, which tells them
    paragraphs = {row.id: row.text for row in rows(place(folder, "squad2", "corpus.jsonl"), Paragraph, problems)}
    questions: dict[str, list[Asked]] = {}
    for row in rows(place(folder, "squad2", "questions.jsonl"), Asked, problems):
        if not row.is_impossible:
            questions.setdefault(row.gold, []).append(row)
    order = sorted(paragraphs.keys() & questions.keys(), key=lambda id: rank(seed, id))
    pairs = alternating(*(_pairs(paragraphs[id], drawn(questions[id], seed), seed) for id in order))
    return tuple(claim for pair in pairs[: None if count is None else count // 2] for claim in pair)


def _pairs(text: str, asked: Sequence[Asked], seed: int) -> list[tuple[Claim, Claim]]:
    """The pairs that the questions over a paragraph make, at most one each and one a sentence."""
    sentences = [text[span.start : span.end] for span in spans(text)]
    people = {answer for row in asked if row.text.lower().startswith(_WHO) for answer in row.answers}
    values = {sentence: list(_values(sentence, people)) for sentence in sentences}
    free = [sentence for sentence in sentences if text.count(sentence) == 1 and sentence.endswith(".")]
    found = []
    for row in asked:
        for sentence in free:
            if other := _other(row, sentence, values, seed):
                free.remove(sentence)
                found.append(_claims(row, text, sentence, *other))
                break
    return found


def _other(row: Asked, sentence: str, values: Mapping[str, Sequence[_Value]], seed: int) -> tuple[_Value, str] | None:
    """The answer in a sentence, and what may take its place."""
    said = (value for value in values[sentence] if value.text in row.answers and sentence.count(value.text) == 1)
    for value in said:
        alike = (other.text for others in values.values() for other in others if other.kind == value.kind)
        fitting = {other for other in alike if other not in sentence and _differs(other, row.answers)}
        if fitting:
            return value, min(fitting, key=lambda other: rank(seed, row.id, other))
    return None


def _claims(row: Asked, text: str, sentence: str, value: _Value, other: str) -> tuple[Claim, Claim]:
    false = sentence[: value.start] + other + sentence[value.end :]
    return (
        Claim(f"{row.id}-said", text, sentence, True, SWAPPED, row.text),
        Claim(f"{row.id}-swapped", text, false, False, SWAPPED, row.text),
    )


def _differs(other: str, answers: Sequence[str]) -> bool:
    """Whether a value surely means something else than each of the answers."""
    return not any(
        other in answer or answer in other or _digits(other) == _digits(answer) != "" or _stems(other) & _stems(answer)
        for answer in answers
    )


def _digits(text: str) -> str:
    return re.sub(r"[^\d.]", "", text)


def _stems(text: str) -> set[str]:
    """What tells that two names may be one: how their words begin, and their initials (OPEC)."""
    words = re.findall(r"[^\W\d_]+", text)
    capital = [word for word in words if word[0].isupper()]
    initials = "".join(word[0] for word in capital)
    return {word[:_STEM].casefold() for word in (*capital, initials) if word}


def _values(sentence: str, people: Container[str]) -> Iterator[_Value]:
    """The values in a sentence; what is a date or a share is not a number as well, and names are those of `people`."""
    taken: list[tuple[int, int]] = []
    for kind, form in _KINDS.items():
        for found in form.finditer(sentence):
            if kind == "name" and found[0] not in people:
                continue
            if all(found.end() <= start or found.start() >= end for start, end in taken):
                taken.append(found.span())
                yield _Value(kind, found[0], *found.span())


def halves(claims: Iterable[Claim], seed: int) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
    """Development and held-out claims. All claims about a text are in one half, the same one whatever else is read."""
    parts: tuple[list[Claim], list[Claim]] = ([], [])
    for claim in claims:
        parts[half(claim.context, seed)].append(claim)
    return tuple(parts[0]), tuple(parts[1])


def held_out(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims that can say how good the checker is: about texts that had no part in its weights, nor are empty."""
    return halves((claim for claim in claims if claim.context.strip()), SEED)[1]


def half(text: str, seed: int) -> int:
    """0 or 1: the half in which all that is judged by a text belongs."""
    return rank(seed, " ".join(text.split()))[0] % 2
