"""Which engine settings are fastest on this machine with this model, found by measuring a few. Loads no model itself.

Greedy coordinate descent: one setting after the other, each with the best of those before it. A choice is made by the
expected seconds of a typical question. So that noise does not change what runs, defaults win ties, and what a
candidate beats is measured again before the candidate is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from assistant.errors import EngineFailed

Flash = Literal["auto", "on", "off"]
KvType = Literal["f16", "q8_0"]

LIMIT_S = 55.0  # for all measurements together
# A typical question over four chunks, until its first sentence stands checked: what a reader waits for.
PROMPT_TOKENS = 900  # its sources, where nobody has read them ahead
REST_TOKENS = 130  # what is read behind them: the likely sentences, the question
VERDICT_TOKENS = 45  # the question whether the sources state a sentence
SENTENCE_TOKENS = 20
UNREAD = 0.1  # share of the questions over sources that nobody has read ahead, where chunks are kept
TIE = 0.03  # how much faster than the default a setting must be; less is noise
CELLS_GAIN = 0.10  # the same for q8_0 cells, which change answers slightly
BATCH_LOSS = 0.03  # of the best speed, given up for short steps: a cancel takes effect after one
DRAFT_GAIN = 0.10
ACCEPTANCE = 0.6  # probability that the model writes the token that was drafted, if those before it fitted (lab book)

DEFAULT_BATCH = 128
BATCHES = (64, 128, 256, 512)
LONGEST_STEP_S = 3.0  # for reading a batch; a larger one is not tried
WIDTHS = (1, 2, 3, 4)  # tokens decoded in one step: one of the model and 0 to 3 drafted ones
_LEAST_S = 1.0  # with less time left, nothing is begun
_HANG_FACTOR, _HANG_S = 3.0, 5.0  # a candidate may take three times what the default took, and 5 s

NO_TIME = "not measured: no time was left"


@dataclass(frozen=True, slots=True)
class Load:
    """How a model is loaded. Each of these values needs a new context, `repack_weights` a new model too."""

    threads: int
    repack_weights: bool = False
    flash_attention: Flash = "auto"
    kv_type: KvType = "f16"


@dataclass(frozen=True, slots=True)
class Speeds:
    """What was measured of one load. `offloaded`: layers on a GPU and layers in all, (0, 0) where unknown.

    Reading a few tokens `behind` many is another thing than reading many: attention over what stands there, and what a
    step costs however few tokens it has, count for more.
    """

    prefill_tok_s: float
    behind_tok_s: float
    step_s: tuple[float, ...] = ()  # seconds of a step that decodes 1, 2, ... tokens
    offloaded: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate and how it went. `outcome`: "measured", "crashed (signal 11)", "not measured: ...", and so on."""

    name: str
    outcome: str
    prefill_tok_s: float = 0.0
    decode_tok_s: float = 0.0
    question_s: float = 0.0  # expected, of a typical question
    behind_tok_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """The best that was found. `step_ratios`: time of a step of 1, 2, ... tokens relative to one; () if unmeasured."""

    load: Load
    batch_tokens: int
    draft_tokens: int
    prefill_tok_s: float
    behind_tok_s: float
    decode_tok_s: float
    step_ratios: tuple[float, ...]
    offloaded: tuple[int, int]
    trials: tuple[Trial, ...]


class TrialFailed(Exception):
    """A candidate that cannot be used; the message says what happened to it."""


class TrialTimedOut(TrialFailed): ...


class Measure(Protocol):
    """Measures reading in batches of `batch` tokens and `widths` tokens a step, in at most `timeout_s` seconds.

    Raises TrialFailed and TrialTimedOut.
    """

    def __call__(self, load: Load, batch: int, widths: Sequence[int], timeout_s: float) -> Speeds: ...


