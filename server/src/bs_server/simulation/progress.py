"""Showing how far a simulation is: one bar for what is computed once, one for all rounds."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import TaskID

from bs_server.progress import round_bar


class SimulationProgress:
    """Bars with the time left, while the context is open; lines for what is finished.

    Parameters
    ----------
    rounds : of all studies of all seeds together, the starting weights of each counted as one.
    """

    def __init__(self, console: Console, *, rounds: int) -> None:
        self._bar = round_bar(console)
        self._rounds = rounds
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def steps(self, what: str, done: int, total: int) -> None:
        """Show steps of work that is done once."""
        self._bar.update(self._task(what, total), completed=done)

    def told(self, event: str, **facts: object) -> None:
        """Show an event of one of the studies."""
        where = f"seed {facts['seed']}, {facts['comparator']}"
        task = self._task("rounds", self._rounds)
        if event == "round":
            self._bar.update(task, description=where, advance=1)
        elif event == "finished":
            auc = facts["validation_auc"]
            shown = f"{auc:.3f}" if isinstance(auc, float) else "not known (small cells)"
            self._bar.console.print(
                f"{where}: round {facts['round']} chosen, validation AUC {shown}"
            )
        elif event == "refused":
            self._bar.console.print(
                f"{where}: answer of {facts['name']} to {facts['message']} refused "
                f"({facts['reason']})"
            )

    def _task(self, name: str, total: int) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=total)
        return self._tasks[name]
