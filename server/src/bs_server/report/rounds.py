"""How the rounds went: the figure of loss and pooled AUC."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bs_server.report.drawing import (
    COLOURS,
    DASHES,
    MAIN,
    QUIET,
    finite,
    inline_svg,
    mark_place,
    report_style,
)
from bs_server.results.summary import RoundSummary, Summary


def rounds_figure(summary: Summary) -> Markup | None:
    """Draw loss and pooled AUC over the rounds; None where no round has either."""
    rounds = sorted(summary.rounds, key=lambda entry: entry.round)
    has_auc = any(entry.pooled_auc is not None for entry in rounds)
    has_loss = any(
        loss is not None
        for entry in rounds
        for loss in (entry.validation_loss, *(reply.loss for reply in entry.sites))
    )
    if not has_loss and not has_auc:
        return None
    with report_style():
        panels = has_loss + has_auc
        figure = Figure(figsize=(3.6 * panels, 2.9))
        axes = list(figure.subplots(1, panels, squeeze=False)[0])
        if has_loss:
            _draw_losses(axes[0], rounds, [site.name for site in summary.sites])
        if has_auc:
            _draw_pooled_auc(axes[-1], rounds)
        for panel in axes:
            _finish(panel, summary.best_round, last=rounds[-1].round)
        return inline_svg(figure, "rounds", _spoken(summary))


def _draw_losses(axes: Axes, rounds: Sequence[RoundSummary], sites: Sequence[str]) -> None:
    numbers = [entry.round for entry in rounds]
    for index, name in enumerate(sites):
        losses = finite([_training_loss(entry, name) for entry in rounds])
        if any(loss == loss for loss in losses):  # a site that never trained has no line
            axes.plot(
                numbers,
                losses,
                color=COLOURS[1 + index % (len(COLOURS) - 1)],
                linestyle=DASHES[index % len(DASHES)],
                linewidth=1.3,
                marker=".",
                label=f"training, {name}",
            )
    pooled = finite([entry.validation_loss for entry in rounds])
    axes.plot(numbers, pooled, color=MAIN, marker="o", markersize=3.5, label="validation, pooled")
    axes.set_ylabel("Cross-entropy loss (nats a scan)")
    axes.set_ylim(bottom=0)
    axes.legend()


def _training_loss(entry: RoundSummary, site: str) -> float | None:
    return next((reply.loss for reply in entry.sites if reply.name == site), None)


def _draw_pooled_auc(axes: Axes, rounds: Sequence[RoundSummary]) -> None:
    axes.errorbar(
        [entry.round for entry in rounds],
        finite([entry.pooled_auc for entry in rounds]),
        yerr=[entry.pooled_auc_bound or 0.0 for entry in rounds],
        color=MAIN,
        marker="o",
        markersize=3.5,
        capsize=2.5,
        elinewidth=0.9,
    )
    axes.set_ylabel("Pooled validation AUC (0 to 1)")


def _finish(axes: Axes, best: int | None, *, last: int) -> None:
    axes.set_xlabel("Round (0: starting weights)")
    axes.set_xlim(-0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=QUIET, alpha=0.25, linewidth=0.6)
    if best is not None:
        mark_place(axes, best, f"round {best}, chosen")


def _spoken(summary: Summary) -> str:
    chosen = f" Round {summary.best_round} was chosen." if summary.best_round is not None else ""
    return f"Loss and pooled validation AUC by round.{chosen} The table below gives the values."
