"""A mailbox (.mbox) as an archive of mails: each is a document of its own, with its subject, sender and date."""

from __future__ import annotations

import re

from assistant import read_mail

_LONGEST_NAME = 100  # characters
_NO_NAME = re.compile(r"[\\/:*?\"<>|\x00-\x1f]+")  # what no file may be called everywhere, or is part of a path


class Mailbox:
    """The mails of a mailbox in their order, named by day and subject ("2025-12-05 Lamps.eml"): a mail keeps its name
    when others come behind it.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._places: dict[str, tuple[int, int]] = {}
        last: dict[str, int] = {}  # number of a name, which many mails of a thread may have
        for start, end in read_mail.mails(data):
            name = stem = _name(data[start:end])
            while f"{name}.eml" in self._places:
                last[stem] = last.get(stem, 1) + 1
                name = f"{stem} ({last[stem]})"
            self._places[f"{name}.eml"] = start, end

    def names(self) -> list[str]:
        return list(self._places)

    def size(self, name: str) -> int:
        """Bytes of a mail."""
        start, end = self._places[name]
        return end - start

    def read(self, name: str) -> bytes:
        """A mail as it was sent. Raises KeyError for none of that name."""
        start, end = self._places[name]
        return read_mail.unquoted(self._data[start:end])


def _name(mail: bytes) -> str:
    stated = read_mail.facts(mail.lstrip())
    shown = "".join(character if character.isprintable() else " " for character in stated.title or "")
    subject = " ".join(_NO_NAME.sub(" ", shown).split()).strip(". ") or "Mail without a subject"
    return " ".join(filter(None, (stated.date, subject)))[:_LONGEST_NAME].rstrip(". ")
