"""Prints the steps of a lead's life: for people on 100 columns, for programs as HTTP has them."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from aggregates.lead.replay import Step
from aggregates.lead.telling import plain
from aggregates.lead.timer_changes import TimerChange
from aggregates.values import local_time
from api.replay_json import step_json

WIDTH = 100
NOTHING = "(none)"
HASH_SHOWN = 12
Line = tuple[str, str]
"""What is told, and the telling."""


def show_json(steps: Sequence[Step], zone: ZoneInfo) -> None:
    """Print the steps as one array, each as `GET /v1/leads/{ref}/replay` has it."""
    typer.echo(_json([step_json(step, zone) for step in steps]))


def show_text(steps: Sequence[Step], zone: ZoneInfo) -> None:
    """Print the steps to be read; no line is wider than WIDTH, and nothing is cut."""
    from rich.console import Console  # noqa: PLC0415 - only people wait for it
    from rich.table import Table  # noqa: PLC0415

    wide = Console().width if sys.stdout.isatty() else WIDTH
    console = Console(width=min(wide, WIDTH), markup=False, highlight=False)
    commands: dict[Any, int] = {}
    for step in steps:
        head = Table.grid(padding=(0, 2, 0, 0))
        head.add_column(justify="right", min_width=3)
        head.add_column(overflow="fold", style="bold")
        head.add_row(str(step.version), step.in_words)
        body = Table.grid(padding=(0, 2, 0, 0))
        body.add_column(min_width=3)
        body.add_column(overflow="fold", max_width=WIDTH // 3, style="dim")
        body.add_column(overflow="fold")
        first = commands.setdefault(step.meta.command_id, step.version)
        for name, told in _lines(step, first, zone):
            body.add_row("", name, told)
        with console.capture() as captured:
            console.print(head)
            console.print(body)
        for line in captured.get().splitlines():
            typer.echo(line.rstrip())
        typer.echo()


def _lines(step: Step, first: int, zone: ZoneInfo) -> Iterator[Line]:
    """The lines under a step's sentence; `first` is the first step of the same command."""
    yield "event", f"{step.topic}, position {step.position}"
    yield "when", _when(step, zone)
    yield "by", _cause(step, first)
    for name, change in step.changes.items():
        yield name, f"{_in_a_line(change.before, zone)} -> {_in_a_line(change.after, zone)}"
    for turn in step.timers:
        yield f"clock {turn.name}", _turned(turn, zone)
    for rules in step.rules:
        rule = [f"rule {rules.rule}"] if rules.rule else []
        cited = f"version {rules.version} ({rules.hash[:HASH_SHOWN]})"
        yield f"rules {rules.kind}", ", ".join([cited, *rule, *filter(None, [rules.matched])])
    for name, value in step.says.items():
        yield f"says {name}", _in_a_line(value, zone)


def _when(step: Step, zone: ZoneInfo) -> str:
    """On both axes; once where they say the same."""
    recorded = local_time(step.recorded_at, zone)
    happened = local_time(step.occurred_at, zone) if step.occurred_at else "at an unknown time"
    return recorded if happened == recorded else f"{happened}, recorded {recorded}"


def _cause(step: Step, first: int) -> str:
    meta = step.meta
    given = "the command" if first == step.version else f"the command of step {first}"
    parts = [f"{meta.actor}, {given}"]
    if first == step.version:
        parts[0] += f" {meta.command_id}"
        if meta.correlation_id not in (None, meta.command_id):
            parts.append(f"of the intent {meta.correlation_id}")
        if meta.causation_id not in (None, meta.command_id):
            parts.append(f"caused by {meta.causation_id}")
    return ", ".join(parts)


def _turned(change: TimerChange, zone: ZoneInfo) -> str:
    before = change.before and change.before.due_at
    after = change.after and change.after.due_at
    moved = f" from {_in_a_line(before, zone)}" if before and before != after else ""
    until = f" to {_in_a_line(after, zone)}" if moved else f", due {_in_a_line(after, zone)}"
    if change.after is None:
        return f"{change.change}{f', was due {_in_a_line(before, zone)}' if before else ''}"
    return f"{change.change}{moved}{until if after else ', without a time'}"


def _in_a_line(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, datetime):
        return local_time(value, zone)
    if value is None:
        return NOTHING
    shown = plain(value, zone)
    return _json(shown) if isinstance(shown, bool | int | float | dict | list) else str(shown)


def _json(shown: Any) -> str:
    return msgspec.json.encode(shown).decode()
