"""An answer while it is written: the model's text comes in by pieces, checked sentences go out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from assistant.cite import Citer
from assistant.records import Citation, Sentence, SentenceChecked, Token
from assistant.sentences import SentenceStream, spans

_ONE = r"\[(\d{1,3}(?:\s?,\s?\d{1,3})*)\]"
_MARKERS = re.compile(rf"[ \t]*{_ONE}(?:[ \t]*{_ONE})*")
_CODE = re.compile(r"[._(][^\W\d]\w*\)?$")
_SHORT = 40  # characters of a value that is a name or a number rather than a sentence
_UNSURE = re.compile(rf"\s*(?:{_ONE}\s*)*(?:\[[\d\s,]{{0,20}})?$")  # a tail that is, or may become, markers


class Draft:
    """Collects the answer. The texts of all Token events joined are `text`, the markers included.

    A sentence's markers stand right behind it, so text that may belong to the next sentence is held back until it is
    clear where the sentence ends: for a word or two.
    """

    def __init__(self, citer: Citer) -> None:
        self.text = ""
        self.sentences: list[Sentence] = []
        self._citer = citer
        self._stream = SentenceStream()
        self._raw = ""  # as the model wrote it, not yet cleared of markers
        self._before = ""  # the last of what was cleared
        self._open = ""  # the sentence being written
        self._shown = 0  # how much of it has been sent

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self._citer.citations

    def feed(self, piece: str) -> Iterator[Token | SentenceChecked]:
        """Events for some more of the model's text."""
        self._raw += piece
        unsure = _UNSURE.search(self._raw)
        assert unsure is not None  # the pattern matches the empty tail
        sure, self._raw = self._raw[: unsure.start()], self._raw[unsure.start() :]
        yield from self._take(self._without_markers(sure))

    def flush(self) -> Iterator[Token | SentenceChecked]:
        """Events for what was held back, when the model has stopped."""
        rest, self._raw = self._raw, ""
        yield from self._take(self._without_markers(rest).rstrip())
        last = self._stream.flush()
        starts = [span.start for span in spans(last)]
        for start, end in zip(starts, [*starts, len(last)][1:], strict=True):
            yield from self._close(last[start:end])

    def _without_markers(self, text: str) -> str:
        """The text without the markers in it: numbers in brackets, but for those behind code, as in `sys.argv[1]`."""
        before, self._before = self._before, (self._before + text)[-40:]

        def keep(match: re.Match[str]) -> str:
            numbers = [int(number) for number in re.findall(r"\d+", match.group())]
            code = match.group().startswith("[") and _CODE.search(before + text[: match.start()])
            return match.group() if code or 0 in numbers else ""

        clean = _MARKERS.sub(keep, text)
        return clean if before.strip() else clean.lstrip()

    def _take(self, clean: str) -> Iterator[Token | SentenceChecked]:
        self._open += clean
        for sentence in self._stream.feed(clean):
            yield from self._close(sentence)
        settled = len(self._open[: self._stream.settled].rstrip())
        if settled > self._shown:
            yield self._token(self._open[self._shown : settled])
            self._shown = settled

    def _close(self, sentence: str) -> Iterator[Token | SentenceChecked]:
        text = sentence.rstrip()
        cited = self._citer.cite(text)
        markers = "".join(f" [{citation.n}]" for citation in cited)
        self._open = self._open[len(sentence) :]
        yield self._token(text[self._shown :] + markers + sentence[len(text) :])
        self._shown = 0
        self.sentences.append(Sentence(text, "unchecked", tuple(citation.n for citation in cited)))
        yield SentenceChecked(self.sentences[-1], cited)

    def _token(self, text: str) -> Token:
        self.text += text
        return Token(text)


class VerbatimDraft(Draft):
    """Collects an answer with a form of its own, such as JSON: its text stays as the model wrote it.

    The whole is one sentence. It is tied to what carries the values in it, or its sentences where it is no whole JSON.
    """

    def feed(self, piece: str) -> Iterator[Token | SentenceChecked]:
        yield self._token(piece)

    def flush(self) -> Iterator[Token | SentenceChecked]:
        if not self.text:
            return
        cited: dict[int, Citation] = {}
        for texts in _statements(self.text):
            found = self._citer.cite(", ".join(texts)) or [one for text in texts for one in self._citer.cite(text)]
            cited |= {citation.n: citation for citation in found}
        self.sentences.append(Sentence(self.text, "unchecked", tuple(cited)))
        yield SentenceChecked(self.sentences[-1], tuple(cited.values()))


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
