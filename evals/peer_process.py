"""The benchmark's end of the pipe to an engine's process, which may die at any moment."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from assistant import SPIN_COUNT_IS_OURS
from evals.peers import OURS, Job

TIMEOUT_S = 900.0  # for one job: eight long prompts on a slow machine

# GNU OpenMP's own default. The package `assistant` sets another one when it is imported, here and again in every
# peer's process, so it is not enough to take that one away: the others must run as their users run them.
GNU_SPIN_COUNT = "300000"


class PeerFailed(Exception):
    """What went wrong, for a person. `crashed`: the process died, rather than saying what it lacks."""

    def __init__(self, reason: str, crashed: bool) -> None:
        super().__init__(reason)
        self.crashed = crashed


class Pipe:
    """A process that answers each JSON line with one. Close it when done.

    What it says on stderr is added to `log`: that of a process which crashed stays there when another is started.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=environment,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is for us; we end it
            )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def call(self, job: Job, timeout_s: float = TIMEOUT_S) -> Job:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=timeout_s)
        except BrokenPipeError:
            line = None
        except queue.Empty:
            self.close()
            raise PeerFailed(f"no answer within {timeout_s:.0f} s", crashed=False) from None
        if line is None:
            raise PeerFailed(_cause(self._process.wait()), crashed=True)
        reply: Job = json.loads(line)
        if "error" in reply:
            raise PeerFailed(reply["error"], crashed=False)
        return reply

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


class Runner:
    """An engine that is asked until it cannot be asked any more; `reason` then says why, and every job gives None.

    It starts as it comes. If its process crashes, it starts once more with weight repacking off, which crashes on some
    processors (docs/lab.md), and does the job again.
    """

    def __init__(self, name: str, opening: Job, log: Path, start: Callable[[str, Path], Pipe] | None = None) -> None:
        self.name = name
        self.facts: Job = {}
        self.reason = ""
        self.repack = "on"
        self._opening = opening
        self._log = log
        self._start = start or _start
        self._pipe: Pipe | None = None

    def do(self, job: Job) -> Job | None:
        try:
            return self._try(job)
        except PeerFailed as failure:
            self.close()
            if not failure.crashed or self.repack != "on" or "repack" in self.facts:
                self.reason = str(failure)
                return None
        self.repack = "off: crashed with it"
        return self.do(job)

    def open(self) -> bool:
        """Whether it could be started. A crash may come only with the first question."""
        return self.do({}) is not None

    def close(self) -> None:
        if self._pipe:
            self._pipe.close()
            self._pipe = None

    def _try(self, job: Job) -> Job:
        if self.reason:
            raise PeerFailed(self.reason, crashed=False)
        if self._pipe is None:
            self._pipe = self._start(self.name, self._log)
            self.facts = self._pipe.call({**self._opening, "repack": self.repack == "on"})
            self.repack = self.facts.get("repack", self.repack)
        return self._pipe.call(job) if job else self.facts


def _start(name: str, log: Path) -> Pipe:
    return Pipe([sys.executable, "-m", "evals.peers", name], log, _environment(name))


def _environment(name: str) -> dict[str, str]:
    """Of an engine's process. What the user set of OpenMP holds for all engines."""
    theirs = {"GOMP_SPINCOUNT": GNU_SPIN_COUNT} if name != OURS and SPIN_COUNT_IS_OURS else {}
    return os.environ | theirs


def _cause(code: int) -> str:
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"
