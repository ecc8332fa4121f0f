"""Where sentences begin and end, with exact offsets: in a whole text, and in text that is still arriving.

A mark (sentence-ending characters with the quotes, brackets and reference markers right after them) or a line break
may end a sentence. Whether it does is decided from the sentence so far and a bounded stretch of what follows, so the
outcome depends neither on how a stream was chopped nor on text far away. The sentencex package knows abbreviations
of many languages and decides about plain full stops; the rules here decide about everything around them: quotations,
brackets, ellipses, enumerations, references, line breaks and the abbreviations that it lacks. As nobody tells the
language of most texts, and guessing it for each would cost more than cutting it, they hold for all languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

import sentencex  # type: ignore[import-untyped]

from assistant import abbreviations
from assistant.records import Span

_NO_SPACE_STOPS = "。！？｡．؟۔।॥။።։⁇⁈⁉‼"  # end a sentence without white space after them
_STOPS = ".!?…‽" + _NO_SPACE_STOPS
_QUOTES = "\"'”’»›」』"
_BRACKETS = ")）]］}"
_CLOSERS = _QUOTES + _BRACKETS + "】》〉*_"
_OPENERS = "\"'“‘«‹„「『【《〈(（[［{*_#>~¿¡"
_PARTNERS = {"“": "”", "„": "“", "«": "»", "»": "«", "「": "」", "『": "』", "(": ")", "（": "）"}
_ENCLOSED = 300  # longest quotation or bracket, in characters, that keeps several sentences together
_BEHIND = 120  # characters before a full stop that the abbreviation check looks at
_AHEAD_CJK = 12  # characters after a quotation in which its speaker is looked for

_EVENT = re.compile(rf"\n|(?P<stops>[{_STOPS}]+)(?P<closers>[{re.escape(_CLOSERS)}]*)(?: ?\[[\d^,;– -]{{1,12}}\])*")
_REFERENCE_COMING = re.compile(r" ?(?:\[[\d^,;– -]{0,12})?")
_ENCLOSURE = re.compile(r"[\"“”„«»「」『』()（）]")
_SPACE = re.compile(r"\s*")
_LINE = re.compile(r"[^\n]+")
_WORD = r"(?:\S{100}|\S{1,99}(?=\s))"
_NEXT_WORD = re.compile(rf"\s+{_WORD}")
_NEXT_WORDS = re.compile(
    rf"\s+{_WORD}[^\S\n]+{_WORD}[^\S\n]+{_WORD}|\s+\S{{1,100}}(?:[^\S\n]+\S{{1,100}})?[^\S\n]*(?=\n)"
)
_LAST_WORD = re.compile(r"\S+$")
_ENUMERATOR = re.compile(r"\s*(?:[-*•]\s+)?[*_]*[(（]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{2,4})[.．][)）*_]*")
ITEM = re.compile(r"^\W*(\d{1,2})[.):](?!\d)")  # the number of an item of a list, in front of a sentence
_LIST_MARKER = re.compile(r"[-*+•‣◦▪·]|[(（]?(?:\d{1,3}|[A-Za-z])[.)）、]|#{1,6}|>+")
_STARTS_ALONE = re.compile(rf"\s*(?:(?:{_LIST_MARKER.pattern})(?:\s|$)|>|\||```|~~~|[=-]{{3,}}\s*$)")
_ROW = re.compile(r"[^\S\n]*\|")
_STANDS_ALONE = re.compile(r"\s*(?:#{1,6}\s|\||```|~~~|[=-]{3,}\s*$)")

_VERBS = "said|says|asked|asks|added|adds|noted|told|wrote|replied|explained|argued|warned|stressed|continued"
_SPEAKER = re.compile(rf"(?:[A-Z][\w.'’-]*\s+){{1,2}}(?:{_VERBS})\b")
_SPEAKER_CJK = re.compile(r"[^\s，。！？；：“”]{0,8}?(?:说|說|道|问|問|表示|指出|回答|称|稱|强调)|と|って")
_CLAUSE_END = re.compile(r"[\s，。！？；：“”]")

_FLATTEN = str.maketrans(dict.fromkeys('"“”„«»‹›「」『』()（）[]{}*_#', " "))
_GOES_ON = re.compile(r"(?:,|\b(?:an?|the|of|and|or|to|in|for|with|by|on|at|from|that|as|is|are|was|were|which))$")
_FILLED = 0.85  # how much of the width a wrapped line and the next word take up at least
_WRAPPED_LINE = 40  # shortest line that the next one may continue, in characters
_WRAP_WIDTH = 120  # longest line that can come from an editor's line wrap
LONGEST = 800  # characters of a sentence; what goes on for longer is no prose
_PART = 500  # characters that a part of something longer has at most: a quote that can be read
_BREAKS = (re.compile(r"\n"), re.compile(r"\s"), re.compile(r"(?<=[，、；：,;:）)」”])"))  # the best place first


def spans(text: str, language: str | None = None, *, whole: bool = False) -> list[Span]:
    """The sentences of `text`, in order and without surrounding white space; together they hold all that is not
    white space. Headings, list items, table rows and other lines that stand alone are sentences of their own. What has
    more than LONGEST characters without an end comes in parts, unless it is wanted `whole`.

    `language` is a code such as "de" or "pt-BR" and chooses the abbreviations; None stands for English,
    and for those of other languages that no English sentence ends with.
    """
    found = _sentences(text, _code(language))
    return list(found) if whole else [part for span in found for part in _parts(text, span)]


def _sentences(text: str, code: str) -> Iterator[Span]:
    for start, end in _units(text):
        unit = text[start:end].replace("\n", " ")
        at: int | None = 0
        while at is not None:
            cut, _ = _next_cut(unit, at, at, code, final=True)
            piece = unit[at:cut]
            yield Span(start + at + len(piece) - len(piece.lstrip()), start + at + len(piece.rstrip()))
            at = cut


def _parts(text: str, span: Span) -> Iterator[Span]:
    """A sentence, or parts of about the same length of one that is too long: lines, words, else clauses."""
    at, longest = span.start, LONGEST
    while span.end - at > longest:
        longest = _PART
        length = span.end - at
        high = at + -(-length // -(-length // _PART))
        cut = _break(text, at + (high - at) // 2, high)
        yield Span(at, at + len(text[at:cut].rstrip()))
        at = _after_space(text, cut)
    yield Span(at, span.end)


def _break(text: str, low: int, high: int) -> int:
    """The last place to cut from `low` to `high`; where there is none, one that parts no accent from its letter."""
    for separator in _BREAKS:
        places = [found.start() for found in separator.finditer(text, low, high + 1) if found.start() <= high]
        if places:
            return places[-1]
    joined = (place for place in range(high, low, -1) if not unicodedata.category(text[place]).startswith("M"))
    return next(joined, high)


class SentenceStream:
    """Cuts text into sentences while it arrives. What `feed` returned and what `flush` returns give the input again
    when joined, and the cuts are the same however the input was chopped. Sentences may be of any length.
    """

    def __init__(self, language: str | None = None) -> None:
        self._language = _code(language)
        self._text = ""
        self._scan = 0

    def feed(self, text: str) -> list[str]:
        """The sentences that `text` completes, each with the white space after it. A sentence is complete once the
        words after it show that it has ended: mostly one word, up to three after a quotation.
        """
        self._text += text
        sentences = []
        start = 0
        while True:
            cut, self._scan = _next_cut(self._text, start, self._scan, self._language, final=False)
            if cut is None:
                break
            sentences.append(self._text[start:cut])
            start = cut
        self._text = self._text[start:]
        self._scan -= start
        return sentences

    @property
    def settled(self) -> int:
        """How many characters, of those not returned yet, belong to the open sentence whatever comes next."""
        return self._scan

    def flush(self) -> str:
        """All that `feed` has not returned, "" if nothing is left; the stream is empty again. This may be more than
        one sentence, for those at the end wait for a word that never came; `spans` tells them apart.
        """
        rest, self._text, self._scan = self._text, "", 0
        return rest


def _code(language: str | None) -> str:
    return re.split(r"[-_]", language.lower())[0] if language else "en"


def _next_cut(text: str, start: int, scan: int, language: str, final: bool) -> tuple[int | None, int]:
    """Where the sentence after the one at `start` begins, None if there is none or that is not known yet; and where
    to go on scanning. Nothing before `start` counts. `final` says that no more text will come.
    """
    while (event := _EVENT.search(text, scan)) is not None:
        if event[0] == "\n":
            ends = _line_ends(text, start, event.start())
        else:
            ends = _mark_ends(text, start, event, language, final)
        if ends is None:
            return None, event.start()
        if ends:
            cut = _after_space(text, event.end())
            return (cut, cut) if cut < len(text) else (None, event.start())
        scan = event.end()
    return None, len(text)


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _line_ends(text: str, start: int, at: int) -> bool | None:
    """Whether the line break at `at` ends the sentence from `start`; None while the next line's first word is not
    complete.
    """
    if not text[start:at].strip():
        return False
    following = _NEXT_WORD.match(text, at)
    if following is None:
        return None
    line = text[_line_start(text, start, at) : at]
    word = following[0].lstrip()
    blank_line = following[0].count("\n") > 1
    return blank_line or _LIST_MARKER.fullmatch(word) is not None or not _continues(line, word)


def _line_start(text: str, start: int, at: int) -> int:
    return max(start, text.rfind("\n", start, at) + 1)


def _continues(line: str, following: str) -> bool:
    """Whether the next line, which begins with `following`, goes on with the sentence of `line`."""
    line = line.strip()
    if len(line) < _WRAPPED_LINE or line[-1] in _STOPS + ":：":
        return False
    return following.lstrip()[:1].islower() or _GOES_ON.search(line) is not None


def _mark_ends(text: str, start: int, mark: re.Match[str], language: str, final: bool) -> bool | None:
    """Whether the sentence from `start` ends at `mark`; None while too little of what follows is known."""
    if not final and _REFERENCE_COMING.fullmatch(text, mark.end()):
        return None
    if _ENUMERATOR.fullmatch(text, start, mark.end()) or _ROW.match(text, _line_start(text, start, mark.start())):
        return False
    if any(stop in _NO_SPACE_STOPS for stop in mark["stops"]):
        ends = _ends_without_space(text, mark, final)
    else:
        ends = _ends_before_space(text, start, mark, language, final)
    if not ends:
        return ends
    enclosed = _enclosed(text, start, mark.end(), final)
    return None if enclosed is None else not enclosed


def _ends_without_space(text: str, mark: re.Match[str], final: bool) -> bool | None:
    at = mark.end()
    if mark["stops"] == "．" and text[mark.start() - 1 : mark.start()].isdigit() and text[at : at + 1].isdigit():
        return False
    if not any(closer in _QUOTES for closer in mark["closers"]):
        return True
    ahead = text[at : at + _AHEAD_CJK]
    if not final and len(ahead) < _AHEAD_CJK and not _CLAUSE_END.search(ahead):
        return None
    return _SPEAKER_CJK.match(ahead) is None


def _ends_before_space(text: str, start: int, mark: re.Match[str], language: str, final: bool) -> bool | None:
    at = mark.end()
    if at < len(text) and not text[at].isspace():
        return False
    quoted = any(closer in _QUOTES for closer in mark["closers"])
    following = _following(text, at, quoted, final)
    if not following:
        return None if following is None else True
    if quoted and _SPEAKER.match(following.lstrip(_OPENERS)):
        return False
    first = following.split(maxsplit=1)[0]
    word = first.lstrip(_OPENERS).rstrip(_STOPS + _CLOSERS + ",;:")
    full_stop = mark["stops"] == "." and not mark["closers"]
    if not any(character.isalnum() for character in word):
        goes_on = full_stop and abbreviations.ends(_last_word(text, start, mark.start()), "") is False  # vgl. § 5
        return first[0] not in _STOPS + "|" and not goes_on
    if full_stop:
        return _full_stop_ends(text, start, mark.start(), word, language)
    if word[0].islower():
        return False
    if mark["stops"].strip(".…") == "" and len(mark["stops"]) + mark["stops"].count("…") > 1:
        return word[0].isupper() and re.match(r"I\b", word) is None
    return _bracket_ends(text, start, mark) if mark["closers"][:1] in set(_BRACKETS) else True


def _following(text: str, at: int, quoted: bool, final: bool) -> str | None:
    """The word after `at`, after a quotation up to three of one line; "" where nothing follows, None if unknown."""
    found = (_NEXT_WORDS if quoted else _NEXT_WORD).match(text, at)
    if found:
        return found[0].strip()
    return text[at : at + _ENCLOSED].strip() if final else None


def _bracket_ends(text: str, start: int, mark: re.Match[str]) -> bool:
    """Whether the bracket that closes at `mark` holds a sentence of its own, not a remark inside another one."""
    low = max(start, mark.start() - _ENCLOSED)
    opener = max(text.rfind(character, low, mark.start()) for character in "(（[［{")
    lead = text[low:opener].rstrip()
    return opener < 0 or not lead or lead[-1] in _STOPS


def _full_stop_ends(text: str, start: int, at: int, following: str, language: str) -> bool:
    """Whether the full stop at `at` ends a sentence when the next word is `following`."""
    low = max(start, at - _BEHIND)
    last = _last_word(text, start, at)
    ends = abbreviations.ends(last, following)
    if ends is not None:
        return ends
    if last[-1:] in set(_CLOSERS):
        return not following[0].islower()
    window = f"{text[low:at].translate(_FLATTEN)}. {following}"
    return len(sentencex.segment(language, window)[-1]) <= len(following)


def _last_word(text: str, start: int, at: int) -> str:
    found = _LAST_WORD.search(text, max(start, at - _BEHIND), at)
    return found[0].lstrip(_OPENERS) if found else ""


def _enclosed(text: str, start: int, at: int, final: bool) -> bool | None:
    """Whether `at` lies inside a quotation or bracket that closes soon; None while that is not known."""
    low = max(start, at - _ENCLOSED)
    opened: list[tuple[str, int]] = []
    for found in _ENCLOSURE.finditer(text, low, at):
        character = found[0]
        before = text[found.start() - 1] if found.start() > low else " "
        closing = [depth for depth, (closer, _) in enumerate(opened) if closer == character]
        if closing and not (character == '"' and before.isspace()):
            del opened[closing[-1] :]
        elif character in _PARTNERS or (character == '"' and (before.isspace() or before in _OPENERS)):
            opened.append((_PARTNERS.get(character, character), found.start()))
    open_ended = False
    for closer, since in opened:
        limit = since + _ENCLOSED
        line_break = text.find("\n", at, limit)
        if text.find(closer, at, limit if line_break < 0 else line_break) >= 0:
            return True
        open_ended = open_ended or (line_break < 0 and len(text) < limit)
    return None if open_ended and not final else False


def _units(text: str) -> Iterator[tuple[int, int]]:
    """Stretches that no sentence crosses: lines, and runs of lines that an editor wrapped."""
    block: list[tuple[int, int]] = []
    for line in _LINE.finditer(text):
        blank = line[0].isspace()
        if block and (blank or line.start() > block[-1][1] + 1):
            yield from _joined(text, block)
            block = []
        if not blank:
            block.append(line.span())
    if block:
        yield from _joined(text, block)


def _joined(text: str, block: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    lines = [text[start:end] for start, end in block]
    wrapped = _is_wrapped(lines)
    start = block[0][0]
    for number, (line, following) in enumerate(pairwise(lines)):
        if not _may_join(line, following) or not (wrapped or _continues(line, following)):
            yield start, block[number][1]
            start = block[number + 1][0]
    yield start, block[-1][1]


def _may_join(line: str, following: str) -> bool:
    return not _STANDS_ALONE.match(line) and not _STARTS_ALONE.match(following)


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Whether an editor wrapped these lines: no line within a sentence could have taken the first word of the next,
    and a good part of them visibly go on. The first line may be short, since a text can begin within it.
    """
    pairs = [(line.rstrip(), following) for line, following in pairwise(lines) if _may_join(line, following)]
    width = max(len(line.rstrip()) for line in lines)
    if not pairs or width > _WRAP_WIDTH or sum(_continues(*pair) for pair in pairs) * 3 < len(pairs):
        return False
    full = [
        len(line) + 1 + len(following.split(maxsplit=1)[0]) > width * _FILLED
        for line, following in (pairs[1:] if len(pairs) > 2 else pairs)
        if line[-1] not in _STOPS
    ]
    return all(full)
