"""Parsing in a process of its own, with limits of time and memory: a bad file fails alone."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import psutil

from assistant import decode, errors
from assistant.content import Content, Facts, Member
from assistant.errors import AssistantError, ReaderFailed

TIME_S = 120.0  # for a file; while scans are read, for a page
MEMORY = 2 * 1024**3  # bytes
_ADDRESSES = 2 * 1024**3  # bytes of addresses that Python and libraries reserve beyond what they use
_POLL_S = 0.1
_BLOCK = 1 << 20  # bytes
_HINT = "Save it again with the program it is from, or split it."


class Cancelled(Exception):
    """The event given to the sandbox was set while a file was read."""


class Sandbox:
    """Reads files in another process, which starts when first needed, and anew after a failure. Thread safe; close it.

    `cancel` ends what is being read. `ocr` are the languages in which scans are read ("eng+deu"), "" leaves them
    unread; `on_page` is told how many scanned pages of a file are done, and how many there are. Reading raises
    Cancelled, ReaderFailed and what `readers.read` raises.
    """

    def __init__(
        self,
        time_s: float = TIME_S,
        memory: int = MEMORY,
        cancel: threading.Event | None = None,
        ocr: str = "",
        on_page: Callable[[int, int], None] | None = None,
    ) -> None:
        self._time_s = time_s
        self._memory = memory
        self._cancel = cancel
        self._ocr = ocr
        self._on_page = on_page
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._archive: tuple[bytes, str] | None = None  # what the process has open, or is to open after a failure

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._end()
            self._archive = None

    def read(self, data: bytes, name: str) -> Content:
        """The content of a file called `name`."""
        return _content(self._ask("read", data, name))

    def open(self, data: bytes, name: str) -> list[Member]:
        """The files in an archive, which stays open for `digest` and `member` until the next one is opened."""
        self._archive = None
        answer = self._ask("open", data, name)
        self._archive = (data, name)
        return [Member(**member) for member in answer["members"]]

    def digest(self, number: int) -> str:
        """The sha256 of a file in the open archive."""
        return str(self._in_archive("digest", number)["sha256"])

    def member(self, number: int) -> Content:
        """The content of a file in the open archive."""
        return _content(self._in_archive("member", number))

    def _in_archive(self, op: str, number: int) -> dict[str, Any]:
        assert self._archive is not None
        if self._process is None:  # it ended over the member before this one
            self._ask("open", *self._archive)
        return self._ask(op, b"", self._archive[1], number)

    # --- the other process

    def _ask(self, op: str, data: bytes, name: str, number: int = 0) -> dict[str, Any]:
        request = {"op": op, "name": name, "number": number, "size": len(data), "ocr": self._ocr}
        head = json.dumps(request).encode() + b"\n"
        with self._lock:
            process = self._process or self._start()
            try:
                answer = self._exchange(process, head, data, name)
            except BaseException:
                self._end()
                raise
            if answer.get("error") in ("memory", "crash"):
                self._end()
        if "error" in answer:
            raise self._error(answer, name)
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "assistant.read_worker", str(self._memory + _ADDRESSES)]
        self._process = subprocess.Popen(
            command,  # -P: no modules of the user's current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is ours to handle; and a group, to end with what it starts
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):  # nothing of the group is left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what was left to write has no reader any more
                        pipe.close()

    def _exchange(self, process: subprocess.Popen[bytes], head: bytes, data: bytes, name: str) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        # its own end of the pipe: the number of one that is closed may be the next process's
        pipe = os.dup(process.stdin.fileno())
        threading.Thread(target=_write, args=(pipe, head, data), daemon=True).start()
        watched = psutil.Process(process.pid)
        until = time.monotonic() + self._time_s
        received = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ)
            while (answer := _taken(received)) is None or ("scanned" in answer):
                if answer is not None:
                    if self._on_page is not None:
                        self._on_page(*answer["scanned"])
                    until = time.monotonic() + self._time_s
                    continue
                if ready.select(_POLL_S):
                    block = os.read(process.stdout.fileno(), _BLOCK)
                    if not block:
                        raise self._crashed(process, name)
                    received += block
                self._watch(watched, until, name)
        return answer

    def _watch(self, process: psutil.Process, until: float, name: str) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled
        if time.monotonic() > until:
            raise ReaderFailed(f"{name} was given up: reading it took longer than {self._time_s:g} s.", _HINT)
        try:
            used = process.memory_info().rss
        except psutil.Error:
            return  # it has just ended, which the next read tells
        if used > self._memory:
            raise self._too_much(name)

    def _crashed(self, process: subprocess.Popen[bytes], name: str) -> ReaderFailed:
        code = process.wait()
        reason = f"signal {-code}" if code < 0 else f"exit code {code}"
        return ReaderFailed(f"{name} crashed the reader ({reason}).", _HINT)

    def _too_much(self, name: str) -> ReaderFailed:
        megabytes = self._memory // 1024**2
        return ReaderFailed(f"{name} was given up: reading it needed more than {megabytes:,} MB of memory.", _HINT)

    def _error(self, answer: dict[str, Any], name: str) -> AssistantError:
        if answer["error"] == "memory":
            return self._too_much(name)
        if answer["error"] == "crash":
            return ReaderFailed(f"{name} crashed the reader ({decode.valid(answer['message'])}).", _HINT)
        kind: type[AssistantError] = getattr(errors, answer["error"])
        return kind(decode.valid(answer["message"]), decode.valid(answer["hint"]))


def _write(pipe: int, *parts: bytes) -> None:
    """In a thread of its own: a process that hangs does not read. Closes the pipe."""
    try:
        for part in parts:
            view = memoryview(part)
            while view:
                view = view[os.write(pipe, view[:_BLOCK]) :]
    except OSError:  # it has ended; who waits for the answer notices
        pass
    finally:
        os.close(pipe)


def _taken(received: bytearray) -> dict[str, Any] | None:
    """The first message of what was received, taken out of it; None while it is not whole."""
    end = 8 + int.from_bytes(received[:8], "big")
    if len(received) < 8 or len(received) < end:
        return None
    answer: dict[str, Any] = json.loads(received[8:end])
    del received[:end]
    return answer


def _content(answer: dict[str, Any]) -> Content:
    return Content(
        **answer
        | {"pages": tuple(answer["pages"]), "facts": Facts(**answer["facts"]), "notes": tuple(answer["notes"])}
    )
