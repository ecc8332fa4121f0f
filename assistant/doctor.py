"""What `assistant doctor` reports: machine, software, models, index, settings, and what is wrong with them."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import psutil

from assistant import models
from assistant.errors import AssistantError
from assistant.ingest import Ingest
from assistant.settings import Settings, origins

_PACKAGES = ("llama-cpp-python", "chromadb", "langchain", "langchain-core", "gradio", "onnxruntime")


def examine(settings: Settings) -> dict[str, Any]:
    """Facts by section; "problems" lists in plain words what keeps the assistant from answering."""
    problems: list[str] = []
    report = {
        "machine": _machine(settings),
        "software": {"python": sys.version.split()[0]} | {name: version(name) for name in _PACKAGES},
        "models": _models(settings, problems),
        "collections": _collections(settings, problems),
        "settings": {
            origin.key: {"value": str(origin.value), "source": origin.source} for origin in origins(settings)
        },
    }
    return report | {"problems": problems}


def rows(facts: Any) -> Iterator[tuple[str, str, str]]:
    """A section's facts as lines of a table of three columns."""
    if isinstance(facts, list):
        yield from ((str(fact), "", "") for fact in facts or ["none"])
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            first, *rest = map(str, value.values())
            yield key, first, ", ".join(rest)
        else:
            yield key, str(value), ""


def _machine(settings: Settings) -> dict[str, Any]:
    memory = psutil.virtual_memory()
    home = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=False),
        "memory_gb": round(memory.total / 1e9, 1),
        "memory_free_gb": round(memory.available / 1e9, 1),
        "disk_free_gb": round(shutil.disk_usage(home).free / 1e9, 1),
        "largest_model_that_fits": models.suggest(memory.total).name,
    }


def _models(settings: Settings, problems: list[str]) -> dict[str, Any]:
    found = {}
    for role, name in (("llm", settings.models.llm), ("embedder", settings.models.embedder)):
        try:
            local = models.resolve(name, settings.models.folder)
            found[role] = {"name": local.name, "sha256": local.sha256}
        except AssistantError as error:
            found[role] = {"name": name, "state": error.message}
            problems.append(str(error))
    return found


def _collections(settings: Settings, problems: list[str]) -> dict[str, Any]:
    try:
        library = Ingest.open(settings)
        try:
            found = library.collections()
        finally:
            library.close()
    except AssistantError as error:
        problems.append(str(error))
        return {}
    if not found:
        problems.append("No documents yet. Add some with `assistant ingest PATH`.")
    return {info.name: {"documents": info.documents, "chunks": info.chunks} for info in found}