def question_s(speeds: Speeds, kept: bool) -> float:
    """Expected seconds of a typical question until its first sentence is checked. `kept`: the chunks' cells are kept,
    and most questions find them read.
    """
    unread = UNREAD if kept else 1.0
    behind = (REST_TOKENS + VERDICT_TOKENS) / speeds.behind_tok_s
    return unread * PROMPT_TOKENS / speeds.prefill_tok_s + behind + SENTENCE_TOKENS * speeds.step_s[0]


def expected_tokens(drafts: int, acceptance: float = ACCEPTANCE) -> float:
    """Tokens that one step with `drafts` drafted tokens gives on average, when each fits with the same probability.

    Leviathan, Kalman, Matias 2023, "Fast Inference from Transformers via Speculative Decoding", equation 1:
    (1 - a^(d+1)) / (1 - a), which is the sum of a^i for i = 0 to d.
    """
    return sum(acceptance**position for position in range(drafts + 1))


def best_drafts(step_ratios: Sequence[float]) -> int:
    """How many tokens to draft: the d that gives most tokens in a step's time, `expected_tokens(d) / step_ratios[d]`.

    `step_ratios[d]` is the time of a step of d + 1 tokens relative to one. 0 unless the gain is at least DRAFT_GAIN,
    and where more tokens seem to take less time than one: then other programs disturbed the measurement.
    """
    if not step_ratios or min(step_ratios) < 1 - TIE:
        return 0
    gains = [expected_tokens(drafts) / ratio for drafts, ratio in enumerate(step_ratios)]
    best = max(range(len(gains)), key=gains.__getitem__)
    return best if gains[best] >= 1 + DRAFT_GAIN else 0


def smallest_good_batch(seconds: dict[int, float]) -> int:
    """The smallest batch whose question takes at most BATCH_LOSS longer than the fastest."""
    enough = (1 + BATCH_LOSS) * min(seconds.values())
    return min(batch for batch, time_s in seconds.items() if time_s <= enough)


