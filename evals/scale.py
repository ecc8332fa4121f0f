"""How the assistant does with many documents: taking files in, taking them in again unchanged, and searching them.

    python -m evals.scale FOLDER [--documents 10000] [--steps make,sample,ingest,unchanged,search] [--questions 200]

FOLDER gets the files, a home of its own for documents and index, and `scale.json` with the figures so far: what was
stopped (Ctrl-C) or killed goes on with the same command. Progress goes to stderr, one line of JSON with all figures
to stdout.

The files are made up (`scale_texts`) and come in by the product's own ingest, but for the embedder's forward pass, as
100,000 chunks would take it an hour: a table stands in its place. So `ingest` tells what all but embedding
takes; `sample` takes a few files in with the real embedder and tells the rate that a user has. When questions are
asked the model runs and its result is thrown away: times are those from question to hits, in milliseconds. What the
processor worked for them (`cpu_`) tells more where other programs run beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from assistant import Settings, models
from assistant.ingest import Ingest
from assistant.records import Progress
from assistant.retrieve import Retriever
from assistant.where import Where
from evals.scale_texts import SEED, TableEmbedder, Writer, vocabulary

STEPS = ("make", "sample", "ingest", "unchanged", "search")
COLLECTION = "scale"
FOLDER_FILES = 100  # a folder
SAMPLE = 50  # files that the real embedder reads
K = 4  # hits asked for, as by default
EIGHTHS = 8  # of a run, after which its memory is noted
QUANTILES = {"p50": 0.5, "p95": 0.95}
_MB = 1 << 20

Figures = dict[str, Any]


@dataclass
class Watch:
    """Follows a run of ingest: new chunks, when the first of their files was begun, and the process's memory."""

    chunks: int = 0
    peak: int = 0
    begun: float = 0.0
    memory: list[tuple[int, int]] = field(default_factory=list)  # files done, MB
    _file: float = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.unit == "chunks":
            self.begun = self.begun or self._file
            self.chunks = progress.done
            return
        self._file = time.perf_counter()
        used = psutil.Process().memory_info().rss // _MB
        self.peak = max(self.peak, used)
        if progress.total and progress.done * EIGHTHS // progress.total >= len(self.memory):
            self.memory.append((progress.done, used))
            told(f"files {progress.done} of {progress.total}, {self.chunks} chunks new, {used} MB")

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.begun if self.begun else 0.0


