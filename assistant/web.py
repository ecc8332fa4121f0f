"""The page: chat, sources beside it, documents. The only importer of gradio.

Nothing of a user lives outside their own session: turns and the event that stops an answer are session state.
The page fetches nothing from other hosts: system fonts, no analytics, and a Content-Security-Policy that forbids it.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware import Middleware

from assistant.bridge import iterate
from assistant.errors import AssistantError, EngineFailed
from assistant.headers import SecurityHeaders
from assistant.reader import Reader
from assistant.records import Answer, DocumentInfo, Event, FileOutcome, Finished
from assistant.render import (
    collection_choices,
    documents_html,
    outcomes_html,
    reading_html,
    status_html,
    turn_html,
    turns_html,
    welcome_html,
)
from assistant.render_sources import sources_html
from assistant.turns import Turn, advance, history, news, phase

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read by gradio when it is imported

import gradio as gr

if TYPE_CHECKING:
    from assistant.chain import Assistant

PAGE = Path(__file__).parent / "page"
TITLE = "Ask your documents"
FRAME_S = 0.05  # between two updates of a streaming answer
READING_S = 2  # between two looks at how far reading ahead is
TICK_S = 0.5  # between two updates while nothing comes: the clock runs, and gradio notices a closed tab
MOST_STREAMS = 32  # answers this process streams to pages at once; gradio itself runs 40 jobs

Update = dict[Any, Any]  # gradio component -> its new value


def _nothing(_: Answer) -> None: ...


def mount(app: FastAPI, assistant: Assistant, reader: Reader | None = None) -> FastAPI:
    """Puts the page at "/" of the app, after the app's own routes. Returns the same app.

    Where `server.api_key` is set the page asks for it as password, with any user name. An open tab holds a connection
    that never ends by itself: a server that is told to stop calls `app.state.before_stop()`, which ends them all.
    """
    page = Page(assistant, reader, getattr(app.state, "answered", _nothing))
    settings = assistant.settings.server
    key = settings.api_key.get_secret_value()
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page.blocks,
        path="/",
        app_kwargs={"middleware": [Middleware(SecurityHeaders)]},
        auth=(lambda _, password: hmac.compare_digest(password.encode(), key.encode())) if key else None,
        auth_message="Any user name; the password is the API key of this server." if key else None,
        max_file_size=settings.max_upload_mb * 10**6,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        favicon_path=str(PAGE / "icon.svg"),
        theme=gr.themes.Base(
            primary_hue="teal", neutral_hue="slate", font=["system-ui", "sans-serif"], font_mono=["monospace"]
        ),
        # not `css=`: gradio would rewrite every selector to lie inside its own container
        head=f"<style>{_asset('page.css')}</style><script>{_asset('page.js')}</script>",
    )
    gradio_route: Any = mounted.routes[-1]

    def before_stop() -> None:
        page.stopping.set()
        gradio_route.app.stop_event.set()

    mounted.state.before_stop = before_stop
    return mounted


class Asking:
    """An answer on its way, in the state of the session that asked. A forgotten one no longer shows."""

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self.forgotten = False


class Page:
    """Components and their handlers. Holds nothing of any user. `answered` is told of each answer."""

    def __init__(
        self, assistant: Assistant, reader: Reader | None = None, answered: Callable[[Answer], None] = _nothing
    ) -> None:
        self._assistant = assistant
        self._answered = answered
        self._reader = reader or Reader(assistant)
        self.stopping = threading.Event()
        engine = assistant.settings.engine
        self._streams = min(engine.max_sequences + engine.queue, MOST_STREAMS)
        self._executor = ThreadPoolExecutor(self._streams, thread_name_prefix="page")
        with gr.Blocks(
            title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)
        ) as self.blocks:
            self._lay_out()
            self._connect()

    # ---- what it shows

    def _lay_out(self) -> None:
        self.turns = gr.State([])
        self.asking = gr.State(None, delete_callback=_stop)
        self.status = _html('<div role="status"></div>', "status")
        with gr.Row(elem_id="bar"):
            _html(f"<h1>{TITLE}</h1>", "brand")
            _html('<button type="button" id="docs-toggle" aria-controls="library">Documents</button>', "docs-bar")
            self.new_chat = gr.Button("New chat", size="sm", elem_id="new-chat")
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="library"):
                self._lay_out_library()
            with gr.Column(elem_id="chat"):
                self._lay_out_chat()
            with gr.Column(elem_id="sources"):
                _html('<h2>Sources</h2><p class="empty">The passages behind an answer show here.</p>', "sources-head")
                self.past_sources = _html("", "past-sources")
                self.now_sources = _html("", "now-sources")

    def _lay_out_library(self) -> None:
        default = self._assistant.settings.collection
        self.collection = gr.Dropdown([default], value=default, label="Collection", elem_id="collection")
        self.upload = gr.File(label="Add documents", file_count="multiple", height=110, elem_id="upload")
        self.outcomes = _html("", "outcomes")
        self.reading = _html("", "reading")
        self.documents = _html("", "documents", js_on_load=_asset("documents.js"))

    def _lay_out_chat(self) -> None:
        with gr.Column(elem_id="talk"):
            self.past = _html("", "past")
            self.now = _html("", "now")
        with gr.Row(elem_id="ask"):
            self.box = gr.Textbox(
                label="Your question",
                show_label=False,
                placeholder="Ask about your documents",
                max_lines=6,
                autofocus=True,
                container=False,
                elem_id="question",
            )
            self.send = gr.Button("Send", variant="primary", elem_id="send")
            self.stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop")
        if self._assistant.unchecked:
            _html(f'<p class="notice">{escape(self._assistant.unchecked)}</p>', "unchecked")
        name = escape(self._assistant.model_name)
        _html(f"<p>{name}, running locally. Nothing you ask or add is sent elsewhere.</p>", "model")

    def _connect(self) -> None:
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        at_once: dict[str, Any] = quiet | {"queue": False}
        shelf: dict[str, Any] = {
            "fn": self.show_library,
            "inputs": [self.collection, self.turns, self.asking],
            "outputs": [self.collection, self.documents, self.now],
        } | at_once
        asked = gr.on(
            [self.box.submit, self.send.click],
            self.ask,
            [self.box, self.turns, self.collection],
            self._answer_outputs(),
            trigger_mode="once",
            concurrency_limit=self._streams,
            **quiet,
        )
        asked.then(_restore, [self.box, self.turns], self.box, **at_once)
        self.stop.click(_stop, self.asking, None, **at_once)
        self.new_chat.click(self.start_over, [self.asking, self.collection], self._answer_outputs(), **at_once)
        self.blocks.load(**shelf)
        self.collection.input(**shelf)
        added = self.upload.upload(
            self.add, [self.upload, self.collection], [self.outcomes, self.upload], concurrency_limit=1, **quiet
        )
        added.then(**shelf)
        if self._reader.works:
            gr.Timer(READING_S).tick(lambda: reading_html(self._reader.state), None, self.reading, **at_once)
        deleted: Any = self.documents.delete  # events of gr.HTML are made at run time
        deleted(self.delete, self.collection, self.outcomes, **at_once).then(**shelf)

    def _answer_outputs(self) -> list[Any]:
        controls = [self.box, self.send, self.stop, self.turns, self.asking]
        return [*controls, self.past, self.now, self.past_sources, self.now_sources, self.status]

    # ---- what it does

    async def ask(self, question: str, turns: list[Turn], collection: str) -> AsyncIterator[Update]:
        """Streams one answer into the page; the turn joins the session's turns when it is over."""
        if not question.strip():
            yield {self.box: ""}
            return
        asking = Asking()
        turn = Turn(len(turns) + 1, question.strip())
        yield self._begin(turns, turn, asking)
        try:
            async with aclosing(self._follow(turns, turn, collection, asking.cancel)) as updates:
                async for latest, update in updates:
                    if asking.forgotten:
                        yield self._empty(collection)
                        return
                    turn = latest
                    yield update
        except AssistantError as error:
            turn = replace(turn, failure=(error.message, error.hint))
        except Exception:
            yield self._finish(turns, replace(turn, failure=("The assistant failed.", "The server's log says why.")))
            raise
        yield self._empty(collection) if asking.forgotten else self._finish(turns, turn)

    async def _follow(
        self, turns: Sequence[Turn], turn: Turn, collection: str, cancel: threading.Event
    ) -> AsyncGenerator[tuple[Turn, Update]]:
        """The turn as it grows, with what that changes on the page: at most once each FRAME_S."""
        said = history(turns)
        began = shown_at = time.monotonic()
        shown = turn

        def start() -> Iterator[Event]:
            return self._assistant.stream(turn.question, history=said, collection=collection, cancel=cancel)

        stream = iterate(start, executor=self._executor, cancel=cancel, receive=_never, silence_s=FRAME_S)
        async with aclosing(stream) as events:
            async for event in events:
                if self.stopping.is_set():
                    raise EngineFailed("The server was stopped.", "Start it again and ask again.")
                turn = advance(turn, event) if event is not None else turn
                if isinstance(event, Finished):
                    self._answered(event.answer)
                now = time.monotonic()
                if now - shown_at >= (TICK_S if turn == shown else FRAME_S):
                    yield turn, self._progress(shown, turn, now - began)
                    shown, shown_at = turn, now
        yield turn, self._progress(shown, turn, time.monotonic() - began)

    def _begin(self, turns: Sequence[Turn], turn: Turn, asking: Asking) -> Update:
        return {
            self.box: "",
            self.send: gr.Button(visible=False),
            self.stop: gr.Button(visible=True),
            self.asking: asking,
            self.past: turns_html(turns),
            self.past_sources: "".join(sources_html(one) for one in turns),
            self.now: turn_html(turn),
            self.now_sources: sources_html(turn),
            self.status: status_html(phase(turn)),
        }

    def _progress(self, before: Turn, turn: Turn, waited_s: float) -> Update:
        update: Update = {self.now: turn_html(turn, waited_s)}
        if (before.hits, before.citations) != (turn.hits, turn.citations):
            update[self.now_sources] = sources_html(turn)
        if told := news(before, turn):
            update[self.status] = status_html(told)
        return update

    def _finish(self, turns: Sequence[Turn], turn: Turn) -> Update:
        """The page after an answer. How one ended has been told by then, if it did not fail."""
        failed = {self.status: status_html(phase(turn))} if turn.failure else {}
        shown = {self.now: turn_html(turn), self.now_sources: sources_html(turn), self.turns: [*turns, turn]}
        return self._idle() | failed | shown

    def _idle(self) -> Update:
        return {self.send: gr.Button(visible=True), self.stop: gr.Button(visible=False), self.asking: None}

    def _empty(self, collection: str) -> Update:
        blank = dict.fromkeys([self.past, self.past_sources, self.now_sources], "")
        return self._idle() | blank | {self.turns: [], self.now: welcome_html(self._documents(collection))}

    def start_over(self, asking: Asking | None, collection: str) -> Update:
        if asking is not None:
            asking.forgotten = True
        _stop(asking)
        return self._empty(collection)

    def show_library(self, collection: str, turns: Sequence[Turn], asking: Asking | None) -> Update:
        """The collections, the documents of the chosen one and, before the first question, what to ask."""
        default = self._assistant.settings.collection
        choices = collection_choices(self._assistant.ingest.collections(), default, collection)
        documents = self._documents(collection)
        update: Update = {
            self.collection: gr.Dropdown(choices, value=collection),
            self.documents: documents_html(documents),
        }
        return update if turns or asking else update | {self.now: welcome_html(documents)}

    def _documents(self, collection: str) -> list[DocumentInfo]:
        known = {info.name for info in self._assistant.ingest.collections()}
        return self._assistant.ingest.documents(collection) if collection in known else []

    def add(self, paths: Sequence[str] | None, collection: str) -> Iterator[Update]:
        """Ingests uploaded files one by one; a failed one is reported and the others go on."""
        outcomes: list[FileOutcome] = []
        for number, path in enumerate(paths or (), start=1):
            doing = f"Reading {number} of {len(paths or ())}: {Path(path).name}…"
            yield {self.outcomes: outcomes_html(outcomes, doing)}
            outcomes.append(self._add_one(Path(path), collection))
        yield {self.outcomes: outcomes_html(outcomes), self.upload: None}

    def _add_one(self, path: Path, collection: str) -> FileOutcome:
        try:
            # gradio's copy, which others who upload the same file share: `delete_cache` removes it, and not we
            outcome = self._assistant.ingest.add_bytes(path.name, path.read_bytes(), collection)
        except AssistantError as error:
            return FileOutcome(path.name, "failed", detail=str(error))
        except OSError as error:
            return FileOutcome(
                path.name, "failed", detail=f"The upload cannot be read: {error.strerror}. Add it again."
            )
        self._reader.wake(collection)
        return outcome

    def delete(self, collection: str, clicked: gr.EventData) -> str:
        document_id = str(clicked.id)
        try:
            self._assistant.ingest.delete(document_id, collection)
        except AssistantError as error:
            return outcomes_html([FileOutcome(document_id, "failed", detail=str(error))])
        return outcomes_html([FileOutcome(str(clicked.name), "removed", document_id)])


async def _never() -> MutableMapping[str, Any]:
    """Stands for the connection, which gradio watches: it closes the generator when the tab is gone."""
    return await asyncio.Future()


def _restore(typed: str, turns: Sequence[Turn]) -> Any:
    """What the box holds after an answer: the question again where it failed and nothing else was typed."""
    failed = turns and turns[-1].failure
    return turns[-1].question if failed and not typed else gr.skip()


def _stop(asking: Asking | None) -> None:
    if asking is not None:
        asking.cancel.set()


def _asset(name: str) -> str:
    return (PAGE / name).read_text("utf-8")


def _html(value: str, elem_id: str, js_on_load: str | None = None) -> gr.HTML:
    return gr.HTML(value, elem_id=elem_id, js_on_load=js_on_load, apply_default_css=False)
