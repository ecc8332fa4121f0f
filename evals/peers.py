"""The engines that are compared, each in a process of its own that answers JSON lines: `python -m evals.peers NAME`.

A process of its own because llama.cpp may crash (docs/lab.md), and because two builds of it do not fit in one. Each
reply is one line on the process's first stdout; whatever libraries print there goes to stderr instead. When stdin ends
the process ends at once, so none outlives the benchmark.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from assistant.engine import Done, Engine, EngineConfig, Params, Piece, Turn
from assistant.records import Block, PromptMessage
from assistant.runnables import to_messages, to_turns
from evals.bench_prompts import Wire, plain

OURS, LLAMA, SERVER = "ours", "llama", "server"
NAMES = (OURS, LLAMA, SERVER)
SLOTS = 4  # of the server: what it takes by itself

Job = dict[str, Any]
OnText = Callable[[], None]


@dataclass(slots=True)
class Answer:
    """One answer. Times are seconds: `ttft_s` since all users asked, `decode_s` from the first text to the end."""

    text: str
    prompt_tokens: int
    cached_tokens: int
    tokens: int
    ttft_s: float = 0.0
    decode_s: float = 0.0


class Peer(Protocol):
    def facts(self) -> Job: ...
    def answer(self, prompt: Wire, max_tokens: int, on_text: OnText) -> Answer: ...


class Ours:
    """Our engine, opened as the product opens it."""

    def __init__(self, job: Job) -> None:
        self._model = Path(job["model"])
        self._folder = Path(job["folder"])
        config = {**job["config"], "store": self._folder / "kv"}
        self._config = EngineConfig(**config)
        self._engine = Engine.open(self._model, self._config)

    def facts(self) -> Job:
        import llama_cpp

        from assistant.engine.backend import physical_cores

        return {
            "version": f"llama-cpp-python {llama_cpp.__version__}",
            "system": llama_cpp.llama_print_system_info().decode(),
            "threads": self._config.threads or physical_cores(),
            "context_tokens": self._engine.context_tokens,
            "repack": "on" if self._config.repack_weights else "off: our setting",
        }

    def answer(self, prompt: Wire, max_tokens: int, on_text: OnText) -> Answer:
        text = ""
        for event in self._engine.generate(_turns(prompt), Params(max_tokens=max_tokens)):
            if isinstance(event, Piece):
                on_text()
                text += event.text
            else:
                done = event
        assert isinstance(done, Done)
        return Answer(text, done.prompt_tokens, done.cached_tokens, done.completion_tokens)

    def read(self, prompts: list[Wire]) -> int:
        """Tokens that were computed."""
        return sum(self._engine.read(_turns(prompt), threading.Event()) for prompt in prompts)

    def disk(self, prompts: list[Wire]) -> Job:
        """What kept cells take on disk. By a second engine that keeps them, whatever the first one does."""
        self._engine.close()
        store = self._folder / "kv-on-disk"
        self._engine = Engine.open(self._model, replace(self._config, reuse="chunks", store=store))
        tokens = self.read(prompts)
        return {"tokens": tokens, "bytes": sum(path.stat().st_size for path in store.rglob("*") if path.is_file())}


class Llama:
    """`llama_cpp.Llama` as LangChain users run it: its defaults, but for context and threads."""

    def __init__(self, job: Job) -> None:
        import llama_cpp

        if not job["repack"]:
            _without_repacking(llama_cpp)
        self._llama = llama_cpp.Llama(
            job["model"],
            n_ctx=job["context_tokens"],
            n_threads=job["threads"],
            n_threads_batch=job["threads"],
            verbose=False,
        )
        self._generate = self._llama.generate
        self._llama.generate = self._counted  # type: ignore[method-assign,assignment]
        self._prompt = self._cached = self._tokens = 0

    def facts(self) -> Job:
        import llama_cpp

        system = llama_cpp.llama_print_system_info().decode()
        return {"version": f"llama-cpp-python {llama_cpp.__version__}", "system": system}

    def answer(self, prompt: Wire, max_tokens: int, on_text: OnText) -> Answer:
        text = ""
        chunks: Any = self._llama.create_chat_completion(
            plain(prompt),  # type: ignore[arg-type]
            max_tokens=max_tokens,
            temperature=0.0,
            stream=True,
        )
        for chunk in chunks:
            if more := chunk["choices"][0]["delta"].get("content"):
                on_text()
                text += more
        return Answer(text, self._prompt, self._cached, self._tokens)

    def _counted(self, tokens: Any, *args: Any, **given: Any) -> Iterator[int]:
        """Its generator of tokens; a chunk of its stream can hold several of them, and nothing tells how many."""
        self._prompt, self._tokens = len(tokens), 0
        before = self._llama.input_ids[: self._llama.n_tokens].tolist()
        same = (mine == theirs for mine, theirs in zip(before, tokens[:-1], strict=False))
        self._cached = next((n for n, equal in enumerate(same) if not equal), min(len(before), len(tokens) - 1))
        for token in self._generate(tokens, *args, **given):
            self._tokens += 1
            yield token


class Server:
    """llama.cpp's own server, in the build of the xllamacpp wheel."""

    def __init__(self, job: Job) -> None:
        try:
            import xllamacpp
        except ImportError as error:
            raise RuntimeError(f"xllamacpp cannot be imported ({error}); `make bench` installs it") from error
        params = xllamacpp.CommonParams()
        params.model.path = job["model"]
        params.n_ctx = job["context_tokens"]
        params.n_parallel, params.kv_unified = SLOTS, True  # what the server takes when it is told nothing
        params.cont_batching = params.cache_prompt = True
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = job["threads"]
        params.no_extra_bufts = not job["repack"]
        params.verbosity = 1
        self._server = xllamacpp.Server(params)

    def facts(self) -> Job:
        import xllamacpp

        return {"version": f"xllamacpp {xllamacpp.__version__}", "system": xllamacpp.get_system_info()}

    def answer(self, prompt: Wire, max_tokens: int, on_text: OnText) -> Answer:
        body = {"messages": plain(prompt), "max_tokens": max_tokens, "temperature": 0.0, "stream": True}
        texts: list[str] = []
        last: Job = {}

        def take(chunk: Job) -> bool:
            if "choices" not in chunk:
                raise RuntimeError(f"the server answered {json.dumps(chunk)[:300]}")
            if more := chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                on_text()
                texts.append(more)
            last.update(chunk.get("timings", {}))
            return False

        self._server.handle_chat_completions(body, take)
        cached = last["cache_n"]
        return Answer("".join(texts), cached + last["prompt_n"], cached, last["predicted_n"])


