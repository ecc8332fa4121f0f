"""The model's own chat template, applied so that only its own text can hold control tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assistant.engine.types import Segment
from assistant.errors import ModelDamaged

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_MARK = "\ue000{}\ue001"  # private-use characters: no template contains them, and no trimming removes them


@dataclass(frozen=True, slots=True)
class Turn:
    """A message of the conversation: role "system", "user" or "assistant", and its text in segments."""

    role: str
    segments: tuple[Segment, ...]


class ChatTemplate:
    """Renders turns to segments. A model without a template gets ChatML."""

    def __init__(self, source: str | None) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _raise
        if source and "strftime_now is defined" not in source:  # others have a date of their own, which does not
            environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)  # change what is kept
        try:
            self._template = environment.from_string(source or CHATML)
        except TemplateError as error:
            raise ModelDamaged(f"The model's chat template cannot be read: {error}.", "Use another model.") from error

    def render(self, turns: Sequence[Turn]) -> list[Segment]:
        """The prompt up to where the assistant's answer begins.

        The template sees marks in place of contents; they are exchanged for the contents' segments afterwards.
        Raises ModelDamaged when the template fails or leaves a turn out.
        """
        try:
            text = self._apply(turns)
        except TemplateError:
            turns = _without_system(turns)  # some templates (Gemma) refuse the system role
            try:
                text = self._apply(turns)
            except Exception as error:
                raise _failed(error) from error
        except Exception as error:  # a template is a program, and may fail in any way
            raise _failed(error) from error
        segments: list[Segment] = []
        for number, turn in enumerate(turns):
            before, mark, text = text.partition(_MARK.format(number))
            if not mark:
                raise _failed(f"it leaves out turn {number + 1} of {len(turns)}")
            segments += [Segment(before, special=True), *turn.segments]
        return [segment for segment in [*segments, Segment(text, special=True)] if segment.text]

    def _apply(self, turns: Sequence[Turn]) -> str:
        messages = [{"role": turn.role, "content": _MARK.format(number)} for number, turn in enumerate(turns)]
        return self._template.render(
            messages=messages, add_generation_prompt=True, bos_token="", eos_token="", enable_thinking=False
        )


def _without_system(turns: Sequence[Turn]) -> list[Turn]:
    """The system turn's text put before that of the first user turn."""
    system = tuple(segment for turn in turns if turn.role == "system" for segment in turn.segments)
    rest = [turn for turn in turns if turn.role != "system"]
    if not system or not rest:
        return list(turns)
    return [Turn(rest[0].role, (*system, Segment("\n\n"), *rest[0].segments)), *rest[1:]]


def _failed(reason: object) -> ModelDamaged:
    return ModelDamaged(
        f"The model's chat template fails on this conversation: {reason}.", "Start a new chat, or use another model."
    )


def _raise(message: str) -> None:
    raise TemplateError(message)
