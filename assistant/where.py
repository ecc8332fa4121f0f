"""Which documents to look in: by publisher, title, file, author and date. `--where` and the API's `metadata`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assistant.dates import value as stated
from assistant.errors import BadInput
from assistant.records import DocumentInfo

_TEXTS = ("publisher", "title", "file", "author")
_DATES = ("date", "after", "before")
KEYS = (*_TEXTS, *_DATES)


@dataclass(frozen=True, slots=True)
class Where:
    """What a document must be; empty fields are not asked for. Names are compared whole, without case.

    Dates are ISO 8601, whole or cut short, and include themselves: 2025-10-03 fits a `date`, an `after` and a `before`
    of 2025.
    """

    publisher: str = ""
    title: str = ""
    file: str = ""
    author: str = ""
    date: str = ""
    after: str = ""
    before: str = ""

    def __bool__(self) -> bool:
        return any(getattr(self, key) for key in KEYS)

    def __str__(self) -> str:
        return ", ".join(f"{key}={value}" for key in KEYS if (value := getattr(self, key)))

    def fits(self, document: DocumentInfo) -> bool:
        """Whether a document is meant. What is not known of it does not fit."""
        named = all(
            (getattr(document, key) or "").casefold() == wanted.casefold()
            for key in _TEXTS
            if (wanted := getattr(self, key))
        )
        day = document.date or ""
        if not named or (not day and (self.date or self.after or self.before)):
            return False
        return (
            (not self.date or day.startswith(self.date))
            and (not self.after or day >= self.after[: len(day)])
            and (not self.before or day[: len(self.before)] <= self.before)
        )


def parsed(given: Sequence[str]) -> Where:
    """`KEY=VALUE` texts as what they ask for. Raises BadInput."""
    values = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadInput(f"--where {text!r} is not KEY=VALUE.", f"Keys: {', '.join(KEYS)}.")
        values[key.strip()] = value
    return made(values)


def among(metadata: Mapping[str, object]) -> Where:
    """What a chat request's `metadata` asks of documents; its other keys are the client's own. Raises BadInput."""
    return made({key: str(value) for key, value in metadata.items() if key in KEYS})


def made(values: Mapping[str, str]) -> Where:
    """Raises BadInput for a key that there is not, and for a date that is none."""
    fields = {}
    for key, value in values.items():
        if key not in KEYS:
            raise BadInput(f"Documents cannot be chosen by {key!r}.", f"Keys: {', '.join(KEYS)}.")
        fields[key] = value.strip()
        if key in _DATES and fields[key]:
            day = stated(fields[key])
            if day is None:
                raise BadInput(f"{key}={value} is not a date.", "Write YYYY-MM-DD, YYYY-MM or YYYY.")
            fields[key] = day
    return Where(**fields)
