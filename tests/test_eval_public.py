"""Public data sets as cases: from small folders made here, and from the real ones where they are."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from conftest import REPO

from assistant import documents
from assistant.errors import BadInput
from evals.public import ADAPTERS, Loaded, nq_paragraphs
from evals.public_data import SETS, alternating, corpus, safe_name

DATA = REPO.parent / "shared" / "evaldata"
real = pytest.mark.skipif(not DATA.is_dir(), reason="needs the public data sets: see docs/datasets.md")


def write(path: Path, *rows: dict[str, Any] | str) -> None:
    """A JSONL file; a text stands in it as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def squad(folder: Path, shuffled: bool = False) -> Path:
    """Two articles of five paragraphs; over each paragraph a question with an answer and one without."""
    at = folder / "qa_abstain" / "squad2_A"
    paragraphs, questions = [], []
    for article in ("Normans", "Rhine"):
        for number in range(5):
            id, year = f"{article}#{number}", 1000 + number
            text = f"{article} began in {year}. In {year + 50} they ended, and that was {year} gone."
            paragraphs.append({"_id": id, "title": article, "text": text})
            asked = {"text": f"When did {article} end?", "gold": id, "_id": f"{article}-{number}"}
            questions.append({**asked, "answers": [str(year), str(year + 50)], "is_impossible": False})
            questions.append({**asked, "_id": f"{asked['_id']}-no", "answers": [], "is_impossible": True})
    if shuffled:
        random.Random(1).shuffle(paragraphs)
        random.Random(2).shuffle(questions)
    write(at / "corpus.jsonl", *paragraphs)
    write(at / "questions.jsonl", *questions)
    return folder


def nq(folder: Path, *more: dict[str, Any] | str) -> Path:
    at = folder / "retrieval" / "nq_paragraphs"
    write(
        at / "corpus.jsonl",
        {"_id": "p1", "title": "Bridges", "text": "The bridge opened in 1894.\u2028It is 244 m long."},
        {"_id": "p2", "title": "", "text": "A bridge that nobody built."},
    )
    asked = {"_id": "q1", "text": "when did the bridge open ", "answers": ["1894"], "gold": "p1"}
    write(at / "queries.jsonl", asked, *more)
    return folder


def texts(loaded: Loaded, number: int) -> dict[str, str]:
    """The documents that a case is asked over."""
    given = {document.file: document.text for document in loaded.cases[number].given}
    return given or dict(loaded.documents)


# Drawing


def test_half_of_squad_has_no_answer_and_the_gold_paragraph_is_among_four(tmp_path: Path) -> None:
    loaded = ADAPTERS["squad2"].load(squad(tmp_path), 10, 7)
    assert [case.answerable for case in loaded.cases] == [True, False] * 5
    assert loaded.problems == ()
    for case in loaded.cases:
        article, number = case.id.split("-")[:2]
        files = [given.file for given in case.given]
        assert len(set(files)) == 4
        assert f"{article}-{number}.txt" in files
        assert all(file.startswith(article) for file in files)
    assert len({[g.file for g in case.given].index(f"{case.id}.txt") for case in loaded.cases[::2]}) > 1


def test_two_questions_of_squad_share_their_paragraphs_and_each_paragraph_comes_once_first(tmp_path: Path) -> None:
    folder = squad(tmp_path)
    questions = folder / "qa_abstain" / "squad2_A" / "questions.jsonl"
    rows = [json.loads(line) for line in questions.read_text("utf-8").splitlines()]
    twice = [{**row, "_id": f"{row['_id']}-again"} for row in rows if row["gold"] == "Rhine#2"]
    alone = [{**row, "_id": f"{row['_id']}-alone"} for row in rows if row["_id"] == "Rhine-3"]
    write(questions, *rows, *twice, *alone)
    cases = ADAPTERS["squad2"].load(folder, None, 7).cases
    pairs = list(zip(cases[::2], cases[1::2], strict=False))
    assert [(one.answerable, other.answerable) for one, other in pairs] == [(True, False)] * 11
    assert all(one.given == other.given for one, other in pairs)
    assert len({one.group for one, _ in pairs[:10]}) == 10
    assert pairs[10][0].group == "Rhine#2"
    assert cases[22].group == "Rhine#3"
    assert len(cases) == 23


