"""What a person sees on the terminal: progress and errors on stderr, tables on stdout. The owner of rich."""

from __future__ import annotations

import io
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from assistant import records
from assistant.errors import AssistantError

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
INTERRUPTED = 130  # the exit code that typer gives to Ctrl-C
_SHOW_CURSOR = "\x1b[?25h"
_MINUTES = 90  # seconds from which a time is told in minutes
_WHOLE = 10  # from which a number is told without its decimals
_err = Console(stderr=True, highlight=False, emoji=False)


def say(text: str) -> None:
    """A line for the person, on stderr. What follows a line feed is set in, or a file's name could forge a line."""
    _err.print(escape(_set_in(_tame(text))), soft_wrap=True)


def stopped(text: str) -> None:
    """`say`, behind Ctrl-C: it may have come within a line of rich's, whose console then keeps all it is given, what
    shows the cursor again behind its bars as well.
    """
    stream = sys.__stderr__ or sys.stderr  # rich may still stand in the place of `sys.stderr`
    stream.write(f"{_SHOW_CURSOR if stream.isatty() else ''}{_tame(text)}\n")
    stream.flush()


def complain(error: AssistantError) -> None:
    _err.print(f"[bold red]Error:[/] {escape(_set_in(_tame(error.message)))}", soft_wrap=True)
    if error.hint:
        _err.print(f"       {escape(_set_in(_tame(error.hint)))}", soft_wrap=True)


def write(text: str) -> None:
    """Text of documents and answers on stdout: exactly as it is, but on a terminal without control characters."""
    sys.stdout.write(_tame(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _tame(text: str) -> str:
    """Control and direction characters replaced: a document must not move the cursor or turn text around."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _set_in(text: str) -> str:
    head = text[: len(text) - len(text.lstrip("\n"))]
    return head + text[len(head) :].replace("\n", "\n    ")


def use_utf8() -> None:
    """Prints UTF-8 whatever the locale says; half a character (of a file name, say) is shown escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def print_json(value: Any, indent: int | None = 2) -> None:
    """One JSON value on stdout; characters beyond ASCII as they are."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")
    sys.stdout.flush()


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on stdout; values wrap rather than being cut."""
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == 0)  # the first names the row: it is copied
    for row in rows:
        table.add_row(*(escape("" if value is None else _tame(str(value))) for value in row))
    Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 200).print(table)


@contextmanager
def progress() -> Iterator[records.OnProgress]:
    """Shows one bar for each step of a long task. Off a terminal it prints a line at each fifth of a step instead."""
    if not _err.is_terminal:
        yield _Lines()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err, redirect_stdout=False) as bars:
        tasks: dict[str, Any] = {}

        def show(step: records.Progress) -> None:
            if step.step not in tasks:
                tasks[step.step] = bars.add_task(escape(step.step), total=step.total, amount="")
            bars.update(tasks[step.step], completed=step.done, total=step.total, amount=_amount(step))

        yield show


class _Lines:
    """Progress for logs and pipes: a line at each fifth of a step, with how long the rest will take at this pace."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._began: dict[str, tuple[float, int]] = {}  # when a step was first told of, and how far it was

    def __call__(self, step: records.Progress) -> None:
        began, before = self._began.setdefault(step.step, (time.monotonic(), step.done))
        fifth = 5 * step.done // step.total if step.total else 0
        if self._last.get(step.step) == fifth:
            return
        self._last[step.step] = fifth
        left = ""
        if step.total and before < step.done < step.total:
            seconds = (time.monotonic() - began) / (step.done - before) * (step.total - step.done)
            left = f", {_duration(seconds)} left"
        say(f"{step.step}: {_amount(step)}{left}")


def pace(documents: int, chunks: int, seconds: float) -> str:
    """How much was read and how quickly."""
    counts = ((documents, "document"), (chunks, "chunk"))
    read = ", ".join(f"{count:,} {noun}{'s' * (count != 1)}" for count, noun in counts)
    rates = [
        f"{rate:,.{1 if rate < _WHOLE else 0}f}" for rate in (n / max(seconds, 1e-3) for n in (documents, chunks))
    ]
    took = f"{seconds:.1f} s" if seconds < _WHOLE else _duration(seconds)
    return f"{read} in {took} ({rates[0]} documents, {rates[1]} chunks a second)"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _MINUTES else f"{seconds / 60:.0f} min"


def _amount(step: records.Progress) -> str:
    if step.unit == "B":
        total = f" of {step.total / 1e6:,.0f}" if step.total else ""
        return f"{step.done / 1e6:,.0f}{total} MB"
    total = f" of {step.total:,}" if step.total is not None else ""
    return f"{step.done:,}{total} {step.unit}"
