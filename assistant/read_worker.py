"""The process that parses: `python -m assistant.read_worker`, started by `sandbox`.

It answers one request after the other until stdin ends. A request is a line of JSON, {"op", "name", "number",
"size", "ocr"}, and `size` bytes; an answer 8 bytes that give its length, and that many bytes of JSON. While scanned
pages are read, {"scanned": [done, total]} comes before the answer, as often as a page is done: it takes seconds each.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from typing import Any, BinaryIO

from assistant import readers
from assistant.errors import AssistantError
from assistant.tesseract import Ocr
from assistant.unpack import Archive

_DEEP = 20_000  # calls; pages and documents may be nested far deeper than Python expects


def main() -> None:
    """Answers until stdin ends. Arguments: the limit of memory in bytes, 0 for none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    _limit(int(sys.argv[1]))
    sys.setrecursionlimit(_DEEP)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library may print must not get between the answers
    serve(sys.stdin.buffer, answers)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Reads requests and writes answers until there are no more."""
    archive: Archive | None = None
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["size"])
        languages = request["ocr"]
        ocr = Ocr(languages, lambda done, total: _send(answers, {"scanned": [done, total]})) if languages else None
        try:
            if request["op"] == "open":
                archive = Archive(data, request["name"])
            answer = _answer(request, data, archive, ocr)
        except AssistantError as error:
            answer = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        except MemoryError:
            answer = {"error": "memory"}
        except Exception as error:  # noqa: BLE001 - whatever a parser raises is about this file alone
            answer = {"error": "crash", "message": f"{type(error).__name__}: {error}"}
        del data
        _send(answers, answer)


def _send(answers: BinaryIO, answer: dict[str, Any]) -> None:
    encoded = json.dumps(answer).encode()
    answers.write(len(encoded).to_bytes(8, "big") + encoded)
    answers.flush()


def _answer(request: dict[str, Any], data: bytes, archive: Archive | None, ocr: Ocr | None) -> dict[str, Any]:
    if request["op"] == "read":
        return asdict(readers.read(data, request["name"], ocr))
    assert archive is not None
    if request["op"] == "open":
        return {"members": [asdict(member) for member in archive.members]}
    if request["op"] == "digest":
        return {"sha256": archive.digest(request["number"])}
    return asdict(archive.read(request["number"], ocr))


def _limit(memory: int) -> None:
    """No core dumps, and on Linux no more memory than this; elsewhere `sandbox` alone watches over it."""
    try:
        import resource
    except ImportError:  # not on this system
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _end_with(parent: int) -> None:
    """Ends this process, and what it started to read a scan, when its parent is gone; even while a parser hangs."""
    while os.getppid() == parent:
        time.sleep(1)
    if os.getpgrp() == os.getpid():  # a group of our own, as `sandbox` starts us
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main()