@dataclass
class Scale:
    """The steps over one folder."""

    folder: Path
    documents: int
    questions: int
    cancel: threading.Event

    @cached_property
    def _model(self) -> models.LocalModel:
        settings = Settings()
        return models.resolve(settings.models.embedder, settings.models.folder, "embedder")

    @cached_property
    def writer(self) -> Writer:
        return Writer(tuple(vocabulary(self._model.paths["tokenizer"])))

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def ingest(self, runs: bool = False) -> Ingest:
        """The product's write path on the folder's home."""
        return Ingest(self.folder / "home", lambda: TableEmbedder(self._model, runs))

    def make(self, _: Figures) -> Figures:
        started = time.perf_counter()
        for number in range(self.documents):
            path = self.files / f"{number // FOLDER_FILES:04d}" / f"{number:06d}.txt"
            if path.is_file():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            unfinished.write_text(self.writer.text(number), "utf-8")
            unfinished.rename(path)
            self._check(number, "files made")
        return {"seconds": round(time.perf_counter() - started, 1)}

    def sample(self, _: Figures) -> Figures:
        """A part of the files with the real embedder, into a collection of its own."""
        settings = Settings(home=self.folder / "home")
        paths = sorted(self.files.rglob("*.txt"))[:SAMPLE]
        with closing(Ingest.open(settings)) as ingest:
            if any(info.name == "sample" for info in ingest.collections()):  # of a run that was stopped
                ingest.delete_collection("sample")
            watch = Watch()
            ingest.add(paths, "sample", progress=watch, cancel=self.cancel)
            self.check_stop()
            seconds = watch.seconds
            ingest.delete_collection("sample")
        return {"chunks": watch.chunks, "chunks_per_s": round(watch.chunks / seconds, 1)}

    def take(self, before: Figures) -> Figures:
        """All files. What an earlier, stopped run took in counts with its time."""
        watch = Watch()
        with closing(self.ingest()) as ingest:
            report = ingest.add([self.files], COLLECTION, progress=watch, cancel=self.cancel)
        seconds = before.get("seconds", 0) + watch.seconds
        outcomes = [file.outcome for file in report.files]
        documents, chunks = (
            before.get("documents", 0) + outcomes.count("added"),
            before.get("chunks", 0) + watch.chunks,
        )
        return {
            "done": not report.stopped,
            "documents": documents,
            "failed": outcomes.count("failed"),
            "chunks": chunks,
            "seconds": round(seconds, 1),
            "documents_per_s": round(documents / max(seconds, 1e-9), 1),
            "chunks_per_s": round(chunks / max(seconds, 1e-9), 1),
            "peak_mb": max(watch.peak, before.get("peak_mb", 0)),
            "memory_mb": [*before.get("memory_mb", []), *watch.memory],
            "disk_mb": {one.name: _size(one) // _MB for one in sorted((self.folder / "home").iterdir())},
        }

    def unchanged(self, _: Figures) -> Figures:
        """All files once more, none of which has changed."""
        watch = Watch()
        started = time.perf_counter()
        with closing(self.ingest()) as ingest:
            report = ingest.add([self.files], COLLECTION, progress=watch, cancel=self.cancel)
        self.check_stop()
        seconds = time.perf_counter() - started
        if others := {file.outcome for file in report.files} - {"unchanged"}:
            raise SystemExit(f"Some files are {', '.join(sorted(others))}.")
        count = len(report.files)
        return {"seconds": round(seconds, 1), "documents_per_s": round(count / seconds), "peak_mb": watch.peak}

    def search(self, before: Figures) -> Figures:
        """Each way of searching; those that an earlier, stopped run has measured are kept."""
        found = dict(before)
        with closing(self.ingest(runs=True)) as ingest:
            infos = ingest.documents(COLLECTION)
            retrievers = {
                "plain": Retriever(ingest.embedder, ingest.index, ingest.library, rerank=False),
                "reranked": Retriever(ingest.embedder, ingest.index, ingest.library),
            }
            for name, chosen in self.filters().items():
                fitting = sum(info.chunks for info in infos if chosen(0).fits(info))
                if not fitting:  # there are too few documents
                    continue
                for kind, retriever in retrievers.items():
                    if (way := f"{kind}, {name}") not in found:
                        found[way] = {"chunks": fitting} | self._asked(retriever, chosen)
                        told(f"{way}: {found[way]}")
                        keep(self.folder, {"search": found})
        return found

    def filters(self) -> dict[str, Callable[[int], Where]]:
        """What is asked of documents, by a name that says how many fit; for `title` it depends on the question's."""
        first, last = self.writer.publishers[0], self.writer.publishers[-1]
        return {
            "all": lambda _: Where(),
            "a large publisher": lambda _: Where(publisher=first),
            "a small publisher": lambda _: Where(publisher=last),
            "after, half": lambda _: Where(after="2015"),
            "after, few": lambda _: Where(after="2024-11"),
            "before, a tenth": lambda _: Where(before="2006"),
            "a month": lambda _: Where(date="2012-05"),
            "publisher and after": lambda _: Where(publisher=first, after="2015"),
            "a title": lambda number: Where(title=self.writer.title(number)),
        }

    def _asked(self, retriever: Retriever, chosen: Callable[[int], Where]) -> Figures:
        numbers = np.random.default_rng(SEED).choice(
            self.documents, min(self.questions, self.documents), replace=False
        )
        times: list[tuple[float, float]] = []  # by the clock, of the processor
        right = 0
        for place, number in enumerate([numbers[0], *numbers]):  # what the first one loads is no part of the time
            question, where = self.writer.question(int(number)), chosen(int(number))
            started = time.perf_counter(), time.process_time()
            hits = retriever.search(COLLECTION, question, K, where=where)
            if place:
                times.append((time.perf_counter() - started[0], time.process_time() - started[1]))
                right += any(hit.chunk.title == self.writer.title(int(number)) for hit in hits)
            self.check_stop()
        quantiles = {
            f"{kind}{name}": round(float(np.quantile(column, q)) * 1000, 1)
            for kind, column in zip(("", "cpu_"), np.transpose(times), strict=True)
            for name, q in QUANTILES.items()
        }
        return quantiles | {"own_document_found": round(right / len(times), 2), "load": round(os.getloadavg()[0], 1)}

    def _check(self, number: int, what: str) -> None:
        if number % 1000 == 999:
            told(f"{number + 1} of {self.documents} {what}")
        self.check_stop()

    def check_stop(self) -> None:
        if self.cancel.is_set():
            raise SystemExit(130)


def figures(folder: Path) -> Figures:
    """What was found so far."""
    path = folder / "scale.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def keep(folder: Path, more: Mapping[str, Any]) -> Figures:
    """Adds to what was found so far."""
    found = figures(folder) | dict(more)
    unfinished = folder / "scale.json.part"
    unfinished.write_text(json.dumps(found), "utf-8")
    unfinished.rename(folder / "scale.json")
    return found


def told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file())


def run(scale: Scale, steps: list[str]) -> Figures:
    """Does the steps and gives all figures so far. Ends the program where it was stopped."""
    scale.folder.mkdir(parents=True, exist_ok=True)
    found = figures(scale.folder)
    if found.setdefault("documents", scale.documents) != scale.documents:
        raise SystemExit(f"{scale.folder} has {found['documents']} documents: name another folder.")
    actions = {"make": scale.make, "sample": scale.sample, "ingest": scale.take, "unchanged": scale.unchanged}
    for step in steps:
        told(step)
        if step in ("unchanged", "search") and not found.get("ingest", {}).get("done"):
            raise SystemExit(f"Before {step} comes the step ingest.")
        before = found.get(step, {})
        found = keep(scale.folder, found | {step: (actions | {"search": scale.search})[step](before)})
        scale.check_stop()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--steps", default=",".join(STEPS))
    given = parser.parse_args()
    steps = given.steps.split(",")
    if unknown := sorted(set(steps) - set(STEPS)):
        parser.error(f"There is no step {unknown[0]!r}; there are {', '.join(STEPS)}.")
    cancel = threading.Event()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: cancel.set())
    print(json.dumps(run(Scale(given.folder, given.documents, given.questions, cancel), steps)))


if __name__ == "__main__":
    main()
