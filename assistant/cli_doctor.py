"""The `assistant doctor` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant import models, terminal
from assistant import settings as settings_room
from assistant.errors import BadInput, BadSettings
from assistant.records import Progress

if TYPE_CHECKING:
    from assistant.tuning import Trial, Tuning


def doctor(
    tune: Annotated[bool, typer.Option("--tune", help="Measure which engine settings are fastest here.")] = False,
    again: Annotated[bool, typer.Option("--again", help="With --tune: measure anew what was measured.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """This machine, the models, the index, and each setting with where it came from."""
    if again and not tune:
        raise BadInput("--again goes with --tune.", "Run `assistant doctor --tune --again`.")
    if tune:
        _tune(again, json)
    else:
        _examine(json)


def _examine(json: bool) -> None:
    from assistant import doctor as room

    try:
        report = room.examine(settings_room.load())
    except BadSettings as error:
        report = room.examine_machine(error)
    if json:
        terminal.print_json(report)
    else:
        for section, facts in report.items():
            terminal.print_table((section.capitalize(), "", ""), list(room.rows(facts)))
            terminal.write("\n")
    if report["problems"]:
        raise typer.Exit(1)


def _tune(again: bool, json: bool) -> None:
    from assistant import doctor as room
    from assistant import tuning

    settings = settings_room.load()
    model = models.resolve(settings.models.llm, settings.models.folder, "llm")
    found = None if again else tuning.read(settings, model.sha256)
    if found and found.busy_percent >= tuning.BUSY_PERCENT > tuning.busy_percent():
        found = None  # it was measured beside other programs, and now they rest
    if found is None:
        terminal.say(f"Measuring {model.name} on this machine, for about a minute at most ...")
        busy = tuning.busy_percent()
        if busy >= tuning.BUSY_PERCENT:
            terminal.say(
                f"Warning: other programs keep {busy:.0f}% of the processor busy; what is measured means little."
            )
        with terminal.progress() as progress:

            def show(trial: Trial, done: int, total: int) -> None:
                terminal.say(room.trial_line(trial))
                progress(Progress("Tuning", done, total, "candidates"))

            found = tuning.tune(settings, model, show, busy_percent=busy)
    _print_tuning(found, json)


def _print_tuning(found: Tuning, json: bool) -> None:
    from assistant import doctor as room

    terminal.say(f"{room.summary(found)} `assistant doctor --tune --again` measures anew.")
    if found.left_out:
        terminal.say(f"No time was left for: {', '.join(found.left_out)}.")
    if json:
        terminal.print_json(found.model_dump())
        return
    facts: dict[str, Any] = room.tuning_facts(found)
    terminal.print_table(("Tuning", "", ""), list(room.rows(facts)))
