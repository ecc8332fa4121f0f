"""The page's HTML from plain values: the conversation and the documents. Pure.

Every text that a document, a model or a person wrote goes through `escape`: it is data and never becomes markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from assistant.reader import Reading
from assistant.records import Answer, CollectionInfo, DocumentInfo, FileOutcome, Sentence, Timings
from assistant.render_sources import facts_line, name_of
from assistant.turns import VERDICTS, Turn, count, phase, why_none

MARKER = re.compile(r"(?<![^\s\]])\[(\d{1,3})\]")  # behind a space or another one: `argv[1]` is code
MOST_LISTED = 500  # documents; a longer list would make the page slow
MOST_EXAMPLES = 3
LEAST_WAIT_S = 0.1  # for other people's answers, that is worth telling
LONGEST_EXAMPLE = 110  # characters of a title inside an example question

SIGNS = {"supported": "✓", "unsupported": "✗", "unchecked": "?"}  # so that colour is never needed to tell them apart
ENDED = {"length": "The answer reached its length limit.", "cancelled": "Stopped."}


# ---- the conversation


def turns_html(turns: Iterable[Turn]) -> str:
    return "".join(turn_html(turn) for turn in turns)


def turn_html(turn: Turn, waited_s: float = 0.0) -> str:
    """A question and its answer so far. `waited_s` is shown while there is no word of the answer yet."""
    parts = [
        f'<article class="turn" data-turn="{turn.n}" aria-label="Question {turn.n}">',
        f'<div class="question"><span class="sr">You asked: </span>{escape(turn.question)}</div>',
        *_notices(turn),
    ]
    if turn.abstained:
        parts.append(_no_answer(turn))
    elif turn.text or (turn.pending and not turn.done):
        parts.append(_answer(turn))
    if turn.failure:
        parts.append(_failure(turn.failure))
    elif not turn.done and not turn.text and not turn.pending:
        parts.append(f'<p class="waiting">{escape(phase(turn))}{_seconds(waited_s)}</p>')
    if turn.answer:
        parts += [_left_out(turn.n, turn.answer.left_out), _footer(turn, turn.answer)]
    return "".join([*parts, "</article>"])


def status_html(told: str) -> str:
    """What a screen reader is told now."""
    return f'<div role="status">{escape(told)}</div>'


def _notices(turn: Turn) -> Iterator[str]:
    if turn.dropped_turns == 1:
        yield '<p class="notice">The oldest turn no longer fits and was left out.</p>'
    elif turn.dropped_turns:
        yield f'<p class="notice">The oldest {turn.dropped_turns} turns no longer fit and were left out.</p>'


def _answer(turn: Turn) -> str:
    """What is said, sentence by sentence, and behind it what is being written."""
    labels = {citation.n: citation.title or citation.file for citation in turn.citations}
    body: list[str] = []
    at, before = 0, None
    for start, end, sentence in locate(turn.text, turn.sentences):
        body += [_gap(turn, at, start, labels, before), _sentence(turn, start, end, sentence, labels)]
        at, before = end, sentence
    rest = _gap(turn, at, len(turn.text), labels, before)
    body.append(rest if turn.done else f"<span>{rest}</span>{_pending(turn)}")
    note = '<p class="note unchecked">This answer was not checked against the sources.</p>' if turn.unchecked else ""
    return f'<div class="answer"><span class="sr">Answer: </span>{"".join(body)}</div>{note}'


def _pending(turn: Turn) -> str:
    """What nothing has checked yet, marked as such before and behind; a cursor while there is nothing."""
    if not turn.pending:
        return '<span class="writing"></span>'
    apart = " " if turn.text and not (turn.text[-1].isspace() or turn.pending[0].isspace()) else ""
    return (
        f'{apart}<span class="pending"><span class="sr">Not yet checked: </span>{escape(turn.pending)}</span>'
        '<span class="checking" aria-hidden="true">checking…</span>'
    )


def _sentence(turn: Turn, start: int, end: int, sentence: Sentence, labels: dict[int, str]) -> str:
    """A sentence with its verdict; one with sources is a button that leads to them."""
    cites = [str(n) for n in sentence.citations if n in labels]
    leads = f' role="button" tabindex="0" data-cites="{" ".join(cites)}"' if cites else ""
    before, behind = _verdict(turn, sentence, cites)
    tag = "s" if sentence.verdict == "unsupported" else "span"
    return (
        f'<span class="sentence {sentence.verdict}" data-turn="{turn.n}" data-at="{start}"{leads}>{before}'
        f'<{tag} class="said">{escape(turn.text[start:end])}</{tag}>{behind}</span>'
    )


def _verdict(turn: Turn, sentence: Sentence, cites: Sequence[str]) -> tuple[str, str]:
    """What stands before and behind a sentence: for the eye a sign, and words where something is wrong.

    A screen reader hears what is wrong before the sentence, and the sources behind it. An answer of which nothing is
    checked says so once, in its note.
    """
    verdict = sentence.verdict
    words, sign = VERDICTS[verdict], SIGNS[verdict]
    sources = f"source{'s' * (len(cites) > 1)} {', '.join(cites)}" if cites else ""
    if verdict == "supported":
        said_in = sources or "the sources"
        return "", f'<span class="verdict" aria-hidden="true">{sign}</span>{_heard(f" In {said_in}")}'
    led = _heard(f" See {sources}") if sources else ""
    if verdict == "unchecked" and turn.unchecked:
        return "", led
    seen = f'<span class="verdict" aria-hidden="true">{sign} {words}</span>'
    return _heard(f"{words.capitalize()}: "), seen + led


def _heard(words: str) -> str:
    return f'<span class="sr">{words}</span>'


def _gap(turn: Turn, start: int, end: int, labels: dict[int, str], before: Sentence | None) -> str:
    """Escaped text between sentences, in which `[n]` is a button where `n` is a citation of this answer.

    Where a sentence has one source, the sentence is what the Tab key stops at, and its marker is passed over.
    """
    text = turn.text[start:end]
    parts: list[str] = []
    at = 0
    for match in MARKER.finditer(text):
        n = int(match[1])
        if n in labels:
            label = escape(f"Source {n}: {labels[n]}")
            passed = ' tabindex="-1"' if before is not None and before.citations == (n,) else ""
            place = f'data-turn="{turn.n}" data-n="{n}" data-at="{start + match.start()}"'
            button = f'<button type="button" class="marker" {place} aria-label="{label}"{passed}>[{n}]</button>'
            parts += [escape(text[at : match.start()]), button]
            at = match.end()
    return "".join([*parts, escape(text[at:])])


def locate(text: str, sentences: Sequence[Sentence]) -> list[tuple[int, int, Sentence]]:
    """Where each sentence stands in the answer, in order, as (start, end, sentence).

    Markers and white space may differ between the two. A sentence that is not found is left out.
    """
    letters, positions = _letters(text)
    found: list[tuple[int, int, Sentence]] = []
    at = 0
    for sentence in sentences:
        wanted, _ = _letters(sentence.text)
        start = letters.find(wanted, at) if wanted else -1
        if start >= 0:
            at = start + len(wanted)
            found.append((positions[start], positions[at - 1] + 1, sentence))
    return found


def _letters(text: str) -> tuple[str, list[int]]:
    """The text without markers and white space, and the position of each character that is left."""
    skipped = {place for match in MARKER.finditer(text) for place in range(*match.span())}
    kept = [(letter, place) for place, letter in enumerate(text) if place not in skipped and not letter.isspace()]
    return "".join(letter for letter, _ in kept), [place for _, place in kept]


def _no_answer(turn: Turn) -> str:
    """That there is none and why; what is offered instead looks like no answer."""
    assert turn.answer is not None
    offered = f'<div class="answer abstained">{escape(turn.text)}</div>' if turn.text else ""
    return f'<h3 class="no-answer"><strong>No answer.</strong> {why_none(turn.answer)}</h3>{offered}'


def _left_out(turn: int, texts: Sequence[str]) -> str:
    """The sentences that no source supports, folded: they are no part of the answer."""
    if not texts:
        return ""
    told = f"{count(len(texts), 'sentence')} left out: no source says {'it' if len(texts) == 1 else 'them'}"
    items = "".join(f"<li><s>{escape(text)}</s></li>" for text in texts)
    return f'<details class="left-out" data-key="left-{turn}"><summary>{told}</summary><ul>{items}</ul></details>'


def _failure(failure: tuple[str, str]) -> str:
    message, hint = failure
    return f'<div class="failure"><strong>{escape(message)}</strong> {escape(hint)}</div>'


def _footer(turn: Turn, answer: Answer) -> str:
    verdicts = [] if answer.abstained or turn.unchecked else list(_tallies(answer.sentences))
    facts = [f"<span>{escape(fact)}</span>" for fact in _timings(answer.timings)]
    ended = ENDED.get(answer.finish_reason)
    notes = [f'<span class="ended">{ended}</span>'] if ended else []
    return f'<footer class="facts">{"".join([*notes, *verdicts, *facts])}</footer>'


def _tallies(sentences: Sequence[Sentence]) -> Iterator[str]:
    for verdict, words in VERDICTS.items():
        n = sum(sentence.verdict == verdict for sentence in sentences)
        if n:
            yield f'<span><span class="tally {verdict}">{SIGNS[verdict]} {count(n, "sentence")} {words}</span></span>'


def _timings(timings: Timings) -> Iterator[str]:
    if timings.completion_tokens:
        yield f"first word after {timings.ttft_s:.1f} s"
    if timings.queue_s > LEAST_WAIT_S:
        yield f"waited {timings.queue_s:.1f} s"
    if timings.prompt_tokens:
        read = f", read in {timings.prefill_s:.1f} s" if timings.prefill_s >= 0.05 else ""  # less would show as 0.0
        yield f"prompt {timings.prompt_tokens:,} tokens, {timings.cached_tokens:,} cached{read}"
    if timings.completion_tokens:
        speed = f", {timings.decode_tok_s:.0f} tokens/s" if timings.decode_tok_s else ""
        yield f"wrote {count(timings.completion_tokens, 'token')}{speed}"


# ---- the documents


def welcome_html(documents: Sequence[DocumentInfo]) -> str:
    """What an empty conversation shows: what to do, and example questions made from the documents' titles."""
    if not documents:
        return (
            '<div class="welcome"><h2>No documents yet</h2><p>Add text files under Documents. '
            "Then ask, and every answer shows the passages it comes from.</p></div>"
        )
    titled = [document for document in documents if document.title and len(document.title) <= LONGEST_EXAMPLE]
    questions = [f"What does “{document.title}” say?" for document in titled[:MOST_EXAMPLES]]
    buttons = "".join(f'<button type="button" class="example">{escape(question)}</button>' for question in questions)
    examples = f'<div class="examples">{buttons}</div>' if buttons else ""
    return (
        f'<div class="welcome"><h2>Ask {count(len(documents), "document")}</h2><p>Answers come from the documents '
        f"alone, and each shows the passages it comes from.</p>{examples}</div>"
    )


