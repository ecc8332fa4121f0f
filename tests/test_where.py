from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.errors import BadInput
from assistant.records import DocumentInfo
from assistant.where import Where, among, made, parsed

DOCUMENT = DocumentInfo("id", "/a/n.txt", "n.txt", "A Title", "Xinhua", None, "2025-10-03", 1, 1, "")


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        (["publisher=xinhua"], True),
        (["publisher=Xin"], False),
        (["file=n.txt", "title=a title"], True),
        (["author=Somebody"], False),
        (["date=2025"], True),
        (["date=October 2025"], True),
        (["date=2025-10-04"], False),
        (["after=2025"], True),
        (["after=2025-10-03"], True),
        (["after=2025-10-04"], False),
        (["before=2025-09"], False),
        (["before=2025-10"], True),
        ([], True),
    ],
)
def test_what_fits(given: list[str], fits: bool):
    assert parsed(given).fits(DOCUMENT) is fits


def test_what_is_not_known_does_not_fit():
    unknown = replace(DOCUMENT, date=None, publisher=None)
    assert not parsed(["before=2030"]).fits(unknown)
    assert not parsed(["publisher=Xinhua"]).fits(unknown)
    vague = replace(DOCUMENT, date="2025")
    assert parsed(["after=2025-03"]).fits(vague)
    assert not parsed(["date=2025-03"]).fits(vague)


@pytest.mark.parametrize("given", ["publisher", "size=3", "date=soon"])
def test_what_cannot_be_asked_for_is_told(given: str):
    with pytest.raises(BadInput):
        parsed([given])


def test_other_keys_of_a_clients_metadata_are_its_own():
    assert among({"collection": "notes", "user": "7", "publisher": "Xinhua"}) == Where(publisher="Xinhua")
    assert not among({"collection": "notes"})
    assert str(made({"publisher": "Xinhua", "after": "2025"})) == "publisher=Xinhua, after=2025"
