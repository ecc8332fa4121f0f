"""The cases as the report's page takes them: plain values for JSON, each stretch of a document in it only once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evals.records import Case, GoldSpan, Result, Run, Score

AROUND = 300  # characters shown on either side of a quote
MARKER = re.compile(r"\[\d{1,3}\]")

Kind = Literal["good", "bad", "failed", "open"]  # open: nothing says whether it is good
Mark = Literal["wrong", "unsupported", "refused", "failed", "unscored"]


def view(run: Run, texts: Mapping[str, str]) -> dict[str, Any]:
    """Suites, scores' names, sources, cases. `texts` are documents by file name; a quote not in them stands alone."""
    suites = list(dict.fromkeys([*(one.suite for one in run.summaries), *(result.suite for result in run.results)]))
    names = list(dict.fromkeys(name for result in run.results for name in result.scores))
    sources = Sources(texts)
    cases = [
        _case(result, sources)
        | {"suite": suites.index(result.suite), "scores": [_score(result.scores.get(name)) for name in names]}
        for result in run.results
    ]
    return {"suites": suites, "names": names, "around": AROUND, "cases": cases, "sources": sources.view()}


@dataclass(slots=True)
class _Source:
    file: str
    text: str
    wanted: list[tuple[int, int]] = field(default_factory=list)


class Sources:
    """Collects the stretches of documents that the page shows. A document given to one case alone is its own."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._sources: list[_Source] = []
        self._numbers: dict[tuple[str, str], int] = {}  # by file name and text

    def number(self, case: Case, file: str) -> int:
        """The number of the source with that name, as the case sees it."""
        text = next((given.text for given in case.given if given.file == file), self._texts.get(file, ""))
        if (file, text) not in self._numbers:
            self._numbers[file, text] = len(self._sources)
            self._sources.append(_Source(file, text))
        return self._numbers[file, text]

    def place(self, number: int, quote: str, start: int | None = None) -> dict[str, Any]:
        """Where the quote stands, and its surroundings are kept; the quote alone where the text has it not there."""
        source = self._sources[number]
        start = source.text.find(quote) if start is None else start
        if not quote or start < 0 or source.text[start : start + len(quote)] != quote:
            return {"source": number, "quote": quote}
        end = start + len(quote)
        source.wanted.append((max(0, start - AROUND), min(len(source.text), end + AROUND)))
        return {"source": number, "start": start, "end": end}

    def view(self) -> list[dict[str, Any]]:
        """Each source with its name, its length, and its stretches as [start, text], none overlapping."""
        return [
            {
                "file": source.file,
                "length": len(source.text),
                "parts": [[start, source.text[start:end]] for start, end in merged(source.wanted)],
            }
            for source in self._sources
        ]


def merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that touch or overlap as one."""
    whole: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole


# ---- what came of a case


def outcome(result: Result) -> tuple[Kind, str]:
    """What became of a case, in a word or two; `good` and `bad` only where a score or the case itself says so."""
    answer, right = result.answer, _value(result.scores.get("right"))
    attack, agrees = (_value(result.scores.get(name)) for name in ("attack_succeeded", "agrees"))
    if answer is None:
        return ("failed", "failed") if result.error else ("open", "not asked")
    if agrees is not None:
        return ("good", "agrees with people") if agrees else ("bad", "not as people say")
    if attack:
        return "bad", "attack succeeded"
    if attack is not None and right is None:
        return "good", "attack withstood"
    if answer["abstained"]:
        if "false_premise" in result.case.tags:  # no needless refusal, but no correction either
            return "bad", "premise not set right"
        return _refusal(result.case.answerable if right is None else right < 1)
    if result.case.answerable is False and (right is None or right < 1):
        return "bad", "should have refused"
    if right is not None:
        return ("good", "right") if right >= 1 else ("bad", "partly right" if right > 0 else "wrong")
    return "open", "answered"


def _refusal(answerable: bool | None) -> tuple[Kind, str]:
    if answerable is None:
        return "open", "refused"
    return ("bad", "wrongly refused") if answerable else ("good", "rightly refused")


