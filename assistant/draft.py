"""An answer while it is written: the model's text comes in by pieces, checked sentences go out."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from assistant.cite import Candidate, Citer, terms
from assistant.conflict import disagreeing
from assistant.records import Citation, Pending, Sentence, SentenceChecked, Token, Verdict
from assistant.sentences import SentenceStream, spans

_ONE = r"\[(\d{1,3}(?:\s?,\s?\d{1,3})*)\]"
_MARKERS = re.compile(rf"[ \t]*{_ONE}(?:[ \t]*{_ONE})*")
_CODE = re.compile(r"[._(][^\W\d]\w*\)?$")
_SHORT = 40  # characters of a value that is a name or a number rather than a sentence
_UNSURE = re.compile(rf"\s*(?:{_ONE}\s*)*(?:\[[\d\s,]{{0,20}})?$")  # a tail that is, or may become, markers
_SAID_AGAIN = 0.75  # share of a sentence's terms that stand in one that was said already

Written = Pending | Token | SentenceChecked


class Check(Protocol):
    """The check of one sentence, which goes on beside the writing of the next one."""

    @property
    def done(self) -> bool: ...  # whether `verdict` would not wait
    def verdict(self) -> Verdict: ...


Begin = Callable[[str], Check]  # begins the check of a sentence


class Unchecked:
    """No check at all."""

    done = True

    def verdict(self) -> Verdict:
        return "unchecked"


@dataclass(frozen=True, slots=True)
class _Closed:
    """A sentence that is complete, and waits for its verdict. `space` is the white space behind it; `cited` are the
    spans that carry it, and one that carries the rest.
    """

    text: str
    space: str
    carried_by: tuple[Candidate, ...]
    cited: tuple[Candidate, ...]
    check: Check


class Draft:
    """Collects the answer. The texts of all Token events joined are `text`, the markers included.

    Where it is `strict`, a sentence becomes part of the answer once its verdict is there, and is told as Pending until
    then; one that is unsupported goes to `failed` instead. Otherwise all that is written is part of the answer.

    A sentence's markers stand right behind it, so text that may belong to the next sentence is held back until it is
    clear where the sentence ends: for a word or two.
    """

    def __init__(self, citer: Citer, begin: Begin | None = None, strict: bool = False) -> None:
        self.text = ""
        self.sentences: list[Sentence] = []
        self.failed: list[str] = []
        self._citer = citer
        self._begin: Begin = begin or (lambda _sentence: Unchecked())
        self._strict = strict
        self._stream = SentenceStream()
        self._raw = ""  # as the model wrote it, not yet cleared of markers
        self._before = ""  # the last of what was cleared
        self._open = ""  # the sentence being written
        self._shown = 0  # how much of it has been sent
        self._closed: deque[_Closed] = deque()
        self._gap = ""  # white space that stands before the next sentence, if one comes
        self._pending = ""  # as it was told last
        self._tried = False
        self._stands: list[tuple[str, tuple[Candidate, ...]]] = []  # what was said, and the spans that carry it
        self._told: list[Candidate] = []  # what disagrees with it

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self._citer.citations

    def feed(self, piece: str) -> Iterator[Written]:
        """Events for some more of the model's text."""
        self._raw += piece
        unsure = _UNSURE.search(self._raw)
        assert unsure is not None  # the pattern matches the empty tail
        sure, self._raw = self._raw[: unsure.start()], self._raw[unsure.start() :]
        yield from self._take(self._without_markers(sure))
        yield from self._settle(wait=False)

    def flush(self) -> Iterator[Written]:
        """Events for what was held back, when the model has stopped. Waits for the verdicts that are not there yet."""
        rest, self._raw = self._raw, ""
        yield from self._take(self._without_markers(rest).rstrip())
        last = self._stream.flush()
        starts = [span.start for span in spans(last)]
        for start, end in zip(starts, [*starts, len(last)][1:], strict=True):
            yield from self._close(last[start:end])
        yield from self._settle(wait=True)
        self._tried = True

    def disagreements(self) -> Iterator[Written]:
        """Events of what other sources say differently, in their own words, behind all that was said."""
        for sentence, carried_by in list(self._stands):
            other = disagreeing(sentence, carried_by, self._citer.candidates)
            if other and other not in self._told:
                self._told.append(other)
                yield from self._tell(other)

    def _tell(self, other: Candidate) -> Iterator[Written]:
        cited = self._citer.cite([other])
        text = f"{_origin(other)} says otherwise: “{other.quote}”"
        yield self._token(f"\n\n{text} [{cited[0].n}]")
        self.sentences.append(Sentence(text, "supported", (cited[0].n,)))
        yield SentenceChecked(self.sentences[-1], cited)

    def say(self, text: str) -> Token:
        """Text of ours where nothing is left of the model's."""
        return self._token(text)

    def _without_markers(self, text: str) -> str:
        """The text without the markers in it: numbers in brackets, but for those behind code, as in `sys.argv[1]`."""
        before, self._before = self._before, (self._before + text)[-40:]

        def keep(match: re.Match[str]) -> str:
            numbers = [int(number) for number in re.findall(r"\d+", match.group())]
            code = match.group().startswith("[") and _CODE.search(before + text[: match.start()])
            return match.group() if code or 0 in numbers else ""

        clean = _MARKERS.sub(keep, text)
        return clean if before.strip() else clean.lstrip()

    def _take(self, clean: str) -> Iterator[Token]:
        self._open += clean
        for sentence in self._stream.feed(clean):
            yield from self._close(sentence)
        settled = len(self._open[: self._stream.settled].rstrip())
        if not self._strict and settled > self._shown:
            yield self._token(self._open[self._shown : settled])
            self._shown = settled

    def _close(self, sentence: str) -> Iterator[Token]:
        """The sentence is complete: its check begins."""
        text = sentence.rstrip()
        space = sentence[len(text) :]
        self._open = self._open[len(sentence) :]
        if self._tried and self._said(text):
            return
        found = self._citer.find(text)
        cited = found + self._citer.rest(text, found)
        self._closed.append(_Closed(text, space, found, cited, self._begin(text)))
        if not self._strict:
            yield self._token(text[self._shown :] + self._markers(cited) + space)
            self._shown = 0

    def _settle(self, wait: bool) -> Iterator[Written]:
        """Events of the sentences whose verdicts are there, in order; of all, where it may wait."""
        while self._closed and (wait or self._closed[0].check.done):
            closed = self._closed.popleft()
            verdict = closed.check.verdict()
            yield from self._tell_pending()  # before the same text comes as said
            yield from self._decide(closed, verdict)
        yield from self._tell_pending()

    def _tell_pending(self) -> Iterator[Pending]:
        pending = "".join(one.text + one.space for one in self._closed) + self._open
        if self._strict and pending != self._pending:
            self._pending = pending
            yield Pending(pending)

    def _decide(self, closed: _Closed, verdict: Verdict) -> Iterator[Written]:
        if self._strict and verdict == "unsupported":
            self.failed.append(closed.text)
            return
        if self._strict:
            yield self._token(self._gap + closed.text + self._markers(closed.cited))
            self._gap = closed.space or " "
        cited = self._citer.cite(closed.cited)
        self.sentences.append(Sentence(closed.text, verdict, tuple(citation.n for citation in cited)))
        yield SentenceChecked(self.sentences[-1], cited)
        if verdict != "unsupported" and closed.carried_by:
            self._stands.append((closed.text, closed.carried_by))

    def _said(self, text: str) -> bool:
        """Whether a second try says again what stands there or has failed already, or only speaks of what failed."""
        own = terms(text)
        stands, failed = [terms(sentence.text) for sentence in self.sentences], [terms(one) for one in self.failed]
        repeats = any(_covers(one, own) for one in (*stands, *failed))
        return repeats or any(_covers(own, one) and not _new_numbers(own, one) for one in failed)

    def _markers(self, carried_by: Sequence[Candidate]) -> str:
        return "".join(f" [{citation.n}]" for citation in self._citer.cite(carried_by))

    def _token(self, text: str) -> Token:
        self.text += text
        return Token(text)


