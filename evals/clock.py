"""How long a run took: from its first start, over all the times that it was stopped and went on."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

_FILE, _PART = "clock", "clock.part"  # in the folder of the run's logs, and gone with them


class Clock:
    """Goes on from what an earlier start of the same run kept in the folder of its logs."""

    def __init__(self, logs: Path, started: str, since: float) -> None:
        """`started` and `since` (by `time.monotonic`) are when the program was started this time."""
        self._logs = logs
        self._since = since
        self.started, self._before = _kept(logs) or (started, 0.0)

    @property
    def took_s(self) -> float:
        """Seconds in all; what lay between two starts is none of them."""
        return round(self._before + time.monotonic() - self._since, 1)

    def keep(self) -> None:
        """Call it after every case: who kills a run does not announce it."""
        with suppress(OSError):  # that the disk is full is told by the logs, which matter more
            self._logs.mkdir(parents=True, exist_ok=True)
            part = self._logs / _PART
            part.write_text(json.dumps([self.started, self.took_s]), "utf-8")
            part.replace(self._logs / _FILE)


def forget(logs: Path) -> None:
    """Takes what clocks kept out of the logs of a run that is whole."""
    for name in (_FILE, _PART):
        (logs / name).unlink(missing_ok=True)


def _kept(logs: Path) -> tuple[str, float] | None:
    try:
        started, took_s = json.loads((logs / _FILE).read_text("utf-8"))
        return str(started), float(took_s)
    except (OSError, TypeError, ValueError):
        return None
