"""The command line: exit codes, what goes to stdout and what to stderr, and bad input. The tiny model answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import real_model
from rich.console import Console

from assistant import cli, terminal
from assistant.errors import ModelMissing
from assistant.records import IngestReport, Progress

STORY = (
    "The lighthouse of Vessel Point\n\nBy Ann Marlow, Coastal Times\n\nMarch 3, 2021\n\n"
    "The lighthouse of Vessel Point was built in 1874. Its lamp burned whale oil until 1911. "
    "The last keeper, Tom Ferris, left in 1968.\n"
)


COMMAND = str(Path(sys.executable).with_name("assistant"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSISTANT_MODELS__LLM", "smollm2-135m")
    monkeypatch.setenv("ASSISTANT_ENGINE__CONTEXT_TOKENS", "2048")
    monkeypatch.setenv("ASSISTANT_ANSWER__MAX_TOKENS", "40")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/story.txt").write_text(STORY)
    return tmp_path


class Ran:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> object:
    def call(*args: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["assistant", *args])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capfd.readouterr()
        return Ran(code, out, " ".join(err.split()))

    return call


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["ask", ""], "question is empty"),
        (["ask", "  \n"], "question is empty"),
        (["ask"], "Missing argument"),
        (["nonsense"], "nonsense"),
        (["search", "x", "-k", "0"], "greater than"),
        (["ingest", "missing.txt"], "missing.txt"),
        (["batch", "missing.jsonl"], "missing.jsonl"),
        (["documents", "show", "0123456789abcdef"], "default"),
        (["documents", "list", "--collection", "other"], "other"),
        (["models", "use", "gpt-9"], "gpt-9"),
        (["models", "pull", "gpt-9"], "gpt-9"),
        (["ask", "Why?", "--history", "missing.json"], "missing.json"),
        (["ask", "caf\udce9"], "not Unicode"),
        (["documents", "--collection", "other", "list"], "behind it"),
        (["ingest", ""], "path is empty"),
        (["batch", "same.jsonl", "--output", "same.jsonl"], "would be lost"),
        (["models", "--json", "list"], "Put it behind"),
        (["collections", "--json", "list"], "behind it"),
        (["collections", "delete", "nowhere"], "nowhere"),
        (["ingest", "missing", "--prune"], "missing"),
        (["search", "x", "--where", "publisher"], "not KEY=VALUE"),
        (["search", "x", "--where", "size=3"], "cannot be chosen by 'size'"),
        (["search", "x", "--where", "date=soon"], "date=soon is not a date"),
        (["ask", "x", "--where", "after=2025-13"], "after=2025-13 is not a date"),
    ],
)
def test_bad_usage_is_named_and_exits_with_2(home: Path, run, args: list[str], named: str) -> None:
    (home / "same.jsonl").write_text("{}\n")
    ran = run(*args)
    assert ran.code == 2, ran.err
    assert named in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_a_wrong_setting_exits_with_2(home: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_RETRIEVE__K", "many")
    ran = run("documents")
    assert ran.code == 2
    assert "retrieve.k" in ran.err
    assert "many" in ran.err


def test_a_section_set_as_a_whole_exits_with_2(home: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_ENGINE", "foo")
    ran = run("documents")
    assert ran.code == 2
    assert "engine" in ran.err


def test_models_use_keeps_the_whole_path_of_an_own_file(
    home: Path, run, monkeypatch: pytest.MonkeyPatch, tiny_llm: Path
) -> None:
    monkeypatch.delenv("ASSISTANT_MODELS__LLM")
    (home / "mine.gguf").symlink_to(tiny_llm)
    assert run("models", "use", "mine.gguf").code == 0
    monkeypatch.chdir("/")
    report = json.loads(run("doctor", "--json").out)
    assert report["settings"]["models.llm"]["value"] == str(home / "mine.gguf")
    monkeypatch.setenv("ASSISTANT_MODELS__LLM", "smollm2-135m")
    assert "environment" in run("models", "use", str(home / "mine.gguf")).err


@pytest.mark.parametrize("args", [["models", "--json"], ["doctor"]])
def test_a_full_disk_behind_stdout_is_said(home: Path, args: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run([COMMAND, *args], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_reader_who_leaves_is_no_error_worth_a_trace(home: Path) -> None:
    ran = subprocess.run(f"{COMMAND} models --json | true", shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr


@pytest.mark.real
def test_ctrl_c_ends_with_130_and_a_word(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_model("all-minilm-l6-v2")
    monkeypatch.setenv("ASSISTANT_ENGINE__REUSE", "exact")  # nothing is imported behind the report
    watching = subprocess.Popen([COMMAND, "ingest", "--watch", "docs"], stderr=subprocess.PIPE, text=True)
    assert watching.stderr is not None
    ender = threading.Timer(120, watching.kill)
    ender.start()
    try:
        next(line for line in watching.stderr if "story.txt" in line)
        watching.send_signal(signal.SIGINT)
        rest = watching.stderr.read()
        assert watching.wait(30) == 130
    finally:
        ender.cancel()
        watching.kill()
    assert "Stopped" in rest
    assert "Traceback" not in rest


def test_ctrl_c_within_a_line_of_the_console_has_its_word_too(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(console: Console) -> None:
        console._buffer_index += 1  # what it prints from now on waits for an end that never comes
        raise KeyboardInterrupt

    monkeypatch.setattr(Console, "_enter_buffer", interrupted)
    ran = run("models")
    assert ran.code == 130
    assert "Stopped" in ran.err


def test_a_missing_model_says_how_to_get_it(home: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_MODELS__FOLDER", str(home / "none"))
    ran = run("ask", "Why?")
    assert ran.code == 1
    assert "assistant models pull" in ran.err


def test_a_cut_off_model_file_is_named(home: Path, run, monkeypatch: pytest.MonkeyPatch, tiny_llm: Path) -> None:
    cut = home / "cut.gguf"
    cut.write_bytes(tiny_llm.read_bytes()[:5_000_000])
    monkeypatch.setenv("ASSISTANT_MODELS__LLM", str(cut))
    ran = run("ask", "Why?")
    assert ran.code == 1
    assert "cut.gguf" in ran.err


def test_models_are_listed_without_any_being_loaded(home: Path, run) -> None:
    ran = run("models", "list", "--json")
    names = {model["name"] for model in json.loads(ran.out)}
    assert {"qwen2.5-coder-1.5b", "smollm2-135m", "all-minilm-l6-v2"} <= names


@pytest.mark.real
def test_documents_go_in_and_come_out_again(home: Path, run) -> None:
    real_model("all-minilm-l6-v2")
    assert run("ingest", "docs").code == 0
    again = run("ingest", "docs", "--json")
    assert [file["outcome"] for file in json.loads(again.out)["files"]] == ["unchanged"]
    (info,) = json.loads(run("documents", "list", "--json").out)
    assert (info["title"], info["publisher"], info["date"]) == (
        "The lighthouse of Vessel Point",
        "Coastal Times",
        "2021-03-03",
    )
    assert run("documents", "show", info["id"]).out == STORY
    hits = json.loads(run("search", "When was it built?", "-k", "1", "--json").out)
    assert STORY[hits[0]["start"] : hits[0]["end"]] == hits[0]["text"]
    assert json.loads(run("collections", "--json").out)[0]["documents"] == 1
    assert run("documents", "delete", info["id"]).code == 0
    assert json.loads(run("documents", "--json").out) == []


@pytest.mark.real
def test_a_collection_is_deleted_when_that_is_confirmed(home: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    real_model("all-minilm-l6-v2")
    monkeypatch.setenv("ASSISTANT_ENGINE__REUSE", "exact")
    assert run("ingest", "docs").code == 0
    refused = run("collections", "delete", "default")
    assert (refused.code, refused.out) == (2, "")
    assert "1 documents" in refused.err
    assert "--yes" in refused.err
    ran = run("collections", "delete", "default", "--yes", "--json")
    assert json.loads(ran.out) == {"deleted": "default", "documents": 1}
    assert json.loads(run("collections", "--json").out) == json.loads(run("collections", "list", "--json").out) == []
    assert run("ingest", "docs").code == 0


@pytest.mark.real
def test_where_nothing_is_new_no_language_model_is_loaded(home: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    real_model("all-minilm-l6-v2")

    def refuse(*_: object) -> None:
        raise ModelMissing("It would be loaded.")

    monkeypatch.setattr(cli, "_assistant", refuse)
    assert "It would be loaded" in run("ingest", "docs").err
    again = run("ingest", "docs")
    assert again.code == 0
    assert "loaded" not in again.err
    assert again.err.endswith("1 unchanged.")


@pytest.mark.real
def test_where_chooses_documents(home: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    real_model("all-minilm-l6-v2")
    monkeypatch.setenv("ASSISTANT_ENGINE__REUSE", "exact")
    (home / "docs/other.txt").write_text("The lighthouse of Farrow Rock was built in 1902.")
    run("ingest", "docs")

    def files(*where: str) -> set[str]:
        options = [part for one in where for part in ("--where", one)]
        return {hit["file"] for hit in json.loads(run("search", "Which lighthouse?", *options, "--json").out)}

    assert files() == {"story.txt", "other.txt"}
    assert files("publisher=coastal times") == files("date=2021", "author=Ann Marlow") == {"story.txt"}
    assert files("file=other.txt") == {"other.txt"}
    nothing = run("search", "Which lighthouse?", "--where", "before=2020")
    assert nothing.code == 2
    assert "no documents with before=2020" in nothing.err


@pytest.mark.real
def test_asking_before_anything_was_ingested_says_what_to_do(home: Path, run) -> None:
    real_model("smollm2-135m")
    ran = run("ask", "Why?")
    assert ran.code == 2
    assert "assistant ingest" in ran.err


@pytest.mark.real
def test_a_folder_with_nothing_to_read_and_a_binary_named_txt(home: Path, run) -> None:
    real_model("all-minilm-l6-v2")
    (home / "empty").mkdir()
    assert "empty" in run("ingest", "empty").err
    (home / "docs/picture.txt").write_bytes(bytes(range(256)) * 20)
    (home / "docs/song.mp3").write_bytes(b"ID3")
    ran = run("ingest", "docs")
    assert "1 .mp3" in ran.err
    assert ran.code == 1
    assert "picture.txt" in ran.err
    assert len(json.loads(run("documents", "--json").out)) == 1


@pytest.mark.real
def test_a_question_longer_than_the_context_is_refused(home: Path, run) -> None:
    real_model("smollm2-135m")
    run("ingest", "docs")
    ran = run("ask", "why " * 4000)
    assert ran.code == 2
    assert "tokens" in ran.err


@pytest.mark.real
def test_batch_goes_on_after_a_line_that_fails(home: Path, run) -> None:
    real_model("smollm2-135m")
    run("ingest", "docs")
    lines = [
        '{"id": "1", "question": "When was the lighthouse built?"}',
        "not json",
        '{"id": "3", "question": " "}',
        '{"id": "4", "question": "Who?", "collection": "none"}',
        "[" * 100_000,
        '{"id": "\\ud800", "question": 7}',
        '{"id": 5, "question": "And the last keeper?", "history": [{"role": "user", "content": "Who built it?"}, '
        '{"role": "assistant", "content": "It was built in 1874. [1]"}], "gold": "ignored"}',
    ]
    (home / "questions.jsonl").write_text("\n".join(lines) + "\n\n")
    ran = run("batch", "questions.jsonl")
    assert ran.code == 0
    answers = [json.loads(line) for line in ran.out.splitlines()]
    assert [answer["id"] for answer in answers] == ["1", None, "3", "4", None, None, 5]
    assert [answer.get("error", {}).get("type") for answer in answers] == [
        None,
        "bad_input",
        "empty_question",
        "unknown_collection",
        "bad_input",
        "bad_input",
        None,
    ]
    for answer in (answers[0], answers[-1]):
        assert set(answer["timings"]) >= {"ttft_s", "prompt_tokens", "cached_tokens", "completion_tokens"}
        for citation in answer["citations"]:
            assert STORY[citation["start"] : citation["end"]] == citation["quote"]
    assert run("batch", "questions.jsonl", "--output", "out.jsonl").out == ""
    assert len((home / "out.jsonl").read_text().splitlines()) == 7


@pytest.mark.real
def test_doctor_names_what_is_wrong(home: Path, run) -> None:
    ran = run("doctor", "--json")
    report = json.loads(ran.out)
    assert ran.code == 1
    assert any("assistant ingest" in problem for problem in report["problems"])
    assert report["settings"]["models.llm"] == {"value": "smollm2-135m", "source": "environment"}


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ((312, 4120, 41.2), "312 documents, 4,120 chunks in 41 s (7.6 documents, 100 chunks a second)"),
        ((1, 1, 0.5), "1 document, 1 chunk in 0.5 s (2.0 documents, 2.0 chunks a second)"),
        ((9000, 90_000, 900.0), "9,000 documents, 90,000 chunks in 15 min (10 documents, 100 chunks a second)"),
        ((1, 2, 0.0), "1 document, 2 chunks in 0.0 s (1,000 documents, 2,000 chunks a second)"),
    ],
)
def test_the_pace_of_a_run_is_told(read: tuple[int, int, float], told: str) -> None:
    assert terminal.pace(*read) == told


@pytest.mark.parametrize("read", [0, 2])
def test_a_run_that_read_something_tells_its_pace(read: int, capfd: pytest.CaptureFixture[str]) -> None:
    cli._print_report(IngestReport("notes", read=read, embedded=7, took_s=2.0), json=False)
    assert ("Read 2 documents, 7 chunks in 2.0 s" in capfd.readouterr().err) is bool(read)


def test_progress_off_a_terminal_tells_how_long_the_rest_takes(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    with terminal.progress() as progress:
        for done in range(11):
            progress(Progress("Asking", done, 10, "cases"))
            now[0] += 30
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Asking: 0 of 10 cases"
    assert lines[1] == "Asking: 2 of 10 cases, 4 min left"
    assert lines[4] == "Asking: 8 of 10 cases, 60 s left"
    assert lines[5] == "Asking: 10 of 10 cases"
