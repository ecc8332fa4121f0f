"""The HTTP door over a real local server: OpenAI's own client for OpenAI's shapes, httpx for the rest."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import uvicorn
from conftest import wait_until
from fake_assistant import HARBOUR, LARGEST_FILE, LIGHTHOUSE, MODEL_NAME, Call, FakeAssistant
from fastapi import FastAPI

from assistant import errors, guard, sse
from assistant.api import create_app
from assistant.bridge import iterate
from assistant.listen import check_port
from assistant.openai_wire import MAX_EMBEDDING_INPUTS, file_citations
from assistant.reader import Reader
from assistant.records import Answer, Citation, Message, Sampling, Sentence, Timings
from assistant.settings import Settings
from assistant.where import Where

QUESTION = [{"role": "user", "content": "When was the lighthouse built?"}]
ANSWER = "The lighthouse on Skarv was built in 1874. [1] Its lamp is seen from 21 nautical miles. [2]"
ANSWER_KEYS = {
    *("question", "answer", "abstained", "reason", "sentences", "citations", "hits", "timings", "model"),
    *("finish_reason", "dropped_turns", "left_out"),
}
CITATION_KEYS = {"n", "document_id", "file", "title", "publisher", "date", "page", "start", "end", "quote"}
HIT_KEYS = {"chunk_id", "document_id", "file", "score", "start", "end", "text"}
TIMING_KEYS = {
    *("retrieve_s", "queue_s", "prefill_s", "ttft_s", "shown_s", "decode_tok_s", "check_s", "total_s"),
    *("prompt_tokens", "cached_tokens", "completion_tokens"),
}


class Door:
    """An ASGI app whose inside can be changed while it is served."""

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


@contextmanager
def serving(app: FastAPI | Door) -> Iterator[str]:
    """The base URL of `app`, served on a free port in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def fake(tmp_path):
    return FakeAssistant(Settings(home=tmp_path))


@pytest.fixture(scope="module")
def door():
    """A server for all tests, with a client of each kind: making those takes longer than most tests."""
    door = Door()
    with (
        serving(door) as door.url,
        httpx.Client(base_url=door.url, timeout=20) as door.http,
        openai.OpenAI(base_url=f"{door.url}/v1", api_key="unused", max_retries=0, timeout=20) as door.client,
    ):
        yield door


@pytest.fixture
def url(door, fake):
    door.app = create_app(fake)
    return door.url


@pytest.fixture
def http(door, url):
    return door.http


@pytest.fixture
def client(door, url):
    return door.client


def chat(http, **fields):
    return http.post("/v1/chat/completions", json={"messages": QUESTION} | fields)


@contextmanager
def sent(url, path, body, length):
    """A connection on which a JSON request was sent, its reply not yet read; `length` is what it says it has."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}"
        connection.sendall(f"{head}\r\n\r\n".encode() + body)
        yield connection


def error_of(response, status, code=None):
    """The error of a reply, after checking that it has OpenAI's shape."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert code is None or error["code"] == code
    return error