def test_a_span_is_the_answer_that_stands_only_once(tmp_path: Path) -> None:
    case = next(case for case in ADAPTERS["squad2"].load(squad(tmp_path), None, 7).cases if case.id == "Rhine-2")
    assert [(span.file, span.quote) for span in case.spans] == [("Rhine-2.txt", "1052")]
    assert case.documents == ("Rhine-2.txt",)
    assert case.group == "Rhine#2"


def test_cases_depend_on_the_seed_and_not_on_the_order_of_lines(tmp_path: Path) -> None:
    load = ADAPTERS["squad2"].load
    straight, mixed = squad(tmp_path / "a"), squad(tmp_path / "b", shuffled=True)
    assert load(straight, None, 7) == load(mixed, None, 7)
    assert load(straight, None, 8).cases != load(straight, None, 7).cases
    assert load(straight, 3, 7).cases == load(straight, None, 7).cases[:3]


def test_what_is_left_of_the_longer_list_comes_last() -> None:
    assert alternating([1, 2, 3], [10]) == [1, 10, 2, 3]


# Files


def test_file_names_are_readable_and_safe() -> None:
    assert safe_name("Normans#3") == "Normans-3.txt"
    assert safe_name("Sky_(United_Kingdom)#12") == "Sky_(United_Kingdom)-12.txt"
    wild = [safe_name(id) for id in ("a/b", "a:b", "../a", "a b", "罗马", "x" * 300, ".", "NUL\x00")]
    assert len(set(wild)) == len(wild)
    assert all(name.endswith(".txt") and len(name) < 100 and name.isascii() and "/" not in name for name in wild)
    assert not [name for name in wild if name.startswith(".")]


def test_ids_that_would_share_a_name_get_two() -> None:
    made = corpus([("a#1", "one"), ("A-1", "two"), ("b", "three")])
    assert len({name.casefold() for name in made.files.values()}) == 3
    assert {id: made.texts[name] for id, name in made.files.items()} == {"a#1": "one", "A-1": "two", "b": "three"}
    assert made.files["b"] == "b.txt"


def test_equal_texts_are_one_file(tmp_path: Path) -> None:
    made = corpus([("second", "same"), ("first", "same")])
    assert made.texts == {"first.txt": "same"}
    assert made.files == {"first": "first.txt", "second": "first.txt"}


def test_a_title_stands_above_its_paragraph(tmp_path: Path) -> None:
    loaded = nq_paragraphs(nq(tmp_path), None, 7)
    assert loaded.documents == {
        "p1.txt": "Bridges\n\nThe bridge opened in 1894.\u2028It is 244 m long.",
        "p2.txt": "A bridge that nobody built.",
    }
    assert loaded.cases[0].question == "when did the bridge open"


# Bad input


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_missing_set_is_said_with_where_to_get_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there") as error:
        ADAPTERS[name].load(tmp_path, 5, 7)
    assert str(tmp_path / ADAPTERS[name].folders[0]) in error.value.message
    source = SETS["xquad" if name.startswith("xquad") else name]
    assert source.licence in error.value.hint
    assert source.origin in error.value.hint


def test_lines_that_are_wrong_are_told_and_the_rest_runs(tmp_path: Path) -> None:
    asked = {"text": "where is it", "answers": ["here"], "gold": "p2"}
    folder = nq(
        tmp_path,
        "{broken",
        "",
        {"_id": "q2", **asked, "answers": "here"},
        {"_id": "q3", **asked, "text": " "},
        {"_id": "q4", **asked, "gold": "p9"},
        {"_id": "q1", **asked},
        {"_id": "q5", **asked, "answers": []},
        '{"_id": "q6", "text": "\\ud800", "answers": ["a"], "gold": "p1"}',
        "[1]",
        {"_id": "q7", **asked},
    )
    loaded = nq_paragraphs(folder, None, 7)
    assert sorted(case.id for case in loaded.cases) == ["q1", "q7"]
    told = "\n".join(loaded.problems)
    for said in ("line 2: Invalid JSON", "line 4: answers", "line 5: text: is empty", "line 7: has an id", "line 10"):
        assert f"queries.jsonl, {said}" in told, told
    assert "line 9" in told
    assert "1 left out, their paragraph is not there: q4" in told
    assert "1 left out, without an answer: q5" in told


