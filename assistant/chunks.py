"""Documents to chunks: spans of at most so many characters that hold together and lose nothing.

What counts is how many tokens of a language model a chunk has, and the models differ; so a chunk is measured in
characters of English prose, of which four to five make a token in any of them. A character of another script counts as
its bytes in UTF-8, as the models' tokens are runs of bytes, and a digit as four, as it often is a token of its own
(docs/lab.md).

The text is taken as a row of pieces: sentences, and parts of sentences that are longer than a chunk. Chunks are runs
of pieces; among all ways to cut the row the cheapest is taken, where a cut costs less between paragraphs than between
sentences, much after a heading and little before it, and a chunk costs more the shorter it is. No chunk crosses a
page, so that a quote's page is its chunk's.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from assistant import sections
from assistant.errors import BadSettings
from assistant.records import Chunk, Document, Span
from assistant.sentences import spans

_HEADING = re.compile(r"#{1,6}\s")
_FENCE = re.compile(r"```|~~~")
_LIST_ITEM = re.compile(r"(?:[-*+•‣◦>|]|\(?\w{1,3}[.)])\s|\|")
_SENTENCE_END = re.compile(r"[.!?…。！？।][\"'”’»」)）\]]*$")
_SPACE = re.compile(r"\s+")
_WORD_START = re.compile(r"(?<=\s)\S")
_CLAUSE_END = re.compile(r"(?<=[，、；：。！？,;:）)」”])")  # where a text without spaces may be cut
_SHORT_LINE = 100  # longest line without an end of sentence that is taken for a headline, in characters
_SMALLEST = 40  # pieces of less than this part of a chunk are joined beforehand, which bounds the work
_JOINERS = "\u200d\ufe0e\ufe0f"
_LONGEST_CLUSTER = 32  # characters that one visible character may be made of
_DIGIT = 4  # what a digit counts

# What it costs to begin a chunk; the room that a chunk leaves costs up to 1 besides.
_AT_HEADING, _AT_PARAGRAPH, _AT_LINE, _AT_SENTENCE, _WITHIN_SENTENCE, _AFTER_HEADLINE = -0.3, 0.1, 0.15, 0.7, 1.5, 4.0
_TINY = 8  # a chunk of less than this part of the longest costs extra
_TINY_CHUNK = 1.0


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    cut_before: float  # what it costs to begin a chunk here


class _Ruler:
    """How long the parts of a page are; places are those in the document's text."""

    def __init__(self, text: str, start: int, end: int) -> None:
        codes = np.frombuffer(text[start:end].encode("utf-32-le", "surrogatepass"), np.uint32)
        counts = np.ones(len(codes) + 1, np.uint8)
        for wider in (0x80, 0x800, 0x10000):
            counts[1:] += codes >= wider
        counts[1:][(codes >= ord("0")) & (codes <= ord("9"))] = _DIGIT
        counts[0] = 0
        self._upto = np.cumsum(counts, dtype=np.int64)
        self._at = self._upto.data  # gives plain integers, and quickly
        self._start = start

    def length(self, start: int, end: int) -> int:
        return int(self._at[end - self._start] - self._at[start - self._start])

    def after(self, start: int, length: int) -> int:
        """The last place that is at most so far behind `start`, but at least one character."""
        limit = self._upto[start - self._start] + length
        return max(start + 1, self._start + int(np.searchsorted(self._upto, limit, "right")) - 1)

    def before(self, end: int, length: int) -> int:
        """The first place that is at most so far before `end`."""
        return self._start + int(np.searchsorted(self._upto, self._upto[end - self._start] - length))


def size(text: str) -> int:
    """How long a text is for a language model, in characters of plain English."""
    return _Ruler(text, 0, len(text)).length(0, len(text))


def split(document: Document, max_chars: int, overlap_chars: int) -> list[Chunk]:
    """The chunks of `document` in order. Each has at most the `size` of `max_chars`, begins and ends with a character
    that is not white space, and is the exact text of its span; together they hold all that is not white space. Each
    begins up to `overlap_chars` before the end of the one before it, where words allow.

    Raises BadSettings unless 0 <= overlap_chars <= max_chars / 2.
    """
    if not 0 <= overlap_chars <= max_chars / 2:
        raise BadSettings(
            f"chunks.overlap_chars is {overlap_chars}, chunks.max_chars {max_chars}.",
            "The overlap must be at most half of the longest chunk.",
        )
    above = sections.read(document.text, document.file, document.title)
    return [
        _chunk(document, span, above.path(span.start))
        for start, end in _pages(document)
        for span in _page_spans(document.text, start, end, max_chars, overlap_chars)
    ]


def _chunk(document: Document, span: Span, section: str | None) -> Chunk:
    page = max(1, bisect_right(document.pages, span.start)) if document.pages else None
    return Chunk(
        id=f"{document.id}-{span.start}-{span.end}",
        document_id=document.id,
        text=document.text[span.start : span.end],
        start=span.start,
        end=span.end,
        page=page,
        file=document.file,
        title=document.title,
        publisher=document.publisher,
        date=document.date,
        section=section,
    )


def _pages(document: Document) -> Iterator[tuple[int, int]]:
    yield from pairwise(sorted({0, *document.pages, len(document.text)}))


def _page_spans(text: str, start: int, end: int, max_chars: int, overlap_chars: int) -> Iterator[Span]:
    longest = max_chars - overlap_chars
    ruler = _Ruler(text, start, end)
    pieces = _pieces(text, start, end, ruler, longest)
    previous: Span | None = None
    for first, last in _cheapest(pieces, ruler, longest):
        begin, stop = pieces[first].start, pieces[last].end
        if previous and overlap_chars:
            overlap = ruler.before(previous.end, overlap_chars)
            begin = _overlapping(text, pieces, first, max(previous.start + 1, overlap, ruler.before(stop, max_chars)))
        previous = Span(begin, stop)
        yield previous


