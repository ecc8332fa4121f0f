"""OpenAI's request and reply shapes, and how ours map onto them. Pure: no HTTP, no model.

Beyond OpenAI: a request may name a `collection` and a `timeout`; `message.annotations` holds items of type
`file_citation` with the exact span in the document; the whole Answer stands under `assistant`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from assistant.engine import MAX_STOP_CHARS
from assistant.errors import UnknownModel
from assistant.openai_errors import BadParameter, UnsupportedParameter, short
from assistant.question import unicode
from assistant.records import Answer, Citation, Message, Role, Sampling
from assistant.where import KEYS, Where, among
from assistant.wire import answer_json

ALIAS = "assistant"  # a model name that always means the loaded model
MAX_STOPS = 4
MAX_EMBEDDING_INPUTS = 2048
CHAT_REPLY: dict[str, Any] = {  # for the API's description
    "description": "OpenAI's chat.completion, with `message.annotations` of type `file_citation` and the whole Answer "
    "under `assistant`; or, with `stream`, its chunks, the last of which with `choices` carries both",
    "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
}
MAX_SEED = 2**32 - 2  # llama.cpp keeps seeds in 32 bits and reads the highest as "random"

# Parameters that would change the reply and are not honoured, each with the values that ask for nothing.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "audio": (),
    "web_search_options": (),
}
# An answer that was cancelled is incomplete, and "length" is the value by which OpenAI clients know that.
_FINISH: dict[str, str] = {"stop": "stop", "length": "length", "cancelled": "length"}


def _whole(text: str) -> str:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("half of a surrogate pair is no character")
    return text


# JSON can spell half a character ("\ud83d"), which no tokenizer takes and no reply can carry.
Text = Annotated[str, AfterValidator(_whole)]


class Part(BaseModel):
    """A part of a message. Only `{"type": "text", "text": ...}` is read."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: Text | None = None


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Text | list[Part] | None = None


class NamedSchema(BaseModel):
    """OpenAI's wrapping of a schema. Its name and `strict` change nothing: the schema always holds."""

    model_config = ConfigDict(extra="allow")

    name: str | None = None
    strict: bool | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class ResponseFormat(BaseModel):
    """`{"type": "text"}`, `{"type": "json_object"}`, or `{"type": "json_schema", "json_schema": {"schema": ...}}`."""

    model_config = ConfigDict(extra="allow")

    type: str
    json_schema: NamedSchema | None = None


class StreamOptions(BaseModel):
    include_usage: bool | None = False


