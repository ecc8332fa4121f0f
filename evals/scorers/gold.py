"""Where the gold of a case stands in the documents, and what meets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assistant.records import Span
from evals.cases import locate
from evals.records import Case

Places = dict[str, list[Span]]  # by file; no place: the whole document is gold


def lacking(case: Case, texts: Mapping[str, str]) -> str:
    """Why there is no gold to compare with, "" where there is."""
    if not case.spans and not case.documents:
        return "no gold"
    if any(span.file not in texts or not locate(span, texts[span.file]) for span in case.spans):
        return "gold not in its document"
    return ""


def places(case: Case, texts: Mapping[str, str]) -> Places:
    """The gold documents, each with every place where one of its quotes stands."""
    found: Places = {file: [] for file in case.documents}
    for span in case.spans:
        found.setdefault(span.file, []).extend(locate(span, texts[span.file]))
    return found


def meets(gold: Places, span: Mapping[str, Any]) -> bool:
    """Whether a hit or a citation (`file`, `start`, `end`) shows gold.

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
    )
