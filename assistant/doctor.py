"""What `assistant doctor` reports: machine, software, models, index, speed, settings, and what is wrong with them."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from assistant import models, tesseract, tuning
from assistant.errors import AssistantError, BadSettings
from assistant.ingest import Ingest
from assistant.models import LocalModel
from assistant.settings import ReadSection, Settings, home_config, origins
from assistant.tuning import Trial, Tuning

_PACKAGES = ("llama-cpp-python", "chromadb", "langchain", "langchain-core", "gradio", "onnxruntime")
_UNKNOWN = "unknown until `assistant doctor --tune`"
_UNTOLD = "unknown: llama.cpp did not say"
_WITHOUT = {
    "reranker": "none: chunks are compared token by token",
    "checker": "none: the language model and words decide",
}
_DRIVER = {
    "cuda": "`nvidia-smi` shows what the driver sees",
    "hip": "`rocminfo` shows what the driver sees",
    "vulkan": "`vulkaninfo --summary` shows what the drivers see; those without a GPU (llvmpipe) do not count",
}
_REBUILD = "this build of llama.cpp has no GPU support: rebuild with `make setup GPU=cuda|vulkan|metal|rocm`"


def examine(settings: Settings) -> dict[str, Any]:
    """Facts by section; "problems" lists in plain words what keeps the assistant from answering."""
    problems: list[str] = []
    found, llm = _models(settings, problems)
    tuned = tuning.read(settings, llm.sha256) if llm else None
    return {
        "machine": _machine(settings.home),
        "software": _software(),
        "models": found,
        "collections": _collections(settings, problems),
        "scans": scans(settings.read),
        "gpu": gpu(settings.engine.gpu_layers, tuned),
        "engine": _engine(settings, tuned),
        "tuning": tuning_facts(tuned),
        "settings": {
            origin.key: {"value": str(origin.value), "source": origin.source} for origin in origins(settings)
        },
        "problems": problems,
    }


def examine_machine(error: BadSettings) -> dict[str, Any]:
    """What can be said while a setting is wrong: models, index and engine all depend on settings."""
    return {
        "machine": _machine(home_config().parent),
        "software": _software(),
        "gpu": gpu(-1, None),
        "problems": [str(error)],
    }


def rows(facts: Any) -> Iterator[tuple[str, str, str]]:
    """A section's facts as lines of a table of three columns."""
    if isinstance(facts, list):
        yield from ((str(fact), "", "") for fact in facts or ["none"])
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            first, *rest = map(str, value.values())
            yield key, first, ", ".join(rest)
        elif isinstance(value, list):
            yield key, ", ".join(map(str, value)) or "none", ""
        else:
            yield key, str(value), ""


def gpu(gpu_layers: int, tuned: Tuning | None) -> dict[str, Any]:
    """How much of the model runs on a GPU, and why not more. `gpu_layers` is the setting; speeds are tokens/s."""
    built, devices = tuning.gpu_facts()
    why = _why_no_gpu(gpu_layers, built, devices)
    facts: dict[str, Any] = {"built_for": list(built), "devices": list(devices)}
    if why:
        return facts | {"layers_on_gpu": "0", "why": why}
    if tuned is None:
        return facts | {"layers_on_gpu": _UNKNOWN}
    facts["layers_on_gpu"] = f"{tuned.layers_on_gpu} of {tuned.layers}" if tuned.layers else _UNTOLD
    if tuned.layers and tuned.layers_on_gpu == 0:
        facts["why"] = "llama.cpp put no layer there; it says why when run with its log"
    return facts | {"prefill_tok_s": tuned.prefill_tok_s, "decode_tok_s": tuned.decode_tok_s}


def tuning_facts(tuned: Tuning | None) -> dict[str, Any]:
    """What was measured, for a person. Speeds are tokens/s, `question_s` those of `choose.question_s`."""
    if tuned is None:
        return {"state": "not measured for this model on this machine: run `assistant doctor --tune`"}
    trials = {trial.name: _trial(trial) for trial in tuned.trials}
    return {
        "state": f"measured {tuned.measured_at}, in {tuned.measured_s:.0f} s{_busy(tuned)}",
        "threads": tuned.threads,
        "batch_tokens": tuned.batch_tokens,
        "repack_weights": tuned.repack_weights,
        "flash_attention": tuned.flash_attention,
        "kv_type": tuned.kv_type,
        "drafts": tuned.draft_tokens,
        "prefill_tok_s": tuned.prefill_tok_s,
        "behind_tok_s": tuned.behind_tok_s,
        "decode_tok_s": tuned.decode_tok_s,
        "step_ratios": list(tuned.step_ratios),
    } | trials


