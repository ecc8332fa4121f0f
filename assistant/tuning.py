"""What `assistant doctor --tune` found, kept in ASSISTANT_HOME/tuning.json, and the settings that come of it.

An entry holds for one machine, one build of llama-cpp-python and one model file. A setting wins over what was
found, and that over the default.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import distribution
from pathlib import Path
from typing import TypeVar

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistant.engine import EngineConfig
from assistant.engine.backend import physical_cores
from assistant.engine.choose import DEFAULT_BATCH, NO_TIME, WIDTHS, Flash, Found, KvType, Measure, Search, Trial
from assistant.engine.gpus import gpu_facts
from assistant.engine.logs import gpu as gpu_log
from assistant.engine.tune import Prober
from assistant.errors import StorageError
from assistant.models import LocalModel
from assistant.settings import EngineSection, Settings

__all__ = [
    "BUSY_PERCENT",
    "InForce",
    "Machine",
    "Trial",
    "Tuning",
    "busy_percent",
    "cpu_name",
    "engine_config",
    "gpu_facts",
    "gpu_log",
    "in_force",
    "machine",
    "read",
    "tune",
]

FILE_NAME = "tuning.json"
BUSY_PERCENT = 25  # of all cores: from here on, what is measured is worth little
DRAFTS_ON = max(WIDTHS) - 1  # tokens, for `engine.drafts = "on"` where tuning found none worth it

OnTrial = Callable[[Trial, int, int], None]
_Value = TypeVar("_Value")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Machine(_Frozen):
    """What speeds depend on beside the model. `gpu_layers` is the setting, 0 where there is no GPU."""

    cpu: str
    physical_cores: int  # that this process may use
    logical_cores: int
    llama_cpp_python: str  # version, and a hash of its libraries: the same version can be built in many ways
    gpus: tuple[str, ...]
    gpu_layers: int


class Tuning(_Frozen):
    """One entry of tuning.json. `step_ratios`: time of a step of 1, 2, ... tokens relative to one."""

    machine: Machine
    model_sha256: str
    threads: int = Field(ge=1)
    batch_tokens: int = Field(ge=16, le=2048)
    repack_weights: bool
    flash_attention: Flash
    kv_type: KvType
    draft_tokens: int = Field(ge=0, le=16)
    prefill_tok_s: float
    behind_tok_s: float  # reading a question behind its sources
    decode_tok_s: float
    step_ratios: tuple[float, ...]
    layers_on_gpu: int
    layers: int  # 0 where llama.cpp did not say
    trials: tuple[Trial, ...]
    measured_at: str  # local time, ISO 8601
    measured_s: float
    busy_percent: float  # of all cores, with other programs, just before

    @property
    def left_out(self) -> list[str]:
        """Candidates for which no time was left."""
        return [trial.name for trial in self.trials if trial.outcome == NO_TIME]


@dataclass(frozen=True, slots=True)
class InForce:
    """The engine's settings as they take effect. `sources` says of each key "setting", "tuning" or "default"."""

    threads: int
    batch_tokens: int
    repack_weights: bool
    flash_attention: Flash
    kv_type: KvType
    drafts: int
    sources: dict[str, str]


def engine_config(settings: Settings, model_sha256: str) -> EngineConfig:
    """How to run a model by these settings, on this machine."""
    engine = settings.engine
    force = in_force(engine, read(settings, model_sha256))
    return EngineConfig(
        context_tokens=engine.context_tokens,
        max_sequences=engine.max_sequences,
        queue=engine.queue,
        threads=force.threads,
        batch_tokens=force.batch_tokens,
        repack_weights=force.repack_weights,
        flash_attention=force.flash_attention,
        kv_type=force.kv_type,
        draft_tokens=force.drafts,
        gpu_layers=engine.gpu_layers,
        reuse=engine.reuse,
        model_id=model_sha256,
        store=settings.home / "kv",
        store_disk_bytes=engine.cache_disk_mb << 20,
        store_memory_bytes=engine.cache_memory_mb << 20,
        prefix_memory_bytes=engine.cache_memory_mb << 20,
    )


