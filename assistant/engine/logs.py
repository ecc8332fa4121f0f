"""llama.cpp's library and its log: the last lines are kept, for error messages and for what only the log tells."""

from __future__ import annotations

import ctypes
import re
from collections import deque

from assistant.errors import EngineFailed

try:
    import llama_cpp as llama
except (OSError, RuntimeError) as error:  # a library of the GPU's that it was built with is gone
    raise EngineFailed(
        f"llama.cpp cannot be loaded: {error}.",
        "Install what it lacks (the GPU's driver or toolkit, where it was built for one), or build it again: "
        "`make setup GPU=cpu`.",
    ) from error

__all__ = ["first", "forget", "gpu", "keep", "last", "llama", "offloaded"]

_log: deque[str] = deque(maxlen=50)


@llama.llama_log_callback  # type: ignore[untyped-decorator]
def _keep_log(_level: int, text: bytes, _data: object) -> None:
    line = text.decode("utf-8", "replace").strip()
    if line and line != ".":
        _log.append(line)


def keep() -> None:
    """Has llama.cpp tell us, and not stderr."""
    llama.llama_log_set(_keep_log, ctypes.c_void_p(0))


def forget() -> None:
    """Forgets what was logged: of what comes next is all that is asked."""
    _log.clear()


def first(words: str) -> str:
    """The first line that has these words; "" where none does."""
    return next((line for line in _log if words in line), "")


def offloaded() -> tuple[int, int]:
    """What llama.cpp logged of the last load: only builds that see a GPU do."""
    found = [match for line in _log if (match := re.search(r"offloaded (\d+)/(\d+) layers to GPU", line))]
    return (int(found[-1][1]), int(found[-1][2])) if found else (0, 0)


def gpu() -> str:
    """What a GPU library said last about itself; "" where none said anything."""
    return next((line for line in reversed(_log) if re.match(r"ggml_(cuda|vulkan|metal)", line)), "")


def last() -> str:
    """llama.cpp's latest line of log, for error messages."""
    return _log[-1] if _log else "no reason given"
