"""How long from nothing to the first word: `assistant ask` as a person runs it, on a small index of its own."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from assistant import terminal, tuning
from assistant.settings import CONFIG_NAME, Settings
from evals.bench_prompts import SEED, about, documents_in

STARTS = 3


def starts(documents: Path, settings: Settings, folder: Path) -> list[float]:
    """Seconds from the start of `assistant ask` to its first byte of answer, from a warm disk, several times."""
    environment = os.environ | {
        "ASSISTANT_HOME": str(folder / "home"),
        "ASSISTANT_MODELS__FOLDER": str(settings.models.folder),
        "ASSISTANT_MODELS__LLM": settings.models.llm,
        "ASSISTANT_ENGINE__REUSE": settings.engine.reuse,
        "ASSISTANT_ANSWER__MAX_TOKENS": "16",
    }
    command = [sys.executable, "-m", "assistant"]
    _copy_choices(settings.home, folder / "home")
    with (folder / "start.log").open("wb") as log:
        ingest = [*command, "ingest", str(documents)]
        if not _ended_well(subprocess.Popen(ingest, stdout=log, stderr=log, env=environment, start_new_session=True)):
            terminal.say(f"  assistant ingest failed: {_last_line(folder / 'start.log')}")
            return []
        seconds: list[float] = []
        for question in _questions(documents):
            began = time.monotonic()
            ask = subprocess.Popen(
                [*command, "ask", question],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
            first = _first_byte(ask)
            if first is None:
                terminal.say(f"  assistant ask failed: {_last_line(folder / 'start.log')}")
                break
            seconds.append(first - began)
            terminal.say(f"  start {len(seconds)}: {seconds[-1]:.2f} s")
    return seconds


def _questions(folder: Path) -> list[str]:
    draw = random.Random(SEED)
    paths = documents_in(folder)
    return [about(draw.choice(paths).read_text("utf-8", "replace"), draw) for _ in range(STARTS)]


def _copy_choices(home: Path, target: Path) -> None:
    """Makes a home that answers as the user's does: with the same settings, and what tuning found."""
    target.mkdir()
    for name in (CONFIG_NAME, tuning.FILE_NAME):
        if (home / name).is_file():
            shutil.copy(home / name, target)


def _first_byte(process: subprocess.Popen[bytes]) -> float | None:
    """When the first byte of its output came, on the monotonic clock; None when it failed."""
    assert process.stdout
    try:
        first = process.stdout.read(1)
        at = time.monotonic()
        process.stdout.read()
    except BaseException:
        process.kill()
        raise
    return at if _ended_well(process) and first else None


def _ended_well(process: subprocess.Popen[bytes]) -> bool:
    """Waits for it. It does not outlive an interruption."""
    try:
        return process.wait() == 0
    finally:
        process.kill()
        process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
