"""Files of cases: read from JSONL or CSV, checked against the documents, and written into run files.

A line of JSONL has the fields of `records.Case` but `given`; only `question` is required. `history` is a list of
{"role", "content"}, `spans` one of {"file", "quote"}, `facts` one of texts or of lists of ways to say the same; one
text may stand where a list of texts is wanted. Where `answerable` is not given, a question with answers, facts or
spans is answerable. A CSV file has a header row with names out of `COLUMNS`.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from assistant.errors import BadInput, UnreadableFile
from assistant.records import Message, Span
from evals.records import Case, GoldSpan, Texts

COLUMNS = ("question", "id", "answer", "answerable", "file", "quote", "tags", "reference")
BETWEEN_ANSWERS = " | "
_ANSWERABLE = {"": None, "yes": True, "true": True, "no": False, "false": False}
_SHOWN = 80  # characters of a quote in a message
_CASE = TypeAdapter(Case)


@dataclass(frozen=True, slots=True)
class Read:
    """What a file holds. `problems` tell what could not be used: file, line, and what is wrong there."""

    cases: tuple[Case, ...]
    problems: tuple[str, ...]


def _many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


# Nothing here may be empty: an empty answer or quote is found in every text.
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Texts = Annotated[tuple[_Text, ...], BeforeValidator(_many)]
_Fact = Annotated[tuple[_Text, ...], BeforeValidator(_many), Field(min_length=1)]


class _Span(BaseModel):
    model_config = ConfigDict(extra="forbid")

    file: _Text
    quote: Annotated[str, StringConstraints(pattern=r"\S")]  # as it stands, outer white space too


class _Line(BaseModel):
    """A case as a user writes it down."""

    model_config = ConfigDict(extra="forbid")

    question: _Text
    id: StrictStr | StrictInt = ""
    history: tuple[Message, ...] = ()
    answerable: StrictBool | None = None
    answers: _Texts = ()
    facts: Annotated[tuple[_Fact, ...], BeforeValidator(_many)] = ()
    reference: str = ""
    spans: tuple[_Span, ...] = ()
    documents: _Texts = ()
    forbidden: _Texts = ()
    attributed_to: _Texts = ()
    tags: _Texts = ()
    group: str = ""

    def case(self, number: int) -> Case:
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        spans = tuple(GoldSpan(span.file, span.quote) for span in self.spans)
        known = bool(self.answers or self.facts or spans) or None  # whoever gives an answer says that there is one
        answerable = known if self.answerable is None else self.answerable
        given = {"id": str(self.id).strip() or f"line-{number}", "spans": spans, "answerable": answerable}
        return Case(**fields | given)


@dataclass(frozen=True, slots=True)
class _Wrong:
    """What is wrong with a line."""

    what: str


_Found = tuple[int, _Line | _Wrong]  # the number of the line, counted from 1, and what stands there


def read(path: Path) -> Read:
    """The cases in a JSONL or CSV file. What is malformed is a problem, and the rest is kept.

    Raises BadInput where the file is missing, is not text, is of another kind, or has no usable case.
    """
    text = _text(path)
    problems: list[str] = []
    match path.suffix.lower():
        case ".jsonl":
            found = _jsonl(text)
        case ".csv":
            rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            problems += _unknown_columns(path, rows)
            found = _csv(rows)
        case _:
            raise BadInput(f"{path} is neither a .jsonl nor a .csv file.", "Name one that is.")
    cases: dict[str, Case] = {}
    for number, line in found:
        case = line.case(number) if isinstance(line, _Line) else line
        if isinstance(case, Case) and case.id in cases:
            case = _Wrong(f'the id "{case.id}" was used before')
        if isinstance(case, _Wrong):
            problems.append(f"{path.name}, line {number}: {case.what}.")
        else:
            cases[case.id] = case
    if not cases:
        first = f": {problems[0]}" if problems else "."
        raise BadInput(f"{path} holds no case{first}", 'A case needs a "question".')
    return Read(tuple(cases.values()), tuple(problems))


def check(cases: Sequence[Case], texts: Texts) -> tuple[str, ...]:
    """What is wrong with the gold of `cases`: a file that is not in `texts`, a quote in no document of that name."""
    return tuple(f'Case "{case.id}": {problem}' for case in cases for problem in _gold_problems(case, texts))


def given_texts(case: Case) -> Texts:
    """The texts of the documents that belong to the case alone. The library names a document by its content's hash."""
    return {given.file: {hashlib.sha256(given.text.encode()).hexdigest()[:16]: given.text} for given in case.given}


