"""How long did the answer take? From the answer's `timings`; a zero there says that nothing was timed."""

from __future__ import annotations

from evals.records import Result, Score, Texts

METRICS = {
    "ttft_s": "seconds to the first token",
    "total_s": "seconds to the end of the answer",
    "decode_tok_s": "tokens a second while writing",
}


def score(result: Result, texts: Texts) -> dict[str, Score]:  # noqa: ARG001
    if result.answer is None:
        return dict.fromkeys(METRICS, Score(None, "failed"))
    timings = result.answer["timings"]
    return {name: Score(timings[name]) if timings[name] > 0 else Score(None, "not timed") for name in METRICS}
