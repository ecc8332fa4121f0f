"""How the assistant does with many documents: taking files in, taking them in again unchanged, and searching them.

    python -m evals.scale FOLDER [--documents 10000] [--steps make,sample,ingest,unchanged,search] [--questions 200]

FOLDER gets the files, a home of its own for documents and index, and `scale.json` with the figures so far: what was
stopped (Ctrl-C) or killed goes on with the same command. Progress goes to stderr, one line of JSON with all figures
to stdout.

The files are made up, the same in every run: words of the embedder's vocabulary, which stands in the order of their
frequency, by Zipf's law; each document has a topic, of which a third of its words are, and states a title, a
publisher, an author and a date. They come in by the product's own ingest, but for the embedder's forward pass, as
100,000 chunks would take it an hour. In its place each token has a fixed random vector, the shorter the
more frequent the token is, so that texts are alike that share rarer words. So `ingest` tells what all but embedding
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from assistant import Settings, models
from assistant.embedder import Embedder, Vectors
from assistant.ingest import Ingest
from assistant.records import Progress
from assistant.retrieve import Retriever
from assistant.where import Where

STEPS = ("make", "sample", "ingest", "unchanged", "search")
COLLECTION = "scale"
SEED = 11
FOLDER_FILES = 100  # a folder
SAMPLE = 50  # files that the real embedder reads
WORDS = 1250  # a document, some ten chunks
TOPICS, TOPIC_WORDS, TOPIC_SHARE = 500, 200, 0.33
FREQUENT = 300  # words that are of no topic
PUBLISHERS = 200
FIRST_DAY, DAYS = date(2005, 1, 1), 20 * 365
K = 4  # hits asked for, as by default
ASKED = 8  # words of a question, which stand side by side in a document
EIGHTHS = 8  # of a run, after which its memory is noted
QUANTILES = {"p50": 0.5, "p95": 0.95}
_MB = 1 << 20

Figures = dict[str, Any]


@dataclass(frozen=True)
class Writer:
    """Makes documents up. `words` are known ones, the most frequent first."""

    words: tuple[str, ...]

    @cached_property
    def _shares(self) -> NDArray[np.float64]:
        return zipf(len(self.words))

    def title(self, number: int) -> str:
        """No two documents have the same."""
        return f"{' '.join(word.title() for word in self._topic(number)[:3])} {number:06d}"

    def publisher(self, number: int) -> str:
        """The first has a tenth of all documents, the last one in a thousand."""
        drawn = np.random.default_rng([SEED, 1, number]).choice(PUBLISHERS, p=zipf(PUBLISHERS))
        return self.publishers[drawn]

    @cached_property
    def publishers(self) -> tuple[str, ...]:
        return tuple(f"The {word.title()} Post" for word in self.words[FREQUENT : FREQUENT + PUBLISHERS])

    def day(self, number: int) -> date:
        return FIRST_DAY + timedelta(days=int(np.random.default_rng([SEED, 2, number]).integers(DAYS)))

    def text(self, number: int) -> str:
        """A whole file."""
        head = {
            "title": self.title(number),
            "publisher": self.publisher(number),
            "author": f"Jo {self._topic(number)[3].title()}",
            "date": self.day(number).isoformat(),
        }
        return "\n".join(["---", *(f"{key}: {value}" for key, value in head.items()), "---", "", *self._body(number)])

    def question(self, number: int) -> str:
        """Words of a document, as they stand in it."""
        words = " ".join(self._body(number)).split()
        first = int(np.random.default_rng([SEED, 3, number]).integers(len(words) - ASKED))
        return " ".join(words[first : first + ASKED]).strip(".") + "?"

    def _topic(self, number: int) -> list[str]:
        drawn = np.random.default_rng([SEED, 4, number % TOPICS]).integers(FREQUENT, len(self.words), TOPIC_WORDS)
        return [self.words[place] for place in drawn]

    def _body(self, number: int) -> Iterator[str]:
        """Paragraphs, each with an empty line behind it."""
        rng = np.random.default_rng([SEED, 5, number])
        topic = self._topic(number)
        any_words = rng.choice(len(self.words), WORDS, p=self._shares)
        topic_words = rng.choice(TOPIC_WORDS, WORDS, p=zipf(TOPIC_WORDS))
        drawn = [
            topic[own] if chance < TOPIC_SHARE else self.words[other]
            for own, other, chance in zip(topic_words, any_words, rng.random(WORDS), strict=True)
        ]
        sentences: list[str] = []
        while drawn:
            length = int(rng.integers(6, 26))
            sentences.append(" ".join(drawn[:length]).capitalize() + ".")
            drawn = drawn[length:]
            if not drawn or rng.random() < 0.2:
                yield " ".join(sentences) + "\n"
                sentences = []


def zipf(count: int) -> NDArray[np.float64]:
    """How often each of so many words is, the most frequent first (Zipf's law as Mandelbrot has it)."""
    shares = 1 / (np.arange(count) + 2.7)
    found: NDArray[np.float64] = shares / shares.sum()
    return found


def vocabulary(tokenizer: Path) -> dict[str, int]:
    """The whole words of a BERT vocabulary with their numbers, the most frequent first."""
    known = Tokenizer.from_file(str(tokenizer)).get_vocab()
    words = (word for word in known if word.isascii() and word.isalpha() and len(word) > 1)
    return {word: known[word] for word in sorted(words, key=known.__getitem__)}


class TableEmbedder(Embedder):
    """The product's embedder, but a token has the vector of a table, whatever stands beside it. With `runs` the model
    runs too, for its time.
    """

    def __init__(self, model: models.LocalModel, runs: bool) -> None:
        super().__init__("table", model.paths["model"], model.paths["tokenizer"], "0" * 64)
        self._runs = runs
        known = Tokenizer.from_file(str(model.paths["tokenizer"])).get_vocab_size()
        ranks = np.maximum(0, np.arange(known) - min(vocabulary(model.paths["tokenizer"]).values()))
        drawn = np.random.default_rng(SEED).standard_normal((known, self.dimensions), np.float32)
        self._table: Vectors = drawn * np.log1p(ranks, dtype=np.float32)[:, None] ** 2

    def _run(self, window: Encoding) -> tuple[Vectors, Vectors]:
        if self._runs:
            super()._run(window)
        states = self._table[window.ids]
        inner = np.array(window.special_tokens_mask) == 0
        return _unit(states.mean(axis=0)), _unit(states[inner])


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: Vectors = (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
    return units


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
