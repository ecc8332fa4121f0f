"""What a text states about itself: title, publisher, author and date.

Pure rules about form and place; where the text states nothing, or states it in a way that can be read as something
else, the answer is None. Statements are collected from front matter, from the lines before the first paragraph, from
datelines, from the last lines and from photo credits. The one from the strongest place wins, among equals the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from assistant import dates, front_matter, names, statements
from assistant.sentences import spans
from assistant.statements import Kind, Statement, Strength

_HEAD_CHARS = 8_000
_TAIL_CHARS = 2_000
_HEAD_LINES = 20
_TAIL_LINES = 6
_PARAGRAPHS = 3  # among which the one with the dateline is

_LIST_ITEM = re.compile(r"(?:[-*+•‣◦]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s|[|>{}<\[]|```|~~~")
_FENCED = re.compile(  # a block of code, up to the end where nothing closes it: no line of it is the text's
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[^\n`]*\n(?:.*\n)*?(?: {0,3}(?P=fence)[`~]*[ \t]*$|.*\Z)", re.MULTILINE
)
_HEADING = re.compile(r"#{1,6}\s+(?P<title>.*?)\s*#*$|<h\d[^>]*>(?P<tagged>.*?)</h\d>", re.IGNORECASE)
_FIRST_LEVEL = re.compile(r"#\s|<h1\b", re.IGNORECASE)
_UNDERLINE = re.compile(r"={3,}|-{3,}|\^{3,}|~{3,}")
_ORNAMENT = re.compile(
    r"\[?!\[.*|<(?!h\d)[^>]*>.*|[^\w\s{}<>()\[\]]+|[\d/.:\s-]+|https?://\S+|skip to (?:main )?content|advertisement",
    re.IGNORECASE,
)
_CRUMB = r"[^\W\d_][\w&'’ ]{0,25}"
_SECTION = re.compile(rf"{_CRUMB}(?:(?:\s+/\s+|\s*[>»›]\s*){_CRUMB})+")
_KICKER = re.compile(
    r"(?:world|politics|business|economy|technology|tech|science|sports?|culture|health|opinion|analysis|editorial|"
    r"commentary|exclusive|breaking(?: news)?|feature|interview|news|press release|for immediate release|top stories|"
    r"要闻|评论|时政|财经|国际)[:：]?",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r".*\b(?:file )?photos?\s*[:：/].*|.*\b(?:photo|picture|image|illustration)s? by\b.*|"
    r"(?:image|picture|photo|illustration|credit)s?\s*[:：].*|(?:资料图|图片|图)[\s:：为].*|"
    r".*[(（][^\W\d_][^()/]+/[^\W\d_][^()/]+[)）]",
    re.IGNORECASE,
)
_PART = re.compile(
    r"(?:chapter|part|section|book|act|scene|appendix)\s+[\divxlc]+\b.*|(?:table of )?contents|abstract|introduction|"
    r"summary|preface|foreword|disclaimer|references|"
    r"vorwort|inhalt(?:sverzeichnis)?|einleitung|einführung|zusammenfassung|kapitel \d+\b.*|"
    r"préface|avant-propos|sommaire|table des matières|résumé|chapitre \d+\b.*|"
    r"prefacio|prólogo|índice|contenido|introducción|resumen|capítulo \d+\b.*|"
    r"prefácio|introdução|resumo|sumário|prefazione|introduzione|indice|sommario|capitolo \d+\b.*|"
    r"第[一二三四五六七八九十\d]+[章节節回].*|目[录錄次]|前言|序言|引言|摘要|はじめに",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\d{1,2}[.)]\s.*")
_PAGE_NUMBER = re.compile(
    r"(?:page|p\.|seite|página|pagina|pág\.)\s*\d+(?:\s*(?:of|/|von|sur|de|di|van)\s*\d+)?|"
    r"第\s*\d+\s*[页頁](?:[\s/,，]*共\s*\d+\s*[页頁])?",
    re.IGNORECASE,
)
_MINUTES = r"\d{1,3}[\s-]*(?:min\w*\b\.?|分钟|分鐘)"
_READING_TIME = re.compile(
    rf"(?:(?:estimated )?reading time|time to read|lesezeit|temps de lecture|tiempo de lectura|tempo di lettura|"
    rf"tempo de leitura|leestijd|阅读时间|预计阅读|閱讀時間)\s*[:：]?\s*\W?{_MINUTES}.{{0,20}}|"
    rf"{_MINUTES}\s*(?:read|lesezeit|de lecture|de lectura|di lettura|de leitura|leestijd|阅读|閱讀)(?:\W.{{0,30}})?",
    re.IGNORECASE,
)
_SALUTATION = re.compile(
    r"(?:dear|hi|hello|hey|good (?:morning|afternoon|evening))\b(?:.{0,60}[,:]|!?)|to whom it may concern.*",
    re.IGNORECASE,
)
_VALEDICTION = re.compile(
    r"(?:yours?)? ?(?:sincerely|faithfully|truly|respectfully)(?: yours)?,?|"
    r"(?:best|kind|warm)(?:est)? ?(?:regards|wishes),?|regards,?|best,|cheers,|yours,",
    re.IGNORECASE,
)
_BEFORE_DATE = re.compile(r"(?:dated?\s+|published\s+|posted\s+)?[(\[]?", re.IGNORECASE)
_AFTER_DATE = re.compile(r"[)\]]?\s*[:：|–—-]?\s+(?=[^\W\d_]|[\"'“‘])")
_RECORD = re.compile(
    r"\b(?:minutes|meeting|agenda|memo|stand-?up|weekly|monthly|daily|diary|journal|newsletter|bulletin|digest|sync|"
    r"retrospective|press release|press conference|briefing|status|log)\b|纪要|周报|日报|月报|简报",
    re.IGNORECASE,
)
_TITLE_AND_OUTLET = re.compile(r"(?P<title>.{8,}?)\s*(?:\||\s[–—-]\s)\s*(?P<outlet>[^|–—]+)")
_NOT_AT_END = re.compile(r"[,;:、，；：。]$|(?<!\bInc)(?<!\bLtd)(?<!\bCo)(?<!\b[A-Z])\.[\"'”’)]*$")
_AROUND = (_ORNAMENT, _SECTION, _KICKER, _CAPTION, _UNDERLINE, _PAGE_NUMBER, _READING_TIME)  # what is no title
_LONGEST_TITLE = 220  # characters
_SHORT = 60  # characters; shorter lines may end in a full stop and still be no paragraph


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a text states about itself. `date` is ISO 8601: YYYY-MM-DD, or YYYY-MM / YYYY where it says no more;
    `revised` where it is only that of a revision.
    """

    title: str | None = None
    publisher: str | None = None
    author: str | None = None
    date: str | None = None
    revised: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Line:
    text: str  # without markup for emphasis and links, white space collapsed
    gap: bool  # a blank line stands before it
    prose: bool  # belongs to a paragraph
    end: int