@dataclass(slots=True)
class Search:
    """One search. `report` hears of each trial with how many are done and how many there will be; `kept` is as in
    `question_s`.

    `run` raises EngineFailed when not even the default could be measured.
    """

    measure: Measure
    physical_cores: int
    logical_cores: int
    kept: bool = True
    report: Callable[[Trial, int, int], None] = lambda _trial, _done, _total: None
    clock: Callable[[], float] = time.monotonic
    limit_s: float = LIMIT_S
    _trials: list[Trial] = field(default_factory=list)
    _more: int = 0  # measured again
    _best: Load = field(init=False)
    _speeds: Speeds = field(init=False)
    _end: float = field(init=False)
    _hang_s: float = field(init=False)

    def run(self) -> Found:
        self._end = self.clock() + self.limit_s
        self._measure_default()
        self._pick("repack_weights", [True])
        self._pick("threads", self._other_threads())
        ratios = self._measure_drafts()  # before what seldom pays: a slow machine does not come to the end
        self._pick("flash_attention", ["on", "off"])
        batch = self._pick_batch()
        self._pick("kv_type", ["q8_0"], batch, CELLS_GAIN)
        return Found(
            load=self._best,
            batch_tokens=batch,
            draft_tokens=best_drafts(ratios),
            prefill_tok_s=round(self._speeds.prefill_tok_s, 2),
            behind_tok_s=round(self._speeds.behind_tok_s, 2),
            decode_tok_s=round(1 / self._speeds.step_s[0], 2),
            step_ratios=tuple(round(ratio, 3) for ratio in ratios),
            offloaded=self._speeds.offloaded,
            trials=tuple(self._trials),
        )

    def _measure_default(self) -> None:
        self._best = Load(threads=self.physical_cores)
        self._hang_s = self.limit_s
        begun = self.clock()
        speeds = self._try("defaults", self._best, DEFAULT_BATCH, (1,))
        if speeds is None:
            raise EngineFailed(
                f"The model could not be measured with default settings: {self._trials[0].outcome}.",
                "Try again when the machine is idle; without it the defaults are used.",
            )
        self._speeds = speeds
        self._hang_s = _HANG_FACTOR * (self.clock() - begun) + _HANG_S

    def _other_threads(self) -> list[int]:
        fewer = [self.physical_cores - 1] if self.physical_cores > 2 else []
        return [count for count in [self.logical_cores, *fewer] if count != self.physical_cores]

    def _pick(self, name: str, values: Sequence[object], batch: int = DEFAULT_BATCH, gain: float = TIE) -> None:
        """Tries other values of one field of Load, and takes the fastest if it is faster by at least `gain`."""
        fastest: tuple[float, Load, Speeds] | None = None
        for value in values:
            load = replace(self._best, **{name: value})  # type: ignore[arg-type]
            speeds = self._try(f"{name} = {_shown(value)}", load, batch, (1,))
            if speeds and (fastest is None or self._seconds(speeds) < fastest[0]):
                fastest = self._seconds(speeds), load, speeds
        if fastest and self._is_beaten(fastest[0], gain) and self._stays_beaten(name, fastest[0], batch, gain):
            _, self._best, self._speeds = fastest

    def _is_beaten(self, seconds: float, gain: float) -> bool:
        return seconds * (1 + gain) <= self._seconds(self._speeds)

    def _stays_beaten(self, name: str, seconds: float, batch: int, gain: float) -> bool:
        """Measures the best so far again, and keeps the better of its two results. False where that fails."""
        self._more += 1
        again = self._try(f"again without {name}", self._best, batch, (1,))
        if again is None:
            return False
        self._speeds = min(self._speeds, again, key=self._seconds)
        return self._is_beaten(seconds, gain)

    def _pick_batch(self) -> int:
        found = {DEFAULT_BATCH: self._speeds}
        for batch in (size for size in BATCHES if size != DEFAULT_BATCH):
            if batch > LONGEST_STEP_S * self._speeds.prefill_tok_s:
                self._note(f"batch_tokens = {batch}", f"not tried: a step takes over {LONGEST_STEP_S:.0f} s", None)
                continue
            speeds = self._try(f"batch_tokens = {batch}", self._best, batch, ())
            if speeds:
                found[batch] = replace(speeds, step_s=self._speeds.step_s)
        batch = smallest_good_batch({size: self._seconds(speeds) for size, speeds in found.items()})
        self._speeds = found[batch]
        return batch

    def _measure_drafts(self) -> tuple[float, ...]:
        speeds = self._try(f"drafts = 1 to {WIDTHS[-1] - 1}", self._best, DEFAULT_BATCH, WIDTHS)
        if speeds is None:
            return ()
        self._speeds = speeds
        return tuple(seconds / speeds.step_s[0] for seconds in speeds.step_s)

    def _try(self, name: str, load: Load, batch: int, widths: Sequence[int]) -> Speeds | None:
        """Measures one candidate and notes how it went. None when it cannot be used."""
        left = self._end - self.clock()
        speeds, outcome = None, NO_TIME
        if left >= _LEAST_S:
            try:
                speeds, outcome = self.measure(load, batch, widths, min(left, self._hang_s)), "measured"
            except TrialTimedOut as error:
                outcome = str(error) if self._hang_s < left else NO_TIME
            except TrialFailed as error:
                outcome = str(error)
        self._note(name, outcome, speeds)
        return speeds

    def _note(self, name: str, outcome: str, speeds: Speeds | None) -> None:
        trial = Trial(name, outcome)
        if speeds:
            whole = speeds if speeds.step_s else replace(speeds, step_s=self._speeds.step_s)
            trial = Trial(
                name,
                outcome,
                round(whole.prefill_tok_s, 2),
                round(1 / whole.step_s[0], 2),
                round(self._seconds(whole), 2),
                round(whole.behind_tok_s, 2),
            )
        self._trials.append(trial)
        total = 1 + 1 + 2 + len(self._other_threads()) + len(BATCHES) - 1 + 1 + 1 + self._more
        self.report(trial, len(self._trials), total)

    def _seconds(self, speeds: Speeds) -> float:
        return question_s(speeds, self.kept)


def _shown(value: object) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
