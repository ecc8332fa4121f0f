"""From samples to medians, ratios and a table. Ratios are ours over theirs: the median over the repetitions' pairs."""

from __future__ import annotations

import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from assistant.tuning import cpu_name
from evals.peers import LLAMA, NAMES, OURS, SERVER

USERS = (1, 2, 4, 8)
TITLES = {OURS: "ours", LLAMA: "llama_cpp.Llama", SERVER: "llama.cpp server"}
LABELS = {
    "ttft_s": "first token, s",
    "prefill_tok_s": "prompt read, tok/s",
    "cached_share": "share of the prompt cached",
    "tok_s": "tokens a second",
    "cores": "cores kept busy",
    "worst_ttft_s": "slowest first token, s",
}
CASES = {
    "cold": "cold",
    "warm": "read ahead",
    "followup": "follow-up",
    "decode": "long answer",
    **{f"users{count}": f"{count} at once" for count in USERS},
}
METRICS = {
    "cold": ("ttft_s", "prefill_tok_s", "cores"),
    "warm": ("ttft_s", "cached_share"),
    "followup": ("ttft_s", "cached_share"),
    "decode": ("tok_s", "cores"),
    **{f"users{count}": ("tok_s", "worst_ttft_s") for count in USERS},
}

SINGLE = {
    "cold_start_ttft_s": "From the start of `assistant ask` to its first word, s",
    "rss_gb": "Most memory of our process, GB",
    "kv_mb_per_1000_tokens": "Kept cells on disk, MB per 1,000 tokens",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What one engine did in one repetition of a case. Samples of one case and repetition make a pair."""

    case: str
    peer: str
    repetition: int
    values: Mapping[str, float | None]


def ratio_names() -> dict[str, tuple[str, str, str]]:
    """Each ratio's name, with its case, metric and the engine we are compared with."""
    names: dict[str, tuple[str, str, str]] = {}
    for peer in (LLAMA, SERVER):
        names |= {f"ttft_{case}_vs_{peer}": (case, "ttft_s", peer) for case in ("cold", "warm", "followup")}
        names[f"decode_vs_{peer}"] = ("decode", "tok_s", peer)
    for count in USERS:
        for metric, short in (("tok_s", "tok_s"), ("worst_ttft_s", "worst_ttft")):
            names[f"users{count}_{short}_vs_{SERVER}"] = (f"users{count}", metric, SERVER)
    return names


def ratio(samples: Sequence[Sample], case: str, metric: str, peer: str) -> float | None:
    """Median of ours over theirs; None where no repetition has both."""
    ours, theirs = (_values(samples, case, metric, name) for name in (OURS, peer))
    pairs = [ours[n] / theirs[n] for n in ours.keys() & theirs.keys() if theirs[n] > 0]
    return round(statistics.median(pairs), 3) if pairs else None


def median(samples: Sequence[Sample], case: str, metric: str, peer: str) -> float | None:
    values = _values(samples, case, metric, peer).values()
    return round(statistics.median(values), 3) if values else None


def _values(samples: Sequence[Sample], case: str, metric: str, peer: str) -> dict[int, float]:
    chosen = (sample for sample in samples if sample.case == case and sample.peer == peer)
    return {sample.repetition: value for sample in chosen if (value := sample.values.get(metric)) is not None}


def ratios(samples: Sequence[Sample]) -> dict[str, float | None]:
    return {name: ratio(samples, *what) for name, what in ratio_names().items()}


def medians(samples: Sequence[Sample]) -> dict[str, dict[str, dict[str, float | None]]]:
    """By case, metric and engine; cases that were not run are left out."""
    run = {sample.case for sample in samples}
    return {
        case: {metric: {name: median(samples, case, metric, name) for name in NAMES} for metric in metrics}
        for case, metrics in METRICS.items()
        if case in run
    }


def rows(samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """Lines of the table, below `HEADINGS`."""
    lines = []
    for case, metrics in medians(samples).items():
        for metric, values in metrics.items():
            cells = [_shown(values[OURS])]
            for peer in (LLAMA, SERVER):
                both = None if metric in ABOUT else ratio(samples, case, metric, peer)
                cells += [_shown(values[peer]), _shown(both)]
            pairs = len(_values(samples, case, metric, OURS))
            lines.append((CASES[case], LABELS[metric], *cells, str(pairs)))
    return lines


ABOUT = ("cached_share", "cores")  # facts about a measurement, which have no better or worse
HEADINGS = ("Case", "What", TITLES[OURS], TITLES[LLAMA], "ours/it", TITLES[SERVER], "ours/it", "n")


def notes(facts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What a reader must know of the engines to judge the numbers. `facts` as the JSON line has them, by engine."""
    lines = []
    for name in (LLAMA, SERVER):
        one = facts[name]
        if one["reason"]:
            lines.append(f"{TITLES[name]} could not be measured (any further): {one['reason']}.")
        if one["repack"] != "on":
            lines.append(f"{TITLES[name]}: weight repacking {one['repack']}.")
        missing = sorted(_features(facts[OURS].get("system")) - _features(one.get("system")))
        if missing and one.get("system"):
            lines.append(
                f"{TITLES[name]} ({one['version']}) is compiled without {', '.join(missing)}, which ours uses: "
                "compiled for this processor it would be faster."
            )
    return lines


def _features(system: str | None) -> set[str]:
    """What llama.cpp was compiled with, from the line that it prints about itself: "AVX2 = 1 | ..."."""
    return set(re.findall(r"(\w+) = [1-9]", system or ""))


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def machine() -> dict[str, Any]:
    return {
        "cpu": cpu_name(),
        "cores": psutil.cpu_count(logical=False),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(terse=True),
    }
