"""The cases of our own over seeds/: enough of each kind, and every gold fact stands in its documents."""

from __future__ import annotations

from collections import Counter

import pytest
from conftest import REPO

from assistant import documents
from evals import cases
from evals.records import Case, Result
from evals.scorers import normal
from evals.scorers.answer import score

SUITE = cases.read(REPO / "evals" / "questions" / "seeds.jsonl")
TEXTS = {path.name: documents.read(path).text for path in sorted((REPO / "seeds").iterdir())}
ANSWERABLE = [case for case in SUITE.cases if case.answerable]
UNANSWERABLE = [case for case in SUITE.cases if not case.answerable]
AT_LEAST = {
    "single_fact": 35,
    "several_documents": 10,
    "change_over_time": 10,
    "attribution": 20,
    "false_premise": 8,
    "follow_up": 10,
    "unanswerable": 20,
    "misspelt": 5,
    "chinese": 5,
    "spanish": 5,
}


def holds(text: str, ways: tuple[str, ...]) -> bool:
    return any(normal.holds(text, way) for way in ways)


def stated(case: Case, ways: tuple[str, ...]) -> bool:
    return any(holds(span.quote, ways) for span in case.spans)


def name(case: Case) -> str:
    return case.id


def test_every_line_is_a_case():
    assert not SUITE.problems
    assert len(SUITE.cases) >= 110


def test_there_are_enough_of_each_kind():
    counts = Counter(case.tags[0] for case in SUITE.cases)
    assert set(counts) == set(AT_LEAST)
    assert {kind: counts[kind] for kind in AT_LEAST if counts[kind] < AT_LEAST[kind]} == {}


def test_no_question_is_asked_twice():
    asked = [(normal.normal(case.question), case.history) for case in SUITE.cases]
    assert len(set(asked)) == len(asked)


def test_every_gold_span_is_in_its_document():
    assert cases.check(SUITE.cases, {file: {file: text} for file, text in TEXTS.items()}) == ()


@pytest.mark.parametrize("case", ANSWERABLE, ids=name)
def test_an_answerable_case_says_what_is_right_and_where_it_stands(case: Case):
    assert case.answers or case.facts
    assert case.reference
    assert case.spans
    for span in case.spans:
        assert len(cases.locate(span, TEXTS[span.file])) == 1, span
    for ways in (case.answers, *case.facts):
        assert all(normal.normal(way) for way in ways)


@pytest.mark.parametrize("case", [case for case in ANSWERABLE if "computed" not in case.tags], ids=name)
def test_each_gold_fact_is_in_its_quotes(case: Case):
    if case.answers:
        assert stated(case, case.answers)
    for ways in case.facts:
        assert stated(case, ways), ways


@pytest.mark.parametrize("case", ANSWERABLE, ids=name)
def test_the_reference_counts_as_right(case: Case):
    if case.answers:
        assert holds(case.reference, case.answers)
    for ways in case.facts:
        assert holds(case.reference, ways), ways


def test_questions_over_several_documents_need_more_than_one():
    for case in SUITE.cases:
        if case.tags[0] == "several_documents":
            one = [file for file in TEXTS if all(holds(TEXTS[file], ways) for ways in case.facts)]
            assert not one, (case.id, one)


def test_unanswerable_cases_have_no_gold():
    for case in UNANSWERABLE:
        assert case.tags[0] == "unanswerable"
        assert [case.answers, case.facts, case.spans, case.documents] == [()] * 4, case.id
        assert not case.reference, case.id
    assert sum("follow_up" in case.tags for case in UNANSWERABLE) >= 3


def test_follow_ups_have_a_conversation_and_others_have_none():
    for case in SUITE.cases:
        roles = [turn.role for turn in case.history]
        assert roles == ["user", "assistant"] * (len(roles) // 2), case.id
        assert bool(roles) == ("follow_up" in case.tags), case.id


def test_who_says_it_is_asked_where_it_is_neither_the_answer_nor_in_the_question():
    asked = [case for case in SUITE.cases if case.attributed_to]
    assert len(asked) >= 12
    for case in asked:
        assert any(holds(TEXTS[span.file], case.attributed_to) for span in case.spans), case.id
        assert holds(case.reference, case.attributed_to), case.id
        for said in (case.question, *case.answers, *(way for ways in case.facts for way in ways)):
            assert not holds(said, case.attributed_to), (case.id, said)


# Answers of people and models, and whether they are right. A gold answer that stands in a wrong one is no gold.
READ = [
    ("follow-telescope", "No: it accepts only applications from Chinese scientists.", False),
    ("follow-telescope", "The telescope is open only to Chinese scientists.", False),
    ("follow-telescope", "FAST accepts observation applications from scientists worldwide.", True),
    ("follow-telescope", "Yes.", True),
    ("spanish-telescope", "No, FAST accepts only applications from Chinese scientists.", False),
    ("spanish-telescope", "Sí.", True),
    ("spanish-telescope", "Está abierto a científicos de todo el mundo.", True),
    ("false-fast", "The telescope is open to scientists from China only.", False),
    ("false-fast", "That is not so: it is open to scientists from around the world.", True),
    ("follow-payloads", "No payloads were carried.", False),
    ("follow-payloads", "It carried no payloads for others.", False),
    ("follow-payloads", "International payloads.", True),
    ("follow-payloads", "It carried payloads of other countries.", True),
    ("fact-principal-actors", "The state and universities.", False),
    ("fact-principal-actors", "Enterprises.", True),
    ("fact-az-ordinal", "number 6", True),
    ("fact-az-ordinal", "number 5", False),
    ("fact-airbus", "On green hydrogen engines.", False),
    ("fact-airbus", "On sustainable fuel.", False),
    ("fact-airbus", "Airbus and its Chinese counterparts promote the green transformation of aviation.", True),
    ("fact-barriers", "Trade barriers that slow technological innovation down.", False),
    ("fact-barriers", "Artificial technological barriers.", True),
    ("chinese-rank-2024", "第二十一位。", False),
    ("chinese-rank-2024", "第十一。", True),
    ("several-ai-initiatives", "The Global AI Governance and AI+ International Cooperation Initiatives.", True),
    ("change-rd", "From 1 to 3.6 trillion yuan.", True),
    ("change-factory", "A laboratory.", True),
    ("change-achilles", "Its lack of innovation.", True),
    ("fact-az-amount", "$2.5B", True),
    ("fact-wind-builder", "The Power Construction Corporation.", True),
    ("fact-deep", "In deep-sea and space exploration.", True),
    ("who-restrictions-fail", "A German business magazine.", True),
    ("follow-who-says", "Spokespersons of the Foreign Ministry.", True),
    ("spanish-rank-2019", "En el décimo cuarto.", True),
]


@pytest.mark.parametrize(("id", "said", "right"), READ)
def test_what_is_read_as_right(id: str, said: str, right: bool):
    case = next(case for case in SUITE.cases if case.id == id)
    answer = {"answer": said, "abstained": False, "citations": []}
    assert score(Result("seeds", case, answer), {})["right"].value == right


@pytest.mark.parametrize("id", ["who-poverty", "chinese-who", "claim-poverty"])
def test_the_sentence_that_says_it_is_gold(id: str):
    case = next(case for case in SUITE.cases if case.id == id)
    assert any("have contributed to poverty alleviation" in span.quote for span in case.spans)
