"""The markers that a model writes for its sources, such as [1] or [Source 2], found in text that is still arriving.

It writes them seldom and without care, so they are dropped; the product's own stand in their place (`cite`).
"""

from __future__ import annotations

import re

_NUMBER = r"(?:sources?\s?)?\d{1,3}"
_ONE = rf"[\[【]\^?{_NUMBER}(?:\s?,\s?{_NUMBER})*[\]】]"
_JOINED = r"[ \t]*+(?:(?:,[ \t]*+)?(?:and|und|y|e|et)\b|[,;&和])?+[ \t]*+"
_MARKERS = re.compile(rf"(?<![ \t])[ \t]*+{_ONE}(?:{_JOINED}{_ONE})*", re.IGNORECASE)
_LISTED = re.compile(r"\d\s?,")  # several in one bracket
_RUN = re.compile(r"[\]】]\s*[^\s\[【]")  # several that are joined by a comma or a word
_CODE = re.compile(r"(?:[._(][^\W\d]\w*\)?|(?<!\w)[a-z]|\]|\(\))\Z")  # what takes an index
_OPENS = re.compile(r"[=\[({,]\s*$")  # what a list of numbers stands behind
_ENDS = re.compile(r"\s*(?:[.,;:!?。，；：！？)）\n]|$)")  # what a marker stands before
_ENDED = re.compile(r"[.!?…。！？][\"'”’」』)]*$")
_UNSURE = re.compile(  # a tail that is, or may become, markers
    rf"(?<!\s)\s*+(?:{_ONE}[\s,;&]*+(?:[^\W\d_]{{1,3}}+\s*+)?+)*(?:[\[【][\^\d\s,source]{{0,40}})?$", re.IGNORECASE
)
_BEFORE = 40  # characters that tell what a marker stands behind


class Markers:
    """Takes an answer's text by pieces and gives it back without markers. `sources` is how many there are."""

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._held = ""  # what may be markers
        self._before = ""  # the last of what was sure
        self._ticks = 0  # marks of code so far

    def feed(self, piece: str) -> str:
        """What is sure by now, without its markers."""
        text = self._held + piece
        unsure = _UNSURE.search(text)
        assert unsure is not None  # the pattern matches the empty tail
        self._held = text[unsure.start() :]
        return self._without(text[: unsure.start()])

    def flush(self) -> str:
        """The rest."""
        rest, self._held = self._held, ""
        return self._without(rest)

    def clear(self) -> None:
        """Drops what was held back."""
        self._held = ""

    def _without(self, text: str) -> str:
        before, self._before = self._before, (self._before + text)[-_BEFORE:]

        def keep(match: re.Match[str]) -> str:
            ahead, behind = (before + text[: match.start()])[-_BEFORE:], text[match.end() :]
            code = (self._ticks + text.count("`", 0, match.start())) % 2
            return "" if not code and self._is_marker(ahead, match.group(), behind) else match.group()

        clean = _MARKERS.sub(keep, text)
        self._ticks += text.count("`")
        return clean if before.strip() else clean.lstrip()

    def _is_marker(self, ahead: str, brackets: str, behind: str) -> bool:
        """Whether numbers in brackets stand for sources: at the end of a clause or, one that there is, behind a word;
        and neither behind code, as in `sys.argv[1]`, nor as a list, as in `x = [1, 2]`.
        """
        numbers = [int(number) for number in re.findall(r"\d+", brackets)]
        known, listed = max(numbers) <= self._sources, _LISTED.search(brackets) is not None
        if 0 in numbers or _OPENS.search(ahead) or behind.startswith("]"):
            return False
        if brackets.startswith("[") and _CODE.search(ahead):
            return False
        if "source" in brackets.lower():
            return True
        if _ENDS.match(behind) or _ENDED.search(ahead):
            return known or not listed
        return known and not listed and (len(numbers) == 1 or _RUN.search(brackets) is not None)