def chunks_of(response):
    lines = [line for line in response.text.split("\n\n") if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def check_citations(annotations, answer):
    assert [annotation["type"] for annotation in annotations] == ["file_citation"] * 2
    for annotation in annotations:
        place = annotation["file_citation"]
        assert place["filename"] == "lighthouse.txt"
        assert place["quote"] == LIGHTHOUSE[place["start"] : place["end"]]
        assert answer[place["index"] :].startswith(f"[{place['n']}]")


def test_openai_client_gets_answer_citations_and_usage(client):
    reply = client.chat.completions.create(model=MODEL_NAME, messages=QUESTION)
    message = reply.choices[0].message
    assert (message.role, message.content) == ("assistant", ANSWER)
    assert reply.choices[0].finish_reason == "stop"
    check_citations([annotation.model_dump() for annotation in message.annotations], message.content)
    assert reply.usage.prompt_tokens_details.cached_tokens == 30
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens == 58
    full = reply.model_extra["assistant"]
    assert set(full) == ANSWER_KEYS
    assert full["answer"] == ANSWER
    assert set(full["citations"][0]) == CITATION_KEYS
    assert set(full["hits"][0]) == HIT_KEYS
    assert set(full["timings"]) == TIMING_KEYS
    assert full["sentences"][0] == {"text": ANSWER.split(" [1]")[0], "verdict": "unchecked", "citations": [1]}


@pytest.mark.parametrize("with_usage", [False, True])
def test_openai_client_streams(client, with_usage):
    options = {"stream_options": {"include_usage": True}} if with_usage else {}
    chunks = list(client.chat.completions.create(model="assistant", messages=QUESTION, stream=True, **options))
    usages = [chunks.pop().usage] if with_usage else []
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert [usage.total_tokens for usage in usages] == [58] * with_usage
    carriers = [chunk for chunk in chunks if hasattr(chunk.choices[0].delta, "annotations") or chunk.model_extra]
    assert carriers == chunks[-1:]
    check_citations(carriers[0].choices[0].delta.annotations, ANSWER)
    assert set(carriers[0].model_extra["assistant"]) == ANSWER_KEYS
    assert len({chunk.id for chunk in chunks}) == 1


def test_stream_ends_with_done_and_usage_has_no_choices(http):
    reply = chat(http, stream=True, stream_options={"include_usage": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text.endswith("\n\ndata: [DONE]\n\n")
    *_, last, usage = chunks_of(reply)
    assert last["object"] == usage["object"] == "chat.completion.chunk"
    assert set(last["choices"][0]["delta"]) == {"annotations"}
    assert usage["choices"] == []


def test_conversation_sampling_and_collection_reach_the_assistant(http, fake):
    fake.ingest.add_bytes("other.txt", b"One fact.", "notes")
    messages = [
        {"role": "system", "content": "Talk like a pirate."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Good day"},
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "fact?"}]},
    ]
    fields = {"temperature": 0.5, "top_p": 0.9, "min_p": 0.1, "seed": 7, "max_tokens": 9, "max_completion_tokens": 3}
    reply = chat(http, messages=messages, stop="END", metadata={"collection": "notes"}, **fields)
    assert reply.json()["choices"][0]["finish_reason"] == "stop"
    history = (Message("user", "Hello"), Message("assistant", "Good day"))
    sampling = Sampling(temperature=0.5, top_p=0.9, min_p=0.1, seed=7, max_tokens=3, stop=("END",))
    assert fake.calls == [Call("One\nfact?", history, "notes", sampling)]
    chat(http, collection="default", metadata={"collection": "notes"}, n=1, tools=[], user="someone", stop=["a", "b"])
    assert fake.calls[1] == Call(QUESTION[0]["content"], (), "default", Sampling(stop=("a", "b")))


@pytest.mark.parametrize(
    ("wanted", "schema"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": {"type": "integer"}}},
            {"type": "integer"},
        ),
    ],
)
def test_response_format_and_timeout_reach_the_assistant(client, fake, wanted, schema):
    extra = {"timeout": 2.5}
    client.chat.completions.create(model=MODEL_NAME, messages=QUESTION, response_format=wanted, extra_body=extra)
    assert fake.calls[0].sampling == Sampling(json_schema=schema, timeout_s=2.5)


@pytest.mark.parametrize("stream", [False, True])
def test_citations_of_json_belong_to_the_whole_text(http, stream):
    reply = chat(http, response_format={"type": "json_object"}, stream=stream)
    choice = (chunks_of(reply)[-1] if stream else reply.json())["choices"][0]
    places = [place["file_citation"] for place in choice["delta" if stream else "message"]["annotations"]]
    assert [(place["n"], place["index"]) for place in places] == [(1, len(ANSWER)), (2, len(ANSWER))]


