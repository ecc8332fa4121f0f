"""The `assistant documents` and `assistant collections` commands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from assistant import settings as settings_room
from assistant import terminal
from assistant.errors import BadInput
from assistant.settings import Settings
from assistant.wire import document_json

if TYPE_CHECKING:
    from assistant.ingest import Ingest

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Collection = Annotated[
    str | None, typer.Option("--collection", "-c", help="Collection; the settings' own by default.")
]

documents = typer.Typer(help="List, show and delete documents.", invoke_without_command=True)
collections = typer.Typer(help="List and delete collections.", invoke_without_command=True)


@contextmanager
def opened(settings: Settings) -> Iterator[Ingest]:
    """What was ingested; no model is loaded before it is needed."""
    from assistant.ingest import Ingest

    library = Ingest.open(settings)
    try:
        yield library
    finally:
        library.close()


@documents.callback()
def documents_default(context: typer.Context, collection: Collection = None, json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        documents_list(collection, json)
    elif collection or json:
        raise _misplaced(f"documents {context.invoked_subcommand}")


@documents.command("list")
def documents_list(collection: Collection = None, json: AsJson = False) -> None:
    """All documents of a collection."""
    settings = settings_room.load()
    with opened(settings) as library:
        found = library.documents(collection or settings.collection)
    if json:
        terminal.print_json([asdict(info) for info in found])
    else:
        rows = [(i.id, i.file, i.title, i.publisher, i.date, i.characters, i.chunks, i.near_copy_of) for i in found]
        terminal.print_table(("ID", "File", "Title", "Publisher", "Date", "Characters", "Chunks", "Near copy"), rows)


@documents.command("show")
def documents_show(document_id: str, collection: Collection = None, json: AsJson = False) -> None:
    """A document's text, as citations count its characters."""
    settings = settings_room.load()
    with opened(settings) as library:
        document = library.document(document_id, collection or settings.collection)
    if json:
        terminal.print_json(document_json(document))
    else:
        terminal.write(document.text)


@documents.command("delete")
def documents_delete(document_id: str, collection: Collection = None, json: AsJson = False) -> None:
    """Remove a document from a collection. Its file is not touched."""
    settings = settings_room.load()
    with opened(settings) as library:
        library.delete(document_id, collection or settings.collection)
    if json:
        terminal.print_json({"deleted": document_id})
    else:
        terminal.say(f"Deleted {document_id}.")


@collections.callback()
def collections_default(context: typer.Context, json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        collections_list(json)
    elif json:
        raise _misplaced(f"collections {context.invoked_subcommand}")


@collections.command("list")
def collections_list(json: AsJson = False) -> None:
    """All collections."""
    with opened(settings_room.load()) as library:
        found = library.collections()
    if json:
        terminal.print_json([asdict(info) for info in found])
    else:
        rows = [(info.name, info.documents, info.chunks, info.embedder) for info in found]
        terminal.print_table(("Name", "Documents", "Chunks", "Embedder"), rows)


@collections.command("delete")
def collections_delete(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: AsJson = False,
) -> None:
    """Remove a collection with all its documents. The files they came from are not touched."""
    with opened(settings_room.load()) as library:
        count = len(library.documents(name))
        if not yes:
            if not sys.stdin.isatty():
                raise BadInput(f"{name} would be deleted, with {count:,} documents.", "Add --yes if that is meant.")
            typer.confirm(f"Delete the collection {name}, with {count:,} documents?", abort=True, err=True)
        library.delete_collection(name)
    if json:
        terminal.print_json({"deleted": name, "documents": count})
    else:
        terminal.say(f"Deleted {name}, with {count:,} documents.")


def _misplaced(command: str) -> BadInput:
    return BadInput("Options stand before the subcommand.", f"Put them behind it: `assistant {command} ...`.")
