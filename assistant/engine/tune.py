"""Measures how fast a model runs with given settings, in a process of its own: a setting may crash or hang llama.cpp.

`python -m assistant.engine.tune` is that process. It reads a JSON object a line from stdin, {"model", "gpu_layers",
"load", "batch", "widths"}, and answers each with a line on stdout: the fields of `Speeds`, or {"error": text}.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.engine.backend import LlamaBackend, Row
from assistant.engine.choose import BATCHES, Load, Speeds, TrialFailed, TrialTimedOut
from assistant.engine.types import EngineConfig, Params
from assistant.errors import AssistantError

_CONTEXT_TOKENS = 2048
_DEPTH = 256  # tokens read at least, to see how fast that goes
_SOURCES = 900  # tokens before what is then timed: about what a question's sources have
_BEHIND = 128  # tokens read behind them
_READS = 3  # times that is timed
_ROUNDS = 8  # times that each width is timed; the median counts
_ENOUGH_S, _LITTLE_S = 2.0, 0.4  # slow machines time fewer tokens, fast ones read the prompt several times
_TEXT = "The keeper wrote the weather, the ships and the hours of the lamp into a book, every night of the year. "


class Prober:
    """A `choose.Measure` that asks a child process, and starts another one after a crash or a hang. Close it."""

    def __init__(self, model: Path, gpu_layers: int) -> None:
        self._model = model
        self._gpu_layers = gpu_layers
        self._child: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()

    def __call__(self, load: Load, batch: int, widths: Sequence[int], timeout_s: float) -> Speeds:
        job = {"model": str(self._model), "gpu_layers": self._gpu_layers, "load": asdict(load)}
        answer = self._ask(json.dumps(job | {"batch": batch, "widths": list(widths)}), timeout_s)
        if "error" in answer:
            raise TrialFailed(f"failed: {answer['error']}")
        return Speeds(
            answer["prefill_tok_s"],
            answer["behind_tok_s"],
            tuple(answer["step_s"]),
            (answer["offloaded"][0], answer["offloaded"][1]),
        )

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _ask(self, job: str, timeout_s: float) -> dict[str, Any]:
        child = self._child or self._start()
        assert child.stdin is not None
        try:
            child.stdin.write(job + "\n")
            child.stdin.flush()
            line = self._answers.get(timeout=timeout_s)
        except BrokenPipeError:
            line = ""
        except queue.Empty:
            self.close()
            raise TrialTimedOut(f"hung or far too slow (ended after {timeout_s:.0f} s)") from None
        if not line:
            code = child.wait()
            self._child = None
            raise TrialFailed(f"crashed (signal {-code})" if code < 0 else f"crashed (exit code {code})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _start(self) -> subprocess.Popen[str]:
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "assistant.engine.tune"],  # -P: no modules of the user's current folder
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        self._answers = queue.Queue()
        threading.Thread(target=_pass_on, args=(self._child, self._answers), daemon=True).start()
        return self._child


def _pass_on(child: subprocess.Popen[str], answers: queue.Queue[str]) -> None:
    """Each line of the child, then "": a queue, unlike a pipe, can be waited on for a limited time everywhere."""
    assert child.stdout is not None
    for line in child.stdout:
        answers.put(line)
    answers.put("")


# --- the child -------------------------------------------------------------------------------------------------------


class Bench:
    """One loaded model. Stays loaded as long as the jobs ask for the same."""

    def __init__(self) -> None:
        self._backend: LlamaBackend | None = None
        self._loaded: Any = None

    def run(self, job: dict[str, Any]) -> Speeds:
        """Raises ModelDamaged, EngineFailed."""
        backend = self._load(job["model"], job["gpu_layers"], job["load"])
        prompt = (backend.tokenize(_TEXT, False) * _CONTEXT_TOKENS)[: max(_DEPTH, job["batch"])]
        read, prefill_tok_s = _prefill(backend, prompt, job["batch"])
        depth = _fill(backend, read) if backend.moves else read
        behind_tok_s = _behind(backend, prompt[0], depth, job["batch"])
        step_s = _step_times(backend, prompt[0], depth, job["widths"])
        return Speeds(prefill_tok_s, behind_tok_s, step_s, backend.offloaded)

    def _load(self, model: str, gpu_layers: int, load: dict[str, Any]) -> LlamaBackend:
        if self._backend is None or self._loaded != (model, gpu_layers, load):
            if self._backend:
                self._backend.close()
                self._backend = None
            config = EngineConfig(
                context_tokens=_CONTEXT_TOKENS,
                max_sequences=1,
                batch_tokens=max(BATCHES),  # smaller batches run in the same context: the calls are what differs
                gpu_layers=gpu_layers,
                **load,
            )
            self._backend = LlamaBackend(Path(model), config)
            self._loaded = (model, gpu_layers, load)
            warm_up = self._backend.tokenize(_TEXT, False)[:16]  # brings the weights into memory
            _step(self._backend, [Row(0, 0, warm_up, True)])
        return self._backend


def _prefill(backend: LlamaBackend, prompt: Sequence[int], batch: int) -> tuple[int, float]:
    """Reads the prompt until _LITTLE_S has passed, or a part of it in _ENOUGH_S. Tokens now held, and tokens/s."""
    begun, best = time.perf_counter(), 0.0
    while True:
        backend.clear()
        start, done = time.perf_counter(), 0
        while done < len(prompt) and (done == 0 or time.perf_counter() - start < _ENOUGH_S):
            part = prompt[done : done + batch]
            _step(backend, [Row(0, done, part, done + len(part) == len(prompt))])
            done += len(part)
        best = max(best, done / (time.perf_counter() - start))
        if time.perf_counter() - begun > _LITTLE_S:
            return done, best


def _fill(backend: LlamaBackend, read: int) -> int:
    """Repeats the cells that were read until there are about as many as a question's sources have; how many there are.

    What they say makes no difference to the time, and joining them takes next to none.
    """
    data, depth = backend.save(0, 0, read), read
    while depth < _SOURCES and backend.join(0, data, 0, depth, read):
        depth += read
    return depth


def _behind(backend: LlamaBackend, token: int, depth: int, batch: int) -> float:
    """Tokens a second, reading a question behind its sources; the median."""
    _step(backend, [Row(0, depth, [token], True)])  # moves the cells that were joined
    backend.truncate(0, depth)
    times: list[float] = []
    for _ in range(_READS):
        if sum(times) > _ENOUGH_S:
            break
        start = time.perf_counter()
        for done in range(0, _BEHIND, batch):
            _step(backend, [Row(0, depth + done, [token] * min(batch, _BEHIND - done), done + batch >= _BEHIND)])
        times.append(time.perf_counter() - start)
        backend.truncate(0, depth)
    return _BEHIND / statistics.median(times)


def _step_times(backend: LlamaBackend, token: int, depth: int, widths: Sequence[int]) -> tuple[float, ...]:
    """Median seconds of a step for each width. Widths take turns, so that a disturbance meets all of them."""
    times: dict[int, list[float]] = {width: [] for width in widths}
    begun = time.perf_counter()
    for turn in range(_ROUNDS if widths else 0):
        if turn >= 3 and time.perf_counter() - begun > _ENOUGH_S:
            break
        for width in widths:
            start = time.perf_counter()
            _step(backend, [Row(0, depth + offset, [token], True) for offset in range(width)])  # as drafts are checked
            times[width].append(time.perf_counter() - start)
            backend.truncate(0, depth)
    return tuple(statistics.median(taken) for taken in times.values())


def _step(backend: LlamaBackend, rows: Sequence[Row]) -> None:
    """Decodes, and samples where logits are asked for: that waits for the GPU, which decode does not."""
    sampler = backend.sampler(Params())
    try:
        for row, index in zip(rows, backend.decode(rows), strict=True):
            if row.logits:
                sampler.sample(index)
    finally:
        sampler.close()


def _serve(jobs: Iterator[str]) -> Iterator[dict[str, Any]]:
    bench = Bench()
    for line in jobs:
        try:
            yield asdict(bench.run(json.loads(line)))
        except AssistantError as error:
            yield {"error": error.message}
        except Exception as error:  # noqa: BLE001 - it is what came of this trial; the next one may go well
            yield {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answers jobs until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _no_core_dumps()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what llama.cpp may print must not get between the answers
    for answer in _serve(iter(sys.stdin.readline, "")):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone, even while llama.cpp hangs."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _no_core_dumps() -> None:
    """A crash is expected here, and its picture of gigabytes of weights is of no use."""
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
