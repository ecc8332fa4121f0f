"""The assistant is no worse than at the last release: a fixed part of the seed questions, with the default model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import REPO, real_model

from assistant import settings
from evals import compare, evaluation

BASELINE = json.loads((REPO / "evals" / "baseline.json").read_text("utf-8"))


@pytest.mark.real
@pytest.mark.timeout(1800)
def test_no_figure_is_below_the_baseline(tmp_path: Path) -> None:
    real_model("qwen2.5-coder-1.5b")
    real_model("all-minilm-l6-v2")
    outcome = evaluation.evaluate(evaluation.Plan({"small": None}), settings.load(home=tmp_path))
    evaluation.write(outcome, tmp_path / "report")
    assert outcome.whole
    assert not compare.below(outcome.run, BASELINE["suites"])
