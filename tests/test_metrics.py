"""What /metrics says of the engine's work."""

from __future__ import annotations

from assistant.engine import Done, Engine, Piece
from assistant.engine.types import Totals
from assistant.errors import EngineFailed
from assistant.metrics import Metrics


def test_totals_of_the_engine_are_counters_and_seconds_are_called_so() -> None:
    engine = Engine.__new__(Engine)  # no model: only its counting
    engine.totals, engine.busy, engine._closed = Totals(), 2, False
    whole = Done("stop", 100, 60, 11, queue_s=0.5, prefill_s=2.0, ttft_s=2.5, decode_tok_s=5.0)
    for event in (
        whole,
        Done("cancelled", 50, 0, 0, 0.25, 1.0, 1.25, 0.0, guessed_tokens=6, guessed_right=4),
        Piece("text"),
        EngineFailed("A step failed."),
    ):
        engine._count(event)
    lines = Metrics(engine.stats, dict).render().decode().splitlines()
    for line in (
        "# TYPE assistant_engine_queue_seconds_total counter",
        "assistant_engine_queue_seconds_total 0.75",
        "assistant_engine_prefill_seconds_total 3.0",
        "assistant_engine_decode_seconds_total 2.0",
        "assistant_engine_guessed_tokens_total 6.0",
        "assistant_engine_guessed_right_total 4.0",
        "assistant_engine_requests_total 2.0",
        "assistant_engine_failed_total 1.0",
        "assistant_engine_busy_total 2.0",
        "# TYPE assistant_engine_alive gauge",
        "assistant_engine_alive 1.0",
    ):
        assert line in lines