def test_many_lines_with_one_fault_are_one_problem(tmp_path: Path) -> None:
    loaded = nq_paragraphs(nq(tmp_path, *["{"] * 30), None, 7)
    assert len(loaded.problems) == 1
    assert "lines 2, 3, 4, 5, 6 and 25 more" in loaded.problems[0]


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = nq(tmp_path) / "retrieval" / "nq_paragraphs" / "queries.jsonl"
    path.write_bytes(path.read_bytes() + b'{"_id": "q2", "text": "\xff"}\n')
    loaded = nq_paragraphs(tmp_path, None, 7)
    assert len(loaded.cases) == 1
    assert "line 2" in loaded.problems[0]


# One set each


def test_claims_of_scifact_have_relevant_abstracts_and_no_answers(tmp_path: Path) -> None:
    at = tmp_path / "retrieval" / "scifact"
    write(at / "corpus.jsonl", *({"_id": id, "title": "T", "text": f"text {id}"} for id in ("1", "2")))
    evidence = [{"doc": "2", "label": "SUPPORT", "sents": [0]}]
    write(
        at / "queries_test.jsonl",
        {"_id": "7", "text": "Cells divide.", "cited": ["1"], "evidence": evidence},
        {"_id": "8", "text": "Cells sing.", "evidence": []},
    )
    table = ("query-id\tcorpus-id\tscore", "7\t2\t1", "7\t1\t0", "7\t3\t1", "7 1", "8\t1\t1")
    (at / "qrels_test.tsv").write_text("\n".join(table), "utf-8")
    loaded = ADAPTERS["scifact"].load(tmp_path, None, 7)
    assert {case.id: (case.documents, case.tags) for case in loaded.cases} == {
        "7": (("2.txt",), ("support",)),
        "8": (("1.txt",), ("no evidence",)),
    }
    assert {case.answerable for case in loaded.cases} == {None}
    assert [problem.split(":")[0] for problem in loaded.problems] == [
        "qrels_test.tsv, line 4",
        "qrels_test.tsv, line 5",
    ]


def mtrag_task(number: int, answerability: str, **more: Any) -> dict[str, Any]:
    turns = [("user", "Who is she?"), ("agent", "A judge."), ("user", "  Since when? ")]
    return {
        "task_id": f"t{number}",
        "input": [{"speaker": speaker, "text": text} for speaker, text in turns],
        "contexts": [{"document_id": "b"}, {"document_id": "a"}],
        "targets": [{"speaker": "agent", "text": "Since 1999."}],
        "Answerability": [answerability],
        "Question Type": ["Factoid"],
        "Multi-Turn": ["Follow-up"],
        **more,
    }


def test_a_conversation_is_history_and_its_last_question(tmp_path: Path) -> None:
    at = tmp_path / "chat_multiturn"
    write(at / "mtrag_human_docs.jsonl", *({"_id": id, "text": "The same.\r\nText."} for id in "ba"))
    only_agent = [{"speaker": "agent", "text": "Hello."}]
    write(
        at / "mtrag_human_tasks.jsonl",
        *(mtrag_task(n, k) for n, k in enumerate(("ANSWERABLE", "UNANSWERABLE", "PARTIAL", "CONVERSATIONAL"))),
        mtrag_task(4, "ANSWERABLE", input=only_agent),
        mtrag_task(5, "ANSWERABLE", contexts=[{"document_id": "c"}]),
    )
    loaded = ADAPTERS["mtrag"].load(tmp_path, None, 7)
    assert loaded.documents == {"a.txt": "The same.\nText."}
    assert {case.id: case.answerable for case in loaded.cases} == {"t0": True, "t1": False, "t2": None, "t3": None}
    case = next(case for case in loaded.cases if case.id == "t0")
    assert [(turn.role, turn.content) for turn in case.history] == [("user", "Who is she?"), ("assistant", "A judge.")]
    assert (case.question, case.reference) == ("Since when?", "Since 1999.")
    assert case.documents == ("a.txt",)
    assert case.tags == ("answerable", "factoid", "follow-up")
    assert {case.group for case in loaded.cases} == {"Who is she?"}
    assert "line 5: input: does not end with a question" in loaded.problems[0]
    assert "a passage of theirs is not there: t5" in loaded.problems[1]