class ChatRequest(BaseModel):
    """A question with its conversation. Fields that are not listed are ignored."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"example": {"messages": [{"role": "user", "content": "What do my documents say?"}]}},
    )

    messages: list[ChatMessage] = Field(
        min_length=1,
        description="The last one must be the user's: it is the question; earlier ones are the history. System and "
        "developer messages are accepted and not used: answers come from the documents under the assistant's rules.",
    )
    model: str | None = Field(
        None, description='A name `GET /v1/models` lists, or "assistant"; default: the loaded one'
    )
    collection: Text | None = Field(None, description="Where to look; also read from `metadata.collection`")
    metadata: dict[str, Any] | None = Field(
        None, description=f"Which documents to look in: {', '.join(KEYS)}; other keys are yours, if not misspelt ones"
    )
    stream: bool | None = Field(False, description="Send server-sent events as the answer comes")
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    min_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    max_completion_tokens: int | None = Field(None, ge=1, description="Room for so many is held from the start")
    max_tokens: int | None = Field(None, ge=1, description="Older name of max_completion_tokens")
    stop: Text | list[Text] | None = Field(
        None, description=f"Up to {MAX_STOPS} texts that end the answer, each of up to {MAX_STOP_CHARS} characters"
    )
    response_format: ResponseFormat | None = Field(
        None,
        description="With `json_object` or `json_schema` the answer is such JSON and has no citation markers; "
        "`annotations` then belong to the whole of it. One that ended by its length may be incomplete. Not kept are "
        "`minimum`, `maximum`, `multipleOf`, `uniqueItems`, `patternProperties`, `not`, `if`; of `pattern` it takes "
        "characters, classes and counts.",
    )
    timeout: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds after which the answer ends as it is, with finish_reason `length`; it can only shorten "
        "the setting `answer.timeout_s`",
    )


class EmbeddingRequest(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"input": ["first text", "second text"]}})

    input: Text | list[Text] | list[int] | list[list[int]] = Field(description="A text or a list of texts, not tokens")
    model: str | None = Field(None, description="The embedding model `GET /v1/models` lists; default: that one")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, description="Must be what the model gives, where it is named")


@dataclass(frozen=True, slots=True)
class ChatTask:
    """What a chat request asks of the assistant."""

    question: str
    history: tuple[Message, ...]
    collection: str | None
    sampling: Sampling
    where: Where


def chat_task(request: ChatRequest, model_name: str) -> ChatTask:
    """Raises UnknownModel, UnsupportedParameter, BadParameter and BadInput, each naming the field."""
    check_model(request.model, (model_name, ALIAS))
    for name, neutral in _UNSUPPORTED.items():
        value = (request.model_extra or {}).get(name)
        if value is not None and value not in neutral:
            raise UnsupportedParameter(name, f"Parameter {name} = {short(value)} is not supported.", "Leave it out.")
    turns = [_turn(message, f"messages.{i}") for i, message in enumerate(request.messages)]
    spoken = [turn for turn in turns if turn.role != "system"]
    if not spoken or spoken[-1].role != "user":
        raise BadParameter("messages", "The last message is not the user's.", "End messages with the question.")
    metadata = request.metadata or {}
    collection = request.collection or metadata.get("collection")
    if collection is not None and not isinstance(collection, str):
        raise BadParameter("metadata.collection", f"Collection {short(collection)} is not a text.", "Give its name.")
    if collection is not None:
        unicode(collection, "metadata.collection")
    return ChatTask(spoken[-1].content, tuple(spoken[:-1]), collection, _sampling(request), among(metadata))


def check_model(name: str | None, served: Sequence[str]) -> None:
    """Raises UnknownModel unless `name` is None or among `served`."""
    if name is not None and name not in served:
        raise UnknownModel(f"The model {name!r} is not loaded here.", f"Use {served[0]!r}, or leave `model` out.")


def embedding_texts(request: EmbeddingRequest, model_name: str) -> list[str]:
    """The texts to embed, at least one, none of them blank. Raises UnknownModel and BadParameter."""
    check_model(request.model, (model_name,))
    texts: list[str] = []
    for item in [request.input] if isinstance(request.input, str) else request.input:
        if not isinstance(item, str):
            raise BadParameter("input", "Token numbers cannot be embedded.", "Send the text itself.")
        texts.append(item)
    if not texts or not all(text.strip() for text in texts):
        raise BadParameter("input", "An input to embed is empty.", "Send at least one text, none of them blank.")
    if len(texts) > MAX_EMBEDDING_INPUTS:
        raise BadParameter("input", f"{len(texts)} inputs are too many.", f"Send {MAX_EMBEDDING_INPUTS} at most.")
    return texts


def embeddings(request: EmbeddingRequest, vectors: NDArray[np.float32], model_name: str) -> dict[str, Any]:
    """The reply to an embedding request; `vectors` is [n, dimensions]. Raises BadParameter on other dimensions."""
    dimensions = vectors.shape[1]
    if request.dimensions not in (None, dimensions):
        message = f"{model_name} gives {dimensions} dimensions, not {request.dimensions}."
        raise BadParameter("dimensions", message, "Leave `dimensions` out.")
    encode = _base64 if request.encoding_format == "base64" else _floats
    data = [{"object": "embedding", "index": i, "embedding": encode(vector)} for i, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": model_name, "usage": {"prompt_tokens": 0, "total_tokens": 0}}


def model_list(names: Sequence[str], created: int) -> list[dict[str, Any]]:
    """`created` is Unix time in seconds."""
    return [{"id": name, "object": "model", "created": created, "owned_by": "local"} for name in names]


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts that all chunks of one reply share. `created` is Unix time in seconds."""

    id: str
    created: int
    model: str
    markers: bool = True  # whether citations show in the text

    def completion(self, answer: Answer) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "content": answer.answer,
            "refusal": None,
            "annotations": file_citations(answer, self.markers),
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[answer.finish_reason]}
        head = self._head("chat.completion")
        return head | {"choices": [choice], "usage": usage(answer), "assistant": answer_json(answer)}

    def chunk(self, **delta: str) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def last_chunk(self, answer: Answer) -> dict[str, Any]:
        """Ends the stream's one choice; carries annotations and Answer, which no other chunk does."""
        delta = {"annotations": file_citations(answer, self.markers)}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": _FINISH[answer.finish_reason]}
        return self._head("chat.completion.chunk") | {"choices": [choice], "assistant": answer_json(answer)}

    def usage_chunk(self, answer: Answer) -> dict[str, Any]:
        return self._head("chat.completion.chunk") | {"choices": [], "usage": usage(answer)}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def file_citations(answer: Answer, markers: bool = True) -> list[dict[str, Any]]:
    """One `file_citation` for each marker of the answer, in order; `index` is the marker's offset in the answer.

    Of a text without markers they are those of the citations, and `index` is the end of the text.
    """
    if not markers:
        return [_annotation(citation, len(answer.answer)) for citation in answer.citations]
    citations = {citation.n: citation for citation in answer.citations}
    spans = pairwise([*_sentence_starts(answer), len(answer.answer)])
    places = []
    for sentence, (start, end) in zip(answer.sentences, spans, strict=True):
        for n in sentence.citations:
            # The last match: the sentence itself may quote a "[1]" that is no marker of ours.
            index = answer.answer.rfind(f"[{n}]", start, end)
            places.append(_annotation(citations[n], index if index >= 0 else end))
    return places


