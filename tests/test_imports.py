"""The garbage collector rests during imports, and works again afterwards whatever happened."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from assistant.imports import uncollected


def test_nothing_is_collected_meanwhile() -> None:
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count()
    gc.unfreeze()


def test_a_failed_import_leaves_the_collector_on() -> None:
    with pytest.raises(ModuleNotFoundError), uncollected():
        import assistant.no_such_room  # type: ignore[import-not-found] # noqa: F401
    assert gc.isenabled()


def test_the_command_line_starts_without_the_big_libraries() -> None:
    code = "import sys; from assistant import cli; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    big = {"chromadb", "fastapi", "gradio", "huggingface_hub", "langchain_core", "llama_cpp", "numpy", "onnxruntime"}
    assert not big & set(done.stdout.split())


def test_an_answer_needs_no_library_of_the_page_or_of_downloads() -> None:
    code = "import sys; from assistant import chain; print(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"fastapi", "gradio", "huggingface_hub", "pandas", "uvicorn"} & set(done.stdout.split())
