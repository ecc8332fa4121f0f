"""OpenAI's error shape, and how our errors map onto it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from assistant.errors import (
    AssistantError,
    BadFilter,
    BadFormat,
    BadInput,
    UnknownCollection,
    UnknownDocument,
    UnknownModel,
)

_PARAMS: dict[type[AssistantError], str] = {
    BadFilter: "metadata",
    BadFormat: "response_format",
    UnknownModel: "model",
    UnknownCollection: "collection",
    UnknownDocument: "id",
}


class BadParameter(BadInput):
    """A field of a request that is refused; `param` is its name."""

    def __init__(self, param: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.param = param


class UnsupportedParameter(BadParameter): ...


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorReply(BaseModel):
    error: ErrorDetail


def error_body(status: int, message: str, code: str, param: str | None = None) -> dict[str, Any]:
    """OpenAI's error shape for an HTTP status."""
    kind = "rate_limit_error" if status == 429 else "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def internal_error_body() -> dict[str, Any]:
    """For what nobody foresaw: the log has the particulars, not the reply."""
    return error_body(500, "Something went wrong in the assistant; its log says what.", "internal_error")


def assistant_error_body(error: AssistantError) -> dict[str, Any]:
    param = error.param if isinstance(error, BadParameter) else _PARAMS.get(type(error))
    code = "model_not_found" if isinstance(error, UnknownModel) else error.type
    return error_body(error.http_status, str(error), code, param)


def validation_error_body(problems: Sequence[Mapping[str, Any]], content_type: str) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for what pydantic found wrong in a request: 400 for no JSON, 415 for another type, 422."""
    first = problems[0]
    if first["type"] == "json_invalid":
        reason = first["ctx"]["error"]
        return 400, error_body(400, f"The body is not JSON: {reason} at {first['loc'][-1]}.", "invalid_json")
    if tuple(first["loc"]) == ("body",) and isinstance(first["input"], bytes):
        message = f"The body is of type {content_type or 'unknown'!r}. Send JSON as application/json."
        return 415, error_body(415, message, "unsupported_media_type")
    lines = [f"{_field(problem)}: {problem['msg']} (got {short(problem['input'])})" for problem in problems[:5]]
    return 422, error_body(422, "; ".join(lines) + ".", "invalid_value", _field(first))


def short(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}..."


def _field(problem: Mapping[str, Any]) -> str:
    """Dotted path of the field, without the names pydantic gives the members of a union."""
    return ".".join(str(part) for part in problem["loc"][1:] if "[" not in str(part)) or "body"
