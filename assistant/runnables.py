"""Our retriever and our model as LangChain runnables, for our chain and for anyone's.

Prompts travel as LangChain messages whose content blocks carry ids, so that the engine knows which part of a prompt is
which chunk: `{"type": "text", "text": ..., "id": chunk id}`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields, replace
from itertools import starmap
from typing import Any

import numpy as np
from langchain_core.callbacks import CallbackManagerForLLMRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from assistant.engine import Done, Engine, Params, Piece, Segment, Turn, schema_grammar
from assistant.errors import BadFormat, BadInput
from assistant.records import Chunk, Hit, Message, PromptMessage, Role, Sampling, Span
from assistant.retrieve import Retriever
from assistant.where import Where

Watching = Callable[[NDArray[np.float32]], bool]  # as in Params

_MESSAGES = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
_METHODS = ("json_schema", "json_mode")  # of structured output
_ROLES: dict[str, Role] = {"system": "system", "human": "user", "ai": "assistant"}


class ChunkRetriever(BaseRetriever):
    """Chunks of one collection as LangChain documents: `page_content` is the text, `metadata` the rest and the score.

    `before` takes the question before this one in a conversation, `where` the documents to look in.
    """

    retriever: Any
    collection: str
    k: int

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - LangChain's signature
        before: str = "",
        where: Where | None = None,
    ) -> list[Document]:
        retriever: Retriever = self.retriever
        hits = retriever.search(self.collection, query, self.k, before=before, where=where, near=True)
        return [_document(hit) for hit in hits]


class LocalChatModel(BaseChatModel):
    """The engine as a LangChain chat model.

    The fields of `Sampling` may be given per call, as in `model.bind(json_schema=...)`, as may `cancel`, a
    threading.Event, and `watch`, as in the engine's Params; other keywords are refused. The last chunk has the usage
    and, in `response_metadata`, the finish reason and the engine's timings.
    """

    engine: Any
    params: Params
    name: str | None = "local"

    @property
    def _llm_type(self) -> str:
        return "llama-cpp-engine"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        cancel: threading.Event | None = None,
        sampling: Sampling | None = None,
        watch: Watching | None = None,
        **given: Any,
    ) -> Iterator[ChatGenerationChunk]:
        engine: Engine = self.engine
        params = replace(_params(self.params, sampling, given, stop), watch=watch)
        generation = engine.generate(to_turns(messages), params, cancel)
        try:
            for event in generation:
                chunk = _chunk(event)
                if run_manager and isinstance(event, Piece):
                    run_manager.on_llm_new_token(event.text, chunk=chunk)
                yield chunk
        finally:
            generation.close()

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        whole = AIMessageChunk(content="")
        for chunk in self._stream(messages, stop, run_manager, **kwargs):
            assert isinstance(chunk.message, AIMessageChunk)
            whole += chunk.message
        message = AIMessage(
            content=whole.content, usage_metadata=whole.usage_metadata, response_metadata=whole.response_metadata
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        method: str = "json_schema",
        strict: bool | None = None,  # noqa: ARG002 - LangChain's keyword
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """A model whose messages become what `schema` describes: a pydantic class's instances, or JSON values.

        Where the text is no such thing, as when it came to max_tokens, it raises OutputParserException; with
        `include_raw` it gives {"raw", "parsed", "parsing_error"} instead. Further keywords go to the model.

        `method` may be "json_schema" or "json_mode", which are the same here; BadInput for any other. `strict` is
        ignored: a grammar always holds the text to the schema.
        """
        if method not in _METHODS:
            raise BadInput(f"Structured output has no method {method!r}.", f"Use {' or '.join(_METHODS)}.")
        known = isinstance(schema, type) and issubclass(schema, BaseModel)
        if not known and not isinstance(schema, dict):
            raise BadFormat(f"{schema!r} is neither a pydantic class nor a JSON schema.", "Give one of the two.")
        kind: Any = schema if known else Any
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        model = self.bind(json_schema=adapter.json_schema() if known else schema, **kwargs)

        def parse(message: Any) -> Any:
            try:
                return adapter.validate_json(str(message.text))
            except ValidationError as error:
                raise OutputParserException(
                    f"Not what was asked for: {error}", llm_output=str(message.text)
                ) from error

        def parsed(answer: dict[str, Any]) -> dict[str, Any]:
            try:
                return answer | {"parsed": parse(answer["raw"]), "parsing_error": None}
            except OutputParserException as error:
                return answer | {"parsed": None, "parsing_error": error}

        return RunnableParallel(raw=model) | RunnableLambda(parsed) if include_raw else model | RunnableLambda(parse)


def to_messages(prompt: Sequence[PromptMessage]) -> list[BaseMessage]:
    return [
        _MESSAGES[message.role](
            content=[
                {"type": "text", "text": block.text} | ({"id": block.id} if block.id else {})
                for block in message.blocks
            ]
        )
        for message in prompt
    ]


def to_message(turn: Message | BaseMessage) -> Message:
    """A turn of the conversation as ours. Raises BadInput for a role that a conversation does not have."""
    if isinstance(turn, Message):
        return turn
    if turn.type not in _ROLES:
        raise BadInput(f"A {turn.type} message cannot stand in the history.", "Use human and ai messages.")
    return Message(_ROLES[turn.type], str(turn.text))


def to_turns(messages: Sequence[BaseMessage]) -> list[Turn]:
    """The same messages as the engine takes them."""
    return [_turn(message) for message in messages]


def to_hit(document: Document) -> Hit:
    """The hit that a document of `ChunkRetriever` was made from."""
    fields = dict(document.metadata)
    score, repeated = fields.pop("score"), tuple(starmap(Span, fields.pop("repeated", ())))
    near = tuple(fields.pop("near", ()))
    return Hit(Chunk(id=document.id or "", text=document.page_content, **fields), score, repeated, near)


def _document(hit: Hit) -> Document:
    repeated = [(span.start, span.end) for span in hit.repeated]
    fields = asdict(hit.chunk) | {"score": hit.score, "repeated": repeated, "near": list(hit.near)}
    return Document(id=fields.pop("id"), page_content=fields.pop("text"), metadata=fields)


def _turn(message: BaseMessage) -> Turn:
    blocks = [message.content] if isinstance(message.content, str) else message.content
    segments = (
        Segment(block) if isinstance(block, str) else Segment(block.get("text", ""), block.get("id", ""))
        for block in blocks
    )
    return Turn(_ROLES.get(message.type, "user"), tuple(segments))


def with_grammar(sampling: Sampling) -> Sampling:
    """The same with its JSON schema, if it has one, as a grammar. Raises BadFormat."""
    if sampling.json_schema is None:
        return sampling
    if sampling.grammar:
        raise BadFormat("A JSON schema and a grammar are given.", "Give one of them.")
    return replace(sampling, json_schema=None, grammar=schema_grammar(sampling.json_schema))


def _params(defaults: Params, sampling: Sampling | None, given: dict[str, Any], stop: Sequence[str] | None) -> Params:
    names = [field.name for field in fields(Sampling)]
    if unknown := given.keys() - set(names):
        raise BadInput(f"Unknown keyword {', '.join(sorted(unknown))}.", f"Known: {', '.join(sorted(names))}.")
    asked = with_grammar(replace(sampling or Sampling(), **given))
    chosen = {name: value for name in names if (value := getattr(asked, name)) is not None}
    chosen["stop"] = (*asked.stop, *(stop or ()))
    if asked.timeout_s is not None and defaults.timeout_s is not None:
        chosen["timeout_s"] = min(asked.timeout_s, defaults.timeout_s)
    return replace(defaults, **chosen)


def _chunk(event: Piece | Done) -> ChatGenerationChunk:
    if isinstance(event, Piece):
        return ChatGenerationChunk(message=AIMessageChunk(content=event.text))
    usage = UsageMetadata(
        input_tokens=event.prompt_tokens,
        output_tokens=event.completion_tokens,
        total_tokens=event.prompt_tokens + event.completion_tokens,
        input_token_details={"cache_read": event.cached_tokens},
    )
    message = AIMessageChunk(
        content="",
        usage_metadata=usage,
        response_metadata={"finish_reason": event.finish, "engine": asdict(event)},
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message)