def documents_html(documents: Sequence[DocumentInfo]) -> str:
    """The collection's documents, each with a button that carries its id in `data-delete`."""
    if not documents:
        return '<p class="empty">This collection has no documents.</p>'
    items = "".join(_document(document) for document in documents[:MOST_LISTED])
    more = len(documents) - MOST_LISTED
    rest = (
        f'<p class="empty">and {more:,} more: <code>assistant documents</code> lists them all</p>' if more > 0 else ""
    )
    return f'<ul class="documents" aria-label="Documents">{items}</ul>{rest}'


def _document(document: DocumentInfo) -> str:
    name = escape(name_of(document))
    size = f"{document.characters:,} characters"
    near = f"near copy of {document.near_copy_of}" if document.near_copy_of else None
    facts = facts_line([document.publisher, document.date, document.file if document.title else None, size, near])
    button = (
        f'<button type="button" class="delete" data-delete="{escape(document.id)}" data-name="{name}"'
        f' aria-label="Delete {name}" title="Delete">✕</button>'
    )
    return f'<li><div><span class="name">{name}</span>{facts}</div>{button}</li>'


def reading_html(reading: Reading | None) -> str:
    """How far reading ahead is; nothing while nothing is read."""
    if reading is None:
        return ""
    return f'<p class="reading">Reading documents ahead: {reading.done} of {reading.total} chunks</p>'


