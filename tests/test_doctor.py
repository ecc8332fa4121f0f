"""`assistant doctor`: the GPU's report, what is in force, wrong settings, and `--tune` at the door."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from test_tuning import entry

from assistant import cli, doctor, models, tuning
from assistant.engine import choose, logs
from assistant.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ASSISTANT_MODELS__LLM", "smollm2-135m")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def command(*args: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["assistant", *args])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(bool(stop.code))
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> models.LocalModel:
    local = models.LocalModel("smollm2-135m", "llm", {"model": Path("tiny.gguf")}, "a" * 64)
    monkeypatch.setattr(models, "resolve", lambda *args, **named: local)
    return local


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch, tiny: models.LocalModel) -> list[int]:
    """`tune` finds `entry()` at once and counts how often it is asked."""
    asked: list[int] = []

    def tune(settings: Settings, model: models.LocalModel, on_trial: Any, **rest: Any) -> tuning.Tuning:
        asked.append(1)
        found = entry(machine=tuning.machine(settings))
        for done, trial in enumerate(found.trials, 1):
            on_trial(trial, done, len(found.trials))
        tuning._store(settings, found)
        return found

    monkeypatch.setattr(tuning, "tune", tune)
    monkeypatch.setattr(tuning, "busy_percent", lambda: 60.0)
    return asked


GPU = (("cuda",), ("Some GPU",))


@pytest.mark.parametrize(
    ("facts", "layers", "shown", "why"),
    [
        (((), ()), -1, "0", "make setup GPU=cuda|vulkan|metal|rocm"),
        ((("cuda",), ()), -1, "0", "no device found"),
        (GPU, 0, "0", "engine.gpu_layers = 0"),
        (GPU, -1, "unknown until `assistant doctor --tune`", ""),
    ],
)
def test_without_tuning_the_gpu_report_says_what_can_be_known(facts, layers, shown, why, monkeypatch) -> None:
    monkeypatch.setattr(tuning, "gpu_facts", lambda: facts)
    report = doctor.gpu(layers, None)
    assert report["layers_on_gpu"] == shown
    assert why in report.get("why", "")
    assert ("why" in report) == bool(why)


def test_where_no_gpu_answers_the_library_is_quoted_and_the_drivers_tool_named(monkeypatch) -> None:
    monkeypatch.setattr(tuning, "gpu_facts", lambda: (("vulkan",), ()))
    log = [b"load: something else", b"ggml_vulkan: No devices found.\n", b"."]
    monkeypatch.setattr(logs, "_log", deque())
    for line in log:
        logs._keep_log(2, line, None)
    why = doctor.gpu(-1, None)["why"]
    assert why.startswith("no device found, says llama.cpp: ggml_vulkan: No devices found. `vulkaninfo --summary`")


def test_a_llama_cpp_that_cannot_be_loaded_is_an_error_with_a_hint(tmp_path: Path, home) -> None:
    broken = tmp_path / "broken/llama_cpp/__init__.py"  # as built for a GPU whose driver is gone
    broken.parent.mkdir(parents=True)
    broken.write_text('raise RuntimeError("Failed to load shared library: libcuda.so.1: cannot open")')
    path = os.pathsep.join([str(tmp_path / "broken"), str(Path(doctor.__file__).parents[1])])
    ran = subprocess.run(
        [sys.executable, "-m", "assistant", "doctor"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: llama.cpp cannot be loaded: Failed to load shared library: libcuda.so.1")
    assert "make setup GPU=cpu" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_with_tuning_it_says_what_was_offloaded_and_how_fast_it_is(monkeypatch) -> None:
    monkeypatch.setattr(tuning, "gpu_facts", lambda: GPU)
    report = doctor.gpu(-1, entry(layers_on_gpu=20, layers=29))
    assert report["layers_on_gpu"] == "20 of 29"
    assert (report["prefill_tok_s"], report["decode_tok_s"]) == (100, 10)
    assert "why" not in report
    assert "why" in doctor.gpu(-1, entry(layers_on_gpu=0, layers=29))


def test_where_llama_cpp_said_nothing_of_layers_they_are_unknown(monkeypatch) -> None:
    monkeypatch.setattr(tuning, "gpu_facts", lambda: GPU)
    report = doctor.gpu(-1, entry(layers_on_gpu=0, layers=0))
    assert report["layers_on_gpu"].startswith("unknown")
    assert "why" not in report
    assert report["decode_tok_s"] == 10


def test_what_is_in_force_is_shown_with_its_source(home, tuned, run, monkeypatch) -> None:
    before = json.loads(run("doctor", "--json")[1])
    assert before["engine"]["batch_tokens"] == {"value": 128, "source": "default"}
    assert "doctor --tune" in before["tuning"]["state"]
    run("doctor", "--tune")
    monkeypatch.setenv("ASSISTANT_ENGINE__THREADS", "1")
    report = json.loads(run("doctor", "--json")[1])
    assert report["engine"]["batch_tokens"] == {"value": 256, "source": "tuning"}
    assert report["engine"]["threads"] == {"value": 1, "source": "environment"}
    assert report["engine"]["drafts"] == {"value": 2, "source": "tuning"}
    assert report["tuning"]["prefill_tok_s"] == 100
    assert report["gpu"]["layers_on_gpu"]


def test_tuned_is_tuned_until_asked_again(home, tuned, run) -> None:
    code, out, err = run("doctor", "--tune")
    assert code == 0
    assert "batch_tokens" in out
    assert "Warning: other programs keep 60% of the processor busy" in err
    assert f"drafts: {choose.NO_TIME}" in err
    assert "No time was left for: drafts" in err
    _, out, err = run("doctor", "--tune", "--json")
    assert json.loads(out)["threads"] == 3
    assert "Measuring" not in err
    assert len(tuned) == 1
    run("doctor", "--tune", "--again")
    assert len(tuned) == 2


def test_again_alone_is_bad_usage(home, run) -> None:
    code, _, err = run("doctor", "--again")
    assert (code, "--tune" in err) == (2, True)


def test_tuning_without_models_says_what_to_do(home, run, monkeypatch) -> None:
    monkeypatch.setenv("ASSISTANT_MODELS__FOLDER", str(home / "nowhere"))
    code, _, err = run("doctor", "--tune")
    assert code == 1
    assert "assistant models pull smollm2-135m" in err


@pytest.mark.parametrize(
    ("variable", "value"), [("BATCH_TOKENS", "7"), ("BATCH_TOKENS", "4096"), ("KV_TYPE", "q4_0"), ("DRAFTS", "yes")]
)
def test_a_wrong_setting_is_a_problem_and_the_rest_is_shown(home, run, monkeypatch, variable, value) -> None:
    monkeypatch.setenv(f"ASSISTANT_ENGINE__{variable}", value)
    code, out, _ = run("doctor", "--json")
    report = json.loads(out)
    assert code == 1
    assert report["machine"]["largest_model_that_fits"] in models.catalog
    assert {"software", "gpu"} <= report.keys()
    (problem,) = report["problems"]
    assert f"engine.{variable.lower()} = '{value}' (from environment)" in problem
    assert run("doctor")[0] == 1


def test_a_settings_file_that_is_no_toml_is_a_problem_too(home, run) -> None:
    (home / "assistant.toml").write_text("[retrieve\n")
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert "TOML" in json.loads(out)["problems"][0]


@pytest.mark.parametrize("value", ["0", "16", "2048"])
def test_good_batches_are_taken(value: str, home, monkeypatch) -> None:
    monkeypatch.setenv("ASSISTANT_ENGINE__BATCH_TOKENS", value)
    assert Settings().engine.batch_tokens == int(value)


def test_every_section_can_be_printed(home, tuned, run) -> None:
    run("doctor", "--tune")
    code, out, _ = run("doctor")
    assert code == 1  # no documents yet
    for section in ("Machine", "Software", "Models", "Gpu", "Engine", "Tuning", "Settings", "Problems"):
        assert section in out
