"""An answer while it is written: the model's text comes in by pieces, checked sentences go out."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from assistant.attribution import attributed
from assistant.cite import Candidate, Citer
from assistant.conflict import disagreeing
from assistant.evidence import denies, names
from assistant.markers import Markers
from assistant.records import Citation, Pending, Sentence, SentenceChecked, Token, Verdict
from assistant.sentences import ITEM, SentenceStream, spans
from assistant.terms import terms

_SHORT = 40  # characters of a value that is a name or a number rather than a sentence
_SAID_AGAIN = 0.75  # share of a sentence's terms that stand in one that was said already
_WORD = re.compile(r"\w+|[^\w\s.,;:!?\"'“”‘’()\[\]*]")
_ARTICLES = frozenset(["a", "an", "the"])
_TELLS = re.compile(r"\b(?:sources?|passages?|documents?|texts?|articles?|say|said|stated?|mention(?:ed)?)\b")
_LEANS = re.compile(  # on the sentence before: its subject is nothing else
    r"\W*(?:(?:This|That) (?:also |then )?(?:is|was|has|had|will|would|can|could|may|might|must|should|does|did|made|"
    r"makes|means|meant|leads|led|causes|caused|shows|showed|allows|allowed|came|happened|helped|gave|took|became)\b|"
    r"(?:These|Those) (?:also |then )?(?:are|were|have|had|will|would|can|could|may|might|must|should|do|did|include|"
    r"included|made|led|caused|came|gave|took|became)\b|"
    r"(?:Das|Dies) (?:ist|war|wird|wurde|hat|hatte|kann|konnte|soll|bedeutet|führte?|machte?|zeigte?|gilt|galt)\b|"
    r"(?:Esto|Eso|Aquello|Isto|Isso|Aquilo|Ciò|Cela|Ceci|Ça|C['’](?:est|était))\b|"
    r"[这那](?:是|也|就|使|让|将|会|意味|表明|说明|导致|被|不|可))"
)

Written = Pending | Token | SentenceChecked


class Check(Protocol):
    """The check of one sentence, which goes on beside the writing of the next one."""

    @property
    def done(self) -> bool: ...  # whether `verdict` would not wait
    def verdict(self) -> Verdict: ...


Begin = Callable[[str], Check]  # begins the check of a sentence
Nearest = Callable[[str, Sequence[str]], int | None]  # which of some texts says nearly what a sentence says


class Unchecked:
    """No check at all."""

    done = True

    def verdict(self) -> Verdict:
        return "unchecked"


class _Failed:
    """The check of a sentence that has failed before."""

    done = True

    def verdict(self) -> Verdict:
        return "unsupported"


@dataclass(frozen=True, slots=True)
class _Closed:
    """A sentence that is complete, and waits for its verdict. `claim` is what of it is looked for in the sources;
    `space` is the white space behind it; `cited` are the spans that carry it, and one that carries the rest.
    """

    text: str
    claim: str
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

    def __init__(
        self, citer: Citer, begin: Begin | None = None, strict: bool = False, nearest: Nearest | None = None
    ) -> None:
        self.text = ""
        self.sentences: list[Sentence] = []
        self.failed: list[str] = []
        self._citer = citer
        self._begin: Begin = begin or (lambda _sentence: Unchecked())
        self._strict = strict
        self._nearest: Nearest = nearest or (lambda _sentence, _texts: None)
        self._stream = SentenceStream()
        self._raw = Markers(citer.sources)
        self._open = ""  # the sentence being written
        self._shown = 0  # how much of it has been sent
        self._closed: deque[_Closed] = deque()
        self._bare: list[_Closed] = []  # lines without a word, such as those around code: they go with what follows
        self._fell = False  # whether the last sentence failed
        self._item = 0  # the number of the last item of a list
        self._gap = ""  # white space that stands before the next sentence, if one comes
        self._pending = ""  # as it was told last
        self.tried = False  # whether a first try is over
        self._stands: list[tuple[str, tuple[Candidate, ...]]] = []  # what was said, and the spans that carry it
        self._told: list[Candidate] = []  # what disagrees with it

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self._citer.citations

    def feed(self, piece: str) -> Iterator[Written]:
        """Events for some more of the model's text."""
        yield from self._take(self._raw.feed(piece))
        yield from self._settle(wait=False)

    def flush(self) -> Iterator[Written]:
        """Events for what was held back, when the model has stopped. Waits for the verdicts that are not there yet."""
        yield from self._take(self._raw.flush().rstrip())
        last = self._stream.flush()
        starts = [span.start for span in spans(last, whole=True)]  # what was shown stays in its sentence
        for start, end in zip(starts, [*starts, len(last)][1:], strict=True):
            yield from self._close(last[start:end])
        yield from self._settle(wait=True)
        if not self._fell and (self.sentences or any(map(_speaks, self._bare))):
            yield from self._stand_bare()
        self._bare.clear()
        self.tried, self._fell = True, False

    def give_up(self) -> Iterator[Written]:
        """Drops what has not become part of the answer, where the model cannot go on. For a `strict` one."""
        self._raw.clear()
        self._open = ""
        self._stream.flush()
        self._closed.clear()
        yield from self._tell_pending()

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
        if self.tried and self._stood(text):
            return
        claim = self._claim(text)
        if self.tried and self._failed_before(text):
            self._closed.append(_Closed(text, claim, space, (), (), _Failed()))
            return
        found = self._citer.find(claim)
        cited = found + self._citer.rest(claim, found)
        self._closed.append(_Closed(text, claim, space, found, cited, self._begin(claim)))
        if not self._strict:
            yield self._token(text[self._shown :] + self._markers(cited) + space)
            self._shown = 0

    def _claim(self, text: str) -> str:
        """The sentence without its number in a list that counts from 1, which no source has to have."""
        item = ITEM.match(text)
        if not item or int(item[1]) not in (1, self._item + 1):
            return text
        self._item = int(item[1])
        return text[item.end() :].strip() or text

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
        if self._strict and not terms(closed.claim):
            self._bare.append(closed)
            return
        leans = self._fell and _LEANS.match(closed.claim) is not None
        self._fell = self._strict and (leans or verdict == "unsupported")
        if self._fell:
            self._bare.clear()
            self.failed += [closed.text] if not isinstance(closed.check, _Failed) else []
        else:
            yield from self._stand_bare()
            yield from self._stand(closed, verdict)

    def _stand_bare(self) -> Iterator[Written]:
        bare, self._bare = self._bare, []
        for closed in bare:
            yield from self._stand(closed, "unchecked")

    def _stand(self, closed: _Closed, verdict: Verdict) -> Iterator[Written]:
        text = closed.text
        if self._strict:
            if verdict == "supported" and not closed.cited:
                closed = replace(closed, cited=self._near(closed.claim))
            text = self._attributed(closed, verdict)
            yield self._token(self._gap + text + self._markers(closed.cited))
            self._gap = closed.space or " "
        cited = self._citer.cite(closed.cited)
        self.sentences.append(Sentence(text, verdict, tuple(citation.n for citation in cited)))
        yield SentenceChecked(self.sentences[-1], cited)
        if verdict != "unsupported" and closed.carried_by:
            self._stands.append((closed.claim, closed.carried_by))

    def _near(self, claim: str) -> tuple[Candidate, ...]:
        """The sentence of a source that says in other words what none says in the claim's."""
        single = [candidate for candidate in self._citer.candidates if not candidate.joined]
        found = self._nearest(claim, [candidate.quote for candidate in single])
        return () if found is None else (single[found],)

    def _attributed(self, closed: _Closed, verdict: Verdict) -> str:
        """The sentence, with who says it where its best source quotes somebody for it."""
        if verdict != "supported" or not closed.carried_by:
            return closed.text
        best = closed.carried_by[0]
        said = [sentence.text for sentence in self.sentences]
        return attributed(closed.text, best.quote, said, best.above)

    def _stood(self, text: str) -> bool:
        """Whether a second try says again what stands there."""
        return any(_covers(one.text, text) and denies(one.text) == denies(text) for one in self.sentences)

    def _failed_before(self, text: str) -> bool:
        """Whether a second try says again what has failed, or only that the sources do not say so. One that differs
        in a word may be its correction.
        """
        return any(_words(one) == _words(text) or _disowns(text, one) for one in self.failed)

    def _markers(self, carried_by: Sequence[Candidate]) -> str:
        return "".join(f" [{citation.n}]" for citation in self._citer.cite(carried_by))

    def _token(self, text: str) -> Token:
        self.text += text
        return Token(text)


def _speaks(closed: _Closed) -> bool:
    return any(character.isalnum() for character in closed.text)


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.casefold()) if word not in _ARTICLES]


def _disowns(text: str, failed: str) -> bool:
    """Whether a text denies that the sources say a sentence, in that one's words."""
    before, found, after = f" {' '.join(_words(text))} ".partition(f" {' '.join(_words(failed))} ")
    return bool(found.strip()) and denies(f"{before} {after}") and bool(_TELLS.search(f"{before} {after}"))


def _covers(said: str, own: str) -> bool:
    """Whether a sentence's own terms, and all numbers and names among them, were said."""
    has, wanted = terms(said), terms(own)
    return bool(wanted) and len(wanted & has) >= _SAID_AGAIN * len(wanted) and not _new(own, said)


def _new(own: str, said: str) -> bool:
    """Whether a sentence has a number or a name that was not said."""
    strange = terms(own) - terms(said)
    return bool(strange & names(own)) or any(term[0].isdigit() for term in strange)


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