def _covers(said: frozenset[str], own: frozenset[str]) -> bool:
    """Whether a sentence's own terms, and all numbers among them, were said."""
    return bool(own) and len(own & said) >= _SAID_AGAIN * len(own) and not _new_numbers(own, said)


def _new_numbers(own: frozenset[str], said: frozenset[str]) -> bool:
    return any(term[0].isdigit() for term in own - said)


def _origin(candidate: Candidate) -> str:
    chunk = candidate.hit.chunk
    return ", ".join(part for part in (chunk.publisher, chunk.title or chunk.file, chunk.date) if part)


class VerbatimDraft(Draft):
    """Collects an answer with a form of its own, such as JSON: its text stays as the model wrote it, whatever comes
    of the check.

    The whole is one sentence. It is tied to what carries the values in it, or its sentences where it is no whole JSON.
    It is supported where each of its statements is.
    """

    def feed(self, piece: str) -> Iterator[Written]:
        yield self._token(piece)

    def flush(self) -> Iterator[Written]:
        if not self.text:
            return
        found: dict[Candidate, None] = {}
        checks = []
        for texts in _statements(self.text):
            together = ", ".join(texts)
            parts = {together: self._citer.find(together)} if together else {}
            if not any(parts.values()):
                parts = {text: self._citer.find(text) for text in texts}
            checks += [self._begin(text) for text in parts]
            found |= dict.fromkeys(candidate for spans in parts.values() for candidate in spans)
        cited = self._citer.cite(tuple(found))
        verdicts = {check.verdict() for check in checks} or {"unchecked"}
        worst: list[Verdict] = ["unsupported", "unchecked", "supported"]
        verdict = next(one for one in worst if one in verdicts)
        self.sentences.append(Sentence(self.text, verdict, tuple(citation.n for citation in cited)))
        yield SentenceChecked(self.sentences[-1], cited)


def _statements(answer: str) -> Iterator[list[str]]:
    """The texts of a JSON value, sentence by sentence; the short ones of an object together: they say one thing."""
    try:
        left: list[Any] = [[json.loads(answer)]]
    except (ValueError, RecursionError):
        left = [[answer]]
    while left:
        value = left.pop(0)
        items = list(value.values() if isinstance(value, dict) else value)
        left = [item for item in items if isinstance(item, dict | list)] + left
        texts = [str(item) for item in items if isinstance(item, str | float | int) and not isinstance(item, bool)]
        yield [text for text in texts if len(text) <= _SHORT]
        yield from ([text[span.start : span.end]] for text in texts if len(text) > _SHORT for span in spans(text))
