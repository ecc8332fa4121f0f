"""A run that is killed at any step, and what the next one makes of it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable
from functools import wraps
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
from fake_embedder import FakeEmbedder

from assistant import index as index_module
from assistant import ingest_run
from assistant.flat import Flat
from assistant.index import Index
from assistant.ingest import Ingest
from assistant.library import Library
from assistant.shared_folder import SharedFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

# Every call that changes something on disk. A kill comes before each: after one is before the next.
STEPS: tuple[tuple[type, str], ...] = (
    (Library, "begin"),
    (Library, "commit"),
    (Library, "attach"),
    (Library, "detach"),
    (Library, "remove"),
    (Library, "finish"),
    (Index, "add"),
    (Index, "delete"),
    (Flat, "put"),
    (Flat, "drop"),
)
WITHIN_THE_INDEX = (SharedFolder, "_write")  # once before and once after Chroma changes anything
KILLED = 9

Job = Callable[[Path, Ingest], None]


def paragraphs(name: str) -> str:
    return "\n\n".join(f"Paragraph {i} of {name} tells of {i} boats. " * 12 for i in range(4))


def first_state(folder: Path, ingest: Ingest) -> None:
    for name in ("changes", "goes", "moves", "stays"):
        (folder / f"{name}.txt").write_text(paragraphs(name))
    ingest.add([folder], "default")
    ingest.add_bytes("up.txt", b"An upload.", "default")


def change_files(folder: Path, ingest: Ingest) -> None:
    (folder / "changes.txt").write_text(paragraphs("changes") + "\n\nAnd one more.")
    (folder / "goes.txt").unlink(missing_ok=True)
    if (folder / "moves.txt").exists():
        (folder / "moves.txt").rename(folder / "moved.txt")
    (folder / "new.txt").write_text(paragraphs("new"))
    ingest.add([folder], "default", prune=True)


def upload(folder: Path, ingest: Ingest) -> None:
    ingest.add_bytes("up.txt", b"A new upload.", "default")


def delete(folder: Path, ingest: Ingest) -> None:
    for info in ingest.documents("default"):
        if info.file == "stays.txt":
            ingest.delete(info.id, "default")
    ingest.add([folder / "goes.txt"], "default")  # deleting alone leaves it to the next run to tidy up


def first_ingest(folder: Path, ingest: Ingest) -> None:
    ingest.add([folder / "goes.txt", folder / "stays.txt"], "second")


def opened(root: Path) -> Ingest:
    return Ingest(root / "home", FakeEmbedder, max_chars=400)


def counting(kill_at: int, steps_of: tuple[tuple[type, str], ...]) -> list[int]:
    """Makes the process end at the given step; gives a place where the steps are counted."""
    steps = [0]

    def step() -> None:
        steps[0] += 1
        if steps[0] == kill_at:
            os._exit(KILLED)

    def framed(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            step()
            return function(*arguments, **named)

        return wrapper

    for owner, name in steps_of:
        setattr(owner, name, framed(getattr(owner, name)))
    return steps


def prepare(root: Path, answers: Any) -> None:
    """In a process of its own: the state before the job."""
    (root / "texts").mkdir(parents=True)
    ingest = opened(root)
    first_state(root / "texts", ingest)
    answers.send(state(ingest, "default"))
    ingest.close()


def work(root: Path, job: Job, kill_at: int, answers: Any) -> None:
    """In a process of its own: does the job, killed at a step; then tells how many steps there were."""
    ingest_run.BATCH = 4
    steps = counting(kill_at, (*STEPS, WITHIN_THE_INDEX) if job is upload else STEPS)
    ingest = opened(root)
    job(root / "texts", ingest)
    ingest.close()
    answers.send(steps[0])


def examine(root: Path, job: Job, answers: Any) -> None:
    """In a process of its own: what a reader finds, and what is there after the job is done again."""
    ingest_run.BATCH = 4
    index_module._readable = lambda _: True  # tested with the index; it would take seconds each time
    ingest = opened(root)
    found = {name: state(ingest, name) for name in known(ingest)}
    job(root / "texts", ingest)
    answers.send((found, {name: state(ingest, name) for name in known(ingest)}))
    ingest.close()


def known(ingest: Ingest) -> list[str]:
    return [info.name for info in ingest.collections()]


def state(ingest: Ingest, collection: str) -> dict[str, Any]:
    library = ingest.library
    return {
        "documents": {
            Path(info.path).name: library.document(collection, info.id).text for info in library.documents(collection)
        },
        "chunks": sorted(library.chunk_ids(collection)),
        "index": sorted(ingest.index.chunk_ids(collection)),
        "flat": sorted(ingest.index._beside().flat.chunk_ids(collection)),
        "unfinished": library.unfinished(collection),
    }


@pytest.fixture(scope="module")
def forks() -> Any:
    """Starts processes from one that has everything imported and nothing opened."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with pytest.MonkeyPatch.context() as patch:  # the server does not inherit sys.path
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    return context


def run(forks: Any, target: Callable[..., None], *arguments: Any) -> tuple[int, Any]:
    """Exit code and answer of a process."""
    reader, writer = forks.Pipe(duplex=False)
    process = forks.Process(target=target, args=(*arguments, writer))
    process.start()
    writer.close()
    try:
        answer = reader.recv()
    except EOFError:
        answer = None
    process.join()
    return process.exitcode, answer


@pytest.mark.parametrize("job", [change_files, upload, delete, first_ingest])
def test_killed_at_any_step_a_rerun_completes(tmp_path: Path, forks: Any, job: Job):
    root, kept = tmp_path / "root", tmp_path / "kept"
    _, before = run(forks, prepare, root)
    shutil.copytree(root, kept)
    code, steps = run(forks, work, root, job, 0)
    assert code == 0
    assert steps >= 3
    _, (_, wanted) = run(forks, examine, root, job)
    texts = {text for each in (before, *wanted.values()) for text in each["documents"].values()}
    for step in range(1, steps + 1):
        shutil.rmtree(root)
        shutil.copytree(kept, root)
        assert run(forks, work, root, job, step)[0] == KILLED
        code, (found, after) = run(forks, examine, root, job)
        assert code == 0
        assert after == wanted, f"killed at step {step} of {steps}"
        for each in found.values():
            assert set(each["documents"].values()) <= texts
            assert set(each["chunks"]) <= set(each["index"]), f"step {step}: chunks count that are not there"
            assert each["unfinished"] or each["chunks"] == each["index"]