def read(text: str) -> Metadata:
    """The metadata that `text` states."""
    found, body = front_matter.read(text[:_HEAD_CHARS])
    lines = _lines(text[body : body + _HEAD_CHARS])
    first = next((number for number, line in enumerate(lines) if line.prose), len(lines))
    head, rest = lines[: min(first, _HEAD_LINES)], lines[min(first, _HEAD_LINES) :]
    found += _from_head(head, rest)
    for paragraph in [line for line in rest if line.prose][:_PARAGRAPHS]:
        found += statements.dateline(paragraph.text)
    after_head = body + (head[-1].end if head else 0)
    found += _from_tail(_lines(text[max(after_head, len(text) - _TAIL_CHARS) :], False)[-_TAIL_LINES:])
    found += statements.photo_credits(text)
    sender = _best(found, "sender") if _best(found, "recipient") else None
    return Metadata(
        title=_best(found, "title"),
        publisher=_best(found, "publisher"),
        author=_best(found, "author") or sender,
        date=_date(found),
        revised=_best(found, "date") is None and _best(found, "updated") is not None,
    )


def of_latex(source: str) -> Metadata:
    """What the preamble of a LaTeX source states."""
    found = front_matter.latex(source)
    return Metadata(_best(found, "title"), None, _best(found, "author"), _best(found, "date"))


def _best(found: Sequence[Statement], kind: Kind) -> str | None:
    fitting = [statement for statement in found if statement.kind == kind]
    return min(fitting, key=lambda statement: statement.strength).value if fitting else None


def _date(found: Sequence[Statement]) -> str | None:
    """The date of publication; a dateline's day gets its year from a date that is stated elsewhere."""
    date, updated, day = (_best(found, kind) for kind in ("date", "updated", "day"))
    reference = date or updated
    if day and reference and (date is None or len(date) < len("YYYY-MM-DD")):
        return dates.near(day, reference) or reference
    return reference


