"""What one line states about the text it belongs to: fields, bylines, dates, datelines, credits. Pure, by form alone.

`line` reads a line that holds nothing else; the other functions read the places where prose mentions such things.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from assistant import dates, names

Kind = Literal["title", "publisher", "author", "sender", "recipient", "date", "updated", "day"]


class Strength(IntEnum):
    """How much the place of a statement says for it: the lowest number wins."""

    FRONT_MATTER = 0
    FIELD = 1
    LINE = 2
    BESIDE = 3
    DATELINE = 4
    TAIL = 5
    WEAK = 6


@dataclass(frozen=True, slots=True)
class Statement:
    """`day` is a day without a year as written; `date` and `updated` are ISO 8601; the others are names or titles."""

    kind: Kind
    value: str
    strength: Strength


_FIELD = re.compile(
    r"(?:^|(?<=[\s|;·•,，\d]))(?:"
    r"(?P<title>title|headline|subject|re|标题|標題|题目|主题)|"
    r"(?P<publisher>source|publisher|published by|publication|outlet|news agency|issued by|来源|來源|稿源)|"
    r"(?P<author>authors?|author\(s\)|written by|writer|reporter|prepared by|compiled by|by|作者|记者|記者|撰文)|"
    r"(?P<updated>(?:last )?(?:updated|modified|revised)(?: on| at)?|更新时间)|"
    r"(?P<date>(?:first )?(?:published|posted|issued|released)(?: on| at| date)?|(?:publication|release|issue) date|"
    r"date published|date of (?:issue|publication)|date|dated|sent|发布时间|发布日期|发表时间|日期|時間|时间)|"
    r"(?P<sender>from)|(?P<recipient>to)|"
    r"(?P<other>editors?|编辑|責任編輯|责任编辑|责编|cc|category|tags?|keywords?|section|photos?|image)"
    r")\s*[:：]\s*",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"(?:this (?:article|story|post|report|piece|document) (?:was |has been )?)?(?:first |originally |last )?"
    r"(?:(?P<date>published|posted|issued|released|created|written|dated?)|(?P<updated>updated|modified|edited|revised))\b",
    re.IGNORECASE,
)
_AFTER_STATED = re.compile(
    r"[\s,.|·•–-]*(?:(?:at\s+)?\d{1,2}[:.h]\d{2}.{0,30}|(?:by|in|at|updated|modified)\b.*|\(.*|\d+[ -]min.*)?",
    re.IGNORECASE,
)
_BY = re.compile(r"\bby\s+(?P<name>[^\W\d_].*?)(?=\s+(?:on|in|at)\s|\s*[|;·•(]|,?\s*$)", re.IGNORECASE)
_APPEARED = re.compile(
    r"\W*(?:[Tt]his (?:article|story|post|piece|report|essay|interview|column) (?:was |is |has been )?)?"
    r"(?:[Ff]irst|[Oo]riginally) (?:published|appeared)(?: online)? (?:in|on|by|at) (?P<name>[A-Z][^.,;]*)"
)
_BYLINE = re.compile(
    r"\(?(?:by|words by|text by|story by|(?:reported|prepared|compiled) by|von|par|por)\s+(?P<rest>[^\W\d_].*?)\)?",
    re.IGNORECASE,
)
_BYLINE_CJK = re.compile(
    r"文\s*[/|｜]\s*(?P<author>[\u4e00-\u9fff·]{2,4})|"
    r"(?P<outlet>[\u4e00-\u9fff]{1,6}[社报报網网])记者\s*(?P<people>[\u4e00-\u9fff·、，\s]{2,30})"
)
_STAFF = re.compile(
    r"(?P<outlet>.+?),?\s+(?:staff\s+)?(?:writers?|reporters?|correspondents?|staff)\b[\s:,]*(?P<people>.*)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"[A-Z][\w.’'-]+(?: [A-Z][\w.’'-]+)?")
_PIECES = re.compile(r"\s*[|•·]\s*|\s+[–—-]\s+")

_DATELINE = re.compile(
    r"[*_(]*(?P<place>[^\W\d_][^()\d/\n]{1,60}?)?[\s,]*"
    r"(?P<day>(?:[A-Z][a-z]{2,8}\.?\s+\d{1,2}|\d{1,2}\s+[A-Z][a-z]{2,8}\.?)(?!\d))?(?:,?\s+(?P<year>\d{4}))?[.,]?\s*-{0,2}"
    r"(?:\((?P<agency>[^()\d:]{2,40})\)|/\s?(?P<wire>[^/\d:]{2,30})/\.?)[*_]*\s*(?P<dash>--|—|–|-|―|_)?"
)
_DATED_OPENING = re.compile(r"(?P<opening>.{6,60}?)\s*(?:--|—|–)\s")
_DATELINE_CJK = re.compile(
    r"[（(【]?(?P<agency>[\u4e00-\u9fff]{1,6}?(?:社|网|報|报))[\u4e00-\u9fff]{0,8}?(?:(?P<year>\d{4})年)?"
    r"(?P<day>\d{1,2}月\d{1,2}日)[\u4e00-\u9fff]{0,2}电(?:\s*[（(](?:记者|通讯员)\s*(?P<people>[^）)]{2,30})[）)])?"
)
_OWN_PAPER = frozenset(["本报", "本网", "本社"])
_COPYRIGHT = re.compile(
    r"(?:©|\(c\)|copyright)\s*(?:©|\(c\))?\s*(?:\d{4}(?:\s*[-–]\s*\d{4})?)?,?\s*(?:by\s+)?(?P<name>[A-Z][^.|©\d]{1,60})",
    re.IGNORECASE,
)
_REPORTING = re.compile(r"\(?reporting by (?P<people>[^;.()]+?)(?: in [^;.()]+)?(?:[;.()]|$)", re.IGNORECASE)
_PHOTO_CREDIT = re.compile(r"[(（](?P<outlet>[^\W\d_][^()（）/\n]{2,40})/(?P<person>[^()（）/\n]{2,40})[)）]")
_PHOTO_AGENCY = re.compile(
    r"photo|image|getty|vcg|shutterstock|stock|unsplash|pexels|pixabay|flickr|file", re.IGNORECASE
)


def line(text: str) -> list[Statement] | None:
    """What a line states that is there only to state it; [] if nothing usable, None if it is another kind of line.

    `text` is the line without markup and with single spaces.
    """
    for reader in (_fields, _stated, _byline, _dated_name, _pieces):
        statements = reader(text)
        if statements is not None:
            return statements
    return None


def _fields(text: str) -> list[Statement] | None:
    found = list(_FIELD.finditer(text))
    if not found:
        return None
    lead = text[: found[0].start()].strip(" |;·•,，")
    before = (_byline(lead) or _dated_name(lead)) if lead else []
    if before is None:
        return None
    statements = list(before)
    for number, label in enumerate(found):
        whole = label.lastgroup == "title"
        end = found[number + 1].start() if number + 1 < len(found) and not whole else len(text)
        statements += _field(label.lastgroup or "", text[label.end() : end].strip(" |;·•,，"))
        if whole:
            break
    return statements


def _field(kind: str, value: str) -> Iterator[Statement]:
    if kind == "title" and 1 < len(value) <= 250:
        yield Statement("title", value, Strength.FIELD)
    elif kind == "publisher":
        stated = dates.find(value)
        name = names.publisher(re.split(r"\s[|·•]\s|[;(（]", value[: stated[0].start] if stated else value)[0])
        yield from _statement("publisher", name, Strength.FIELD)
        yield from (Statement("date", found.iso, Strength.FIELD) for found in stated)
    elif kind in ("author", "sender", "recipient"):
        name = names.signature(re.split(r"\s[|·•]\s", value)[0])
        outlet = kind == "author" and name is not None and names.is_outlet(name)
        kinds: dict[str, Kind] = {"author": "author", "sender": "sender", "recipient": "recipient"}
        yield from _statement("publisher" if outlet else kinds[kind], name, Strength.FIELD)
    elif kind in ("date", "updated"):
        yield from _statement("updated" if kind == "updated" else "date", dates.value(value), Strength.FIELD)


def _statement(kind: Kind, value: str | None, strength: Strength) -> Iterator[Statement]:
    if value:
        yield Statement(kind, value, strength)


def _stated(text: str) -> list[Statement] | None:
    """Lines such as "Published on 5 May 2025 by Jane Doe", "Updated Dec. 6, 2025", "Written by Jane Doe"."""
    verb = _STATED.match(text)
    if verb is None or len(text) > 140:
        return None
    stated = dates.find(text)
    if stated and not _AFTER_STATED.fullmatch(text, stated[-1].end):
        return None
    statements = list(appeared(text))
    if stated:
        statements.append(Statement("updated" if verb["updated"] else "date", stated[0].iso, Strength.LINE))
    named = _BY.search(text, verb.end())
    if named and verb["date"]:
        publishes = verb["date"].lower() in ("published", "issued", "released")
        if names.people(named["name"]):
            statements.append(Statement("author", named["name"], Strength.LINE))
        elif publishes or names.is_outlet(named["name"]):
            statements += _statement("publisher", names.publisher(named["name"]), Strength.LINE)
    return statements or None


def appeared(text: str) -> Iterator[Statement]:
    """The publisher in "This article first appeared in X" or "Originally published by X on 5 May 2025"."""
    found = _APPEARED.match(text)
    name = re.split(r" on (?=\w)", found["name"])[0] if found else ""
    if found and name and not dates.find(name):
        yield from _statement("publisher", names.publisher(name), Strength.WEAK)
        yield from (Statement("date", stated.iso, Strength.WEAK) for stated in dates.find(found["name"])[:1])


def _byline(text: str) -> list[Statement] | None:
    """ "By Jane Doe and John Roe, The Daily Planet", also with a date behind it."""
    chinese = _BYLINE_CJK.fullmatch(text)
    if chinese:
        own = chinese["outlet"] in (None, *_OWN_PAPER)
        author = chinese["author"] or names.people(re.sub(r"[\s，]+", "、", chinese["people"].strip()))
        publisher = _statement("publisher", None if own else chinese["outlet"], Strength.LINE)
        return [*publisher, *_statement("author", author, Strength.LINE)]
    found = _BYLINE.fullmatch(text)
    if found is None or len(text) > 140:
        return None
    rest = found["rest"]
    stated = dates.find(rest)
    statements = [Statement("date", stated[0].iso, Strength.LINE)] if stated else []
    whole = rest[: stated[0].start].strip(" ,|·•–—-(") if stated else rest
    written_for = re.search(r"\s+for\s+(?P<name>(?:[Tt]he\s+)?[A-Z].*)$", whole)
    first, *pieces = _PIECES.split(whole[: written_for.start()] if written_for else whole)
    by = list(_names_in_byline(re.split(r"\s+(?:in|on|at)\b", first)[0]))
    if not by:
        return None
    statements += by
    outlets = [piece for piece in pieces if names.is_outlet(piece)] + ([written_for["name"]] if written_for else [])
    for outlet in outlets:
        statements += _statement("publisher", names.publisher(outlet), Strength.LINE)
    return statements


def _names_in_byline(text: str) -> Iterator[Statement]:
    if names.is_outlet(text):
        yield Statement("publisher", text, Strength.LINE)
        return
    staff = _STAFF.fullmatch(text)
    if staff and names.is_outlet(staff["outlet"]):
        yield Statement("publisher", staff["outlet"], Strength.LINE)
        yield from _statement("author", names.people(staff["people"]), Strength.LINE)
        return
    parts = [part.strip() for part in text.split(",")]
    others = [part for part in parts if names.is_outlet(part) or names.people(part) is None]
    people = parts[: parts.index(others[0])] if others else parts
    # Of two names without "and" the second may be a place, a post or a publication with the form of a person's name.
    several = len(people) > 2 or re.search(r"\s(?:and|&)\s", ", ".join(people[1:]))
    yield from _statement("author", ", ".join(people if several else people[:1]), Strength.LINE)
    for part in others if people else []:
        if names.is_outlet(part) or names.is_institution(part):
            yield Statement("publisher", part, Strength.LINE)


def _dated_name(text: str) -> list[Statement] | None:
    """A line that is a date, or a date and an outlet or a place: "(Reuters) 09:12, Dec. 5, 2025"."""
    stated = dates.find(text)
    if len(stated) != 1:
        month = None if stated or text.isdigit() else dates.value(text)
        return [Statement("date", month, Strength.LINE)] if month else None
    start, end = stated[0].start, stated[0].end
    date = Statement("date", stated[0].iso, Strength.LINE)
    name = re.sub(r"[\s,]*\d{1,2}:\d{2}[\s,]*$", "", text[:start]).strip(" ,|–—-()（）")
    if names.is_outlet(name) and dates.alone(text[start:]):
        return [Statement("publisher", name, Strength.BESIDE), date]
    name = text[end:].strip(" ,|–—-()（）")
    if dates.alone(text[:end]) and (names.is_outlet(name) or _PLACE.fullmatch(name)):
        return [*_statement("publisher", name if names.is_outlet(name) else None, Strength.BESIDE), date]
    return [date] if dates.alone(text) else None


def _pieces(text: str) -> list[Statement] | None:
    """A line of pieces with bars or dots between them, one of which is a date, a byline or a field."""
    pieces = [piece for piece in re.split(r"\s*[|•·]\s*", text) if piece]
    if len(pieces) < 2 or len(text) > 140:
        return None
    read = [None if piece == text else line(piece) for piece in pieces]
    if all(statements is None for statements in read) or any(len(piece) > 60 for piece in pieces):
        return None
    outlets = (Statement("publisher", piece, Strength.BESIDE) for piece in pieces if names.is_outlet(piece))
    return [*(statement for statements in read for statement in statements or []), *outlets]


def dateline(text: str) -> list[Statement]:
    """What the opening of a paragraph states in the manner of news agencies: "BEIJING, Dec. 5 (Xinhua) -- ..."."""
    found = _DATELINE.match(text)
    if found and (found["dash"] or found["wire"]):
        agency = (found["agency"] or found["wire"]).strip()
        place = found["place"] or ""
        if names.is_wire(agency) or (place.isupper() and (found["day"] or names.is_outlet(agency))):
            return [*_statement("publisher", names.publisher(agency), Strength.DATELINE), *_dateline_date(found)]
    dated = _DATED_OPENING.match(text)
    if dated and (stated := dates.alone(dated["opening"])):
        return [Statement("date", stated, Strength.DATELINE)]
    found = _DATELINE_CJK.match(text)
    if found is None:
        return []
    own = found["agency"] in _OWN_PAPER
    people = re.split(r"[\s，,]", found["people"] or "")[0] if found["people"] else None
    return [
        *_statement("publisher", None if own else found["agency"], Strength.DATELINE),
        *_statement("author", people and names.people(people), Strength.DATELINE),
        *_dateline_date(found),
    ]


def _dateline_date(found: re.Match[str]) -> Iterator[Statement]:
    if found["day"] and found["year"]:
        joined = f"{found['year']}年{found['day']}" if "月" in found["day"] else f"{found['day']}, {found['year']}"
        yield from _statement("date", dates.value(joined), Strength.DATELINE)
    elif found["day"]:
        yield Statement("day", found["day"], Strength.DATELINE)


def last_line(text: str) -> list[Statement]:
    """What one of the last lines of a text states: its publisher's name alone, a field, a date, a copyright."""
    bare = text.strip(" .-–—()（）[]*_")
    if names.is_outlet(bare):
        return [Statement("publisher", bare, Strength.TAIL)]
    statements = [Statement(each.kind, each.value, Strength.TAIL) for each in line(bare) or []]
    owner = _COPYRIGHT.search(text)
    if owner:
        name = re.split(r"\s+all rights|,", owner["name"], flags=re.IGNORECASE)[0].strip()
        if names.is_outlet(name) or names.is_institution(name):
            statements.append(Statement("publisher", name, Strength.WEAK))
    reporting = _REPORTING.search(text)
    if reporting:
        statements += _statement("author", names.people(reporting["people"]), Strength.WEAK)
    return [*statements, *appeared(text)]


def photo_credits(text: str) -> Iterator[Statement]:
    """The publisher that two or more photo credits such as "(The Daily Planet/Jane Doe)" agree on. News and photo
    agencies do not count, for everybody prints their photos.
    """
    outlets: Counter[str] = Counter()
    for credit in _PHOTO_CREDIT.finditer(text):
        outlet = credit["outlet"].strip()
        if names.is_person(credit["person"].strip()) and not _PHOTO_AGENCY.search(outlet):
            outlets[outlet] += 1
    shortest = min(outlets, key=len, default="")
    agree = all(outlet.startswith(shortest) for outlet in outlets)
    if agree and outlets.total() > 1 and names.is_outlet(shortest) and not names.is_wire(shortest):
        yield Statement("publisher", shortest, Strength.WEAK)
