"""HTML of the passages behind an answer, with the quotes marked. Pure; all text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from assistant.records import Chunk, Citation, DocumentInfo, Hit
from assistant.turns import Turn, count


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a document with its citations; none cite it when it was only read."""

    chunk: Chunk
    citations: tuple[Citation, ...]


def sources_html(turn: Turn) -> str:
    """The passages behind one answer: the cited ones with their quotes marked, the others folded beneath."""
    cited, read = passages(turn.hits or (), turn.citations)
    if turn.abstained:
        return _suggested(turn, [*cited, *read])
    parts = [f'<section class="sources" data-turn="{turn.n}" aria-label="Sources of answer {turn.n}">']
    parts.append(f'<p class="about">{escape(turn.question)}</p>')
    parts += [_cited(passage, turn.n) for passage in cited]
    if read:
        parts.append(_read(turn, read, folded=bool(cited)))
    elif not cited and turn.done:
        parts.append('<p class="empty">No passage was used.</p>')
    return "".join([*parts, "</section>"])


def passages(hits: Sequence[Hit], citations: Sequence[Citation]) -> tuple[list[Passage], list[Passage]]:
    """The passages that are cited, by lowest citation number, and those that were only read, in prompt order."""
    homes = [(citation, _home(citation, hits)) for citation in citations]
    cited: list[Passage] = []
    for chunk in dict.fromkeys(home for _, home in homes):
        cited.append(Passage(chunk, tuple(citation for citation, home in homes if home == chunk)))
    cited.sort(key=lambda passage: min(citation.n for citation in passage.citations))
    used = {passage.chunk.id for passage in cited}
    return cited, [Passage(hit.chunk, ()) for hit in hits if hit.chunk.id not in used]


def _home(citation: Citation, hits: Sequence[Hit]) -> Chunk:
    """The chunk that holds most of the quote; the quote itself, as a chunk, where none holds any of it."""
    best = max((hit.chunk for hit in hits), key=lambda chunk: _shared(citation, chunk), default=None)
    if best is not None and _shared(citation, best):
        return best
    place = (citation.document_id, citation.quote, citation.start, citation.end, citation.page, citation.file)
    name = f"{citation.document_id}-{citation.start}-{citation.end}"
    return Chunk(name, *place, citation.title, citation.publisher, citation.date)


def _shared(citation: Citation, chunk: Chunk) -> int:
    """How many characters of the quote the chunk holds."""
    if citation.document_id != chunk.document_id:
        return 0
    return max(0, min(citation.end, chunk.end) - max(citation.start, chunk.start))


def _whole(passage: Passage) -> tuple[str, int]:
    """The passage's text and its start: the chunk, grown where a quote reaches over its edge."""
    text, start = passage.chunk.text, passage.chunk.start
    for citation in passage.citations:
        end = start + len(text)
        before = citation.quote[: max(0, start - citation.start)]
        after = citation.quote[len(citation.quote) - max(0, citation.end - end) :]
        text, start = before + text + after, start - len(before)
    return text, start


def quoted(passage: Passage) -> str:
    """The passage's text with every quote inside `<mark data-n="N ...">`; quotes may overlap."""
    text, start = _whole(passage)
    spans = [(citation.start - start, citation.end - start, citation.n) for citation in passage.citations]
    edges = sorted({0, len(text), *(edge for first, last, _ in spans for edge in (first, last))})
    parts: list[str] = []
    for left, right in pairwise(edges):
        numbers = sorted({n for first, last, n in spans if first <= left and right <= last})
        piece = escape(text[left:right])
        parts.append(f'<mark data-n="{" ".join(map(str, numbers))}">{piece}</mark>' if numbers else piece)
    return "".join(parts)


def _cited(passage: Passage, turn: int) -> str:
    numbers = sorted({citation.n for citation in passage.citations})
    badges = "".join(f'<span class="badge">{n}</span>' for n in numbers)
    label = escape(f"Source {', '.join(map(str, numbers))}: {name_of(passage.chunk)}")
    return (
        f'<article class="passage" tabindex="-1" data-turn="{turn}" data-n="{" ".join(map(str, numbers))}"'
        f' aria-label="{label}"><h3>{badges}{escape(name_of(passage.chunk))}</h3>{_cited_facts(passage)}'
        f'<blockquote>{quoted(passage)}</blockquote><button type="button" class="back">Back to the answer</button>'
        "</article>"
    )


def _read(turn: Turn, read: Sequence[Passage], *, folded: bool) -> str:
    title = f"Also read, not cited ({len(read)})" if turn.done else f"Reading {count(len(read), 'passage')}"
    items = "".join(_uncited(passage, turn.n) for passage in read)
    opened = "" if folded else " open"
    key = f"read-{turn.n}"
    return f'<details class="read" data-key="{key}"{opened}><summary>{title}</summary>{items}</details>'


def _suggested(turn: Turn, near: Sequence[Passage]) -> str:
    """The passages of a turn without an answer, the nearest unfolded: none of them is a source."""
    items = "".join(_uncited(passage, turn.n, opened=number == 0) for number, passage in enumerate(near))
    told = "Nearest passages" if near else "No passage is near"
    below = '<p class="empty">They do not answer the question: suggestions, not sources.</p>' if near else ""
    return (
        f'<section class="sources suggested" data-turn="{turn.n}" aria-label="{told} to question {turn.n}">'
        f'<h2>{told}</h2>{below}<p class="about">{escape(turn.question)}</p>{items}</section>'
    )


def _uncited(passage: Passage, turn: int, *, opened: bool = False) -> str:
    chunk = passage.chunk
    fold = f'<details class="passage" data-key="{turn}-{escape(chunk.id)}"{" open" * opened}>'
    return (
        f"{fold}<summary>{escape(name_of(chunk))}</summary>"
        f"{_facts(chunk)}<blockquote>{escape(chunk.text)}</blockquote></details>"
    )


def name_of(item: Chunk | DocumentInfo) -> str:
    return item.title or item.file


def _cited_facts(passage: Passage) -> str:
    """As the citations tell them: a passage may reach over several pages, a quote stands on its own."""
    first = passage.citations[0]
    pages = sorted({citation.page for citation in passage.citations if citation.page})
    place = f"page {', '.join(map(str, pages))}" if pages else None
    return facts_line([first.publisher, first.date, first.file if first.title else None, place])


def _facts(chunk: Chunk) -> str:
    place = f"page {chunk.page}" if chunk.page else None
    return facts_line([chunk.publisher, chunk.date, chunk.file if chunk.title else None, place])


def facts_line(facts: Iterable[str | None]) -> str:
    told = "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)
    return f'<p class="facts">{told}</p>' if told else ""