def locate(span: GoldSpan, text: str) -> list[Span]:
    """Every place in `text` where the quote stands word for word."""
    return [Span(*match.span()) for match in re.finditer(re.escape(span.quote), text)]


def to_json(case: Case) -> dict[str, Any]:
    """All fields of a case, as JSON has them."""
    fields: dict[str, Any] = _CASE.dump_python(case, mode="json")
    return fields


def from_json(fields: Mapping[str, Any]) -> Case:
    """The case of which `to_json` made `fields`. Raises BadInput."""
    try:
        return _CASE.validate_python(dict(fields))
    except ValidationError as error:
        raise BadInput(f"A case of the run cannot be read: {_first(error)}.", "Run the evaluation again.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


def _jsonl(text: str) -> Iterator[_Found]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield number, _Line.model_validate_json(line)
            except ValidationError as error:
                yield number, _Wrong(_first(error))


def _unknown_columns(path: Path, rows: csv.DictReader[str]) -> list[str]:
    """Names the columns in lower case. Raises BadInput where there is none for the question."""
    try:
        names = [name.strip().lower() for name in rows.fieldnames or ()]
    except csv.Error as error:
        raise BadInput(f"The header of {path} is not CSV: {error}.", "Correct it.") from error
    rows.fieldnames = names
    if "question" not in names:
        known = ", ".join(COLUMNS)
        raise BadInput(f'{path} has no column "question".', f"The first row names the columns, of {known}.")
    unknown = ", ".join(f'"{name}"' for name in names if name not in COLUMNS)
    return [f"{path.name}, line 1: unknown columns are left out: {unknown}."] if unknown else []


def _csv(rows: csv.DictReader[str]) -> Iterator[_Found]:
    while True:
        before = rows.line_num
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield before + 1, _Wrong("a quotation mark is not closed" if "end of data" in str(error) else str(error))
            continue
        cells = [cell for cell in row.values() if isinstance(cell, str)]
        if any(cell.strip() for cell in cells):
            yield rows.line_num - sum(cell.count("\n") for cell in cells), _row(row)  # the row's first line


def _row(row: dict[str | Any, Any]) -> _Line | _Wrong:
    """The case in a row; cells that are missing at its end are empty."""
    if None in row:
        return _Wrong("it has more cells than the header")
    cell = {name: row.get(name) or "" for name in COLUMNS}
    answerable, file = cell["answerable"].strip().lower(), cell["file"].strip()
    if answerable not in _ANSWERABLE:
        return _Wrong(f'"answerable" is "{answerable}", not yes or no')
    if cell["quote"].strip() and not file:
        return _Wrong('a "quote" needs a "file"')
    try:
        return _Line(
            question=cell["question"],
            id=cell["id"],
            answerable=_ANSWERABLE[answerable],
            answers=tuple(answer for answer in cell["answer"].split(BETWEEN_ANSWERS) if answer.strip()),
            reference=cell["reference"].strip(),
            spans=(_Span(file=file, quote=cell["quote"]),) if cell["quote"].strip() else (),
            documents=(file,) if file and not cell["quote"].strip() else (),
            tags=tuple(cell["tags"].split()),
        )
    except ValidationError as error:
        return _Wrong(_first(error))


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"])
    match problem["type"]:
        case "json_invalid":
            return problem["msg"].replace("Invalid JSON", "bad JSON").replace("line 1 column", "column")
        case "missing" | "missing_argument":
            return f'"{where}" is missing'
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f'unknown field "{where}"'
        case "string_too_short" | "string_pattern_mismatch":
            return f'"{where}" is empty'
    return f'"{where}": {problem["msg"]}' if where else problem["msg"]


def _gold_problems(case: Case, texts: Texts) -> Iterator[str]:
    known = given_texts(case) or texts
    for file in dict.fromkeys((*case.documents, *(span.file for span in case.spans))):
        if file not in known:
            yield f"there is no document {file}."
    for span in case.spans:
        if span.file in known and not any(locate(span, text) for text in known[span.file].values()):
            shown = span.quote if len(span.quote) <= _SHOWN else span.quote[:_SHOWN] + "…"
            yield f'this is not word for word in {span.file}: "{shown}".'
