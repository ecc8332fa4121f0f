"""The `assistant bench` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assistant.errors import BadInput


def bench(
    repeats: Annotated[int, typer.Option(min=1, help="Repetitions; each figure is their median.")] = 3,
    model: Annotated[str, typer.Option(help="Catalog name or path; models.llm by default.")] = "",
    reuse: Annotated[str, typer.Option(help="exact or chunks; engine.reuse by default.")] = "",
    only: Annotated[
        str, typer.Option(help="Some of cold,warm,followup,decode,users,start,memory.", metavar="CASE,...")
    ] = "",
    documents: Annotated[Path | None, typer.Option(help="Folder the prompts are made of; seeds/ by default.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the JSON line alone.")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the JSON line here too.")] = None,
) -> None:
    """Measure speed beside llama_cpp.Llama and llama.cpp's server. The last line is JSON."""
    try:
        from evals import bench as room
    except ImportError as error:
        raise BadInput(
            f"The benchmark is not installed ({error}).", "Run it in the repository: `make bench`."
        ) from error

    chosen = {"documents": documents} if documents else {}
    cases = tuple(name.strip() for name in only.split(",") if name.strip())
    room.main(room.Options(repeats, model, reuse, cases, **chosen), json, output)
