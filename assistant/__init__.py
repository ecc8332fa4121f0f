"""A private chat assistant over your own documents, wholly on your machine.

from assistant import Assistant, Settings
with Assistant.open(Settings()) as assistant:
    print(assistant.answer("...").answer)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.chain import Assistant
    from assistant.settings import Settings

__all__ = ["Assistant", "Settings"]

# Libraries read these when they are imported: none of them may send anything anywhere.
os.environ.update(
    ANONYMIZED_TELEMETRY="False",  # chromadb
    DO_NOT_TRACK="1",
    GRADIO_ANALYTICS_ENABLED="False",
    HF_HUB_DISABLE_TELEMETRY="1",
    LANGCHAIN_TRACING="false",  # langsmith reads four names, the first one set wins
    LANGCHAIN_TRACING_V2="false",
    LANGSMITH_TRACING="false",
    LANGSMITH_TRACING_V2="false",
    OTEL_SDK_DISABLED="true",
)

# Read by GNU OpenMP when llama.cpp loads it. By its default a thread that waits for others spins for milliseconds,
# several hundred times a token; with any other program on the same cores a token then takes up to 30 times as long.
SPIN_COUNT_IS_OURS = "GOMP_SPINCOUNT" not in os.environ  # and not the user's: evals.peer_process asks
os.environ.setdefault("GOMP_SPINCOUNT", "5000")
# Read by numpy's OpenBLAS. The products of a search are small; shared among threads that wait for each other while the
# language model has the cores, they take twice as long as on one (docs/lab.md).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def __getattr__(name: str) -> Any:
    """Loads the two public names when they are first used: the command line starts without LangChain."""
    if name == "Assistant":
        from assistant.chain import Assistant

        return Assistant
    if name == "Settings":
        from assistant.settings import Settings

        return Settings
    raise AttributeError(f"module 'assistant' has no attribute {name!r}")