def summary(tuned: Tuning) -> str:
    """The choices in one line."""
    repack = "on" if tuned.repack_weights else "off"
    return (
        f"Tuned {tuned.measured_at}{_busy(tuned)}: "
        f"threads {tuned.threads}, batch_tokens {tuned.batch_tokens}, repack_weights {repack}, "
        f"flash_attention {tuned.flash_attention}, kv_type {tuned.kv_type}, drafts {tuned.draft_tokens}."
    )


def _busy(tuned: Tuning) -> str:
    if tuned.busy_percent < tuning.BUSY_PERCENT:
        return ""
    return f", while other programs kept {tuned.busy_percent:.0f}% of the processor busy"


def trial_line(trial: Trial) -> str:
    """How one candidate went, as a line."""
    return f"{trial.name}: {', '.join(map(str, _trial(trial).values()))}"


def _trial(trial: Trial) -> dict[str, Any]:
    if not trial.question_s:
        return {"outcome": trial.outcome}
    read = f"reads {trial.prefill_tok_s:.0f}, behind sources {trial.behind_tok_s:.0f}"
    speeds = f"{read}, writes {trial.decode_tok_s:.1f} tokens/s"
    return {"outcome": f"{trial.question_s:.2f} s to a checked sentence", "speeds": speeds}


def scans(read: ReadSection) -> dict[str, Any]:
    """Whether scanned pages are read, with what, and in which languages."""
    found = tesseract.program()
    facts: dict[str, Any] = {"program": found or "tesseract not found", "ocr_languages": read.ocr_languages}
    try:
        if found:
            facts |= {"version": tesseract.version(), "installed_languages": tesseract.installed()}
        tesseract.check(read.ocr_languages)
        state = "read by OCR"
    except tesseract.Failed as error:
        state = f"not read: {error}"
    except tesseract.Unavailable as error:
        state = f"not read: {error.why}. {error.hint}"
    return {"state": "not read: read.ocr is off" if read.ocr == "off" else state} | facts


def _why_no_gpu(gpu_layers: int, built: tuple[str, ...], devices: tuple[str, ...]) -> str:
    """The reason why nothing runs on a GPU, as far as it shows without loading the model; "" without one."""
    if not built and not devices:
        return _REBUILD
    if not devices:
        log = tuning.gpu_log()
        said = f", says llama.cpp: {log.rstrip('.')}" if log else ""
        asks = "".join(f". {_DRIVER[name]}" for name in built if name in _DRIVER)
        return f"no device found{said}{asks}"
    return "engine.gpu_layers = 0" if gpu_layers == 0 else ""


def _engine(settings: Settings, tuned: Tuning | None) -> dict[str, Any]:
    """What takes effect of the settings that tuning can choose, and where each value comes from."""
    force = tuning.in_force(settings.engine, tuned)
    values = asdict(force)
    where = {origin.key: origin.source for origin in origins(settings)}
    return {
        key: {"value": values[key], "source": where[f"engine.{key}"] if source == "setting" else source}
        for key, source in force.sources.items()
    }


def _software() -> dict[str, str]:
    return {"python": sys.version.split()[0]} | {name: version(name) for name in _PACKAGES}


def _machine(home: Path) -> dict[str, Any]:
    memory = psutil.virtual_memory()
    home = next(folder for folder in (home, *home.parents) if folder.exists())
    return {
        "system": platform.platform(),
        "processor": tuning.cpu_name(),
        "cores": psutil.cpu_count(logical=False),
        "memory_gb": round(memory.total / 1e9, 1),
        "memory_free_gb": round(memory.available / 1e9, 1),
        "disk_free_gb": round(shutil.disk_usage(home).free / 1e9, 1),
        "largest_model_that_fits": models.suggest(memory.total).name,
    }


def _models(settings: Settings, problems: list[str]) -> tuple[dict[str, Any], LocalModel | None]:
    """The models in use, and the language model where it is here."""
    found: dict[str, Any] = {}
    here: dict[str, LocalModel] = {}
    roles: tuple[models.ModelRole, ...] = ("llm", "embedder", "reranker", "checker")
    for role in roles:
        name = getattr(settings.models, role)
        if not name and role in _WITHOUT:
            found[role] = {"name": _WITHOUT[role]}
            continue
        try:
            local = here[role] = models.resolve(name, settings.models.folder, role)
            found[role] = {"name": local.name, "sha256": local.sha256}
        except AssistantError as error:
            found[role] = {"name": name, "state": error.message}
            problems.append(str(error))
    return found, here.get("llm")


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
