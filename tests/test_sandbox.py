"""The process that parses: its answers, its limits, and what it leaves behind."""

from __future__ import annotations

import threading
import time

import psutil
import pytest
from pdf_maker import pdf, show

from assistant import sandbox as room
from assistant.errors import EncryptedFile, ReaderFailed
from assistant.sandbox import Cancelled, Sandbox

PAGE = b"<p>Some words</p>"


def pid(sandbox: Sandbox) -> int:
    process = sandbox._process
    assert process is not None
    return process.pid


def worker(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Puts another program in the place of the reader."""
    start = room.subprocess.Popen

    def popen(command: list[str], **more):
        return start([command[0], "-c", code], **more)

    monkeypatch.setattr(room.subprocess, "Popen", popen)


def test_a_file_is_read_and_the_process_used_again():
    with Sandbox() as sandbox:
        assert sandbox.read(PAGE, "a.html").text == "Some words"
        first = pid(sandbox)
        assert sandbox.read(pdf([show([(72, 700, "Page")])]), "a.pdf").pages == (0,)
        assert pid(sandbox) == first
    assert not psutil.pid_exists(first)


def test_errors_come_as_they_are():
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage\0".encode("utf-16-le")
    with Sandbox() as sandbox, pytest.raises(EncryptedFile, match=r"a\.xlsx is encrypted") as caught:
        sandbox.read(data, "a.xlsx")
    assert "password" in caught.value.hint


def test_a_file_that_takes_too_long_fails_alone(monkeypatch: pytest.MonkeyPatch):
    with Sandbox(time_s=0.5) as sandbox, monkeypatch.context() as patched:
        worker(patched, "import time; time.sleep(60)")
        with pytest.raises(ReaderFailed, match=r"a\.html was given up: reading it took longer than 0\.5 s"):
            sandbox.read(PAGE * 1_000_000, "a.html")  # more than the pipe holds
        patched.undo()
        sandbox._time_s = 60
        assert sandbox.read(PAGE, "b.html").text == "Some words"


def test_a_file_that_needs_too_much_memory_fails_alone(monkeypatch: pytest.MonkeyPatch):
    with Sandbox(memory=100 * 1024**2) as sandbox:
        worker(monkeypatch, "import time; x = bytearray(300_000_000); time.sleep(60)")
        with pytest.raises(ReaderFailed, match="needed more than 100 MB"):
            sandbox.read(PAGE, "a.html")


def test_a_crash_fails_alone(monkeypatch: pytest.MonkeyPatch):
    with Sandbox() as sandbox, monkeypatch.context() as patched:
        worker(patched, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
        with pytest.raises(ReaderFailed, match=r"a\.html crashed the reader \(signal 11\)"):
            sandbox.read(PAGE, "a.html")
        patched.undo()
        assert sandbox.read(PAGE, "b.html").text == "Some words"


def test_reading_can_be_cancelled(monkeypatch: pytest.MonkeyPatch):
    cancel = threading.Event()
    worker(monkeypatch, "import time; time.sleep(60)")
    with Sandbox(cancel=cancel) as sandbox:
        threading.Timer(0.3, cancel.set).start()
        before = time.monotonic()
        with pytest.raises(Cancelled):
            sandbox.read(PAGE, "a.html")
    assert time.monotonic() - before < 10


def test_what_parses_does_not_load_the_rest():
    with Sandbox() as sandbox:
        sandbox.read(PAGE, "a.html")
        loaded = {mapped.path for mapped in psutil.Process(pid(sandbox)).memory_maps()}
    assert not [path for path in loaded if any(name in path for name in ("llama", "chroma", "onnx"))]
