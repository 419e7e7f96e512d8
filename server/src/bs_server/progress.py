"""Telling what a study is doing: lines of JSON for programs, a live bar for people."""

from __future__ import annotations

import json
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bs_server.federation.attendance import Told


class Both:
    """Tells every event to two listeners."""

    def __init__(self, first: Told, second: Told) -> None:
        self._listeners = (first, second)

    def __call__(self, event: str, **facts: object) -> None:
        """Pass one event on."""
        for listener in self._listeners:
            listener(event, **facts)


class LinesProgress:
    """Writes every event as one JSON object on a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: str, **facts: object) -> None:
        """Write one event."""
        self._stream.write(json.dumps({"event": event, **facts}) + "\n")
        self._stream.flush()


class RichProgress:
    """Shows the rounds as a bar and everything else as a line above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = round_bar(console)
        self._task: TaskID | None = None

    def __call__(self, event: str, **facts: object) -> None:
        """Show one event."""
        if event == "round":
            self._show_round(facts)
        elif (line := describe_event(event, facts)) is not None:
            self._bar.console.print(line)
        if event in ("local", "external", "finished", "stopped"):
            self._bar.stop()

    def _show_round(self, facts: dict[str, object]) -> None:
        number, total = int(str(facts["round"])), int(str(facts["rounds"]))
        if self._task is None:
            self._task = self._bar.add_task("rounds", total=total)
            self._bar.start()
        self._bar.update(self._task, completed=number)
        self._bar.console.print(describe_round(facts))


def round_bar(console: Console) -> Progress:
    """Give the bar that counts rounds and the time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        console=console,
    )


def describe_round(facts: dict[str, object]) -> str:
    """Say one finished round in a line."""
    auc, loss = facts["pooled_auc"], facts["validation_loss"]
    shown = f"{auc:.3f}" if isinstance(auc, float) else "not known (small cells)"
    return f"round {facts['round']:>3}: validation AUC {shown}, loss {loss:.4f}"


def describe_event(event: str, facts: dict[str, object]) -> str | None:
    """Say an event in a line, or None where it is not worth one."""
    match event:
        case "serving":
            return f"listening on port {facts['port']}"
        case "waiting":
            return f"waiting for: {_names(facts['missing'])}"
        case "connected":
            return f"connected: {_names(facts['online'])}"
        case "away" | "back":
            return f"{facts['site']} is {event}"
        case "refused":
            return (
                f"round {facts['round']}: answer of {facts['name']} to {facts['message']} "
                f"refused ({facts['reason']}), attempt {facts['attempt']}"
            )
        case "without":
            return f"round {facts['round']}: {facts['message']} goes on without {facts['sites']}"
        case "damaged":
            return f"round {facts['round']} is damaged on disk and is computed again"
        case "paused":
            return f"paused before round {facts['round']}; to go on: bs-server resume STUDY_DIR"
        case "resumed":
            return f"going on with round {facts['round']}"
        case "status_page":
            return f"status page: {facts['address']}"
        case "local":
            return f"each alone, to compare with: {_names(facts['sites'])}"
        case "local_model":
            return f"{facts['site']} has trained a model from its own scans alone"
        case "external":
            return f"external evaluation of round {facts['round']} at {_names(facts['sites'])}"
    return None


def _names(names: object) -> str:
    return ", ".join(str(name) for name in names) if isinstance(names, list) else str(names)