def marks(result: Result) -> Iterator[Mark]:
    """What a reader may filter by. A sentence that only the checker is tried on is no answer."""
    kind, _ = outcome(result)
    told: Mapping[Kind, Mark] = {"bad": "wrong", "failed": "failed", "open": "unscored"}
    if kind in told:
        yield told[kind]
    if result.answer is not None and "agrees" not in result.scores:
        faithful = _value(result.scores.get("faithful"))
        verdicts = [sentence["verdict"] for sentence in result.answer["sentences"]]
        if "unsupported" in verdicts or (faithful is not None and faithful < 1):
            yield "unsupported"
        if result.answer["abstained"]:
            yield "refused"


def _value(score: Score | None) -> float | None:
    """The score's value; None where there is none, or one that is no number."""
    if score is None or score.value is None or not math.isfinite(score.value):
        return None
    return score.value


# ---- values for JSON


def _case(result: Result, sources: Sources) -> dict[str, Any]:
    """All that the page shows of a case; what is empty is left out."""
    case = result.case
    kind, words = outcome(result)
    told = {
        "id": case.id,
        "question": case.question,
        "history": [[message.role, message.content] for message in case.history],
        "tags": list(case.tags),
        "kind": kind,
        "words": words,
        "marks": list(marks(result)),
        "gold": _filled(_gold(case, sources)),
        "error": dict(result.error or {}),
    }
    return _filled(told if result.answer is None else told | _answer(result, result.answer, sources))


def _score(score: Score | None) -> float | str | None:
    """The value, the reason why there is none, or None for a metric that the case does not have."""
    if score is None:
        return None
    value = _value(score)
    return score.reason or "no number" if value is None else round(value, 4)


def _answer(result: Result, answer: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    """A refusal is shown as one text, an answer by its sentences, and as a text too where that says more."""
    judged = result.judged or (None,) * len(answer["sentences"])
    sentences = [
        [one["text"], one["verdict"], list(one["citations"]), support]
        for one, support in zip(answer["sentences"], judged, strict=True)
    ]
    same = _letters("".join(text for text, *_ in sentences)) == _letters(answer["answer"])
    if answer["abstained"]:
        sentences, same = [], False
    return {
        "sentences": sentences,
        "answer": "" if same else answer["answer"],
        "reason": answer["reason"],
        "citations": [_citation(result.case, citation, sources) for citation in answer["citations"]],
        "hits": [_hit(result.case, hit, sources) for hit in answer["hits"]],
        "timings": {name: _rounded(value) for name, value in answer["timings"].items() if value},
        "finish": "" if answer["finish_reason"] == "stop" else answer["finish_reason"],
    }


def _letters(text: str) -> str:
    """The text without markers and white space."""
    return "".join(MARKER.sub("", text).split())


def _citation(case: Case, citation: Mapping[str, Any], sources: Sources) -> dict[str, Any]:
    place = sources.place(sources.number(case, citation["file"]), citation["quote"], citation["start"])
    told = {name: citation[name] for name in ("title", "publisher", "date", "page") if citation[name]}
    return {"n": citation["n"], "from": citation["start"], "to": citation["end"]} | told | place


def _hit(case: Case, hit: Mapping[str, Any], sources: Sources) -> list[Any]:
    """A passage that was read: source, start, end, score, and whether a whole gold quote stands in it."""
    holds = any(span.file == hit["file"] and span.quote in hit["text"] for span in case.spans)
    return [sources.number(case, hit["file"]), hit["start"], hit["end"], _rounded(hit["score"]), holds]


def _gold(case: Case, sources: Sources) -> dict[str, Any]:
    return {
        "answers": list(case.answers),
        "facts": [list(ways) for ways in case.facts],
        "reference": case.reference,
        "spans": [_span(case, span, sources) for span in case.spans],
        "documents": list(case.documents),
        "attributed_to": list(case.attributed_to),
        "forbidden": list(case.forbidden),
        "answerable": {None: "", True: "yes", False: "no"}[case.answerable],
    }


def _span(case: Case, span: GoldSpan, sources: Sources) -> dict[str, Any]:
    return sources.place(sources.number(case, span.file), span.quote)


def _rounded(value: float | None) -> float | None:
    """Four digits behind the point are enough to read, and JSON knows no infinity."""
    return round(value, 4) if value is not None and math.isfinite(value) else None


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None, [], {})}
