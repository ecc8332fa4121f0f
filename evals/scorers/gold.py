"""Where the gold of a case stands in the documents, and what meets it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evals.cases import locate
from evals.records import Case, GoldSpan, Texts


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gold quote stands."""

    document_id: str
    start: int
    end: int


Places = dict[str, list[Place]]  # by file name; no place: every document of that name is gold as a whole


def lacking(case: Case, texts: Texts) -> str:
    """Why there is no gold to compare with, "" where there is."""
    if not case.spans and not case.documents:
        return "no gold"
    if any(not _located(span, texts) for span in case.spans):
        return "gold not in its document"
    return ""


def places(case: Case, texts: Texts) -> Places:
    """The gold documents, each with every place where one of its quotes stands, in whichever document of that name."""
    found: Places = {file: [] for file in case.documents}
    for span in case.spans:
        found.setdefault(span.file, []).extend(_located(span, texts))
    return found


def _located(span: GoldSpan, texts: Texts) -> list[Place]:
    of_name = texts.get(span.file, {})
    return [Place(name, spot.start, spot.end) for name, text in of_name.items() for spot in locate(span, text)]


def meets(gold: Places, span: Mapping[str, Any]) -> bool:
    """Whether a hit or a citation (`file`, `document_id`, `start`, `end`) shows gold.

    It does when it shares half of the shorter of the two with a place: an overlap of a few letters shows nothing, and
    a long quote need not fit into one chunk.
    """
    if span["file"] not in gold:
        return False
    start, end = span["start"], span["end"]
    spots = gold[span["file"]]
    return not spots or any(
        2 * (min(spot.end, end) - max(spot.start, start)) >= min(spot.end - spot.start, end - start) > 0
        for spot in spots
        if spot.document_id == span["document_id"]
    )
