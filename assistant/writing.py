"""One answer on its way: what the model writes goes into a draft, and the times are taken."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from assistant.draft import Draft, Written
from assistant.errors import AssistantError
from assistant.records import FinishReason, PromptMessage, Sampling, Timings, Token
from assistant.runnables import LocalChatModel, Watching, to_messages

log = logging.getLogger(__name__)


class Until(threading.Event):
    """Is set when `cancel` is, and by itself after some seconds: for what has to end with the answer."""

    def __init__(self, cancel: threading.Event | None, after_s: float) -> None:
        super().__init__()
        self._cancel = cancel
        self._deadline = time.monotonic() + after_s

    def is_set(self) -> bool:
        cancelled = self._cancel is not None and self._cancel.is_set()
        return cancelled or time.monotonic() > self._deadline or super().is_set()


def limit_s(model: LocalChatModel, sampling: Sampling) -> float:
    """How long an answer may take from its prompt on."""
    return min(filter(None, (sampling.timeout_s, model.params.timeout_s)), default=math.inf)


class Writing:
    """`started` is when the question came, by `time.monotonic`; since then its prompt was built."""

    def __init__(self, draft: Draft, started: float) -> None:
        self.draft = draft
        self.text = ""  # all that the model wrote
        self.finish: FinishReason = "stop"
        self._started = started
        self._retrieve_s = time.monotonic() - started
        self._shown_s = 0.0
        self._check_s = 0.0
        self._engine: list[dict[str, Any]] = []

    def write(
        self,
        model: LocalChatModel,
        prompt: Sequence[PromptMessage],
        cancel: threading.Event | None,
        sampling: Sampling | None,
        watch: Watching | None = None,
    ) -> Iterator[Written]:
        """Events of what the model answers to a prompt; `watch` as for the model. Raises what its `stream` raises."""
        for chunk in model.stream(to_messages(prompt), cancel=cancel, sampling=sampling, watch=watch):
            self.text += chunk.text
            yield from self._seen(self.draft.feed(chunk.text))
            if "engine" in chunk.response_metadata:
                self._engine.append(chunk.response_metadata["engine"])
                self.finish = chunk.response_metadata["finish_reason"]
        written = time.monotonic()
        yield from self._seen(self.draft.flush())
        self._check_s += time.monotonic() - written

    def try_again(
        self,
        model: LocalChatModel,
        prompt: Sequence[PromptMessage],
        cancel: threading.Event | None,
        sampling: Sampling,
    ) -> Iterator[Written]:
        """The same for a second try, in what is left of the answer's time. Where it cannot be had, as the engine is
        busy or the prompt too long, what stands already is the answer.
        """
        left_s = limit_s(model, sampling) - (time.monotonic() - self._started - self._retrieve_s)
        if left_s <= 0:
            return
        timed = sampling if math.isinf(left_s) else replace(sampling, timeout_s=left_s)
        try:
            yield from self.write(model, prompt, cancel, timed)
        except AssistantError as error:
            log.warning("There was no second try: %s", error)
            yield from self.draft.give_up()

    def say(self, text: str) -> Token:
        """Text of ours instead of the model's."""
        self._shown_s = self._shown_s or time.monotonic() - self._started
        return self.draft.say(text)

    def timings(self) -> Timings:
        """Of a second try only the tokens it wrote, and the times after the first word, are added."""
        total_s = time.monotonic() - self._started
        first = self._engine[0] if self._engine else dict.fromkeys(_MEASURED, 0)
        return Timings(
            retrieve_s=round(self._retrieve_s, 4),
            queue_s=round(first["queue_s"], 4),
            prefill_s=round(first["prefill_s"], 4),
            ttft_s=round(self._retrieve_s + first["ttft_s"], 4),
            shown_s=round(self._shown_s, 4),
            decode_tok_s=round(first["decode_tok_s"], 2),
            check_s=round(self._check_s, 4),
            total_s=round(total_s, 4),
            prompt_tokens=first["prompt_tokens"],
            cached_tokens=first["cached_tokens"],
            completion_tokens=sum(one["completion_tokens"] for one in self._engine),
        )

    def _seen(self, events: Iterator[Written]) -> Iterator[Written]:
        for event in events:
            if isinstance(event, Token) and not self._shown_s:
                self._shown_s = time.monotonic() - self._started
            yield event


_MEASURED = ("queue_s", "prefill_s", "ttft_s", "decode_tok_s", "prompt_tokens", "cached_tokens", "completion_tokens")
