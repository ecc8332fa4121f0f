"""Which headings a place of a text stands under: as Markdown writes them, which is how our readers write those of web
pages, office files and books, and as other marked-up texts do. Pure.

A part of a long text seldom names what it is about: that is what its headings are for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assistant import formats

MAX_CHARS = 120  # of a path; where it is longer the outer headings go first
_BETWEEN = " > "
_CUT = "…"
_COMMENTED = frozenset(formats.CODE)  # where "#" begins a comment
_UNDERLINED = frozenset([".markdown", ".md", ".text", ".txt"])
_SIGNS = "[=-]"
_ANY_SIGN = r"[=\-~^\"'`*+#.:_]"  # reStructuredText
_LEVELS = {("=", False): 1, ("=", True): 1, ("-", False): 2, ("-", True): 2}  # Markdown
_FRONT_MATTER = re.compile(r"\s*(---|\+\+\+)[ \t]*\n(?:[^\n]*\n){0,200}?(?:\1|\.\.\.)[ \t]*(?:\n|\Z)")
_LONGEST_LINE = 200  # of one that is taken for an underlined heading, in characters
_LONGEST_TITLE = 1000  # what is read of a heading
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_CLOSING = re.compile(r"(?:\s+#+|\s+=+|\s*\{#[^{}]*\})+\s*$")
_EMPHASIS = re.compile(r"\*\*|__|`")


@dataclass(frozen=True, slots=True)
class Heading:
    """`start` is where its line begins, or the line above it that sets it off."""

    start: int
    level: int
    text: str


@dataclass(slots=True)
class Sections:
    """The paths of headings in one text, asked for from its beginning to its end. `title` is no part of a path: it is
    known of the whole document.
    """

    headings: list[Heading]
    title: str | None = None
    _above: list[Heading] = field(default_factory=list)
    _read: int = 0

    def path(self, start: int) -> str | None:
        """The headings above what begins at `start`, the outermost first; a heading that begins there is not above it.
        None where there are none. `start` never goes back.
        """
        while self._read < len(self.headings) and self.headings[self._read].start < start:
            self._enter(self.headings[self._read])
            self._read += 1
        above = self._above
        if self._read < len(self.headings) and self.headings[self._read].start == start:
            above = [heading for heading in above if heading.level < self.headings[self._read].level]
        known = _folded(self.title or "")
        return _joined([heading.text for heading in above if _folded(heading.text) != known])

    def _enter(self, heading: Heading) -> None:
        self._above = [*(outer for outer in self._above if outer.level < heading.level), heading]


def read(text: str, file: str, title: str | None = None) -> Sections:
    """The headings of the text of a file of this name. In source code a line that begins so is a comment."""
    kind = formats.suffix(file)
    return Sections([] if kind in _COMMENTED else list(_headings(text, kind)), title)


def _pattern(mark: str, signs: str = "") -> re.Pattern[str]:
    """Finds the lines that may be headings, underline them or end a block of code."""
    lines = [r" {0,3}(?P<fence>```+(?!.*`)|~~~+)(?P<info>.*)"] if mark == "#" else []
    lines += [rf"(?P<mark>{re.escape(mark)}{{1,6}})[ \t]+(?P<title>\S.*)"] if mark else []
    lines += [rf"(?P<line>(?P<sign>{signs})(?P=sign){{2,}})[ \t]*"] if signs else []
    return re.compile(f"^(?:{'|'.join(lines)})$", re.MULTILINE)


_PATTERNS = {".adoc": _pattern("="), ".org": _pattern("*"), ".rst": _pattern("", _ANY_SIGN)}
_MARKDOWN, _OTHERS = _pattern("#", _SIGNS), _pattern("#")


def _headings(text: str, kind: str) -> Iterator[Heading]:
    front = _FRONT_MATTER.match(text) if kind != ".rst" else None
    pattern = _PATTERNS.get(kind, _MARKDOWN if kind in _UNDERLINED else _OTHERS)
    levels: dict[tuple[str, bool], int] = {} if kind == ".rst" else dict(_LEVELS)
    fence, last = "", -1  # where the last of these lines began
    for found in pattern.finditer(text, front.end() if front else 0):
        parts = found.groupdict()
        if marks := parts.get("fence"):
            if not fence:
                fence = marks
            elif marks.startswith(fence) and not parts["info"].strip():
                fence = ""
        elif not fence and parts.get("mark"):
            if title := _plain(parts["title"]):
                yield Heading(found.start(), len(parts["mark"]), title)
        elif not fence and (heading := _underlined(text, found, last, levels)):
            yield heading
        last = found.start()


def _underlined(text: str, found: re.Match[str], last: int, levels: dict[tuple[str, bool], int]) -> Heading | None:
    """The heading that the line above is, if this line of signs underlines it: a paragraph's last line is none.
    `levels` by sign, with a line above the heading or not, grow with those that are met.
    """
    start = text.rfind("\n", 0, max(0, found.start() - 1)) + 1
    above = text.rfind("\n", 0, max(0, start - 1)) + 1
    line, over = text[start : found.start()].strip(), text[above:start].strip()
    alone = not over or over == found["line"]
    if start == last or not alone or not line or not len(line) <= min(_LONGEST_LINE, 2 * len(found["line"])):
        return None
    title = _plain(line)
    if not any(map(str.isalnum, title)):
        return None
    level = levels.setdefault((found["sign"], bool(over)), len(levels) + 1)
    return Heading(above if over else start, level, title)


def _plain(text: str) -> str:
    """A heading's words, without its marks."""
    return " ".join(_EMPHASIS.sub("", _LINK.sub(r"\1", _CLOSING.sub("", text[:_LONGEST_TITLE]))).split())


def _joined(parts: list[str]) -> str | None:
    """The path, no longer than MAX_CHARS."""
    if not parts:
        return None
    path = parts[-1] if len(parts[-1]) <= MAX_CHARS else parts[-1][: MAX_CHARS - 1].rstrip() + _CUT
    for part in reversed(parts[:-1]):
        if len(part) + len(_BETWEEN) + len(path) > MAX_CHARS:
            break
        path = f"{part}{_BETWEEN}{path}"
    return path


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