def test_a_schema_that_cannot_be_used_is_named(http, fake):
    fake.error = errors.BadFormat("The JSON schema cannot be used at age: Unrecognized schema.")
    wanted = {"type": "json_schema", "json_schema": {"schema": {"properties": {"age": {"type": "x"}}}}}
    error = error_of(chat(http, response_format=wanted), 400, "bad_format")
    assert error["param"] == "response_format"
    assert "at age" in error["message"]


def test_answer_cut_at_max_tokens_says_length(http):
    assert chat(http, max_tokens=2).json()["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ({"model": "gpt-4o"}, 404, "model_not_found", "model"),
        ({"collection": "nowhere"}, 404, "unknown_collection", "collection"),
        ({"metadata": {"collection": 5}}, 400, "bad_parameter", "metadata.collection"),
        ({"metadata": {"publisher": 5}}, 400, "bad_filter", "metadata"),
        ({"metadata": {"Publisher": "Xinhua"}}, 400, "bad_filter", "metadata"),
        ({"metadata": {"publisher": " "}}, 400, "bad_filter", "metadata"),
        ({"metadata": {"date": "soon"}}, 400, "bad_filter", "metadata"),
        ({"metadata": {"publisher": "Nobody"}}, 422, "empty_collection", None),
        ({"metadata": "harbour.txt"}, 422, "invalid_value", "metadata"),
        ({"n": 2}, 400, "unsupported_parameter", "n"),
        ({"tools": [{"type": "function"}]}, 400, "unsupported_parameter", "tools"),
        ({"logprobs": True}, 400, "unsupported_parameter", "logprobs"),
        ({"response_format": {"type": "xml"}}, 400, "unsupported_parameter", "response_format"),
        ({"response_format": {"type": "json_schema"}}, 400, "bad_parameter", "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, 400, "bad_parameter", "response_format"),
        ({"response_format": "json"}, 422, "invalid_value", "response_format"),
        ({"timeout": 0}, 422, "invalid_value", "timeout"),
        ({"stop": ["1", "2", "3", "4", "5"]}, 400, "bad_parameter", "stop"),
        ({"stop": ["1", ""]}, 400, "bad_parameter", "stop"),
        ({"stop": "x" * 201}, 400, "bad_parameter", "stop"),
        ({"messages": [{"role": "user", "content": "  "}]}, 400, "empty_question", None),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "bad_parameter", "messages"),
        ({"messages": [*QUESTION, {"role": "assistant", "content": "In"}]}, 400, "bad_parameter", "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "unsupported_parameter", "messages.0"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "unsupported_parameter", None),
        ({"messages": []}, 422, "invalid_value", "messages"),
        ({"messages": "hello"}, 422, "invalid_value", "messages"),
        ({"temperature": "hot"}, 422, "invalid_value", "temperature"),
        ({"temperature": 3}, 422, "invalid_value", "temperature"),
        ({"max_tokens": 0}, 422, "invalid_value", "max_tokens"),
        ({"seed": 2**32 - 1}, 422, "invalid_value", "seed"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_bad_chat_requests(http, fields, status, code, param, stream):
    error = error_of(chat(http, stream=stream, **fields), status, code)
    assert param is None or error["param"] == param
    assert error["type"] == "invalid_request_error"


def every_error(base=errors.AssistantError):
    return [base, *(error for child in base.__subclasses__() for error in every_error(child))]


@pytest.mark.parametrize("kind", [error for error in every_error() if error.__module__ == errors.__name__])
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_event_is_a_true_status(http, fake, kind, stream):
    fake.error = kind("The engine says no.", "Try tomorrow.")
    reply = chat(http, stream=stream)
    error = error_of(reply, kind.http_status)
    assert error["message"] == "The engine says no. Try tomorrow."
    assert reply.headers.get("retry-after") == ("5" if kind is errors.Busy else None)


def test_an_error_before_the_first_text_is_a_true_status(http, fake):
    fake.error_after = (0, errors.QuestionTooLong("The prompt has 9000 tokens."))
    error_of(chat(http, stream=True), 413, "question_too_long")


def test_openai_client_knows_busy_and_unknown_model(client, fake):
    with pytest.raises(openai.NotFoundError, match="gpt-4o"):
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    fake.error = errors.Busy("16 requests are waiting already.")
    with pytest.raises(openai.RateLimitError, match="16 requests"):
        client.chat.completions.create(model=MODEL_NAME, messages=QUESTION, stream=True)


def test_an_error_in_mid_stream_is_the_last_event(client, http, fake):
    fake.error_after = (3, errors.EngineFailed("Decoding failed."))
    reply = chat(http, stream=True)
    assert reply.status_code == 200
    assert chunks_of(reply)[-1]["error"]["code"] == "engine_failed"
    assert "[DONE]" not in reply.text
    with pytest.raises(openai.APIError, match="Decoding failed"):
        list(client.chat.completions.create(model=MODEL_NAME, messages=QUESTION, stream=True))


def test_unforeseen_errors_tell_the_log_not_the_client(http, fake, caplog):
    fake.error_after = (3, RuntimeError("secret detail"))
    plain, streamed = chat(http), chat(http, stream=True)
    error_of(plain, 500, "internal_error")
    assert plain.headers["connection"] == "close"
    assert chunks_of(streamed)[-1]["error"]["code"] == "internal_error"
    assert "secret detail" not in plain.text + streamed.text
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(("stream", "prefill_s", "wait_s"), [(False, 30, 0), (True, 30, 0), (True, 0, 0.3)])
def test_a_client_that_leaves_stops_its_answer(url, fake, stream, prefill_s, wait_s):
    fake.prefill_s, fake.token_delay_s = prefill_s, 0.2
    body = json.dumps({"messages": QUESTION, "stream": stream}).encode()
    with sent(url, "/v1/chat/completions", body, len(body)):
        wait_until(lambda: fake.active == 1)
        time.sleep(wait_s)
    wait_until(lambda: fake.active == 0, seconds=20)
    assert fake.cancelled == 1


def test_a_reader_that_stops_early_stops_the_source():
    cancel, ended = threading.Event(), threading.Event()

    def source():
        yield 1
        assert cancel.wait(5)
        ended.set()

    async def read_one(executor):
        never = asyncio.Event()
        items = iterate(source, executor=executor, cancel=cancel, receive=never.wait, silence_s=5)
        async with aclosing(items):
            return await anext(items)

    with ThreadPoolExecutor(1) as executor:
        assert asyncio.run(read_one(executor)) == 1
    assert ended.is_set()


def test_two_clients_are_answered_side_by_side(url, fake):
    fake.token_delay_s = 0.1
    replies = []

    def ask():
        replies.append(httpx.post(f"{url}/v1/chat/completions", json={"messages": QUESTION, "stream": True}))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    texts = ["".join(c["choices"][0]["delta"].get("content", "") for c in chunks_of(reply)) for reply in replies]
    assert texts == [ANSWER, ANSWER]
    assert fake.most_active == 2


def test_a_long_silence_is_filled_with_comments(http, fake, client, monkeypatch):
    monkeypatch.setattr(sse, "KEEP_ALIVE_S", 0.05)
    fake.prefill_s = 0.3
    assert ": still working\n\n" in chat(http, stream=True).text
    chunks = client.chat.completions.create(model=MODEL_NAME, messages=QUESTION, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER


def test_a_marker_is_found_behind_a_sentence_that_quotes_one():
    sentences = (Sentence('It says "[1] none".', "unchecked", (1, 2)), Sentence("It ends.", "unchecked", (1,)))
    text = 'It says "[1] none". [1] [2] It ends. [1]'
    citations = tuple(Citation(n, "id", "a.txt", None, None, None, None, 0, 1, "x") for n in (1, 2))
    answer = Answer("q", text, False, None, sentences, citations, (), Timings(), "m", "stop")
    assert [place["file_citation"]["index"] for place in file_citations(answer)] == [20, 24, 37]


def test_models(client, fake):
    embedder = fake.settings.models.embedder
    assert [model.id for model in client.models.list()] == [MODEL_NAME, embedder]
    assert client.models.retrieve(embedder).owned_by == "local"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")


def test_embeddings(client, http, fake):
    model = fake.settings.models.embedder
    expected = fake.embed(["one", "two"])
    for options in ({}, {"encoding_format": "float"}, {"encoding_format": "base64", "dimensions": 8}):
        reply = client.embeddings.create(model=model, input=["one", "two"], **options)
        if options.get("encoding_format") == "base64":
            assert isinstance(reply.data[0].embedding, str)
        else:
            np.testing.assert_allclose([item.embedding for item in reply.data], expected, rtol=1e-6)
    assert len(http.post("/v1/embeddings", json={"input": "one"}).json()["data"]) == 1


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"model": MODEL_NAME}, 404, "model_not_found"),
        ({"input": []}, 400, "bad_parameter"),
        ({"input": ["a", " "]}, 400, "bad_parameter"),
        ({"input": [1, 2]}, 400, "bad_parameter"),
        ({"input": ["a"] * (MAX_EMBEDDING_INPUTS + 1)}, 400, "bad_parameter"),
        ({"dimensions": 9}, 400, "bad_parameter"),
        ({"encoding_format": "int8"}, 422, "invalid_value"),
    ],
)
def test_bad_embedding_requests(http, fields, status, code):
    error_of(http.post("/v1/embeddings", json={"input": "a"} | fields), status, code)


