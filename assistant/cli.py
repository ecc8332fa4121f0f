"""The command line. Data goes to stdout, progress and errors to stderr; exit 0 good, 1 failed, 2 bad usage."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant import cli_bench, cli_doctor, cli_documents, cli_eval, cli_models, terminal
from assistant import settings as settings_room
from assistant.cli_documents import AsJson, Collection, opened
from assistant.errors import AssistantError, BadInput, EngineFailed, ModelDamaged, ModelMissing, StorageError
from assistant.imports import uncollected
from assistant.question import checked
from assistant.records import Answer, Finished, IngestReport, Message, Token
from assistant.settings import Settings
from assistant.where import KEYS, parsed
from assistant.where import Where as Documents
from assistant.wire import answer_json, hit_json

if TYPE_CHECKING:
    from assistant.chain import Assistant

app = typer.Typer(
    help="A private chat assistant over your own documents, wholly on your machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_documents.documents, name="documents")
app.add_typer(cli_documents.collections, name="collections")
app.add_typer(cli_models.commands, name="models")
app.add_typer(cli_eval.commands, name="eval")
app.command("bench")(cli_bench.bench)
app.command("doctor")(cli_doctor.doctor)

_NEW = {"added", "changed"}  # outcomes that leave something to read ahead

Where = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help=f"Only documents with this; keys: {', '.join(KEYS)}.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.write(f"assistant {version('assistant')}\n")
        raise typer.Exit


def main() -> None:
    """Runs a command: errors become a message and an exit code."""
    terminal.use_utf8()
    try:
        app(prog_name="assistant")
    except AssistantError as error:
        terminal.complain(error)
        sys.exit(error.exit_code)
    except OSError as error:  # of a file of ours it would be a StorageError
        terminal.complain(StorageError(f"The output cannot be written: {error.strerror}.", "Check where it goes."))
        os._exit(1)  # what is left in the buffer cannot be written either
    except SystemExit as stop:
        if stop.code == terminal.INTERRUPTED:
            terminal.stopped("Stopped. What was finished is kept.")
        raise


@app.command()
def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files and folders.", metavar="PATH...")],
    collection: Collection = None,
    prune: Annotated[bool, typer.Option(help="Remove documents of these folders whose files are gone.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and follow changes until Ctrl-C.")] = False,
    json: AsJson = False,
) -> None:
    """Read documents into a collection. Unchanged files cost nothing; a stopped run goes on where it was."""
    if not all(path.strip() for path in paths):  # as a Path it would be the current folder
        raise BadInput("A path is empty.", "Is a variable unset? Name `.` for the current folder.")
    settings = settings_room.load()
    name = collection or settings.collection
    with opened(settings) as library, terminal.progress() as progress:
        if watch:
            terminal.say(f"Watching {', '.join(paths)}. Ctrl-C ends it.")
            for report in library.watch(paths, name, progress=progress):
                _print_report(report, json, lines=True)
                _read_ahead(settings, report)
            return
        report = library.add(paths, name, prune=prune, progress=progress)
    _print_report(report, json)
    _read_ahead(settings, report)
    if any(file.outcome == "failed" for file in report.files):
        raise typer.Exit(1)


@app.command()
def ask(
    question: str,
    collection: Collection = None,
    history: Annotated[Path | None, typer.Option(help="JSON list of {role, content}.")] = None,
    where: Where = None,
    json: AsJson = False,
) -> None:
    """Answer one question, with its sources."""
    from assistant import batch

    checked(question)  # before a model is loaded for nothing
    turns = batch.read_history(history) if history else []
    chosen = parsed(where or [])
    with _assistant() as assistant:
        if json:
            answer = assistant.answer(question, history=turns, collection=collection, where=chosen)
            terminal.print_json(answer_json(answer))
        else:
            _print_stream(assistant, question, turns, collection, chosen)


@app.command("batch")
def batch_command(
    questions: Annotated[
        Path, typer.Argument(help="JSON lines of {id, question, history?, collection?}; - is stdin.")
    ],
    output: Annotated[Path | None, typer.Option(help="Write here instead of stdout.")] = None,
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="For lines that name none.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As always: batch prints JSON lines.", hidden=True)] = True,  # noqa: ARG001
) -> None:
    """Answer a file of questions: a line in, a line out. A line that fails says why, and the run goes on."""
    from assistant import batch

    lines = batch.read_lines(questions)
    if output and output.is_file() and questions.exists() and output.samefile(questions):
        raise BadInput(f"--output {output} is the file of questions.", "Choose another, or it would be lost.")
    with batch.writer(output) as write, _assistant() as assistant, terminal.progress() as progress:
        failed = batch.run(assistant, lines, write, progress, collection)
    if failed:
        terminal.say(f"{failed} of {len(lines)} lines failed; their lines say why.")
    if lines and failed == len(lines):
        raise typer.Exit(1)


@app.command()
def search(
    query: str,
    k: Annotated[int | None, typer.Option("-k", min=1, max=1000, help="How many; retrieve.k by default.")] = None,
    collection: Collection = None,
    where: Where = None,
    json: AsJson = False,
) -> None:
    """The passages nearest to a query. No language model is loaded."""
    from assistant import chain

    chosen = parsed(where or [])
    settings = settings_room.load()
    with opened(settings) as library, closing(chain.retriever(library, settings)) as found:
        hits = chain.search(found, settings, query, k=k, collection=collection, where=chosen)
    if json:
        terminal.print_json([hit_json(hit) for hit in hits])
    else:
        for number, hit in enumerate(hits, 1):
            chunk = hit.chunk
            head = ", ".join(part for part in (chunk.title, chunk.section, chunk.publisher, chunk.date) if part)
            terminal.write(f"{number}. {chunk.file} {chunk.start}-{chunk.end}  {hit.score:.3f}  {head}\n")
            terminal.write(f"{chunk.text.strip()}\n\n")


@app.command()
def chat(
    port: Annotated[int | None, typer.Option(help="Port; server.port by default.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """The web page and the HTTP API, on one port of this machine."""
    _serve(port, page=True, browser=browser)


@app.command()
def serve(port: Annotated[int | None, typer.Option(help="Port; server.port by default.")] = None) -> None:
    """The HTTP API without the page."""
    _serve(port, page=False, browser=False)


@app.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print it.")
    ] = False,
) -> None:
    """A private chat assistant over your own documents, wholly on your machine."""


def _read_ahead(settings: Settings, report: IngestReport) -> None:
    """Documents that are in stay in, whatever becomes of this: only the first answers would come later.

    Where nothing is new the model is not even loaded.
    """
    new = any(file.outcome in _NEW for file in report.files)
    if settings.engine.reuse != "chunks" or report.stopped or not new:
        return
    terminal.say("Reading ahead, for quick first words. Ctrl-C ends it; `assistant chat` reads on by itself.")
    try:
        with _assistant(settings) as assistant, terminal.progress() as progress:
            assistant.read_ahead(report.collection, progress)
    except (EngineFailed, ModelMissing, ModelDamaged) as error:
        terminal.say(f"Not read ahead, so first answers take longer: {error}")


def _serve(port: int | None, page: bool, browser: bool) -> None:
    from assistant import api, listen
    from assistant.reader import Reader

    settings = settings_room.load(**({"server": {"port": port}} if port is not None else {}))
    host, number = settings.server.host, settings.server.port
    listen.check_port(host, number)
    if host not in ("127.0.0.1", "localhost", "::1") and not settings.server.api_key.get_secret_value():
        terminal.say(f"Warning: {host} can be reached from other machines and no server.api_key is set.")
    terminal.say("Loading the model ...")
    with _assistant(settings) as assistant, closing(Reader(assistant)) as reader:
        web = api.create_app(assistant, reader)
        if page:
            from assistant import web as room

            room.mount(web, assistant, reader)
        reader.start()
        _advise(settings)
        listen.serve(web, host, number, on_listen=lambda host, port: _announce(host, port, page, browser))


def _advise(settings: Settings) -> None:
    """Another model or another machine is measured only when the user asks for it."""
    from assistant import models, tuning

    model = models.resolve(settings.models.llm, settings.models.folder, "llm")
    if tuning.read(settings, model.sha256) is None:
        terminal.say(f"Nobody measured how {model.name} runs fastest here: `assistant doctor --tune`, once.")


def _announce(host: str, port: int, page: bool, browser: bool) -> None:
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    terminal.say(f"{'Page and API' if page else 'API'} at {url} (API description at {url}/docs). Ctrl-C ends it.")
    if browser:  # in a thread: a browser on the console would hold everything up
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


@contextmanager
def _assistant(settings: Settings | None = None) -> Iterator[Assistant]:
    settings = settings or settings_room.load()
    with ExitStack() as opened:
        with uncollected():
            from assistant.opening import Loading

            loading = opened.enter_context(closing(Loading.start(settings)))
            from assistant.chain import Assistant  # takes about as long as the model, which loads meanwhile

            assistant = opened.enter_context(Assistant.open(settings, loading))
        if assistant.unchecked:
            terminal.say(assistant.unchecked)
        yield assistant


def _print_stream(
    assistant: Assistant, question: str, turns: list[Message], collection: str | None, chosen: Documents
) -> None:
    for event in assistant.stream(question, history=turns, collection=collection, where=chosen):
        if isinstance(event, Token):
            terminal.write(event.text)
        elif isinstance(event, Finished):
            terminal.write("\n\n")
            _print_end(event.answer)


def _print_end(answer: Answer) -> None:
    """What of an answer is in doubt, and its quotes."""
    doubts = {
        "Left out, as no source says it": answer.left_out,
        "Not in the sources": [one.text for one in answer.sentences if one.verdict == "unsupported"],
        "Not checked": [one.text for one in answer.sentences if one.verdict == "unchecked"],
    }
    for doubt, texts in doubts.items():
        if texts:
            terminal.write(f"{doubt}: {' '.join(texts)}\n")
    if not answer.citations and not answer.abstained:
        terminal.write("No passage of your documents carries this answer: take it with doubt.\n")
    for citation in answer.citations:
        head = ", ".join(part for part in (citation.title or citation.file, citation.publisher, citation.date) if part)
        terminal.write(f"[{citation.n}] {head} ({citation.start}-{citation.end})\n    “{citation.quote}”\n")
    if answer.dropped_turns:
        terminal.say(f"The oldest {answer.dropped_turns} turns did not fit and were left out.")


def _print_report(report: IngestReport, json: bool, lines: bool = False) -> None:
    if json:
        terminal.print_json(asdict(report), indent=None if lines else 2)
        return
    for file in report.files:
        if file.outcome != "unchanged":
            terminal.say(f"{file.outcome}: {file.path}" + (f": {file.detail}" if file.detail else ""))
    counts = {
        name: sum(file.outcome == name for file in report.files) for name in sorted({f.outcome for f in report.files})
    }
    if report.passed_over:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(report.passed_over.items()))
        terminal.say(f"passed over, of kinds that are not read: {kinds}")
    summary = ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing to do"
    terminal.say(
        f"Collection {report.collection}: {summary}." + (" Stopped before the end." if report.stopped else "")
    )
    if report.read:
        terminal.say(f"Read {terminal.pace(report.read, report.embedded, report.took_s)}.")