def usage(answer: Answer) -> dict[str, Any]:
    timings = answer.timings
    return {
        "prompt_tokens": timings.prompt_tokens,
        "completion_tokens": timings.completion_tokens,
        "total_tokens": timings.prompt_tokens + timings.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": timings.cached_tokens},
    }


def _turn(message: ChatMessage, where: str) -> Message:
    if message.role in ("tool", "function"):
        raise UnsupportedParameter(where, f"{where} has the role {message.role}: tools are not supported.")
    role: Role = "system" if message.role in ("system", "developer") else message.role  # type: ignore[assignment]
    if message.content is None or isinstance(message.content, str):
        return Message(role, message.content or "")
    for part in message.content:
        if part.type != "text" or part.text is None:
            problem = f"{where} has a part of type {part.type!r}; only text is read."
            raise UnsupportedParameter(where, problem, "Send the text alone.")
    return Message(role, "\n".join(part.text or "" for part in message.content))


def _sampling(request: ChatRequest) -> Sampling:
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if len(stop) > MAX_STOPS or not all(0 < len(text) <= MAX_STOP_CHARS for text in stop):
        hint = f"Give 1 to {MAX_STOPS} texts, each of 1 to {MAX_STOP_CHARS} characters."
        raise BadParameter("stop", f"stop = {short(stop)} is not usable.", hint)
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        min_p=request.min_p,
        seed=request.seed,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        stop=tuple(stop),
        json_schema=_schema(request.response_format),
        timeout_s=request.timeout,
    )


def _schema(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    """The schema that the answer should follow."""
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "object"}
    if wanted.type != "json_schema":
        problem = f"response_format.type = {short(wanted.type)} is not supported."
        raise UnsupportedParameter("response_format", problem, "Use text, json_object or json_schema.")
    if wanted.json_schema is None or wanted.json_schema.schema_ is None:
        raise BadParameter("response_format", "response_format.json_schema.schema is missing.", "Give the schema.")
    return wanted.json_schema.schema_


def _sentence_starts(answer: Answer) -> Iterable[int]:
    place = 0
    for sentence in answer.sentences:
        found = answer.answer.find(sentence.text, place)
        place = found if found >= 0 else place
        yield place
        place += len(sentence.text) if found >= 0 else 0


def _annotation(citation: Citation, index: int) -> dict[str, Any]:
    place = {
        "file_id": citation.document_id,
        "filename": citation.file,
        "index": index,
        "n": citation.n,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "title": citation.title,
        "publisher": citation.publisher,
        "date": citation.date,
        "page": citation.page,
    }
    return {"type": "file_citation", "file_citation": place}


def _floats(vector: NDArray[np.float32]) -> list[float]:
    return [float(value) for value in vector]


def _base64(vector: NDArray[np.float32]) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