def test_search(http):
    hits = http.post("/v1/search", json={"query": "harbour boats", "k": 1}).json()["hits"]
    assert [(hit["file"], hit["text"]) for hit in hits] == [("harbour.txt", HARBOUR)]
    assert set(hits[0]) == HIT_KEYS
    error_of(http.post("/v1/search", json={"query": "x", "collection": "nowhere"}), 404, "unknown_collection")
    error_of(http.post("/v1/search", json={"query": " "}), 400, "empty_question")
    error_of(http.post("/v1/search", json={"query": "x", "k": 0}), 422, "invalid_value")


@pytest.mark.parametrize(
    ("metadata", "status", "code", "says"),
    [
        ({"size": "3"}, 400, "bad_filter", "cannot be chosen by 'size'"),
        ({"collection": "notes"}, 400, "bad_filter", "cannot be chosen by 'collection'"),
        ({"publisher": ""}, 400, "bad_filter", "publisher has no value"),
        ({"date": "2025-02-30"}, 400, "bad_filter", "date=2025-02-30 is not a date"),
        ({"publisher": 5}, 422, "invalid_value", "metadata.publisher"),
        (None, 422, "invalid_value", "metadata"),
        ({"file": "nowhere.txt"}, 422, "empty_collection", "file=nowhere.txt"),
        ({"after": "2025-02", "file": "harbour.txt"}, 422, "empty_collection", "after=2025-02"),
    ],
)
def test_bad_metadata_of_a_search(http, metadata, status, code, says):
    reply = http.post("/v1/search", json={"query": "boats", "metadata": metadata})
    assert says in error_of(reply, status, code)["message"]