def _pieces(text: str, start: int, end: int, ruler: _Ruler, longest: int) -> list[_Piece]:
    """Sentences and parts of long ones, in order; runs of tiny ones are made one, but for headings."""
    pieces: list[_Piece] = []
    fenced = False
    previous: Span | None = None
    for sentence in spans(text[start:end]):
        span = Span(start + sentence.start, start + sentence.end)
        tiny = bool(pieces) and ruler.length(pieces[-1].start, span.end) * _SMALLEST < longest
        # What it costs to cut is only asked where it counts: a text may have a million lines.
        maybe_heading = not fenced and text.startswith("#", span.start)
        cost = _cost(text, previous, span, fenced) if previous and (maybe_heading or not tiny) else 0.0
        fenced ^= text[span.start] in "`~" and _FENCE.match(text, span.start, span.end) is not None
        if tiny and cost != _AT_HEADING:
            pieces[-1].end = span.end
        else:
            parts = enumerate(_parts(text, span, ruler, longest))
            pieces += (_Piece(part.start, part.end, _WITHIN_SENTENCE if number else cost) for number, part in parts)
        previous = span
    return pieces


def _cost(text: str, previous: Span, span: Span, fenced: bool) -> float:
    """What it costs to cut between two neighbouring sentences."""
    lines = text.count("\n", previous.end, span.start)
    if not fenced and lines and _is_headline(text[previous.start : previous.end]):
        return _AFTER_HEADLINE
    if not fenced and _HEADING.match(text, span.start, span.end):
        return _AT_HEADING
    if lines > 1 and not fenced:
        return _AT_PARAGRAPH
    return _AT_LINE if lines else _AT_SENTENCE


def _is_headline(line: str) -> bool:
    """Whether what follows `line` belongs to it: a heading, a title, a line that ends in a colon."""
    if _HEADING.match(line) or line.endswith((":", "：")):
        return True
    return len(line) <= _SHORT_LINE and not _LIST_ITEM.match(line) and not _SENTENCE_END.search(line)


def _parts(text: str, span: Span, ruler: _Ruler, longest: int) -> Iterator[Span]:
    """A sentence in parts of about the same length, none longer than `longest`."""
    at = span.start
    while (rest := ruler.length(at, span.end)) > longest:
        ideal = -(-rest // -(-rest // longest))
        cut = _cut(text, *(ruler.after(at, far) for far in (longest // 2, ideal, longest)))
        space = _SPACE.match(text, cut)
        yield Span(at, at + len(text[at:cut].rstrip()))
        at = space.end() if space else cut
    yield Span(at, span.end)


def _cut(text: str, low: int, ideal: int, high: int) -> int:
    """The place to cut nearest to `ideal`: between words, else after a clause, else between visible characters."""
    for separator in (_SPACE, _CLAUSE_END):
        places = [found.start() for found in separator.finditer(text, low, high + 1) if low < found.start() <= high]
        if places:
            return min(places, key=lambda place: abs(place - ideal))
    lowest = max(low, ideal - _LONGEST_CLUSTER)
    return next((place for place in range(ideal, lowest, -1) if _begins_character(text, place)), ideal)


def _begins_character(text: str, at: int) -> bool:
    """Whether what is at `at` is no accent, skin tone or joined part of the visible character before it."""
    character = text[at]
    if unicodedata.category(character).startswith("M") or "\U0001f3fb" <= character <= "\U0001f3ff":
        return False
    return character not in _JOINERS and text[at - 1] != "\u200d"


def _cheapest(pieces: Sequence[_Piece], ruler: _Ruler, longest: int) -> list[tuple[int, int]]:
    """First and last piece of each chunk, in order, for the cuts that cost least in sum. What a chunk's length costs
    grows with the square of the room it leaves, which evens the lengths out.
    """
    tiny = [_TINY_CHUNK if length * _TINY < longest else 0.0 for length in range(longest + 1)]
    lengths = [(1 - length / longest) ** 2 + extra for length, extra in enumerate(tiny)]  # what each costs
    costs = [0.0]
    begins: list[int] = []
    starts: list[int] = []  # how long all before a piece is
    cuts: list[float] = []  # what the cheapest way to cut before a piece costs
    for last, piece in enumerate(pieces):
        best, begin = float("inf"), last
        starts.append(ruler.length(pieces[0].start, piece.start))
        cuts.append(costs[last] + piece.cut_before)
        end = ruler.length(pieces[0].start, piece.end)
        for first in range(last, -1, -1):
            length = end - starts[first]
            if length > longest:
                break
            cost = cuts[first] + lengths[length]
            if cost < best:
                best, begin = cost, first
        costs.append(best)
        begins.append(begin)
    chunks = []
    last = len(pieces) - 1
    while last >= 0:
        chunks.append((begins[last], last))
        last = begins[last] - 1
    return chunks[::-1]


def _overlapping(text: str, pieces: Sequence[_Piece], first: int, earliest: int) -> int:
    """Where the chunk from piece `first` on begins if it may reach back to `earliest`: at a sentence or word."""
    at = bisect_left(pieces, earliest, 0, first, key=lambda piece: piece.start)
    begin = pieces[first].start
    if at < first:
        return pieces[at].start
    if _SPACE.search(text, earliest, begin):
        word = _WORD_START.search(text, earliest, begin)
        return word.start() if word else begin
    return next((place for place in range(earliest, begin) if _begins_character(text, place)), begin)
