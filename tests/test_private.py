"""Nothing leaves the machine, whatever the environment says."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SPELLINGS = ["LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"]


@pytest.mark.parametrize("name", SPELLINGS)
def test_langsmith_stays_off(name: str) -> None:
    code = "import assistant.chain, langsmith.utils; print(langsmith.utils.tracing_is_enabled())"
    ran = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {name: "true"}, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"
