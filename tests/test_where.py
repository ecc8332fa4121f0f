from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import BadFilter
from assistant.records import DocumentInfo
from assistant.where import Where, among, made, nearest, parsed

DOCUMENT = DocumentInfo("id", "/a/n.txt", "n.txt", "A Title", "Xinhua", None, "2025-10-03", 1, 1, "")


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        (["publisher=xinhua"], True),
        (["publisher=Xin"], False),
        (["publisher=ＸＩＮＨＵＡ"], True),
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


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["publisher"], "not KEY=VALUE"),
        (["=Xinhua"], "cannot be chosen by ''"),
        (["size=3"], "cannot be chosen by 'size'"),
        (["Publisher=Xinhua"], "cannot be chosen by 'Publisher'"),
        (["publisher="], "publisher has no value"),
        (["title=A", "publisher= "], "publisher has no value"),
        (["date="], "date has no value"),
        (["date=soon"], "date=soon is not a date"),
        (["after=2025-13"], "after=2025-13 is not a date"),
        (["before=2025-02-30"], "is not a date"),
        (["date=2025-01-02 to 2025-03-04"], "is not a date"),
        (["date=2025", "date=2026"], "Two values are given for date: 2025 and 2026"),
    ],
)
def test_what_cannot_be_asked_for_is_told(given: list[str], says: str):
    with pytest.raises(BadFilter, match=re.escape(says)) as refused:
        parsed(given)
    assert refused.value.hint


@pytest.mark.parametrize("value", [5, None, True, ["Xinhua"], {"is": "Xinhua"}, "", " "])
def test_a_clients_values_are_texts(value: object):
    with pytest.raises(BadFilter, match="publisher"):
        among({"publisher": value})


def test_a_value_is_all_behind_the_first_equals_sign():
    assert parsed(["title = a=b "]) == Where(title="a=b")


def test_accents_are_the_same_however_they_are_encoded():
    cafe = replace(DOCUMENT, file=unicodedata.normalize("NFD", "Café.txt"))
    assert parsed([f"file={unicodedata.normalize('NFC', 'café.TXT')}"]).fits(cafe)


@settings(deadline=None)
@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_days_are_compared_as_days(day: date, other: date):
    document = replace(DOCUMENT, date=day.isoformat())
    assert Where(after=other.isoformat()).fits(document) is (day >= other)
    assert Where(before=other.isoformat()).fits(document) is (day <= other)
    assert Where(date=other.isoformat()).fits(document) is (day == other)


def test_other_keys_of_a_clients_metadata_are_its_own():
    assert among({"collection": "notes", "user": "7", "publisher": "Xinhua"}) == Where(publisher="Xinhua")
    assert not among({"collection": "notes"})
    assert str(made({"publisher": "Xinhua", "after": "2025"})) == "publisher=Xinhua, after=2025"


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *(("Publisher", "publisher"), ("publsher", "publisher"), ("titel", "title"), ("auther", "author")),
        *(("dates", "date"), ("files", "file"), ("befor", "before"), ("Collection", "collection")),
    ],
)
def test_a_misspelt_key_of_a_clients_metadata_is_told(key: str, meant: str):
    with pytest.raises(BadFilter, match=f"{key!r} is not known.*{meant!r}"):
        among({key: "Xinhua"})


@pytest.mark.parametrize(
    "key", ["user", "data", "author_id", "update", "profile", "filename", "session", "topic", "trace_id", "", "name"]
)
def test_a_key_that_resembles_none_of_ours_is_the_clients(key: str):
    assert not among({key: "x"})


@pytest.mark.parametrize("ask", [lambda: parsed(["file=caf\udce9.txt"]), lambda: among({"title": "caf\udce9"})])
def test_what_is_no_unicode_text_is_told(ask):
    with pytest.raises(BadFilter, match="is not Unicode text"):
        ask()


@pytest.mark.parametrize("asked", ["people's daily", "People’s Daily", "PEOPLE`S  DAILY"])
@pytest.mark.parametrize("stated", ["People's Daily", "People’s Daily"])
def test_quotation_marks_are_all_the_same(asked: str, stated: str):
    assert made({"publisher": asked}).fits(replace(DOCUMENT, publisher=stated))


def test_names_that_are_nearly_those_asked_for():
    known = ["Xinhua News Agency", "People's Daily", "Nature", "Nature Physics"]
    assert nearest("xinhua", known) == ["Xinhua News Agency"]
    assert nearest("Peoples Daily", known) == ["People's Daily"]
    assert nearest("Nature Physics Online", known) == ["Nature", "Nature Physics"]
    assert nearest("Reuters", known) == []
