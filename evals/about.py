"""What an evaluation ran on: enough to run the same again, and to tell why two runs differ."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from assistant import Settings, models, tuning
from assistant.errors import ModelError
from assistant.prompt import Prompts
from assistant.settings import origins
from evals.corpora import Corpus, digest
from evals.records import Case

ROOT = Path(__file__).parent.parent
_PACKAGES = ("llama-cpp-python", "chromadb", "langchain-core", "onnxruntime", "inspect-ai")
_CODE = ("assistant/**/*.py", "assistant/**/*.json", "evals/**/*.py", "evals/*.json")
_OPTIONAL: tuple[Literal["reranker", "checker"], ...] = ("reranker", "checker")
_PRIVATE = {"server.api_key", "home", "models.folder"}  # of no meaning to others


def about(
    settings: Settings, asked: Mapping[str, Sequence[Case]], corpora: Mapping[str, Corpus], seed: int
) -> dict[str, Any]:
    """Nested, for the report. `identity` picks from it what could change an answer."""
    llm = models.resolve(settings.models.llm, settings.models.folder, "llm")
    embedder = models.resolve(settings.models.embedder, settings.models.folder, "embedder")
    tuned = tuning.in_force(settings.engine, tuning.read(settings, llm.sha256))
    return {
        "model": {"name": llm.name, "sha256": llm.sha256},
        "embedder": {"name": embedder.name, "sha256": embedder.sha256},
        **_optional(settings),
        "prompts": Prompts().hashes,
        "settings": {origin.key: str(origin.value) for origin in origins(settings) if origin.key not in _PRIVATE},
        "engine": {key: str(value) for key, value in asdict(tuned).items() if key != "sources"},
        "cases": {suite: {"n": len(cases), "sha256": _digest(cases)} for suite, cases in asked.items()},
        "corpora": {suite: {"documents": one.documents, "sha256": one.sha256} for suite, one in corpora.items()},
        "code": {"sha256": _code(), **_commit()},
        "seed": seed,
        "machine": {
            "processor": tuning.cpu_name(),
            "cores": tuning.machine(settings).physical_cores,
            "system": platform.platform(),
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def identity(facts: Mapping[str, Any]) -> str:
    """The same for two runs that have to give the same answers. The commit is no part of it: the hashes of code,
    prompts, cases and documents tell all that matters of it, and a commit that changes none of them must not stop a
    run from going on.
    """
    picked = {key: value for key, value in facts.items() if key != "started"}
    return digest(picked | {"code": facts["code"]["sha256"]})[:16]


def _optional(settings: Settings) -> dict[str, Any]:
    """The models that are used only where the settings name them."""
    found: dict[str, Any] = {}
    for role in _OPTIONAL:
        name: str = getattr(settings.models, role)
        try:
            model = models.resolve(name, settings.models.folder, role) if name else None
        except ModelError:  # answers go on without this model, unchecked
            found[role] = {"name": name, "sha256": None}
        else:
            found |= {role: {"name": name, "sha256": model.sha256}} if model else {}
    return found


def _digest(cases: Sequence[Case]) -> str:
    return digest([asdict(case) for case in cases])


def _code() -> str:
    """sha256 of all that asks and scores, weights too, whether or not it was committed."""
    found = hashlib.sha256()
    for path in sorted(path for pattern in _CODE for path in ROOT.glob(pattern)):
        found.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _commit() -> dict[str, Any]:
    try:
        commit = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "-C", str(ROOT), "status", "--porcelain"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return {"commit": "unknown"}
    return {"commit": commit + (" and changes" if changed else "")}
