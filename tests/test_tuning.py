"""Tuning: how candidates are chosen, what is kept, and that a setting wins. A fake measures, but for one real run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import real_model

from assistant import tuning
from assistant.engine import choose, tune
from assistant.engine.choose import Found, Load, Search, Speeds, Trial, TrialFailed, TrialTimedOut
from assistant.errors import EngineFailed, StorageError
from assistant.models import LocalModel
from assistant.settings import Settings
from assistant.tuning import Machine, Tuning, engine_config

FLAT = (0.1, 0.2, 0.3, 0.4)  # seconds of a step of 1, 2, 3, 4 tokens: drafting gains nothing


class Fake:
    """A machine whose speed is a product of factors; an exception is raised. It keeps its own time."""

    def __init__(self, job_s: float = 4.0, step_s: Sequence[float] = FLAT, **factors: Any) -> None:
        self.now = 0.0
        self.calls: list[tuple[Load, int]] = []
        self._job_s, self._step_s, self._factors = job_s, step_s, factors

    def clock(self) -> float:
        return self.now

    def __call__(self, load: Load, batch: int, widths: Sequence[int], timeout_s: float) -> Speeds:
        self.calls.append((load, batch))
        factor = 1.0
        for name in ("repack_weights", "flash_attention", "threads", "kv_type"):
            value = self._factors.get(f"{name}_{getattr(load, name)}".lower(), 1.0)
            if value == "hangs":
                self.now += timeout_s
                raise TrialTimedOut(f"hung (ended after {timeout_s:.0f} s)")
            if isinstance(value, Exception):
                raise value
            factor *= value
        if self._job_s > timeout_s:
            self.now += timeout_s
            raise TrialTimedOut("hung")
        self.now += self._job_s
        speed = 100 * factor * self._factors.get(f"batch_{batch}", 1.0)
        return Speeds(speed, speed, tuple(self._step_s[width - 1] / factor for width in widths), (3, 25))


def search(fake: Fake, physical: int = 2, logical: int = 2) -> Found:
    return Search(fake, physical, logical, clock=fake.clock).run()


def outcomes(found: Found) -> dict[str, str]:
    return {trial.name: trial.outcome for trial in found.trials}


def test_defaults_win_where_nothing_is_faster() -> None:
    found = search(Fake(repack_weights_true=1.02, flash_attention_off=0.9, kv_type_q8_0=1.05, batch_64=0.5))
    assert found.load == Load(threads=2)
    assert (found.batch_tokens, found.draft_tokens) == (128, 0)
    assert (found.prefill_tok_s, found.decode_tok_s, found.offloaded) == (100, 10, (3, 25))


def test_each_step_keeps_the_best_of_those_before_it() -> None:
    fake = Fake(
        job_s=2.0,
        repack_weights_true=1.5,
        flash_attention_off=1.2,
        flash_attention_on=1.3,
        threads_3=1.1,
        kv_type_q8_0=1.2,
    )
    found = search(fake, physical=4, logical=8)
    assert found.load == Load(threads=3, repack_weights=True, flash_attention="on", kv_type="q8_0")
    assert {load.threads for load, _ in fake.calls} == {3, 4, 8}


def test_q8_cells_must_be_a_tenth_faster() -> None:
    assert search(Fake(kv_type_q8_0=1.09)).load.kv_type == "f16"
    assert search(Fake(kv_type_q8_0=1.11)).load.kv_type == "q8_0"


def test_one_core_fewer_is_tried_only_where_there_are_more_than_two() -> None:
    def threads(physical: int, logical: int) -> set[int]:
        fake = Fake()
        search(fake, physical, logical)
        return {load.threads for load, _ in fake.calls}

    assert threads(1, 1) == {1}
    assert threads(2, 2) == {2}
    assert threads(2, 4) == {2, 4}
    assert threads(3, 3) == {3, 2}


def test_the_smallest_batch_about_as_fast_as_the_best_is_taken() -> None:
    assert search(Fake(batch_64=0.5, batch_256=1.02)).batch_tokens == 128
    assert search(Fake(batch_64=0.98)).batch_tokens == 64
    assert search(Fake(batch_64=0.2, batch_256=1.8)).batch_tokens == 256
    assert choose.smallest_good_batch({64: 10.4, 128: 10.2, 256: 10.0}) == 128


def test_reading_behind_kept_sources_counts_as_often_as_it_happens() -> None:
    """A load that reads long prompts faster, and the few tokens behind kept sources more slowly."""
    speeds = Speeds(100, 100, (0.1,))
    long, short = replace(speeds, prefill_tok_s=130), replace(speeds, behind_tok_s=130)
    assert choose.question_s(short, kept=True) < choose.question_s(long, kept=True)
    assert choose.question_s(long, kept=False) < choose.question_s(short, kept=False)


def test_a_crash_is_told_and_not_chosen() -> None:
    found = search(Fake(repack_weights_true=TrialFailed("crashed (signal 11)")))
    assert outcomes(found)["repack_weights = on"] == "crashed (signal 11)"
    assert not found.load.repack_weights
    assert outcomes(found)["kv_type = q8_0"] == "measured"


def test_a_hang_is_ended_early_and_the_rest_measured() -> None:
    fake = Fake(job_s=2.0, repack_weights_true="hangs")
    found = search(fake)
    assert outcomes(found)["repack_weights = on"] == "hung (ended after 11 s)"
    assert choose.NO_TIME not in outcomes(found).values()
    assert fake.now < choose.LIMIT_S


def test_at_the_limit_the_best_so_far_stands_and_the_rest_is_named() -> None:
    fake = Fake(job_s=12.0, repack_weights_true=2.0)
    found = search(fake)
    assert found.load.repack_weights
    assert fake.now <= choose.LIMIT_S
    left_out = [name for name, outcome in outcomes(found).items() if outcome == choose.NO_TIME]
    assert left_out[0] == "flash_attention = on"
    assert left_out[-1] == "kv_type = q8_0"
    assert found.batch_tokens == 128
    assert len(found.step_ratios) == len(choose.WIDTHS)


def test_what_seems_faster_once_is_not_taken_when_the_default_was_only_disturbed() -> None:
    class Disturbed(Fake):
        def __call__(self, load: Load, batch: int, widths: Sequence[int], timeout_s: float) -> Speeds:
            speeds = super().__call__(load, batch, widths, timeout_s)
            return replace(speeds, prefill_tok_s=speeds.prefill_tok_s / 3) if len(self.calls) == 1 else speeds

    found = search(Disturbed())
    assert found.load == Load(threads=2)
    assert outcomes(found)["again without repack_weights"] == "measured"
    assert found.prefill_tok_s == 100


def test_a_model_that_cannot_run_at_all_is_an_error() -> None:
    with pytest.raises(EngineFailed, match="signal 6"):
        search(Fake(flash_attention_auto=TrialFailed("crashed (signal 6)")))
    with pytest.raises(EngineFailed, match="no time"):
        search(Fake(job_s=70))


def test_every_trial_is_reported_with_a_count_that_ends_at_the_total() -> None:
    seen: list[tuple[int, int]] = []
    fake = Fake(repack_weights_true=2.0)
    Search(fake, 4, 8, report=lambda trial, done, total: seen.append((done, total)), clock=fake.clock).run()
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.parametrize(
    ("ratios", "drafts"),
    [
        ((), 0),
        ((1, 2, 3, 4), 0),  # no gain in doing several at once
        ((1, 1, 1, 1), 3),  # checking costs nothing
        ((1, 1.1, 1.5, 1.9), 1),  # 1.60 / 1.1 = 1.45; 1.96 / 1.5 = 1.31; 2.18 / 1.9 = 1.15
        ((1, 1.4, 1.6, 1.9), 2),
        ((1, 0.4, 0.5, 0.6), 0),  # cannot be
        ((1, 1.5, 1.9, 2.1), 0),  # 1.07 at most: less than a tenth
    ],
)
def test_as_many_tokens_are_drafted_as_pay(ratios: tuple[float, ...], drafts: int) -> None:
    assert choose.best_drafts(ratios) == drafts


def test_expected_tokens_are_those_of_the_paper() -> None:
    for drafts in range(5):
        assert choose.expected_tokens(drafts, 0.6) == pytest.approx((1 - 0.6 ** (drafts + 1)) / (1 - 0.6))


# --- what is kept ----------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def model(sha256: str = "a" * 64) -> LocalModel:
    return LocalModel("tiny", "llm", {"model": Path("tiny.gguf")}, sha256)


def run(settings: Settings, sha256: str = "a" * 64, **knobs: Any) -> Tuning:
    fake = Fake(**knobs)
    return tuning.tune(settings, model(sha256), lambda *_: None, fake, fake.clock)


def test_what_was_found_is_kept_and_used(settings: Settings) -> None:
    found = run(settings, flash_attention_off=1.2, batch_256=1.5, step_s=(0.1, 0.1, 0.1, 0.1))
    assert tuning.read(settings, "a" * 64) == found
    config = engine_config(settings, "a" * 64)
    assert (config.flash_attention, config.batch_tokens, config.draft_tokens) == ("off", 256, 3)
    assert config.threads == found.threads
    assert config.model_id == "a" * 64
    assert (found.layers_on_gpu, found.layers) == (3, 25)
    assert not list(settings.home.glob("*.part"))


def test_another_model_or_machine_has_its_own_entry(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(settings)
    assert tuning.read(settings, "b" * 64) is None
    second = run(settings, "b" * 64)
    here = tuning.machine(settings)
    for change in ({"cpu": "Other"}, {"llama_cpp_python": "9"}, {"logical_cores": 99}, {"gpus": ("New",)}):
        other = here.model_copy(update=change)
        with monkeypatch.context() as patched:
            patched.setattr(tuning, "machine", lambda settings, other=other: other)
            assert tuning.read(settings, "a" * 64) is None
            assert engine_config(settings, "a" * 64).batch_tokens == 128
            run(settings)
    assert (tuning.read(settings, "a" * 64), tuning.read(settings, "b" * 64)) == (first, second)
    assert len(json.loads((settings.home / "tuning.json").read_text())) == 6


def test_measuring_again_replaces_the_entry(settings: Settings) -> None:
    run(settings)
    found = run(settings, flash_attention_off=1.5)
    assert tuning.read(settings, "a" * 64) == found
    assert len(json.loads((settings.home / "tuning.json").read_text())) == 1


@pytest.mark.parametrize("text", ["", "[{", "{}", '[{"threads": 1}]', "[1]", "null", "\udcff"])
def test_a_damaged_file_counts_as_none_and_is_written_anew(settings: Settings, text: str) -> None:
    settings.home.mkdir()
    (settings.home / "tuning.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert tuning.read(settings, "a" * 64) is None
    assert engine_config(settings, "a" * 64).batch_tokens == 128
    assert run(settings) == tuning.read(settings, "a" * 64)


def test_a_damaged_entry_leaves_the_others(settings: Settings) -> None:
    found = run(settings)
    path = settings.home / "tuning.json"
    path.write_text(json.dumps([{"threads": "many"}, *json.loads(path.read_text())]))
    assert tuning.read(settings, "a" * 64) == found


def test_an_interrupted_tuning_keeps_nothing(settings: Settings) -> None:
    def interrupt(*_: Any) -> Speeds:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuning.tune(settings, model(), lambda *_: None, interrupt)
    assert not settings.home.exists()


def test_a_home_that_cannot_be_written_is_said(settings: Settings) -> None:
    settings.home.write_text("a file")
    with pytest.raises(StorageError, match="tuning"):
        run(settings)


def test_the_number_of_gpu_layers_counts_only_where_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def layers() -> list[int]:
        return [tuning.machine(Settings(engine={"gpu_layers": layers})).gpu_layers for layers in (0, 7)]

    monkeypatch.setattr(tuning, "gpu_facts", lambda: ((), ()))
    assert layers() == [0, 0]
    monkeypatch.setattr(tuning, "gpu_facts", lambda: (("cuda",), ("GPU",)))
    assert layers() == [0, 7]


# --- what wins -------------------------------------------------------------------------------------------------------


def entry(**fields: Any) -> Tuning:
    here = Machine(cpu="x", physical_cores=4, logical_cores=8, llama_cpp_python="1", gpus=(), gpu_layers=0)
    found: dict[str, Any] = {
        "machine": here,
        "model_sha256": "a" * 64,
        "threads": 3,
        "batch_tokens": 256,
        "repack_weights": True,
        "flash_attention": "on",
        "kv_type": "q8_0",
        "draft_tokens": 2,
        "prefill_tok_s": 100.0,
        "behind_tok_s": 50.0,
        "decode_tok_s": 10.0,
        "step_ratios": (1.0, 1.1),
        "layers_on_gpu": 0,
        "layers": 0,
        "trials": (Trial("defaults", "measured", 100.0, 10.0, 15.0), Trial("drafts", choose.NO_TIME)),
        "measured_at": "2026-01-01T00:00:00",
        "measured_s": 40.0,
        "busy_percent": 0.0,
    }
    return Tuning(**(found | fields))


def test_what_was_tuned_wins_over_defaults() -> None:
    force = tuning.in_force(Settings().engine, entry())
    assert (force.threads, force.batch_tokens, force.repack_weights) == (3, 256, True)
    assert (force.flash_attention, force.kv_type, force.drafts) == ("on", "q8_0", 2)
    assert set(force.sources.values()) == {"tuning"}


def test_without_tuning_the_defaults_are_in_force() -> None:
    force = tuning.in_force(Settings().engine, None)
    assert (force.batch_tokens, force.repack_weights, force.flash_attention) == (128, False, "auto")
    assert (force.kv_type, force.drafts) == ("f16", 0)
    assert force.threads >= 1
    assert set(force.sources.values()) == {"default"}


def test_a_setting_wins_over_what_was_tuned() -> None:
    chosen = {"threads": 1, "batch_tokens": 16, "repack_weights": "off", "kv_type": "f16", "drafts": "off"}
    force = tuning.in_force(Settings(engine=chosen | {"flash_attention": "off"}).engine, entry())
    assert (force.threads, force.batch_tokens, force.repack_weights) == (1, 16, False)
    assert (force.flash_attention, force.kv_type, force.drafts) == ("off", "f16", 0)
    assert set(force.sources.values()) == {"setting"}


@pytest.mark.parametrize(("tuned", "drafts"), [(2, 2), (0, 3), (None, 3)])
def test_drafts_that_are_set_on_take_the_tuned_number_or_three(tuned: int | None, drafts: int) -> None:
    found = None if tuned is None else entry(draft_tokens=tuned)
    assert tuning.in_force(Settings(engine={"drafts": "on"}).engine, found).drafts == drafts


def test_what_was_tuned_never_makes_cells_that_llama_cpp_refuses() -> None:
    force = tuning.in_force(Settings(engine={"flash_attention": "off"}).engine, entry())
    assert (force.flash_attention, force.kv_type, force.sources["kv_type"]) == ("off", "f16", "default")
    force = tuning.in_force(Settings(engine={"kv_type": "q8_0"}).engine, entry(kv_type="f16", flash_attention="off"))
    assert (force.flash_attention, force.kv_type) == ("auto", "q8_0")


# --- the child -------------------------------------------------------------------------------------------------------

CHILDREN = {
    "crash": "import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.SIGSEGV)",
    "exit": "import sys; sys.stdin.readline(); sys.exit(3)",
    "hang": "import time; time.sleep(60)",
    "error": """import sys
