"""The HTTP door: OpenAI's API over one's own documents, and the documents themselves.

Answers stream through `bridge`; `guard` decides who may call; `openai_wire` knows the shapes. Routes that only look
something up are plain functions, which FastAPI runs in threads of its own.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar
from uuid import uuid4

from fastapi import FastAPI, File, Form, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from assistant import sse
from assistant.bridge import iterate
from assistant.errors import AssistantError, Busy, EngineFailed
from assistant.guard import Guard
from assistant.metrics import Meter, Metrics
from assistant.openai_errors import (
    ErrorReply,
    assistant_error_body,
    error_body,
    internal_error_body,
    validation_error_body,
)
from assistant.openai_wire import (
    CHAT_REPLY,
    ChatRequest,
    EmbeddingRequest,
    Reply,
    Text,
    chat_task,
    check_model,
    embedding_texts,
    embeddings,
    model_list,
)
from assistant.reader import Reader
from assistant.records import CollectionInfo, Document, DocumentInfo, Finished
from assistant.where import KEYS, made
from assistant.wire import error_json, hit_json

if TYPE_CHECKING:
    from assistant.chain import Assistant

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

T = TypeVar("T")
Collection = Annotated[str | None, Query(description="Default: the setting `collection`")]


class Listing(BaseModel, Generic[T]):
    object: Literal["list"] = "list"
    data: list[T]


class SearchRequest(BaseModel):
    query: Text = Field(max_length=10_000)
    k: int | None = Field(None, ge=1, le=50, description="How many hits; default: the setting retrieve.k")
    collection: Text | None = None
    metadata: dict[str, Text] = Field({}, description=f"Which documents to look in: {', '.join(KEYS)}")


class Upload(BaseModel):
    """What became of one uploaded file; `error` says why where the outcome is "failed"."""

    file: str
    outcome: str
    document_id: str | None = None
    chunks: int = 0
    error: dict[str, str] | None = None


class UploadReport(BaseModel):
    collection: str
    files: list[Upload]


def create_app(assistant: Assistant, reader: Reader | None = None) -> FastAPI:
    """The API over an open assistant, which stays the caller's to close. A page may be mounted onto it at "/".

    `reader` is told of documents that were added; it is the caller's to start and to close.
    """
    reader = reader or Reader(assistant)
    server = assistant.settings.server
    app = FastAPI(
        title="Assistant",
        version="1",
        summary="Answers from your own documents, with citations.",
        docs_url=None,  # FastAPI's own page loads its scripts from the network
        redoc_url=None,
        responses={"4XX": {"model": ErrorReply}, "5XX": {"model": ErrorReply}},
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    metrics = Metrics(assistant.stats, reader.stats)
    app.state.answered = metrics.answered  # for a page that is mounted
    app.add_middleware(
        Guard,
        host=server.host,
        api_key=server.api_key.get_secret_value(),
        upload_bytes=server.max_upload_mb * 10**6,
    )
    app.add_middleware(Meter, metrics=metrics)
    _add_errors(app)
    _add_chat(app, assistant, metrics)
    _add_models(app, assistant)
    _add_search(app, assistant)
    _add_documents(app, assistant, reader)
    _add_system(app, assistant, metrics, reader)
    return app


def _add_chat(app: FastAPI, assistant: Assistant, metrics: Metrics) -> None:
    engine = assistant.settings.engine
    # Enough threads that the engine's own queue fills first and says Busy.
    executor = ThreadPoolExecutor(engine.max_sequences + engine.queue + 16, thread_name_prefix="answer")

    @app.post("/v1/chat/completions", tags=["chat"], responses={200: CHAT_REPLY})
    async def chat_completions(body: ChatRequest, request: Request) -> Response:
        """Answers the last user message from the documents."""
        task = chat_task(body, assistant.model_name)
        markers = task.sampling.json_schema is None
        reply = Reply(f"chatcmpl-{uuid4().hex}", int(time.time()), assistant.model_name, markers)
        cancel = threading.Event()
        ask = partial(
            assistant.stream,
            task.question,
            history=task.history,
            collection=task.collection,
            cancel=cancel,
            sampling=task.sampling,
            where=task.where,
        )
        events = iterate(ask, executor=executor, cancel=cancel, receive=request.receive, silence_s=sse.KEEP_ALIVE_S)
        if not body.stream:
            async for event in events:
                if isinstance(event, Finished):
                    metrics.answered(event.answer)
                    return JSONResponse(reply.completion(event.answer))
            raise EngineFailed("The answer ended without its last event.", "Ask again.")
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        stream = sse.write(await sse.first_text(events), events, reply, with_usage, metrics.answered)
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _add_models(app: FastAPI, assistant: Assistant) -> None:
    embedder = assistant.settings.models.embedder
    models = model_list([assistant.model_name, embedder], created=int(time.time()))

    @app.get("/v1/models", tags=["models"])
    def list_models() -> dict[str, Any]:
        """The loaded language model, then the embedding model."""
        return {"object": "list", "data": models}

    @app.get("/v1/models/{name:path}", tags=["models"])
    def show_model(name: str) -> dict[str, Any]:
        check_model(name, [model["id"] for model in models])
        return next(model for model in models if model["id"] == name)

    @app.post("/v1/embeddings", tags=["models"])
    def create_embeddings(body: EmbeddingRequest) -> dict[str, Any]:
        """Embeddings of length 1 by the model that searches the documents. Tokens are not counted: usage is 0."""
        texts = embedding_texts(body, embedder)
        return embeddings(body, assistant.embed(texts), embedder)


def _add_search(app: FastAPI, assistant: Assistant) -> None:
    @app.post("/v1/search", tags=["documents"])
    def search(body: SearchRequest) -> dict[str, Any]:
        """The passages nearest to a query, best first, without an answer."""
        hits = assistant.search(body.query, k=body.k, collection=body.collection, where=made(body.metadata))
        return {"hits": [hit_json(hit) for hit in hits]}

    @app.get("/v1/collections", tags=["documents"])
    def list_collections() -> Listing[CollectionInfo]:
        return Listing(data=assistant.ingest.collections())


def _add_documents(app: FastAPI, assistant: Assistant, reader: Reader) -> None:
    ingest, default = assistant.ingest, assistant.settings.collection

    @app.post("/v1/documents", tags=["documents"], response_model=UploadReport)
    def upload_documents(
        files: Annotated[list[UploadFile], File(description="One or more files")],
        collection: Annotated[str | None, Form(description="Made where it does not exist")] = None,
        in_query: Annotated[
            str | None, Query(alias="collection", description="The same, where the form does not name it")
        ] = None,
    ) -> UploadReport | JSONResponse:
        """Adds files. Each has its own outcome; only when every one failed is the whole an error, the first one's."""
        report, errors = _add_files(assistant, files, collection or in_query or default)
        if len(errors) < len(files):
            reader.wake(report.collection)
            return report
        return _error_response(errors[0], **report.model_dump())

    @app.get("/v1/documents", tags=["documents"])
    def list_documents(collection: Collection = None) -> Listing[DocumentInfo]:
        return Listing(data=ingest.documents(collection or default))

    @app.get("/v1/documents/{document_id}", tags=["documents"])
    def show_document(document_id: str, collection: Collection = None) -> Document:
        """A document with its text, into which the `start` and `end` of citations and hits point."""
        return ingest.document(document_id, collection or default)

    @app.delete("/v1/documents/{document_id}", tags=["documents"])
    def delete_document(document_id: str, collection: Collection = None) -> dict[str, Any]:
        ingest.delete(document_id, collection or default)
        return {"id": document_id, "object": "document", "deleted": True}