def together(peer: Peer, prompts: list[Wire], max_tokens: int) -> Job:
    """All prompts asked at the same moment. `wall_s` is until the last answer ended; `cpu_s` counts all cores."""
    start, before = time.monotonic(), time.process_time()

    def ask(prompt: Wire) -> Answer:
        first: list[float] = []
        answer = peer.answer(prompt, max_tokens, lambda: first.append(time.monotonic()) if not first else None)
        end = time.monotonic()
        answer.ttft_s = (first[0] if first else end) - start
        answer.decode_s = end - start - answer.ttft_s
        return answer

    with ThreadPoolExecutor(len(prompts)) as pool:
        answers = list(pool.map(ask, prompts))
    used = {"wall_s": time.monotonic() - start, "cpu_s": time.process_time() - before}
    return {**used, "answers": [asdict(answer) for answer in answers]}


def _do(peer: Peer, job: Job) -> Job:
    if job["op"] == "ask":
        return together(peer, job["prompts"], job["max_tokens"])
    if job["op"] == "rss":  # kilobytes, but bytes on macOS
        unit = 1 if sys.platform == "darwin" else 1024
        return {"bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    assert isinstance(peer, Ours)
    return peer.disk(job["prompts"]) if job["op"] == "disk" else {"tokens": peer.read(job["prompts"])}


def serve(kind: Callable[[Job], Peer], jobs: Iterator[Job], reply: Callable[[Job], None]) -> None:
    """Opens an engine with the first job, then does the others. An error is told, and ends it."""
    try:
        peer = kind(next(jobs))
        reply(peer.facts())
        for job in jobs:
            reply(_do(peer, job))
    except Exception as error:  # noqa: BLE001 - whatever it is, the benchmark goes on without this peer
        reply({"error": f"{type(error).__name__}: {error}"})


def _without_repacking(llama_cpp: Any) -> None:
    """`Llama` has no parameter for it, so llama.cpp's defaults are changed under it."""
    defaults = llama_cpp.llama_cpp.llama_model_default_params

    def changed() -> Any:
        params = defaults()
        params.use_extra_bufts = False
        return params

    llama_cpp.llama_cpp.llama_model_default_params = changed


def _turns(prompt: Wire) -> list[Turn]:
    messages = [
        PromptMessage(message["role"], tuple(Block(text, name) for text, name in message["blocks"]))
        for message in prompt
    ]
    return to_turns(to_messages(messages))


def _jobs() -> Iterator[Job]:
    """Jobs from stdin. A thread reads them, so that the end of stdin ends the process even while it computes."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


def main() -> None:
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(value: Job) -> None:
        own.write(json.dumps(value) + "\n")
        own.flush()

    kinds: dict[str, Callable[[Job], Peer]] = {OURS: Ours, LLAMA: Llama, SERVER: Server}
    serve(kinds[sys.argv[1]], _jobs(), reply)


if __name__ == "__main__":
    main()