def in_force(engine: EngineSection, tuned: Tuning | None) -> InForce:
    """Settings first, then what tuning found, then defaults."""
    sources: dict[str, str] = {}

    def pick(key: str, chosen: _Value | None, found: _Value | None, default: _Value) -> _Value:
        sources[key] = "setting" if chosen is not None else "tuning" if found is not None else "default"
        return chosen if chosen is not None else found if found is not None else default

    flash_set: Flash | None = None if engine.flash_attention == "auto" else engine.flash_attention
    cells_set: KvType | None = None if engine.kv_type == "auto" else engine.kv_type
    flash, cells = (tuned.flash_attention, tuned.kv_type) if tuned else (None, None)
    if flash_set == "off":  # llama.cpp cannot read q8_0 cells without it: what was found does not fit this setting
        cells = None
    if cells_set == "q8_0" and flash == "off":
        flash = None
    drafts_found = tuned.draft_tokens if tuned else None
    drafts_set = {"on": drafts_found or DRAFTS_ON, "off": 0}.get(engine.drafts)
    repack_set = {"on": True, "off": False}.get(engine.repack_weights)
    return InForce(
        threads=pick("threads", engine.threads or None, tuned.threads if tuned else None, physical_cores()),
        batch_tokens=pick(
            "batch_tokens", engine.batch_tokens or None, tuned.batch_tokens if tuned else None, DEFAULT_BATCH
        ),
        repack_weights=pick("repack_weights", repack_set, tuned.repack_weights if tuned else None, False),
        flash_attention=pick("flash_attention", flash_set, flash, "auto"),
        kv_type=pick("kv_type", cells_set, cells, "f16"),
        drafts=pick("drafts", drafts_set, drafts_found, 0),
        sources=sources,
    )


def tune(
    settings: Settings,
    model: LocalModel,
    on_trial: OnTrial,
    measure: Measure | None = None,
    clock: Callable[[], float] = time.monotonic,
    busy_percent: float = 0.0,
) -> Tuning:
    """Measures, for about a minute at most, and keeps what was found; before that nothing is written.

    `busy_percent` is noted with it. Raises EngineFailed when the model cannot be measured at all, StorageError when
    nothing can be written.
    """
    here, begun, kept = machine(settings), clock(), settings.engine.reuse == "chunks"
    with closing(Prober(model.paths["model"], settings.engine.gpu_layers)) as prober:
        found = Search(measure or prober, here.physical_cores, here.logical_cores, kept, on_trial, clock).run()
    entry = _entry(here, model.sha256, found, clock() - begun, busy_percent)
    _store(settings, entry)
    return entry


def read(settings: Settings, model_sha256: str) -> Tuning | None:
    """What was found for this machine and model, if anything. Takes milliseconds; a damaged file counts as none."""
    entries = _entries(settings.home / FILE_NAME)
    if not entries:
        return None
    here = machine(settings)
    return next((entry for entry in entries if (entry.machine, entry.model_sha256) == (here, model_sha256)), None)


def machine(settings: Settings) -> Machine:
    """This machine, as an entry names it."""
    gpus = gpu_facts()[1]
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1
    return Machine(
        cpu=cpu_name(),
        physical_cores=physical_cores(),
        logical_cores=allowed,
        llama_cpp_python=_llama_build(),
        gpus=gpus,
        gpu_layers=settings.engine.gpu_layers if gpus else 0,
    )


def _llama_build() -> str:
    """Version and hash of the installed libraries, taken from the hashes that the installer noted of each file."""
    installed = distribution("llama-cpp-python")
    files = sorted(line for line in (installed.read_text("RECORD") or "").splitlines() if "/lib/" in line)
    digest = hashlib.sha256("\n".join(files).encode()).hexdigest()
    return f"{installed.version} {digest[:12]}"


def cpu_name() -> str:
    """The processor's name: "model name" of /proc/cpuinfo, on macOS sysctl's, elsewhere what Python knows."""
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, check=False
        )
        return asked.stdout.decode("utf-8", "replace").strip() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def busy_percent() -> float:
    """How busy all cores of this machine are, watched for half a second."""
    return float(psutil.cpu_percent(0.5))


def _entry(here: Machine, model_sha256: str, found: Found, measured_s: float, busy: float) -> Tuning:
    return Tuning(
        machine=here,
        model_sha256=model_sha256,
        **asdict(found.load),
        batch_tokens=found.batch_tokens,
        draft_tokens=found.draft_tokens,
        prefill_tok_s=found.prefill_tok_s,
        behind_tok_s=found.behind_tok_s,
        decode_tok_s=found.decode_tok_s,
        step_ratios=found.step_ratios,
        layers_on_gpu=found.offloaded[0],
        layers=found.offloaded[1],
        trials=found.trials,
        measured_at=datetime.now().isoformat(timespec="seconds"),
        measured_s=round(measured_s, 1),
        busy_percent=busy,
    )


def _entries(path: Path) -> list[Tuning]:
    """All entries that can be read; a damaged file has none, and is written anew by the next tuning."""
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return []
    found = []
    for entry in raw if isinstance(raw, list) else []:
        try:
            found.append(Tuning.model_validate(entry))
        except ValidationError:
            continue
    return found


def _store(settings: Settings, entry: Tuning) -> None:
    """Puts the entry in the file, in place of one for the same machine and model. The file is replaced at once."""
    path = settings.home / FILE_NAME
    key = (entry.machine, entry.model_sha256)
    others = [old for old in _entries(path) if (old.machine, old.model_sha256) != key]
    draft = path.with_name(f"{FILE_NAME}.{os.getpid()}.part")
    text = json.dumps([one.model_dump() for one in [*others, entry]], indent=1, ensure_ascii=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, "utf-8")
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror}.", "Check the folder's permissions.") from error
