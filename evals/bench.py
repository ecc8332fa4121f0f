"""How fast is the engine, beside what others use to run the same model? Speed only; answers are not judged.

    assistant bench [--repeats 3] [--only cold,warm,followup,decode,users,start,memory] [--reuse exact|chunks] ...

Three engines run the same GGUF file on the same prompts with as many threads: ours, `llama_cpp.Llama` with its own
defaults, and llama.cpp's server from the xllamacpp wheel. Only one computes at a time, and within each repetition they
take turns, in an order that rotates from one to the next, so that a machine that grows warm or busy does so for all.
The last line on stdout is the result as JSON; ratios are ours over theirs.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import llama_cpp

from assistant import models, terminal
from assistant import settings as settings_room
from assistant.errors import BadInput, EngineFailed
from assistant.records import Message
from assistant.settings import Settings
from assistant.tuning import engine_config, in_force, read
from evals import bench_report
from evals.bench_prompts import FOLLOW_UP, HITS, LONG, PASSAGE, Asker, Drawer, Wire, texts
from evals.bench_report import USERS, Sample
from evals.bench_start import STARTS, starts
from evals.peer_process import Runner
from evals.peers import LLAMA, NAMES, OURS, SERVER, Job

CASES = ("cold", "warm", "followup", "decode", "users", "start", "memory")
IMPLIED = {"followup": {"cold"}, "users": {"warm"}}  # a follow-up needs a question before it; warm is one user alone
SHORT, LONGEST = 24, 64  # tokens of an answer
HEADLINE = 4  # users at once whose ratio is a headline figure: measured in every repetition
TUNABLE = ("batch_tokens", "draft_tokens", "kv_type", "flash_attention", "repack_weights")
HEAD = 110  # tokens of a prompt beside its passages, about; for the estimate


@dataclass(frozen=True, slots=True)
class Options:
    """What to run. `model` is a catalog name or a path; empty values take the settings' own."""

    repeats: int = 3
    model: str = ""
    reuse: str = ""
    only: tuple[str, ...] = ()
    documents: Path = Path(__file__).parent.parent / "seeds"

    def __post_init__(self) -> None:
        if unknown := [name for name in self.only if name not in CASES]:
            raise BadInput(f"There is no case {', '.join(unknown)}.", f"Known: {', '.join(CASES)}.")

    @property
    def cases(self) -> set[str]:
        named = set(self.only or CASES)
        return named.union(*(IMPLIED.get(name, set()) for name in named))


@dataclass
class Bench:
    """A run under way."""

    options: Options
    runners: Mapping[str, Runner]
    asker: Asker
    samples: list[Sample] = field(default_factory=list)

    def ask(
        self,
        prompts: Mapping[str, Sequence[Wire]],
        max_tokens: int,
        turn: int = 0,
        keep: Callable[[str, Job], None] | None = None,
    ) -> dict[str, Job]:
        """One engine after the other, each with its own prompts; `keep` is told of each reply. `turn` rotates them."""
        replies = {}
        for name in order(prompts, turn):
            job = {"op": "ask", "prompts": list(prompts[name]), "max_tokens": max_tokens}
            if (reply := self.runners[name].do(job)) is not None:
                replies[name] = reply
                if keep:
                    keep(name, reply)
        return replies

    def measure(
        self, case: str, repetition: int, prompts: Mapping[str, Sequence[Wire]], max_tokens: int = SHORT
    ) -> dict[str, Job]:
        def keep(name: str, reply: Job) -> None:
            sample = Sample(case, name, repetition, values(case, reply))
            self.samples.append(sample)
            shown = ", ".join(f"{key} {value:.2f}" for key, value in sample.values.items() if value is not None)
            terminal.say(f"  {case} {repetition + 1}, {bench_report.TITLES[name]}: {shown}")

        return self.ask(prompts, max_tokens, repetition + list(bench_report.CASES).index(case), keep)


def order(names: Collection[str], turn: int) -> list[str]:
    """The engines in the order in which they are asked."""
    known = [name for name in NAMES if name in names]
    first = turn % len(known)
    return known[first:] + known[:first]


def values(case: str, reply: Job) -> dict[str, float | None]:
    """The metrics of a case, from an engine's reply."""
    answers = reply["answers"]
    if case.startswith("users"):
        produced = sum(answer["tokens"] for answer in answers)
        return {"tok_s": produced / reply["wall_s"], "worst_ttft_s": max(answer["ttft_s"] for answer in answers)}
    (one,) = answers
    cores = {"cores": reply["cpu_s"] / reply["wall_s"]}
    if case == "decode":
        timed = one["tokens"] > 1 and one["decode_s"] > 0
        return {"tok_s": (one["tokens"] - 1) / one["decode_s"] if timed else None, **cores}
    found = {
        "ttft_s": one["ttft_s"],
        "cached_share": one["cached_tokens"] / one["prompt_tokens"],
        "prompt_tokens": one["prompt_tokens"],
        **cores,
    }
    if case == "cold":
        found["prefill_tok_s"] = (one["prompt_tokens"] - one["cached_tokens"]) / one["ttft_s"]
    return found


