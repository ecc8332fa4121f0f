"""Text above the line: `10^6`, where digits that only stand higher would read as 106. Pure.

Readers put raised text between two marks, and settle them once a paragraph is whole, as programs cut it anywhere.
"""

from __future__ import annotations

import re

OPENS, CLOSES = "\x02", "\x03"  # characters that no XML can hold
_AGAIN = re.compile(f"{CLOSES}{OPENS}")
_POWER = re.compile(rf"(?<=\d){OPENS}(?=[-+−–]?\d)")
_MARKS = re.compile(f"[{OPENS}{CLOSES}]")


def settled(text: str) -> str:
    """`text` without the marks, and with a "^" where a raised number follows a digit: a power, or the mark of a note.
    Elsewhere nothing is lost on one line: 21st, m2.
    """
    if OPENS not in text:
        return text
    return _MARKS.sub("", _POWER.sub("^", _AGAIN.sub("", text)))
