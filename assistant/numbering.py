"""The numbers that Word counts up for the items of lists, which stand in no paragraph: "1.", "(2)", "3.1".

Only where the count is sure: in decimal numbers, and in lists that no style takes part in, as a heading may count
there as well. A wrong number would be worse than none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

from assistant.markup import Element

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_UNSURE = [f"{_W}{name}" for name in ("pStyle", "styleLink", "numStyleLink", "lvlRestart")]


@dataclass(slots=True)
class _Level:
    start: int
    text: str  # "%1.%2" stands for the counts of the first two levels
    decimal: bool


@dataclass(slots=True)
class _List:
    """What a list is called by in paragraphs; several may count on together, by the same definition."""

    definition: str
    starts: dict[int, int] = field(default_factory=dict)  # of levels that begin anew with this list


class Numbers:
    """Counts the items of a document, in its order. `numbering` and `styles` are the parts of these names."""

    def __init__(self, numbering: Element | None, styles: Element | None) -> None:
        self._definitions: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, _List] = {}
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._begun: set[str] = set()
        if numbering is None:
            return
        for definition in numbering.iter(f"{_W}abstractNum"):
            if next(definition.iter(*_UNSURE), None) is None:
                levels = {_number(level, "ilvl"): _level(level) for level in definition.iter(f"{_W}lvl")}
                self._definitions[definition.get(f"{_W}abstractNumId") or ""] = levels
        for each in numbering.iter(f"{_W}num"):
            called = each.find(f"{_W}abstractNumId")
            overrides = {
                _number(over, "ilvl"): over.find(f"{_W}startOverride") for over in each.iter(f"{_W}lvlOverride")
            }
            starts = {level: _number(start, "val", 1) for level, start in overrides.items() if start is not None}
            name = (called.get(f"{_W}val") if called is not None else None) or ""
            self._lists[each.get(f"{_W}numId") or ""] = _List(name, starts)
            if next(each.iter(f"{_W}lvl"), None) is not None:  # defined anew
                self._definitions.pop(name, None)
        for used in styles.iter(f"{_W}numId") if styles is not None else ():
            shared = self._lists.get(used.get(f"{_W}val") or "")
            self._definitions.pop(shared.definition if shared else "", None)

    def count(self, list_id: str, level: int) -> str:
        """The number of the next item of a list; "" where it is not sure, or has none."""
        called = self._lists.get(list_id)
        levels = self._definitions.get(called.definition) if called else None
        if called is None or levels is None or level not in levels:
            return ""
        counts = self._counts[called.definition]
        if list_id not in self._begun:
            self._begun.add(list_id)
            for restarted in called.starts:
                counts.pop(restarted, None)

        def first(at: int) -> int:
            return called.starts.get(at, levels[at].start if at in levels else 1)

        counts[level] = counts[level] + 1 if level in counts else first(level)
        for deeper in [at for at in counts if at > level]:
            del counts[deeper]
        shown = {int(place) - 1 for place in re.findall(r"%(\d)", levels[level].text)}
        if not all(at in levels and levels[at].decimal for at in (level, *shown)):
            return ""
        values = {f"%{at + 1}": str(counts.get(at, first(at))) for at in shown}
        return re.sub(r"%\d", lambda place: values[place[0]], levels[level].text)


def _level(level: Element) -> _Level:
    start, text, kind = (level.find(f"{_W}{name}") for name in ("start", "lvlText", "numFmt"))
    return _Level(
        start=_number(start, "val", 1) if start is not None else 1,
        text=((text.get(f"{_W}val") if text is not None else None) or "").strip(),
        decimal=kind is not None and kind.get(f"{_W}val") == "decimal",
    )


def _number(element: Element, name: str, default: int = 0) -> int:
    value = element.get(f"{_W}{name}") or ""
    return int(value) if value.isascii() and value.isdigit() else default