def everyone(prompts: Sequence[Wire], names: Sequence[str] = NAMES) -> dict[str, Sequence[Wire]]:
    return dict.fromkeys(names, prompts)


def conversation(bench: Bench, repetition: int, cases: set[str]) -> None:
    """A first question, one more about the same sources, and one that asks for a long answer."""
    hits = bench.asker.hits()
    question = bench.asker.question(hits)
    if "cold" in cases:
        prompt = bench.asker.prompt(question, hits)
        replies = bench.measure("cold", repetition, everyone([prompt]))
    if "followup" in cases:
        history = {
            name: (Message("user", question), Message("assistant", reply["answers"][0]["text"]))
            for name, reply in replies.items()
        }
        prompts = {name: [bench.asker.prompt(FOLLOW_UP, hits, turns)] for name, turns in history.items()}
        if prompts:
            bench.measure("followup", repetition, prompts)
    if "decode" in cases:
        prompt = bench.asker.prompt(LONG, hits)
        bench.measure("decode", repetition, everyone([prompt]), LONGEST)


def users(bench: Bench, repetition: int, count: int) -> None:
    """`count` people ask at the same moment, after ours has read their sources. One alone is the case "warm" too."""
    hits = [bench.asker.hits() for _ in range(count)]
    prompts = [bench.asker.prompt(bench.asker.question(four), four) for four in hits]
    for four in hits:
        bench.runners[OURS].do({"op": "read", "prompts": bench.asker.reading(four)})
    if count > 1:
        bench.measure(f"users{count}", repetition, everyone(prompts, (OURS, SERVER)))
        return
    for name, reply in bench.measure("warm", repetition, everyone(prompts)).items():
        bench.samples.append(Sample("users1", name, repetition, values("users1", reply)))


def repetitions(bench: Bench) -> None:
    """All cases but start and memory."""
    options = bench.options
    for repetition in range(options.repeats):
        if options.cases & {"cold", "decode"}:
            conversation(bench, repetition, options.cases)
        if "warm" in options.cases:
            users(bench, repetition, 1)
        for count in several(options, repetition):
            users(bench, repetition, count)


def several(options: Options, repetition: int) -> list[int]:
    """How many users at once are measured in a repetition, beside one. As they take longest, a whole run measures most
    of these numbers once; where --only names them, and for `HEADLINE`, it is in every repetition."""
    if "users" not in options.cases:
        return []
    return [
        count
        for place, count in enumerate(USERS[1:])
        if options.only or count == HEADLINE or place % options.repeats == repetition
    ]


def memory(bench: Bench) -> dict[str, float | None]:
    """Peak memory of our process in GB, and what kept cells take on disk in MB per 1,000 tokens."""
    if "memory" not in bench.options.cases:
        return {"rss_gb": None, "kv_mb_per_1000_tokens": None}
    rss = bench.runners[OURS].do({"op": "rss"})
    kept = bench.runners[OURS].do({"op": "disk", "prompts": bench.asker.reading(bench.asker.hits())})
    return {
        "rss_gb": round(rss["bytes"] / 1e9, 3) if rss else None,
        "kv_mb_per_1000_tokens": round(kept["bytes"] / kept["tokens"] / 1e3, 2) if kept and kept["tokens"] else None,
    }


def run(options: Options) -> tuple[dict[str, Any], list[Sample]]:
    """Runs the cases. Returns what the JSON line has, and the single measurements."""
    began = time.monotonic()
    settings = _settings(options)
    model = models.resolve(settings.models.llm, settings.models.folder, "llm")
    load = os.getloadavg()[0]
    if load > 0.5:
        terminal.say(f"Other programs are running (load {load:.1f}): these numbers will be worth little.")
    with tempfile.TemporaryDirectory(prefix="assistant-bench-") as name, ExitStack() as opened:
        folder = Path(name)
        opening: Job = {"model": str(model.paths["model"]), "folder": name}
        config = asdict(engine_config(settings, model.sha256)) | {"store": None}
        runners = {one: opened.enter_context(closing(Runner(one, opening, folder / f"{one}.log"))) for one in NAMES}
        opening["config"] = config
        ran = _ran(config, settings, model)
        asker = _asker(model.paths["model"], options, settings)
        bench = Bench(options, runners, asker)
        kept: dict[str, Any] = {"rss_gb": None, "kv_mb_per_1000_tokens": None}
        if options.cases - {"start"}:
            _open(bench, opening)
            repetitions(bench)
            kept = memory(bench)
        for runner in runners.values():
            runner.close()
        seconds = starts(options.documents, settings, folder) if "start" in options.cases else []
    start_s = {"cold_start_ttft_s": round(statistics.median(seconds), 2) if seconds else None}
    about = {"load_before": round(load, 2), "elapsed_s": round(time.monotonic() - began)}
    result = bench_report.ratios(bench.samples) | start_s | kept | _facts(bench, settings, model) | ran | about
    return {"bench": "engine", **result, "medians": bench_report.medians(bench.samples)}, bench.samples