def _add_files(
    assistant: Assistant, files: list[UploadFile], collection: str
) -> tuple[UploadReport, list[AssistantError]]:
    uploads: list[Upload] = []
    errors: list[AssistantError] = []
    for file in files:
        name = PurePosixPath((file.filename or "").replace("\\", "/")).name
        try:
            done = assistant.ingest.add_bytes(name, file.file.read(), collection)
        except AssistantError as error:
            errors.append(error)
            uploads.append(Upload(file=name, outcome="failed", error=error_json(error)))
        else:
            uploads.append(Upload(file=name, outcome=done.outcome, document_id=done.document_id, chunks=done.chunks))
    return UploadReport(collection=collection, files=uploads), errors


def _add_system(app: FastAPI, assistant: Assistant, metrics: Metrics, reader: Reader) -> None:
    page = Path(__file__).with_name("api_docs.html").read_text("utf-8")

    @app.get("/health", tags=["system"])
    def health() -> JSONResponse:
        """`status` is "ok", or "failed" with status code 503 where the engine has ended and nothing can be answered.
        `reading` says how far the reading ahead of a collection's chunks is; null where nothing is read. `unchecked`
        says why answers cannot be checked; null where they are.
        """
        reading = reader.state
        facts = {
            "model": assistant.model_name,
            "reading": asdict(reading) if reading else None,
            "unchecked": assistant.unchecked or None,
        }
        if assistant.stats()["alive"]:
            return JSONResponse({"status": "ok"} | facts)
        ended = EngineFailed("The engine has ended.", "Start the assistant again; the server's log says why.")
        return _error_response(ended, status="failed", **facts)

    @app.get("/metrics", tags=["system"])
    def prometheus() -> Response:
        """Counts and durations in Prometheus' text format."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        policy = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    # Last, so that under /v1 a page mounted at "/" never answers in place of the API.
    @app.api_route("/v1/{path:path}", methods=_METHODS, include_in_schema=False)
    def nothing_here(request: Request) -> Response:
        others = [route for route in app.routes if isinstance(route, Route)]
        near = [route for route in others if route.matches(request.scope)[0] is Match.PARTIAL]
        if not near:
            raise HTTPException(404)
        allowed = sorted({method for route in near for method in route.methods or ()})
        raise HTTPException(405, headers={"Allow": ", ".join(allowed)})


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(AssistantError)
    async def on_assistant_error(_: Request, error: AssistantError) -> Response:
        return _error_response(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        status, body = validation_error_body(error.errors(), request.headers.get("content-type", ""))
        return JSONResponse(body, status)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path}: {error.detail.rstrip('.')}."
        body = error_body(error.status_code, message, HTTPStatus(error.status_code).name.lower())
        return JSONResponse(body, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def on_bug(_: Request, __: Exception) -> Response:
        # It is raised on to uvicorn, which logs it with its trace and closes the connection: the client must know.
        return JSONResponse(internal_error_body(), 500, {"Connection": "close"})


def _error_response(error: AssistantError, **more: Any) -> JSONResponse:
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Busy) else None
    return JSONResponse(assistant_error_body(error) | more, error.http_status, headers)
