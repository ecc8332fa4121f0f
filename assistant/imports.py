"""Importing without the garbage collector: what libraries make stays, and looking it through takes time each time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Collects nothing meanwhile, and never looks through what was made (`gc.freeze`, as its documentation advises).

    For imports and what else lives as long as the process: the cycles that are garbage now are never freed.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
