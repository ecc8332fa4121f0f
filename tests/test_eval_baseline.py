"""The assistant is no worse than at the last release: a fixed part of the seed questions, with the default model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import REPO, real_model

from assistant import models, settings
from assistant.errors import ModelMissing
from evals import compare, evaluation

BASELINE = json.loads((REPO / "evals" / "baseline.json").read_text("utf-8"))


def needed(name: str) -> None:
    """Skips without the model, but fails in CI: a gate that nobody went through is no gate."""
    try:
        real_model(name)
    except pytest.skip.Exception as skipped:
        if os.environ.get("CI", "").lower() in ("", "0", "false"):
            raise
        pytest.fail(f"CI is set, and the baseline cannot be checked: {skipped.msg}")


@pytest.mark.parametrize(("ci", "raised"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_model_is_a_failure_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, raised: type[BaseException]
) -> None:
    def gone(*_: object) -> None:
        raise ModelMissing("It is not there.", "Pull it.")

    monkeypatch.setattr(models, "resolve", gone)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(raised, match="It is not there"):
        needed("qwen2.5-coder-1.5b")


@pytest.mark.real
@pytest.mark.timeout(1800)
def test_no_figure_is_below_the_baseline(tmp_path: Path) -> None:
    needed("qwen2.5-coder-1.5b")
    needed("all-minilm-l6-v2")
    outcome = evaluation.evaluate(evaluation.Plan({"small": None}), settings.load(home=tmp_path))
    evaluation.write(outcome, tmp_path / "report")
    assert outcome.whole
    assert not compare.below(outcome.run, BASELINE["suites"])