def _lines(text: str, is_beginning: bool = True) -> list[_Line]:
    """The lines of a text that are not empty; at its beginning without code, as an end may begin within some."""
    sentences = spans(text)
    lines: list[_Line] = []
    at, end = 0, 0
    code = [block.span() for block in _FENCED.finditer(text)] if is_beginning else []
    for found in re.finditer(r"[^\n]+", text):
        if found[0].isspace() or any(begin <= found.start() < close for begin, close in code):
            continue
        while at < len(sentences) and sentences[at].end <= found.start():
            at += 1
        inside = [span for span in sentences[at : at + 3] if span.start < found.end()]
        wrapped = any(span.start < found.start() or span.end > found.end() for span in inside)
        bare = re.sub(r"(?<!!)\[([^\]\[]+)\]\([^()]*\)", r"\1", found[0])
        bare = " ".join(re.sub(r"\*\*|__|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)", "", bare).split())
        gap = text.count("\n", end, found.start()) > 1
        lines.append(_Line(bare, gap, wrapped or _is_prose(bare, len(inside)), found.end()))
        end = found.end()
    return lines


def _is_prose(text: str, sentences: int) -> bool:
    if _LIST_ITEM.match(text) or _HEADING.match(text):
        return False
    if len(text) > _LONGEST_TITLE or (sentences > 1 and len(text) > _SHORT):
        return True
    if re.search(r"[.…][\"'”’»)\]]*$", text):
        return len(text) >= _SHORT or len(text.split()) > 8
    return text.endswith(("。", "。”", "。」")) or len(re.findall(r"[\u3040-\u9fff]", text)) > _SHORT


def _from_head(head: Sequence[_Line], rest: Sequence[_Line]) -> list[Statement]:
    """What the lines before the first paragraph state. In a log or a diary, where several lines begin with a date,
    none of these dates is the document's.
    """
    head = list(map(_unmarked, head))
    opening = [line.text for line in [*head, *rest[:_HEAD_LINES]] if not line.prose]
    log = len({iso for text in opening if (iso := _leading_date(text))}) > 1
    found = [statement for line in head for statement in statements.line(line.text) or []]
    headings = (dates.alone(_heading(line.text) or "") for line in head)
    found += [Statement("date", iso, Strength.LINE) for iso in headings if iso]
    if log:
        found = [each for each in found if each.kind != "date" or each.strength < Strength.LINE]
    return found + _title(head, rest, log)


def _unmarked(line: _Line) -> _Line:
    """A line without the marks of a heading, where it is set as one and states who published the text, or when."""
    heading = _heading(line.text)
    if not heading or (_FIRST_LEVEL.match(line.text) and ":" not in heading):
        return line
    stated = statements.line(heading) is not None or names.is_outlet(heading) or names.is_institution(heading)
    return replace(line, text=heading) if stated else line


def _leading_date(text: str) -> str | None:
    stated = dates.find(text.lstrip("#[(- ")[:40])
    return stated[0].iso if stated and stated[0].start <= 1 else None


def _title(head: Sequence[_Line], rest: Sequence[_Line], log: bool) -> list[Statement]:
    """The main heading, or else the first line that is neither a statement nor an ornament, if it has the form of a
    title; and the publisher that stands beside it. A heading of a lower level names a part, unless one of the first
    level, such as a date, stands above it.
    """
    if any(_SALUTATION.fullmatch(line.text) for line in [*head, *rest[:1]]):
        return []
    plain = [line.text for line in head if not _heading(line.text)]
    beside = [text for text in plain if names.is_outlet(text) or names.is_institution(text)]
    first_level = _first_level(head)
    begin = _main_heading(head, first_level)
    for number, line in enumerate(head[begin:], begin):
        following, *later = [*head[number + 1 : number + 4], *rest[:1], None]
        heading = _heading(line.text)
        text = heading or line.text
        dated = None if log else _dated_title(text)
        if dated is None and (dates.alone(text) if heading else _is_beside_title(line)):
            continue
        if heading and (_PART.fullmatch(heading) or not any(at <= number for at in first_level)):
            break
        if dated or heading or _is_headline(line, following, later):
            return [*(dated or _named(text)), *(Statement("publisher", name, Strength.BESIDE) for name in beside[:1])]
        break
    return [statement for name in beside[:1] for statement in _sole_name(name, rest)]


def _first_level(head: Sequence[_Line]) -> list[int]:
    """Which lines are headings of the first level."""
    underlined = [number for number, (_, below) in enumerate(pairwise(head)) if re.fullmatch("={3,}", below.text)]
    return sorted([*underlined, *(number for number, line in enumerate(head) if _FIRST_LEVEL.match(line.text))])