def outcomes_html(outcomes: Sequence[FileOutcome], reading: str = "") -> str:
    """What became of the uploaded files, and what is being done now."""
    items = "".join(
        f'<li class="{outcome.outcome}"><span class="name">{escape(outcome.path.rpartition("/")[2])}</span> '
        f"{escape(_became(outcome))}</li>"
        for outcome in outcomes
    )
    doing = f'<p class="waiting">{escape(reading)}</p>' if reading else ""
    return f'<div class="outcomes" role="status">{doing}<ul>{items}</ul></div>' if items or doing else ""


def _became(outcome: FileOutcome) -> str:
    if outcome.outcome == "failed":
        return f"was not added: {outcome.detail}"
    if outcome.outcome == "unchanged":
        return "was here already"
    if outcome.outcome == "removed":
        return "was deleted"
    return f"{outcome.outcome}, {count(outcome.chunks, 'passage')}"


def collection_choices(collections: Sequence[CollectionInfo], *wanted: str) -> list[tuple[str, str]]:
    """(label, name) of each collection, and of those `wanted` that do not exist yet."""
    known = [info.name for info in collections]
    missing = [name for name in dict.fromkeys(wanted) if name not in known]
    empty = [(f"{name} (empty)", name) for name in missing]
    return empty + [(f"{info.name} ({count(info.documents, 'document')})", info.name) for info in collections]


def _seconds(waited_s: float) -> str:
    return f' <span class="clock">{waited_s:.0f} s</span>' if waited_s >= 1 else ""