for line in sys.stdin: print('{"error": "no context"}', flush=True)""",
    "good": """import json, sys
answer = {"prefill_tok_s": 7.5, "behind_tok_s": 5.5, "step_s": [0.5], "offloaded": [0, 0]}
for line in sys.stdin: print(json.dumps(answer), flush=True)""",
}


@pytest.fixture
def prober(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tune.Prober]:
    started = tune.subprocess.Popen

    def with_child(name: str) -> tune.Prober:
        def start(command: list[str], **options: Any) -> Any:
            return started([sys.executable, "-c", CHILDREN[name]], **options)

        monkeypatch.setattr(tune.subprocess, "Popen", start)
        return tune.Prober(Path("model.gguf"), 0)

    return with_child


@pytest.mark.parametrize(
    ("name", "message"),
    [("crash", r"^crashed \(signal 11\)$"), ("exit", r"exit code 3"), ("error", "^failed: no context$")],
)
def test_what_happens_to_the_child_is_told(prober, name: str, message: str) -> None:
    ask = prober(name)
    for _ in range(2):  # after a crash in a new child
        with pytest.raises(TrialFailed, match=message):
            ask(Load(1), 128, (1,), 10)
    ask.close()


def test_a_child_that_hangs_is_ended(prober) -> None:
    ask = prober("hang")
    with pytest.raises(TrialTimedOut, match="hung"):
        ask(Load(1), 128, (1,), 0.3)
    assert ask._child is None


def test_one_child_answers_several_jobs(prober) -> None:
    ask = prober("good")
    assert ask(Load(1), 128, (1,), 10) == Speeds(7.5, 5.5, (0.5,))
    child = ask._child
    ask(Load(1), 128, (1,), 10)
    assert ask._child is child
    ask.close()
    assert child is not None
    assert child.poll() is not None


def test_whatever_goes_wrong_in_the_child_is_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(bench: tune.Bench, job: dict[str, Any]) -> Speeds:
        raise RuntimeError("llama_decode returned 1") if job else EngineFailed("No context.", "Try again.")

    monkeypatch.setattr(tune.Bench, "run", run)
    answers = [answer["error"] for answer in tune._serve(iter(["[1]", "{}", "no JSON"]))]
    assert answers[:2] == ["RuntimeError: llama_decode returned 1", "No context."]
    assert answers[2].startswith("JSONDecodeError: ")


@pytest.mark.real
def test_the_tiny_model_is_tuned_for_real(settings: Settings) -> None:
    tiny = real_model("smollm2-135m")
    seen: list[Trial] = []
    found = tuning.tune(settings, tiny, lambda trial, done, total: seen.append(trial))
    assert found.measured_s <= choose.LIMIT_S + 2
    assert seen[0].outcome == "measured"
    assert found.prefill_tok_s > found.decode_tok_s > 0
    assert found.behind_tok_s > found.decode_tok_s
    assert tuple(seen) == found.trials
    assert tuning.read(settings, tiny.sha256) == found
    config = engine_config(settings, tiny.sha256)
    assert config.batch_tokens == found.batch_tokens
    assert (config.repack_weights, config.kv_type) == (found.repack_weights, found.kv_type)
    assert config.flash_attention == found.flash_attention
    assert engine_config(Settings(home=settings.home, engine={"batch_tokens": 32}), tiny.sha256).batch_tokens == 32