def test_metadata_chooses_the_documents(http, fake):
    def files(**metadata):
        reply = http.post("/v1/search", json={"query": "harbour boats lighthouse", "metadata": metadata})
        return {hit["file"] for hit in reply.json()["hits"]}

    assert files() == {"harbour.txt", "lighthouse.txt"}
    assert files(file="HARBOUR.txt") == {"harbour.txt"}
    assert chat(http, metadata={"file": "lighthouse.txt", "user": 7}).status_code == 200
    assert fake.calls[-1].where == Where(file="lighthouse.txt")


def test_documents_come_and_go(http):
    files = [("files", ("..\\new.txt", b"Fresh text.")), ("files", ("../../old.txt", HARBOUR.encode()))]
    report = http.post("/v1/documents", files=files, data={"collection": "notes"}).json()
    assert [(file["file"], file["outcome"]) for file in report["files"]] == [
        ("new.txt", "added"),
        ("old.txt", "added"),
    ]
    new = report["files"][0]["document_id"]
    assert http.get("/v1/collections").json()["data"][1]["name"] == report["collection"] == "notes"
    listed = http.get("/v1/documents", params={"collection": "notes"}).json()["data"]
    assert [document["file"] for document in listed] == ["new.txt", "old.txt"]
    assert http.get(f"/v1/documents/{new}", params={"collection": "notes"}).json()["text"] == "Fresh text."
    error_of(http.get(f"/v1/documents/{new}"), 404, "unknown_document")
    gone = http.delete(f"/v1/documents/{new}", params={"collection": "notes"})
    assert gone.json() == {"id": new, "object": "document", "deleted": True}
    error_of(http.delete(f"/v1/documents/{new}", params={"collection": "notes"}), 404, "unknown_document")
    error_of(http.get("/v1/documents", params={"collection": "nowhere"}), 404, "unknown_collection")


