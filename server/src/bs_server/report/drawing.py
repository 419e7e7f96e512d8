"""How every figure of the report looks, and how it becomes inline SVG.

Letters are drawn as paths, so that a figure prints alike on every machine; what it shows is said
in words to screen readers, and in a table beside it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

from markupsafe import Markup
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1a1a1a"
QUIET = "#8a8a8a"
MAIN = "#1f4e79"
MARK = "#b3541e"
# Sites and sources differ by dash or marker as well as by colour, for readers who print in grey;
# the colours are told apart without red and green (after Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7a5195", "#8c6d00", "#444444")
DASHES = ("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")

STYLE: dict[str, Any] = {
    "svg.fonttype": "path",
    "svg.hashsalt": "report",  # ids follow from the drawing alone
    "font.family": ["DejaVu Sans"],  # matplotlib brings it
    "font.size": 9,
    "text.parse_math": False,  # a dollar sign in a site's name is a dollar sign
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@contextmanager
def report_style() -> Iterator[None]:
    """Draw in the report's style."""
    # "default" first: a matplotlibrc on the coordinator's machine changes no report.
    with style.context(["default", STYLE]):
        yield


def mark_place(axes: Axes, place: float, words: str) -> None:
    """Draw a dashed upright line at a place of the x axis, with words above it."""
    axes.axvline(place, color=MARK, linewidth=1.0, linestyle=(0, (4, 2)), zorder=0)
    axes.annotate(
        words,
        (place, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        color=MARK,
        fontsize=8,
    )


def inline_svg(figure: Figure, name: str, spoken: str) -> Markup:
    """Give a figure as an `<svg>` element that says `spoken` where it cannot be seen.

    The same figure gives the same text: no date and no random ids are written. Ids begin with
    `name`, which keeps the figures of one page apart.
    """
    if any(axes.get_subplotspec() for axes in figure.axes):
        figure.set_layout_engine("constrained")
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    drawing = buffer.getvalue()
    _, _, inside = drawing[drawing.index("<svg") :].partition(">")
    # Namespaces are the HTML parser's business; the height follows from the width.
    frame = re.search(r'viewBox="[^"]*"', drawing)
    view_box = frame.group(0) if frame else ""
    pixels = round(96 * figure.get_figwidth())
    # matplotlib's style rule would reach every element of the page and says what SVG does anyway;
    # its comments repeat each text.
    inside = re.sub(r"<style.*?</style>|<!--.*?-->", "", inside, flags=re.DOTALL)
    inside = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", inside)
    label = escape(spoken, quote=True)
    return Markup(f'<svg role="img" aria-label="{label}" width="{pixels}" {view_box}>{inside}')  # noqa: S704


def unit_square(axes: Axes, *, diagonal: str) -> None:
    """Frame an axes of two shares, with its labelled diagonal."""
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle="--", label=diagonal)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ticks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)


def finite(values: Sequence[float | None]) -> list[float]:
    """Give NaN for what is not known, so that a line breaks there instead of crossing a gap."""
    return [float("nan") if value is None else value for value in values]
