"""`assistant eval`: bad input before any question, floors, comparison, and a whole run with the tiny model."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import real_model
from test_cli import STORY, Ran, home, run  # noqa: F401 - fixtures

from assistant import cli_eval
from assistant.engine import Piece
from assistant.errors import BadInput
from assistant.records import Chunk
from evals import cases, evaluation, propose, report, retrieval, summary
from evals.evaluation import Outcome
from evals.records import Case, Figure, Result, Run, Score, Summary


def outcome(**figures: float | None) -> Outcome:
    known = tuple(Figure(name, value, value, value, 3) for name, value in figures.items())
    return Outcome(Run({}, (Summary("seeds", 3, 0, known),), ()), {}, Path(), True)


def test_a_floor_that_is_met_says_nothing_and_one_that_is_missed_says_by_how_much() -> None:
    found = outcome(right=0.8, attack_succeeded=0.1, f1=None)
    assert not cli_eval._short(found, {"right": 0.8, "seeds.right": 0.5, "attack_succeeded": 0.1})
    assert cli_eval._short(found, {"right": 0.9}) == ["seeds.right is 0.8, and 0.9 was wanted."]
    assert cli_eval._short(found, {"attack_succeeded": 0.05}) == [
        "seeds.attack_succeeded is 0.1, and 0.05 was wanted."
    ]
    assert cli_eval._short(found, {"f1": 0.5}) == ["seeds.f1 was not scored, and 0.5 was wanted."]


def test_a_floor_without_a_suite_is_for_the_suites_that_have_gold_for_it() -> None:
    def unscored(suite: str, **reasons: int) -> Summary:
        told = {reason.replace("_", " "): count for reason, count in reasons.items()}
        return Summary(suite, 50, 0, (Figure("right", None, None, None, 0, told),))

    found = outcome(right=0.8)
    without = unscored("mtrag", no_gold=48, unanswerable=2)

    def short(*summaries: Summary, floor: str = "right") -> list[str]:
        return cli_eval._short(replace(found, run=Run({}, summaries, ())), {floor: 0.7})

    assert not short(*found.run.summaries, without)
    assert short(without) == ["right was not scored, and 0.7 was wanted."]
    assert short(*found.run.summaries, without, floor="mtrag.right") == [
        "mtrag.right was not scored, and 0.7 was wanted."
    ]
    assert short(*found.run.summaries, unscored("mtrag", no_gold=48, failed=2)) == [
        "mtrag.right was not scored, and 0.7 was wanted."
    ]


@pytest.mark.parametrize("there", ["report.md", "logs/mine.txt"])
def test_a_report_folder_with_other_files_is_named_before_anything_is_asked(
    home: Path,  # noqa: F811
    run: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    there: str,
) -> None:
    monkeypatch.setattr(evaluation, "evaluate", lambda *_: pytest.fail("it was asked"))
    (home / "here" / there).parent.mkdir(parents=True)
    (home / "here" / there).write_text("mine")
    ran: Ran = run("eval", "seeds", "--report", "here")
    assert ran.code == 2
    assert there in ran.err
    assert (home / "here" / there).read_text() == "mine"


def test_a_second_draft_asks_for_other_questions(home: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    made = [Case(f"c{n}", f"Question {n}?", answerable=True, answers=("yes",)) for n in range(6)]

    class Proposing:
        @classmethod
        def open(cls, _: object) -> Proposing:
            return cls()

        __enter__ = lambda self: self  # noqa: E731
        __exit__ = lambda *_: None  # noqa: E731

        def propose(self, _: str, count: int, known: Container[str]) -> list[Case]:
            return [case for case in made if case.id not in known][:count]

    monkeypatch.setattr(propose, "Proposer", Proposing)
    for _ in range(2):
        assert run("eval", "draft", "--output", "q.jsonl", "--count", "2", "--yes").code == 0
    assert [case.id for case in cases.read(home / "q.jsonl").cases] == ["c0", "c1", "c2", "c3"]
    ran: Ran = run("eval", "draft", "--output", "q.csv", "--yes")
    assert ran.code == 2
    assert "q.csv is not a .jsonl file" in ran.err


def test_questions_that_are_there_are_not_asked_of_the_model_again(tmp_path: Path) -> None:
    sentence = "The lighthouse of Vessel Point was built in {} by the harbour board."
    chunks = {f"k{n}": Chunk(f"k{n}", "d", sentence.format(1870 + n), 0, 60, file="a.txt") for n in range(5)}

    class Library:
        def chunk_ids(self, _: str) -> list[str]:
            return list(chunks)

        def chunks(self, _: str, ids: list[str]) -> dict[str, Chunk]:
            return {name: chunks[name] for name in ids}

    class Asked:
        times = 0

        def generate(self, turns: Any, _: object) -> list[Piece]:
            self.times += 1
            year = re.search(r">>>.*(187\d).*<<<", str(turns))
            assert year
            return [Piece(json.dumps({"question": "When was it built?", "answer": year[1]}))]

    engine = Asked()
    proposer = propose.Proposer(SimpleNamespace(library=Library()), engine)  # type: ignore[arg-type]
    first = list(proposer.propose("notes", 2))
    for case in first:
        propose.append(tmp_path / "q.jsonl", case)
    second = list(proposer.propose("notes", 2, propose.known(tmp_path / "q.jsonl")))
    assert len({case.id for case in (*first, *second)}) == engine.times == 4
    assert list(proposer.propose("notes", 5, {case.id for case in (*first, *second)})) != first
    assert propose.known(tmp_path / "none.jsonl") == frozenset()


def test_a_figure_that_a_run_came_not_to_have_is_short() -> None:
    assert cli_eval._short(outcome(right=0.8), {"other.right": 0.8}) == [
        "other.right was not scored, and 0.8 was wanted."
    ]


def test_a_failed_case_is_below_every_floor() -> None:
    found = outcome(right=0.8)
    failed = replace(found.run, summaries=(replace(found.run.summaries[0], failed=1),))
    assert cli_eval._short(replace(found, run=failed), {"right": 0.8}) == ["seeds: 1 of 3 cases failed."]
    assert not cli_eval._short(replace(found, run=failed), {})


def test_a_floor_for_a_figure_that_nobody_has_is_bad_input() -> None:
    with pytest.raises(BadInput, match="has a figure"):
        cli_eval._check_floors(["other.right"], ["seeds"])
    cli_eval._check_floors(["seeds.right", "ttft_p95_s", "refusal_precision", "auroc:wice"], ["seeds", "checker"])


@pytest.mark.parametrize("text", ["right", "right=", "=0.8", "right=good", "right=nan", "right=inf"])
def test_a_floor_is_a_name_and_a_number(text: str) -> None:
    with pytest.raises(BadInput, match="NAME=VALUE"):
        cli_eval._floors([text])


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("nothing",), "There is no suite 'nothing'"),
        (("own",), "needs questions"),
        (("own", "--questions", "q.csv"), "needs documents"),
        (("own", "--questions", "none.csv", "--documents", "docs"), "none.csv"),
        (("squad2", "--data", "nowhere"), "docs/datasets.md"),
        (("compare", "nowhere", "elsewhere"), "nowhere"),
        (("small", "--limit", "0"), "--limit"),
        (("small", "--fail-under", "right"), "NAME=VALUE"),
        (("small", "--fail-under", "write=0.5"), "No suite has a figure 'write'"),
        (("small", "--baseline", "none.json"), "none.json"),
        (("retrieval", "--data", "nowhere"), "docs/datasets.md"),
    ],
)
def test_bad_input_is_named_before_anything_is_asked(
    home: Path,  # noqa: F811
    run: Any,  # noqa: F811
    args: tuple[str, ...],
    named: str,
) -> None:
    (home / "q.csv").write_text("question,answer\nWhen was the lighthouse built?,1874\n")
    ran: Ran = run("eval", *args)
    assert ran.code == 2
    assert named in ran.err
    assert not ran.out


def test_the_suites_are_listed_as_json(home: Path, run: Any) -> None:  # noqa: F811
    told = json.loads(run("eval", "suites", "--json").out)
    assert {"seeds", "own", "squad2", "checker"} <= {one["name"] for one in told}
    assert all(one["about"] and isinstance(one["missing"], list) for one in told)


@pytest.mark.parametrize(("whole", "failed", "code"), [(True, 0, 0), (True, 1, 1), (False, 0, 130)])
def test_a_gate_fails_with_a_failed_case_and_ctrl_c_has_its_own_code(
    home: Path,  # noqa: F811
    run: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    whole: bool,
    failed: int,
    code: int,
) -> None:
    found = outcome(right=0.8)
    summaries = (replace(found.run.summaries[0], failed=failed),)
    found = replace(found, run=replace(found.run, summaries=summaries), whole=whole)
    monkeypatch.setattr(evaluation, "evaluate", lambda *_: found)
    monkeypatch.setattr(evaluation, "write", lambda *_: None)
    monkeypatch.setattr(report, "markdown", lambda _: "")
    ran: Ran = run("eval", "seeds", "--fail-under", "right=0.8")
    assert ran.code == code
    assert run("eval", "seeds").code == (130 if code == 130 else 0)


def test_sets_without_data_are_left_out_and_rows_come_as_they_are_measured(
    home: Path,  # noqa: F811
    run: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def measure(names: list[str], *_: object) -> Iterator[retrieval.Row]:
        asked.extend(names)
        interval = (0.5, 0.4, 0.6)
        yield retrieval.Row("mtrag", "words", 2, dict.fromkeys(retrieval.METRICS, interval), {"p50": 1, "p95": 2})
        raise BadInput("The next one is broken.")

    monkeypatch.setattr(retrieval, "measure", measure)
    (home / "data" / "chat_multiturn").mkdir(parents=True)
    for form in ((), ("--json",)):
        ran: Ran = run("eval", "retrieval", "--data", "data", *form)
        assert ran.code == 2
        assert "Left out: scifact" in ran.err
        assert "mtrag" in ran.out
    assert json.loads(ran.out)[0]["set"] == "mtrag"
    assert asked == ["mtrag", "mtrag"]


def test_two_runs_are_compared_case_by_case(home: Path, run: Any) -> None:  # noqa: F811
    answer = {"answer": "1874", "sentences": [], "citations": [], "hits": []}

    def write(name: str, *right: float) -> str:
        results = tuple(
            Result("own", Case(f"c{n}", "When?"), answer, scores={"right": Score(value)})
            for n, value in enumerate(right)
        )
        summary.write(Run({}, (summary.summarise("own", results, ()),), results), home / name / "run.json")
        return str(home / name)

    a, b = write("a", 0.0, 1.0, 1.0), write("b", 1.0, 1.0, 0.0)
    ran: Ran = run("eval", "compare", a, b)
    assert ran.code == 0
    assert "c0" in ran.out
    assert "c2" in ran.out
    found = json.loads(run("eval", "compare", a, f"{b}/run.json", "--json").out)
    assert found


@pytest.mark.real
@pytest.mark.slow
def test_a_users_own_questions_over_a_users_own_documents(home: Path, run: Any) -> None:  # noqa: F811
    real_model("smollm2-135m")
    real_model("all-minilm-l6-v2")
    (home / "q.csv").write_text(
        "question,id,answer,answerable,file,quote\n"
        "When was the lighthouse of Vessel Point built?,built,1874,yes,story.txt,was built in 1874\n"
        "Who was the last keeper?,keeper,Tom Ferris,yes,story.txt,\n"
        ",empty,,,,\n"
        "How tall is the lighthouse?,tall,,no,,\n"
    )
    args = ("own", "--questions", "q.csv", "--documents", "docs", "--report", str(home / "report"))
    first: Ran = run("eval", *args, "--json")
    assert first.code == 0, first.err
    told = json.loads(first.out)
    assert told["summaries"][0]["cases"] == 3
    assert told["about"]["model"]["name"] == "smollm2-135m"
    assert "line 4" in first.err
    assert "story.txt" in (home / "report/report.html").read_text("utf-8")
    assert "| own |" in (home / "report/report.md").read_text("utf-8")
    assert list((home / "report/logs").glob("*.eval"))
    again: Ran = run("eval", *args[:-1], str(home / "again"), "--fail-under", "right=1.1")
    assert again.code == 1
    assert "1.1 was wanted" in again.err
    a, b = (summary.read(home / name / "run.json") for name in ("report", "again"))
    assert [result.answer["answer"] for result in a.results] == [result.answer["answer"] for result in b.results]  # type: ignore[index]
    assert not (home / "home/evals/unfinished").exists() or not list((home / "home/evals/unfinished").iterdir())


@pytest.mark.real
@pytest.mark.slow
def test_a_gold_span_that_is_nowhere_stops_before_any_answer(home: Path, run: Any) -> None:  # noqa: F811
    real_model("smollm2-135m")
    real_model("all-minilm-l6-v2")
    (home / "q.csv").write_text("question,file,quote\nWhen was it built?,story.txt,was built in 1875\n")
    ran: Ran = run("eval", "own", "--questions", "q.csv", "--documents", "docs")
    assert ran.code == 2
    assert "was built in 1875" in ran.err


@pytest.mark.real
@pytest.mark.slow
def test_questions_are_drafted_from_documents(home: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    real_model("all-minilm-l6-v2")
    real_model("qwen2.5-coder-1.5b")
    monkeypatch.setenv("ASSISTANT_MODELS__LLM", "qwen2.5-coder-1.5b")
    assert run("ingest", "docs").code == 0
    ran: Ran = run("eval", "draft", "--output", "drafted.jsonl", "--count", "1", "--yes")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in (home / "drafted.jsonl").read_text().splitlines()]
    assert len(lines) == 1
    assert lines[0]["answers"][0] in STORY
    assert lines[0]["spans"][0]["quote"] in STORY


def test_the_evaluation_says_where_it_is_when_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evals.evaluation", None)
    with pytest.raises(BadInput, match="make eval"):
        cli_eval._room("evaluation")