def test_an_upload_goes_where_form_or_query_say(http):
    def collection(name, **where):
        return http.post("/v1/documents", files=[("files", (name, name.encode()))], **where).json()["collection"]

    assert collection("a.txt", params={"collection": "asked"}) == "asked"
    assert collection("b.txt", data={"collection": "formed"}, params={"collection": "asked"}) == "formed"
    assert collection("c.txt", params={"collection": ""}) == "default"
    names = [info["name"] for info in http.get("/v1/collections").json()["data"]]
    assert names == ["default", "asked", "formed"]


def test_what_is_read_ahead_shows(door, tmp_path):
    fake = FakeAssistant(Settings(home=tmp_path, engine={"reuse": "chunks"}))
    fake.reading_s = 30
    reader = Reader(fake)
    door.app = create_app(fake, reader)
    reader.start()
    try:
        wait_until(lambda: reader.state)
        reading = {"collection": "default", "done": 0, "total": 2}
        assert door.http.get("/health").json()["reading"] == reading
        assert "assistant_reading_ahead_chunks 2.0" in door.http.get("/metrics").text
        fake.reading_s = 0
        door.http.post("/v1/documents", files=[("files", ("new.txt", b"New."))], params={"collection": "notes"})
        assert list(reader._wanted) == ["notes"]
    finally:
        reader.close()
    assert fake.read == []


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("image.png", b"x", 415, "unsupported_file"),
        ("large.txt", b"x" * (LARGEST_FILE + 1), 413, "file_too_large"),
        ("binary.txt", b"\xff\xfe\x00", 422, "unreadable_file"),
    ],
)
def test_a_bad_file_does_not_lose_the_good_one(http, name, data, status, code):
    bad = ("files", (name, data))
    alone = http.post("/v1/documents", files=[bad])
    assert name in error_of(alone, status, code)["message"]
    assert alone.json()["files"][0]["outcome"] == "failed"
    both = http.post("/v1/documents", files=[bad, ("files", ("good.txt", b"Good."))])
    assert both.status_code == 200
    assert [file["outcome"] for file in both.json()["files"]] == ["failed", "added"]
    assert both.json()["files"][0]["error"]["type"] == code
    assert "good.txt" in http.get("/v1/documents").text
    error_of(http.post("/v1/documents", files=[("files", ("a.txt", b"A"))], data={"collection": "a/b"}), 400)


