"""Which documents to look in: by publisher, title, file, author and date. `--where` and the API's `metadata`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from assistant import dates
from assistant.errors import BadFilter
from assistant.records import DocumentInfo

NAMES = ("publisher", "title", "file", "author")
_DATES = ("date", "after", "before")
KEYS = (*NAMES, *_DATES)
_METADATA = (*KEYS, "collection")  # what we read of a chat request's `metadata`
_QUOTES = str.maketrans({**dict.fromkeys("‘’‚‛ʼ`´′", "'"), **dict.fromkeys("“”„‟″«»", '"')})
_NAMED = 3  # names in a message
_NEAR = 0.8  # difflib's ratio from which a key is taken for a misspelt one: "titel" and "dates" are, "data" is not


@dataclass(frozen=True, slots=True)
class Where:
    """What a document must be; empty fields are not asked for. Names are compared whole, without case, and however
    their accents and quotation marks are written: file names of macOS come with the accents apart.

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
        """Whether a document is meant. What is not known of it does not fit. `filters` asks the same in SQL."""
        named = all(
            folded(getattr(document, key)) == folded(wanted) for key in NAMES if (wanted := getattr(self, key))
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
    """`KEY=VALUE` texts as what they ask for. Raises BadFilter."""
    values: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise BadFilter(f"--where {text!r} is not KEY=VALUE.", f"Keys: {', '.join(KEYS)}.")
        if key in values:
            raise BadFilter(f"Two values are given for {key}: {values[key]} and {value}.", "Give one of them.")
        values[key] = value
    return made(values)


def among(metadata: Mapping[str, object]) -> Where:
    """What a chat request's `metadata` asks of documents; its other keys are the client's own.

    Raises BadFilter, also for a key that is nearly one of ours: documents would be chosen without it, and nobody told.
    """
    for key in metadata:
        alike = [known for known in _METADATA if abs(len(known) - len(key)) <= 1]  # `author_id` is not misspelt
        if key not in _METADATA and (near := get_close_matches(key.lower(), alike, 1, _NEAR)):
            raise BadFilter(f"The key {key!r} is not known.", f"Did you mean {near[0]!r}?")
    return made({key: value for key, value in metadata.items() if key in KEYS})


def made(values: Mapping[str, object]) -> Where:
    """Raises BadFilter for a key that there is not, for a value that is empty or no text, and for no date."""
    fields = {}
    for key, value in values.items():
        if key not in KEYS:
            raise BadFilter(f"Documents cannot be chosen by {key!r}.", f"Keys: {', '.join(KEYS)}.")
        if not isinstance(value, str):
            raise BadFilter(f"{key} is not a text: {value!r:.80}.", f'Write it in quotes: "{key}": "...".')
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadFilter(f"{key}={value!r:.80} is not Unicode text.", "Write it as UTF-8.") from error
        if not value.strip():  # it would choose every document
            raise BadFilter(f"{key} has no value.", "Give one, or leave the key out.")
        fields[key] = _day(key, value) if key in _DATES else value.strip()
    return Where(**fields)


def _day(key: str, text: str) -> str:
    """A date in ISO form, whole or cut short. Raises BadFilter."""
    day = dates.alone(text.strip()) if dates.find(text) else dates.value(text)
    if day is None:
        raise BadFilter(f"{key}={text} is not a date.", "Write YYYY-MM-DD, YYYY-MM or YYYY.")
    return day


def folded(name: str | None) -> str:
    """A name as names are compared."""
    return plain(name or "").casefold()


def plain(text: str) -> str:
    """A text with one form of each character and of each quotation mark, and single spaces: ’ and ' are the same."""
    return " ".join(unicodedata.normalize("NFKC", text.translate(_QUOTES)).split())


def nearest(wanted: str, known: Iterable[str]) -> list[str]:
    """Those of the `known` names that are most like one that there is not: with all its words, or in the spelling."""
    names = {folded(name): name for name in sorted(known)}
    words = set(folded(wanted).split())
    having = [name for name in names if words <= set(name.split()) or set(name.split()) <= words]
    alike = get_close_matches(folded(wanted), names, _NAMED)
    return [names[name] for name in dict.fromkeys([*having, *alike])][:_NAMED]
