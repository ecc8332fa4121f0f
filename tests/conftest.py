"""Shared by all tests: where real models lie, and folders that are never the user's own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from assistant import models
from assistant.errors import AssistantError
from assistant.settings import Settings

settings.register_profile("no deadline", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("no deadline")  # times are never asserted

REPO = Path(__file__).parent.parent
SLOW = {  # they start and kill processes, fill disks, read long files
    *("test_documents_real", "test_index", "test_ingest_run", "test_models", "test_private"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True, scope="session")
def _heeds_ctrl_c() -> Iterator[None]:
    """A job in the background of a shell ignores SIGINT, and so would all that the tests start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True, scope="session")
def _no_user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing a test does may end in the home of the person who runs it."""
    before = os.environ.get("ASSISTANT_HOME")
    os.environ["ASSISTANT_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    if before is None:
        del os.environ["ASSISTANT_HOME"]
    else:
        os.environ["ASSISTANT_HOME"] = before


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    """Long enough for a machine that is busy; `seconds` is for what would come to pass later by itself."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.01)


def real_model(name: str) -> models.LocalModel:
    """A model of the catalog, or a skip with the reason why it is not here."""
    try:
        return models.resolve(name, Settings().models.folder)
    except AssistantError as error:
        pytest.skip(f"needs a model: {error}")


@pytest.fixture(scope="session")
def tiny_llm() -> Path:
    return next(iter(real_model("smollm2-135m").paths.values()))


@pytest.fixture(scope="session")
def default_llm() -> Path:
    return next(iter(real_model("qwen2.5-coder-1.5b").paths.values()))