def test_http_errors_have_the_same_shape(http):
    json_type = {"content-type": "application/json"}
    error_of(http.post("/v1/chat/completions", content=b"{bad", headers=json_type), 400, "invalid_json")
    half = b'{"messages": [{"role": "user", "content": "half a smile \\ud83d"}]}'
    assert "surrogate" in error_of(http.post("/v1/chat/completions", content=half, headers=json_type), 422)["message"]
    half = b'{"messages": [{"role": "user", "content": "Why?"}], "metadata": {"collection": "half a smile \\ud83d"}}'
    told = error_of(http.post("/v1/chat/completions", content=half, headers=json_type), 400, "bad_input")["message"]
    assert "metadata.collection is not Unicode" in told
    error_of(http.post("/v1/chat/completions", content=b"\xff{", headers=json_type), 400, "bad_request")
    error_of(http.post("/v1/chat/completions", content=b"[]", headers=json_type), 422, "invalid_value")
    error_of(http.post("/v1/chat/completions", data={"a": "b"}), 415, "unsupported_media_type")
    error_of(http.post("/v1/documents", data={"collection": "x"}), 422, "invalid_value")
    error_of(http.get("/v1/nothing"), 404, "not_found")
    error_of(http.get("/nothing"), 404, "not_found")
    wrong = http.put("/v1/documents")
    error_of(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, POST"


def test_a_page_at_the_root_takes_nothing_from_the_api(fake):
    page, app = FastAPI(), create_app(fake)
    page.add_api_route("/{path:path}", lambda: "the page", methods=["GET", "PUT"])
    app.mount("/", page)
    with serving(app) as base, httpx.Client(base_url=base, verify=False) as http:
        assert http.get("/").json() == "the page"
        assert http.get("/health").json()["status"] == "ok"
        error_of(http.get("/v1/nothing"), 404)
        error_of(http.put("/v1/models"), 405)


def test_api_key(tmp_path):
    fake = FakeAssistant(Settings(home=tmp_path, server={"api_key": "open sesame"}))
    good = {"Authorization": "Bearer open sesame"}
    with serving(create_app(fake)) as base, httpx.Client(base_url=base, verify=False) as http:
        for path in ("/v1/models", "/v1/nothing", "/metrics"):
            for headers in ({}, {"Authorization": "Bearer open"}, {"Authorization": "Basic open sesame"}):
                refused = http.get(path, headers=headers)
                error_of(refused, 401, "invalid_api_key")
                assert refused.headers["www-authenticate"] == "Bearer"
        error_of(http.post("/v1/search", json={"query": "x"}), 401)
        assert [http.get(path, headers=good).status_code for path in ("/v1/models", "/metrics")] == [200, 200]
        assert http.get("/health").status_code == 200
        stranger = openai.OpenAI(base_url=f"{base}/v1", api_key="wrong", max_retries=0)
        with stranger, pytest.raises(openai.AuthenticationError):
            stranger.models.list()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "", "[::2]:80", "["])
def test_a_foreign_host_is_refused_on_loopback(http, host):
    error_of(http.get("/health", headers={"Host": host}), 403, "foreign_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:7860", "127.0.0.1:1", "[::1]:7860"])
def test_names_of_this_machine_are_accepted(http, host):
    assert http.get("/health", headers={"Host": host}).status_code == 200


def test_any_host_is_accepted_where_the_server_is_open_to_others(tmp_path):
    fake = FakeAssistant(Settings(home=tmp_path, server={"host": "0.0.0.0"}))
    with serving(create_app(fake)) as base:
        assert httpx.get(f"{base}/health", headers={"Host": "box.lan"}).status_code == 200


def test_pages_of_other_origins_change_nothing(http, url):
    body = {"query": "boats"}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://[", "http://[::1"):
        error_of(http.post("/v1/search", json=body, headers={"Origin": origin}), 403, "foreign_origin")
    assert http.post("/v1/search", json=body, headers={"Origin": url}).status_code == 200
    assert http.get("/v1/models", headers={"Origin": "http://evil.example"}).status_code == 200


