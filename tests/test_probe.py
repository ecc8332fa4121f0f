"""The probe: which model it is for, what it says of a hidden state, and how it is fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant.errors import BadInput
from assistant.probe import FILE, Probe
from evals.fitting import fit_probe


def test_the_log_odds_are_a_sum() -> None:
    probe = Probe(model_sha256="m", layer=1, bias=0.5, out_of_scope=0.0, weights=(1.0, -2.0))
    assert probe.log_odds([3.0, 1.0]) == 1.5
    assert probe.log_odds(np.array([3.0, 1.0], np.float32)) == 1.5


def test_it_is_good_for_one_model_alone() -> None:
    shipped = Probe.read()
    assert Probe.of(shipped.model_sha256) == shipped
    assert Probe.of("0" * 64) is None
    assert len(shipped.weights) == 1536
    assert any(shipped.weights)


@pytest.mark.parametrize("text", [None, "{}", FILE.read_text("utf-8").replace("[", "[nan,", 1)])
def test_a_damaged_file_is_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "probe.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadInput, match=r"probe\.json"):
        Probe.read(file)


def test_fitting_finds_a_direction_that_is_there() -> None:
    draw = np.random.default_rng(3)
    states = draw.normal(size=(400, 60)) * np.linspace(0.1, 5, 60)
    true = 4 * states[:, 50] - 4 * states[:, 40] + draw.normal(size=400) > 0
    weights, bias = fit_probe(states[:300], true[:300], 10.0)
    assert (((states[300:] @ weights + bias) > 0) == true[300:]).mean() > 0.8