def test_a_passage_that_stands_twice_is_shown_with_its_sentence(tmp_path: Path) -> None:
    at = tmp_path / "retrieval" / "covidqa_long"
    text = "It took two days. Recovery of all the others took two days as well. They were glad to go home then."
    write(at / "docs.jsonl", {"_id": "1", "text": text})
    long = "They were glad to go home then. "
    excerpts = {"a": ("two days", text.rindex("two days")), "b": (long.strip(), text.index(long[:5])), "c": ("two", 3)}
    write(
        at / "questions.jsonl",
        *(
            {"_id": id, "text": "How long?", "gold": "1", "answers": [{"text": text, "start": start}]}
            for id, (text, start) in excerpts.items()
        ),
    )
    loaded = ADAPTERS["covidqa_long"].load(tmp_path, None, 7)
    cases = {case.id: case for case in loaded.cases}
    assert cases["a"].spans[0].quote == "Recovery of all the others took two days as well."
    assert cases["a"].answers == ("two days",)
    assert cases["b"].spans[0].quote == cases["b"].reference == long.strip()
    assert cases["b"].answers == ()
    assert loaded.problems == ("1 left out, the answer is not where it should be: c",)


def test_filings_are_taken_in_as_they_are(tmp_path: Path) -> None:
    at = tmp_path / "pdf_qa" / "sec10q"
    (at / "docs").mkdir(parents=True)
    for name in ("2023 Q1.pdf", ".hidden"):
        (at / "docs" / name).write_bytes(b"%PDF")
    asked = {"text": "How much?", "type": "Multi-Doc RAG", "chunk_type": "Table", "answer": "$5."}
    write(
        at / "questions.jsonl",
        {"_id": "1", **asked, "gold_docs": ["2023 Q1.pdf"]},
        {"_id": "2", **asked, "gold_docs": ["2023 Q1.pdf", "2024.pdf"]},
    )
    loaded = ADAPTERS["sec10q"].load(tmp_path, None, 7)
    assert loaded.files == (at / "docs" / "2023 Q1.pdf",)
    assert [(case.id, case.documents, case.facts, case.reference) for case in loaded.cases] == [
        ("1", ("2023 Q1.pdf",), (), "$5.")
    ]
    assert loaded.problems == ("1 left out, a file of theirs is not there: 2",)


# The real ones


@real
@pytest.mark.parametrize("name", ADAPTERS)
def test_a_real_set_loads(name: str) -> None:
    adapter = ADAPTERS[name]
    if not all((DATA / folder).is_dir() for folder in adapter.folders):
        pytest.skip(f"needs {', '.join(adapter.folders)}: see docs/datasets.md")
    loaded = adapter.load(DATA, 20, 7)
    assert loaded.problems == ()
    assert len(loaded.cases) == len({case.id for case in loaded.cases}) == 20
    assert adapter.load(DATA, 20, 7) == loaded
    assert adapter.load(DATA, 5, 7).cases == loaded.cases[:5]
    assert all(case.question.strip() for case in loaded.cases)
    assert len({file.casefold() for file in loaded.documents}) == len(set(loaded.documents.values()))
    for number, case in enumerate(loaded.cases):
        found = texts(loaded, number)
        assert {*case.documents} <= {*found, *(path.name for path in loaded.files)}
        assert all(found[span.file].count(span.quote) == 1 for span in case.spans)


@real
@pytest.mark.parametrize("name", ["squad2", "mtrag", "xquad_es"])
def test_a_document_is_read_back_as_it_was_loaded(name: str) -> None:
    loaded = ADAPTERS[name].load(DATA, 20, 7)
    for file, text in (texts(loaded, 0)).items():
        assert documents.read_bytes(text.encode(), file, file).text == text