def _main_heading(head: Sequence[_Line], first_level: Sequence[int]) -> int:
    """The line of the first heading of the first level, which says more than a plain line above it: that may be a page
    header or the name of a department. 0 without one, and where it is a date or names a part.
    """
    at = next(iter(first_level), 0)
    text = (_heading(head[at].text) or head[at].text) if head else ""
    return 0 if dates.alone(text) or _PART.fullmatch(text) or _NUMBERED.fullmatch(text) else at


def _heading(text: str) -> str | None:
    """What a line of Markdown or HTML that is a heading says; None for other lines and empty headings."""
    found = _HEADING.match(text)
    return found["title"] or found["tagged"] or None if found else None


def _sole_name(name: str, rest: Sequence[_Line]) -> Iterator[Statement]:
    """A name without a headline: the topic of a text that begins with it, an agency that signs, or undecided."""
    if names.is_wire(name):
        yield Statement("publisher", name, Strength.BESIDE)
    elif names.is_institution(name) or len(name.split()) > 3 or (rest and rest[0].text.startswith(name)):
        yield Statement("title", name, Strength.BESIDE)


def _is_beside_title(line: _Line) -> bool:
    """Whether a line is of the kinds that stand around a title."""
    if any(form.fullmatch(line.text) for form in _AROUND):
        return True
    stated = statements.line(line.text) is not None
    return stated or names.is_outlet(line.text) or names.is_institution(line.text)


def _is_headline(line: _Line, following: _Line | None, later: Sequence[_Line | None]) -> bool:
    text = line.text
    if following is None or _LIST_ITEM.match(text) or _PART.fullmatch(text) or _leading_date(text):
        return False
    if _UNDERLINE.fullmatch(following.text):
        return True
    if len(re.findall(r"[^\W\d_]", text)) < 2 or _NOT_AT_END.search(text):
        return False
    listed = _LIST_ITEM.match(following.text) is not None
    if text[0].islower() and not (following.gap and (following.prose or listed)) and not text[1:2].isupper():
        return False
    if following.gap or following.prose or listed or _is_beside_title(following):
        return True
    # A line right below may be a subtitle, but only where a byline or date follows: else it may be an address.
    attached = [other for other in later[:2] if other]
    return len(text.split()) > 2 and any(statements.line(other.text) is not None for other in attached)


def _dated_title(text: str) -> list[Statement] | None:
    """A title with the document's date before it, or behind it where it is the title of minutes or the like."""
    stated = dates.find(text)
    if len(stated) != 1:
        return None
    date = Statement("date", stated[0].iso, Strength.BESIDE)
    after = _AFTER_DATE.match(text, stated[0].end)
    if after and _BEFORE_DATE.fullmatch(text, 0, stated[0].start):
        title = text[after.end() :]
        if not title[0].islower() and statements.line(title) is None and not names.is_outlet(title) and len(title) > 5:
            return [*_named(title), date]
    before = text[: stated[0].start].rstrip(" |,:([–—-")
    if before and not text[stated[0].end :].strip(" .)]"):
        if _RECORD.search(before):
            return [Statement("title", text, Strength.LINE), date]
        if "|" in text[len(before) : stated[0].start] and len(before.split()) > 3:
            return [*_named(before), date]
    return None


def _named(title: str) -> list[Statement]:
    """A title, and the publisher where it ends with one: "Rates rise again | The Daily Planet"."""
    title = re.sub(r"<[^>]*>", "", title).strip()
    found = _TITLE_AND_OUTLET.fullmatch(title)
    if found and names.is_outlet(found["outlet"]):
        return [
            Statement("title", found["title"].strip(), Strength.LINE),
            Statement("publisher", found["outlet"].strip(), Strength.BESIDE),
        ]
    return [Statement("title", title, Strength.LINE)] if title else []


def _from_tail(tail: Sequence[_Line]) -> list[Statement]:
    """What the last lines state; of the outlets named there, the last one. A date that stands alone counts only at
    the very end, where letters and notices are dated: further up it may be a reader's comment's.
    """
    found: list[Statement] = []
    tail = [replace(line, text=_heading(line.text) or line.text) for line in tail]
    for back, line in enumerate(reversed(tail)):
        read = statements.appeared(line.text) if line.prose else statements.last_line(line.text)
        found += [each for each in read if back < 2 or not (each.kind == "date" and dates.alone(line.text))]
    for line, following in pairwise(tail):
        if _VALEDICTION.fullmatch(line.text) and names.is_person(following.text):
            found.append(Statement("author", following.text, Strength.TAIL))
    return found
