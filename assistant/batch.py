"""Files of questions in, files of answers out: how scripts and evaluations drive the assistant."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from assistant.errors import AssistantError, BadInput, StorageError, UnreadableFile
from assistant.records import Message, OnProgress, Progress
from assistant.wire import answer_json, error_json

if TYPE_CHECKING:
    from assistant.chain import Assistant

Write = Callable[[dict[str, Any]], None]
_HISTORY = TypeAdapter(list[Message])


class Question(BaseModel):
    """A line of the input. Unknown keys are ignored: evaluation sets carry gold answers beside the question."""

    model_config = ConfigDict(extra="ignore")

    id: str | int
    question: str
    history: list[Message] = []
    collection: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input and its number, counted from 1."""

    number: int
    text: str


def read_lines(path: Path) -> list[Line]:
    """The lines of a JSONL file ("-" for stdin) that are not blank. Raises UnreadableFile."""
    text = _read(Path("/dev/stdin") if str(path) == "-" else path)
    return [Line(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def read_history(path: Path) -> list[Message]:
    """A conversation from a JSON list of {"role", "content"}. Raises UnreadableFile or BadInput."""
    try:
        return _HISTORY.validate_json(_read(path))
    except ValidationError as error:
        raise BadInput(f"{path} is not a JSON list of {{role, content}}: {_first(error)}.", "Correct it.") from error


def run(
    assistant: Assistant, lines: Sequence[Line], write: Write, progress: OnProgress, collection: str | None = None
) -> int:
    """Answers each line in turn, from `collection` where it names none.

    Returns how many failed; a failed line is written as {"id", "error"}.
    """
    failed = 0
    for done, line in enumerate(lines):
        progress(Progress("Answering", done, len(lines), "questions"))
        result = _answer(assistant, line, collection)
        failed += "error" in result
        write(result)
    progress(Progress("Answering", len(lines), len(lines), "questions"))
    return failed


@contextmanager
def writer(output: Path | None) -> Iterator[Write]:
    """Writes JSON lines to stdout, or to a file that takes its name when the run is complete.

    Of a run that was stopped the finished lines stay in NAME.part. Raises StorageError.
    """
    if output is None:
        yield partial(_write, sys.stdout)
        return
    device = output.exists() and not output.is_file()  # /dev/stdout, a pipe: nothing to rename
    draft = output if device else output.with_name(output.name + ".part")
    with _explained(output):
        stream = draft.open("w", encoding="utf-8")
    try:
        yield partial(_write_file, stream, output)
    finally:
        with _explained(output):
            stream.close()
    if not device:
        with _explained(output):
            draft.replace(output)


def _answer(assistant: Assistant, line: Line, collection: str | None) -> dict[str, Any]:
    try:
        question = Question.model_validate_json(line.text)
    except ValidationError as error:
        problem = BadInput(f"Line {line.number}: {_first(error)}.", 'A line is {"id", "question"}.')
        return {"id": _id_of(line), "error": error_json(problem)}
    try:
        answer = assistant.answer(
            question.question, history=question.history, collection=question.collection or collection
        )
    except AssistantError as error:
        return {"id": question.id, "error": error_json(error)}
    return {"id": question.id} | answer_json(answer)


def _id_of(line: Line) -> Any:
    """The id of a line that is not a valid question, where it has one."""
    try:
        value = json.loads(line.text)
    except (ValueError, RecursionError):
        return None
    name = value.get("id") if isinstance(value, dict) else None
    return name if isinstance(name, int | str) and str(name).isprintable() else None


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(map(str, problem["loc"]))
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"{path} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from error
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}.", "Check the path.") from error


def _write(stream: TextIO, value: dict[str, Any]) -> None:
    stream.write(json.dumps(value, ensure_ascii=False) + "\n")
    stream.flush()


def _write_file(stream: TextIO, output: Path, value: dict[str, Any]) -> None:
    with _explained(output):
        _write(stream, value)


@contextmanager
def _explained(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"Cannot write {output}: {error.strerror}.", "Choose another --output.") from error
