"""An answer while it is written: the model's text comes in by pieces, checked sentences go out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.cite import Citer
from assistant.records import Citation, Sentence, SentenceChecked, Token
from assistant.sentences import SentenceStream, spans

_MARKER = re.compile(r"\s?\[\d{1,3}(?:\s?,\s?\d{1,3})*\]")
_OPEN_MARKER = re.compile(r"\s?(?:\[[\d\s,]*)?$")  # the tail that may become a marker, or white space at the end


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
        self._open = ""  # the sentence being written
        self._shown = 0  # how much of it has been sent

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self._citer.citations

    def feed(self, piece: str) -> Iterator[Token | SentenceChecked]:
        """Events for some more of the model's text."""
        self._raw = _MARKER.sub("", self._raw + piece)
        if not self.text and not self._open:
            self._raw = self._raw.lstrip()
        tail = _OPEN_MARKER.search(self._raw)
        cut = tail.start() if tail else len(self._raw)
        clean, self._raw = self._raw[:cut], self._raw[cut:]
        yield from self._take(clean)

    def flush(self) -> Iterator[Token | SentenceChecked]:
        """Events for what was held back, when the model has stopped."""
        rest, self._raw = self._raw.rstrip(), ""
        yield from self._take(rest)
        last = self._stream.flush()
        starts = [span.start for span in spans(last)]
        for start, end in zip(starts, [*starts, len(last)][1:], strict=True):
            yield from self._close(last[start:end])

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
