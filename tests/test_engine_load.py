"""Eight clients for a minute, on the tiny model: nobody stalls, nothing leaks, and nothing is left behind."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import psutil
import pytest

from assistant.engine import Done, Engine, EngineConfig, Params, Segment, Turn
from assistant.errors import Busy

pytestmark = pytest.mark.real

CLIENTS, SECONDS = 8, 60
SENTENCES = [f"Keeper number {n} lit the lamp of Vessel Point in {1850 + n}." for n in range(40)]
CHUNKS = [" ".join(SENTENCES[at : at + 5]) for at in range(0, 40, 5)]


def turns(rng: random.Random) -> list[Turn]:
    shown = rng.sample(range(len(CHUNKS)), 3)
    sources = tuple(Segment(f"Source:\n{CHUNKS[n]}\n\n", f"chunk-{n}") for n in shown)
    question = Segment(f"Who lit the lamp in {rng.randrange(1850, 1890)}?")
    return [
        Turn("system", (Segment("Answer from the sources."),)),
        Turn("user", (Segment("Sources:\n"), *sources, question)),
    ]


def client(engine: Engine, number: int, end: float, outcomes: list[str]) -> None:
    rng = random.Random(number)
    while time.monotonic() < end:
        cancel = threading.Event()
        try:
            generation = engine.generate(turns(rng), Params(max_tokens=rng.randrange(1, 40)), cancel)
        except Busy:
            time.sleep(0.05)
            continue
        left = rng.choice([None, None, None, 0, 3])  # pieces after which this client loses patience
        for read, event in enumerate(generation):
            if read == left:
                cancel.set()
            if isinstance(event, Done):
                outcomes.append(event.finish)
        if rng.random() < 0.1:
            next(engine.generate(turns(rng), Params(max_tokens=100)), None)  # and this one goes without a word


def test_eight_clients_for_a_minute(tiny_llm: Path, tmp_path: Path) -> None:
    config = EngineConfig(
        context_tokens=4096,
        draft_tokens=3,
        reuse="chunks",
        model_id="tiny",
        store=tmp_path / "kv",
        store_memory_bytes=8 << 20,
        store_disk_bytes=32 << 20,
        prefix_memory_bytes=32 << 20,
    )
    engine = Engine.open(tiny_llm, config)
    try:
        outcomes: list[list[str]] = [[] for _ in range(CLIENTS)]
        end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=client, args=(engine, n, end, outcomes[n])) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS / 2)  # by then caches are full
        halfway, memory = [len(done) for done in outcomes], resident()
        for thread in threads:
            thread.join(SECONDS + 60)
        assert not any(thread.is_alive() for thread in threads)
        assert all(len(done) > before for done, before in zip(outcomes, halfway, strict=True)), "a client stalled"
        assert {finish for done in outcomes for finish in done} <= {"stop", "length", "cancelled"}
        assert resident() - memory < 100 << 20
        assert engine.stats()["failed_total"] == 0
        whole = Params(max_tokens=3000)  # needs nearly every cell there is
        generation = engine.generate(turns(random.Random(1)), whole)
        next(generation)
        generation.close()
    finally:
        engine.close()


def resident() -> int:
    return psutil.Process(os.getpid()).memory_info().rss