def test_bodies_over_the_limit_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(guard, "JSON_BYTES", 1000)
    fake = FakeAssistant(Settings(home=tmp_path, server={"max_upload_mb": 1}))
    long = json.dumps({"query": "x" * 2000}).encode()
    headers = {"Content-Type": "application/json"}
    with serving(create_app(fake)) as base, httpx.Client(base_url=base, verify=False) as http:
        error_of(http.post("/v1/search", content=long, headers=headers), 413, "request_too_large")
        unsized = iter([long[:900], long[900:]])
        error_of(http.post("/v1/search", content=unsized, headers=headers), 413, "request_too_large")
        upload = http.post("/v1/documents", files=[("files", ("a.txt", b"x" * 10**6))])
        error_of(upload, 413, "request_too_large")
        assert http.post("/v1/documents", files=[("files", ("a.txt", b"x" * 5000))]).status_code == 200


def test_a_body_that_says_it_is_too_large_is_refused_unread(url):
    with sent(url, "/v1/search", b"", guard.JSON_BYTES + 1) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_dead_engine_is_no_good_health(http, fake):
    fake.alive = 0.0
    reply = http.get("/health")
    error_of(reply, 503, "engine_failed")
    told = reply.json()
    assert {name: told[name] for name in ("status", "model", "reading", "unchecked")} == {
        "status": "failed",
        "model": MODEL_NAME,
        "reading": None,
        "unchecked": None,
    }
    assert "assistant_engine_alive 0.0" in http.get("/metrics").text


def test_health_and_metrics(http):
    assert http.get("/health").json() == {"status": "ok", "model": MODEL_NAME, "reading": None, "unchecked": None}
    chat(http)
    http.get("/v1/documents/none")
    text = http.get("/metrics").text
    for line in (
        'assistant_http_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1.0',
        'assistant_http_requests_total{method="GET",route="/v1/documents/{document_id}",status="404"} 1.0',
        'assistant_http_request_seconds_count{route="/v1/chat/completions"} 1.0',
        "assistant_ttft_seconds_count 1.0",
        "assistant_engine_prompt_tokens_total 40.0",
        "assistant_engine_cached_tokens_total 30.0",
        "assistant_engine_completion_tokens_total 18.0",
        "assistant_engine_busy_total 0.0",
        "assistant_engine_queue_depth 0.0",
        "assistant_reading_ahead_chunks 0.0",
        "assistant_reading_ahead_chunks_done 0.0",
    ):
        assert line in text.splitlines()


def test_description_and_its_page_need_no_network(http):
    paths = http.get("/openapi.json").json()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert routes >= {
        *("POST /v1/chat/completions", "GET /v1/models", "POST /v1/embeddings", "POST /v1/search"),
        *("POST /v1/documents", "GET /v1/documents", "GET /v1/documents/{document_id}", "GET /health"),
        *("DELETE /v1/documents/{document_id}", "GET /v1/collections", "GET /metrics"),
    }
    page = http.get("/docs")
    assert "openapi.json" in page.text
    assert "//" not in page.text.replace("// All text", "")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_taken_port_is_named(url):
    port = int(url.rpartition(":")[2])
    with pytest.raises(errors.BadInput, match=f"port {port}.*--port"):
        check_port("127.0.0.1", port)
    check_port("127.0.0.1", 0)
    with pytest.raises(errors.BadInput, match=r"203\.0\.113\.1"):
        check_port("203.0.113.1", 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_ends_on_a_signal_and_lets_its_caller_close(tmp_path, number):
    program = f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
from fake_assistant import FakeAssistant
from assistant.api import create_app
from assistant.listen import serve
from assistant.settings import Settings
with FakeAssistant(Settings(home={str(tmp_path)!r})) as fake:
    serve(create_app(fake), "127.0.0.1", 0, lambda host, port: print(port, flush=True))
print("closed", fake.closed)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip()
        assert httpx.get(f"http://127.0.0.1:{port}/health", timeout=20).status_code == 200
        process.send_signal(number)
        assert process.communicate(timeout=20)[0] == "closed True\n"
        assert process.returncode == 0
    finally:
        process.kill()