def _open(bench: Bench, opening: Job) -> None:
    """Starts the engines, and lets each read its first prompt: the fixed head is cached from then on."""
    if not bench.runners[OURS].open():
        raise EngineFailed(f"Our engine does not start: {bench.runners[OURS].reason}.", "Try `assistant doctor`.")
    opening |= {key: bench.runners[OURS].facts[key] for key in ("threads", "context_tokens")}
    hits = bench.asker.hits(1)
    prompt = bench.asker.prompt(bench.asker.question(hits), hits)
    replies = bench.ask(everyone([prompt]), SHORT)
    for name in NAMES:
        runner = bench.runners[name]
        state = f"not measured: {runner.reason}" if runner.reason else f"weight repacking {runner.repack}"
        terminal.say(f"{bench_report.TITLES[name]}: {runner.facts.get('version', '')} {state}")
    minutes = estimate_s(bench.options, replies) / 60
    terminal.say(f"About {minutes:.0f} min for {bench.options.repeats} repetitions; Ctrl-C stops.")


def estimate_s(options: Options, replies: Mapping[str, Job]) -> float:
    """Seconds that the cases will take, from how fast each engine read and answered its first prompt."""
    cases, total, once = options.cases, 0.0, 0.0
    asked = sum(sum(several(options, repetition)) for repetition in range(options.repeats))
    for name, reply in replies.items():
        (one,) = reply["answers"]
        read = one["ttft_s"] / max(one["prompt_tokens"] - one["cached_tokens"], 1) * (HITS * PASSAGE + HEAD)
        token = one["decode_s"] / max(one["tokens"] - 1, 1)
        prompts = options.repeats * len(cases & {"cold", "warm"}) + (asked if name != LLAMA else 0)
        answers = (prompts + options.repeats * ("followup" in cases)) * SHORT
        total += prompts * read + token * (answers + options.repeats * LONGEST * ("decode" in cases))
        once = read if name == OURS else once
    return total + ((STARTS + 1) * (once + 5) if "start" in cases else 0)


def _asker(model: Path, options: Options, settings: Settings) -> Asker:
    """Cuts the documents with the model's own vocabulary, the only part of it that is loaded here."""
    vocabulary = llama_cpp.Llama(str(model), vocab_only=True, verbose=False)

    def tokens(text: str) -> list[int]:
        return vocabulary.tokenize(text.encode(), add_bos=False)

    drawer = Drawer(texts(options.documents, lambda text: [vocabulary.detokenize([one]) for one in tokens(text)]))
    point = settings.engine.reuse == "chunks"
    return Asker(drawer, lambda text: len(tokens(text)), settings.engine.context_tokens, point)


def _settings(options: Options) -> Settings:
    chosen: dict[str, Any] = {"models": {"llm": options.model}} if options.model else {}
    return settings_room.load(**chosen | ({"engine": {"reuse": options.reuse}} if options.reuse else {}))


def _facts(bench: Bench, settings: Settings, model: models.LocalModel) -> dict[str, Any]:
    engines = {
        name: {"reason": one.reason or None, "repack": one.repack}
        | {k: one.facts.get(k) for k in ("version", "system")}
        for name, one in bench.runners.items()
    }
    return {
        **{f"{name}_repack": engines[name]["repack"] for name in NAMES},
        "engines": engines,
        "notes": bench_report.notes(engines),
        "model": model.name,
        "model_sha256": model.sha256,
        "reuse": settings.engine.reuse,
        "repeats": bench.options.repeats,
        "threads": bench.runners[OURS].facts.get("threads"),
        "assistant": version("assistant"),
        "machine": bench_report.machine(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _ran(config: Mapping[str, Any], settings: Settings, model: models.LocalModel) -> dict[str, Any]:
    """What of our engine can be tuned, as it ran; `sources` says of each "setting", "tuning" or "default"."""
    sources = in_force(settings.engine, read(settings, model.sha256)).sources
    sources["draft_tokens"] = sources.pop("drafts")  # the setting's name
    return {name: config[name] for name in TUNABLE} | {"sources": sources}


def show(result: Mapping[str, Any], samples: Sequence[Sample]) -> None:
    terminal.print_table(bench_report.HEADINGS, bench_report.rows(samples))
    terminal.write("\n")
    for key, what in bench_report.SINGLE.items():
        if result[key] is not None:
            terminal.write(f"{what}: {result[key]}\n")
    for line in result["notes"]:
        terminal.write(f"Note: {line}\n")


def main(options: Options, only_json: bool, output: Path | None) -> None:
    """Runs, then prints the table and the JSON line."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: folders and processes are cleared away
    result, samples = run(options)
    line = json.dumps(result, ensure_ascii=False)
    if output:
        output.write_text(line + "\n", "utf-8")
    if not only_json:
        show(result, samples)
    terminal.write(line + "\n")


if __name__ == "__main__":
    from assistant import cli

    sys.argv.insert(1, "bench")
    cli.main()
