"""Files of cases: what is read, what is reported with its line, and where gold spans stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.errors import BadInput
from assistant.records import Message, Span
from evals import cases
from evals.records import Case, Given, GoldSpan

QUESTION = '{"question": "Why?"}'


def jsonl(folder: Path, *lines: str) -> Path:
    path = folder / "own.jsonl"
    path.write_text("\n".join(lines), "utf-8")
    return path


def table(folder: Path, text: str) -> Path:
    path = folder / "own.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_line_may_have_every_field(tmp_path: Path):
    line = {
        "id": "a",
        "question": " Why? ",
        "history": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Mao Ning."}],
        "answerable": True,
        "answers": ["11th", "11"],
        "facts": ["rice", ["17", "seventeen"]],
        "reference": "Because.",
        "spans": [{"file": "a.txt", "quote": " rice\n"}],
        "documents": "a.txt",
        "forbidden": "pwned",
        "attributed_to": ["Mao Ning"],
        "tags": "hard",
    }
    read = cases.read(jsonl(tmp_path, "\ufeff" + json.dumps(line), "", QUESTION))
    assert read.problems == ()
    assert read.cases == (
        Case(
            id="a",
            question="Why?",
            history=(Message("user", "Who?"), Message("assistant", "Mao Ning.")),
            answerable=True,
            answers=("11th", "11"),
            facts=(("rice",), ("17", "seventeen")),
            reference="Because.",
            spans=(GoldSpan("a.txt", " rice\n"),),
            documents=("a.txt",),
            forbidden=("pwned",),
            attributed_to=("Mao Ning",),
            tags=("hard",),
        ),
        Case(id="line-3", question="Why?"),
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"question": ', "bad JSON: EOF while parsing a value at column 13"),
        ("[" * 100_000, "bad JSON: recursion limit exceeded"),
        (r'{"question": "\ud800"}', "bad JSON"),
        ("[]", "Input should be an object"),
        ('{"id": "a"}', '"question" is missing'),
        ('{"question": " "}', '"question" is empty'),
        ('{"question": 3}', '"question": Input should be a valid string'),
        ('{"question": "a", "id": true}', '"id'),
        ('{"question": "a", "answer": "b"}', 'unknown field "answer"'),
        ('{"question": "a", "given": []}', 'unknown field "given"'),
        ('{"question": "a", "answers": ["b", 1]}', '"answers.1": Input should be a valid string'),
        ('{"question": "a", "answers": [""]}', '"answers.0" is empty'),
        ('{"question": "a", "facts": [[]]}', '"facts.0"'),
        ('{"question": "a", "answerable": "yes"}', '"answerable": Input should be a valid boolean'),
        ('{"question": "a", "history": [{"role": "user"}]}', '"history.0.content" is missing'),
        ('{"question": "a", "history": [{"role": "me", "content": "b"}]}', '"history.0.role"'),
        ('{"question": "a", "spans": [{"file": "b", "quote": "\\n"}]}', '"spans.0.quote" is empty'),
        ('{"question": "a", "spans": [{"file": "b", "quote": "c", "page": 1}]}', 'unknown field "spans.0.page"'),
        ('{"question": "a", "id": "line-1"}', 'the id "line-1" was used before'),
    ],
)
def test_a_malformed_line_is_named_and_the_rest_kept(tmp_path: Path, line: str, problem: str):
    read = cases.read(jsonl(tmp_path, QUESTION, line, QUESTION))
    assert [case.id for case in read.cases] == ["line-1", "line-3"]
    assert len(read.problems) == 1
    assert read.problems[0].startswith(f"own.jsonl, line 2: {problem}")


def test_an_id_may_be_a_number(tmp_path: Path):
    assert cases.read(jsonl(tmp_path, '{"question": "Why?", "id": 7}')).cases[0].id == "7"


def test_files_without_a_usable_case_are_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="No such file"):
        cases.read(tmp_path / "none.jsonl")
    with pytest.raises(BadInput, match=r"holds no case\."):
        cases.read(jsonl(tmp_path))
    with pytest.raises(BadInput, match='line 1: "question" is missing'):
        cases.read(jsonl(tmp_path, "{}"))
    with pytest.raises(BadInput, match="neither"):
        cases.read(Path(__file__))
    (tmp_path / "own.csv").write_bytes(b"question\n\xff\xfe")
    with pytest.raises(BadInput, match="not UTF-8"):
        cases.read(tmp_path / "own.csv")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(BadInput, match="directory"):
        cases.read(tmp_path / "folder.jsonl")


@pytest.mark.parametrize(
    ("given", "answerable"),
    [
        ({"answers": "11th"}, True),
        ({"facts": ["rice"]}, True),
        ({"spans": [{"file": "a.txt", "quote": "rice"}]}, True),
        ({"documents": "a.txt"}, None),
        ({}, None),
        ({"answers": "11th", "answerable": False}, False),
    ],
)
def test_who_gives_an_answer_says_that_there_is_one(tmp_path: Path, given: dict, answerable: bool | None):
    line = json.dumps({"question": "Why?", "group": "talk"} | given)
    (case,) = cases.read(jsonl(tmp_path, line)).cases
    assert (case.answerable, case.group) == (answerable, "talk")


def test_an_answer_in_a_table_says_that_there_is_one(tmp_path: Path):
    read = cases.read(table(tmp_path, "question,answer,file,quote\nWho?,Mao,,\nWhy?,,a.txt,rice\nWhen?,,a.txt,\n"))
    assert [case.answerable for case in read.cases] == [True, True, None]


def test_a_table_with_every_column(tmp_path: Path):
    text = (
        "\ufeffid, Question ,answer,answerable,file,quote,tags,reference\r\n"
        'a,"Which rank, please?",11th | 11,Yes,a.txt,"two\r\nlines",hard rank,It was 11th.\r\n'
        "\r\n,,,,,,,\r\n"
        ",Who?,,no,b.txt\r\n"
        ",Why?\r\n"
    )
    path = tmp_path / "own.csv"
    path.write_bytes(text.encode())
    read = cases.read(path)
    assert read.problems == ()
    assert read.cases == (
        Case(
            id="a",
            question="Which rank, please?",
            answerable=True,
            answers=("11th", "11"),
            reference="It was 11th.",
            spans=(GoldSpan("a.txt", "two\nlines"),),
            tags=("hard", "rank"),
        ),
        Case(id="line-6", question="Who?", answerable=False, documents=("b.txt",)),
        Case(id="line-7", question="Why?"),
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",yes,,", '"question" is empty'),
        ("Why?,maybe,,", '"answerable" is "maybe", not yes or no'),
        ("Why?,,,words", 'a "quote" needs a "file"'),
        ("Why?,,,,,", "it has more cells than the header"),
        ('"Why?"x,,,', "',' expected after '\"'"),
    ],
)
def test_a_malformed_row_is_named_and_the_rest_kept(tmp_path: Path, row: str, problem: str):
    read = cases.read(table(tmp_path, f"question,answerable,file,quote\nWho?,,,\n{row}\nWhen?"))
    assert [case.question for case in read.cases] == ["Who?", "When?"]
    assert read.problems == (f"own.csv, line 3: {problem}.",)


def test_a_quotation_mark_that_is_not_closed_is_named_where_it_stands(tmp_path: Path):
    read = cases.read(table(tmp_path, 'question\nWho?\n"Why?\nWhen?\n'))
    assert [case.question for case in read.cases] == ["Who?"]
    assert read.problems == ("own.csv, line 3: a quotation mark is not closed.",)


def test_unknown_columns_are_named_once(tmp_path: Path):
    read = cases.read(table(tmp_path, "question,colour,size\nWho?,red,1\nWhy?,blue,2\n"))
    assert len(read.cases) == 2
    assert read.problems == ('own.csv, line 1: unknown columns are left out: "colour", "size".',)


@pytest.mark.parametrize("text", ["", "colour\nred\n", 'question,"'])
def test_a_table_needs_a_column_of_questions(tmp_path: Path, text: str):
    with pytest.raises(BadInput, match=r"question|header"):
        cases.read(table(tmp_path, text))


def test_gold_spans_are_checked_against_the_documents():
    texts = {"a.txt": {"1": "one two one", "2": "four"}}

    def case(**fields: object) -> Case:
        return Case("a", "Why?", **fields)  # type: ignore[arg-type]

    good = case(spans=(GoldSpan("a.txt", "one"),), documents=("a.txt",))
    own = case(spans=(GoldSpan("b.txt", "three"),), given=(Given("b.txt", "three"),))
    other = case(spans=(GoldSpan("a.txt", "four"),))  # in another document of the same name
    assert cases.check([good, own, other], texts) == ()
    assert cases.check([case(spans=(GoldSpan("b.txt", "one"),))], texts) == ('Case "a": there is no document b.txt.',)
    assert cases.check([case(documents=("b.txt",))], texts) == ('Case "a": there is no document b.txt.',)
    wrong = cases.check([case(spans=(GoldSpan("a.txt", "One"), GoldSpan("a.txt", "x" * 500)))], texts)
    assert wrong[0] == 'Case "a": this is not word for word in a.txt: "One".'
    assert len(wrong[1]) < 200


def test_a_span_is_found_wherever_it_stands():
    assert cases.locate(GoldSpan("a.txt", "$1."), "$1. and $1.") == [Span(0, 3), Span(8, 11)]
    assert cases.locate(GoldSpan("a.txt", "$1."), "$10") == []


def test_a_case_comes_back_from_json_as_it_was():
    case = Case(
        id="a",
        question="¿Qué?",
        history=(Message("user", "Who?"),),
        answerable=False,
        facts=(("a", "b"), ("c",)),
        spans=(GoldSpan("a.txt", "one"),),
        given=(Given("a.txt", "one"),),
    )
    assert cases.from_json(json.loads(json.dumps(cases.to_json(case)))) == case
    with pytest.raises(BadInput, match='"question" is missing'):
        cases.from_json({"id": "a"})
