"""The `assistant models` commands."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from assistant import models, terminal
from assistant import settings as settings_room
from assistant.errors import BadInput
from assistant.records import OnProgress
from assistant.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

commands = typer.Typer(help="List, fetch, choose and verify models.", invoke_without_command=True)


@commands.callback()
def default(context: typer.Context, json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        list_models(json)
    elif json:
        raise BadInput("--json stands before the subcommand.", "Put it behind: `assistant models list --json`.")


@commands.command("list")
def list_models(json: AsJson = False) -> None:
    """Every model of the catalog, and whether it is here."""
    settings = settings_room.load()
    chosen = _chosen(settings)
    found = [asdict(status) | {"in_use": status.name in chosen} for status in models.status(settings.models.folder)]
    if json:
        terminal.print_json(found)
    else:
        keys = ("name", "role", "state", "bytes", "licence", "in_use", "description")
        terminal.print_table([key.capitalize() for key in keys], [[model[key] for key in keys] for model in found])


@commands.command("pull")
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="By default those the settings name.")] = None,
    json: AsJson = False,
) -> None:
    """Fetch models and check their hashes. An interrupted pull goes on where it was."""
    settings = settings_room.load()
    wanted = names or _chosen(settings)
    with terminal.progress() as progress:
        found = [_pull(name, settings, progress) for name in wanted]
    if json:
        terminal.print_json(found)


@commands.command("use")
def use(name: str, json: AsJson = False) -> None:
    """Choose a model of the catalog, or a GGUF file by its path, from now on."""
    settings = settings_room.load()
    local = models.resolve(name, settings.models.folder)
    key = f"models.{local.role}"  # each role has its setting
    value = name if name in models.catalog else str(local.paths["model"].absolute())
    path = settings_room.save(key, value)
    if getattr(settings_room.load().models, local.role) != value:
        origin = next(one for one in settings_room.origins(settings_room.load()) if one.key == key)
        raise BadInput(
            f"{path} now names {value}, but {origin.source} names {origin.value}, which wins.", "Change it there too."
        )
    if json:
        terminal.print_json({"name": local.name, "role": local.role, "settings": str(path)})
    else:
        terminal.say(f"{local.name} is the {local.role} from now on ({path}).")


@commands.command("verify")
def verify(names: Annotated[list[str] | None, typer.Argument()] = None, json: AsJson = False) -> None:
    """Compute the hashes of models anew; by default of those the settings name."""
    settings = settings_room.load()
    wanted = names or _chosen(settings)
    found = []
    with terminal.progress() as progress:
        for name in wanted:
            local = models.verify(name, settings.models.folder, progress)
            found.append({"name": local.name, "sha256": local.sha256})
    if json:
        terminal.print_json(found)
    else:
        terminal.print_table(("Name", "sha256"), [(model["name"], model["sha256"]) for model in found])


def _chosen(settings: Settings) -> list[str]:
    """The models that the settings name."""
    chosen = settings.models
    return [name for name in (chosen.llm, chosen.embedder, chosen.reranker, chosen.checker) if name]


def _pull(name: str, settings: Settings, progress: OnProgress) -> dict[str, Any]:
    local = models.pull(name, settings.models.folder, progress, offline=settings.models.offline)
    terminal.say(f"{local.name}: in place and verified.")
    return {"name": local.name, "sha256": local.sha256, "paths": [str(path) for path in local.paths.values()]}
