"""Several cases on one sheet, as in the paper's figures of right and wrong calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bs_client.evaluation.plots import SYNTHETIC_MARK, png_bytes
from bs_client.explain.cases import CaseMap
from bs_client.explain.overlay import (
    CONTOUR_GREEN,
    draw_colour_bar,
    inverted_grey,
    lay_over,
    shown_box,
)
from bs_common.files import write_atomic

COLUMNS = 3  # cases in a row
_CASE_WIDTH_IN, _TALLEST_IN = 3.4, 4.6
_CAPTION_IN = 0.45
_HEAD_IN = 0.75
_BAR_IN = 0.9
_DOTS_PER_INCH = 110


def draw_montage(path: Path, cases: Sequence[CaseMap], *, title: str) -> None:
    """Write one PNG: anterior and posterior view of each case with its map, three cases in a row.

    Marks R and L tell the patient's sides; a green line is the site's own mask. The file is
    readable by its owner alone (0600).

    Parameters
    ----------
    cases : at least one, in the order in which they are shown.
    """
    rows = -(-len(cases) // COLUMNS)
    columns = min(COLUMNS, len(cases))
    tall = min(_TALLEST_IN, max(_height_in(case) for case in cases))
    size = (max(columns * _CASE_WIDTH_IN, 6.0) + _BAR_IN, rows * tall + _HEAD_IN)
    figure = Figure(figsize=size, dpi=_DOTS_PER_INCH)
    for place, case in enumerate(cases):
        row, column = divmod(place, COLUMNS)
        _draw_case(
            figure,
            case,
            left=column * _CASE_WIDTH_IN + 0.1,
            top=size[1] - _HEAD_IN - row * tall,
            tall=tall,
        )
    height = tall - _CAPTION_IN
    bar = figure.add_axes(
        (
            (size[0] - _BAR_IN + 0.1) / size[0],
            1 - (_HEAD_IN + _CAPTION_IN - 0.1 + height) / size[1],
            0.14 / size[0],
            height / size[1],
        )
    )
    draw_colour_bar(bar)
    top = 1 - 0.14 / size[1]
    figure.text(0.15 / size[0], top, title, ha="left", va="top", fontsize=13, fontweight="bold")
    if any(case.caption.synthetic for case in cases):
        mark = figure.text(0.15 / size[0], 1 - 0.42 / size[1], SYNTHETIC_MARK, ha="left", va="top")
        mark.set(color="#b00020", fontsize=10)
    write_atomic(path, png_bytes(figure), mode=0o600)


def _height_in(case: CaseMap) -> float:
    """Give the height of a case whose two views fill its width."""
    rows, columns = case.anterior.counts[shown_box(case.anterior, case.posterior)].shape
    return float((_CASE_WIDTH_IN - 0.2) / 2 * rows / columns + _CAPTION_IN)


def _draw_case(figure: Figure, case: CaseMap, *, left: float, top: float, tall: float) -> None:
    width, height = figure.get_size_inches()
    box = shown_box(case.anterior, case.posterior)
    strongest = max(float(v.heat.max(initial=0)) for v in (case.anterior, case.posterior)) or 1.0
    panel = (_CASE_WIDTH_IN - 0.2) / 2
    for side, (view, marks) in enumerate(((case.anterior, "RL"), (case.posterior, "LR"))):
        axes = figure.add_axes(
            (
                (left + side * panel) / width,
                (top - tall + 0.1) / height,
                (panel - 0.05) / width,
                (tall - _CAPTION_IN) / height,
            )
        )
        axes.imshow(lay_over(inverted_grey(view.counts)[box], view.heat[box] / strongest))
        if view.mask is not None and view.mask[box].any():
            axes.contour(view.mask[box], levels=[0.5], colors=CONTOUR_GREEN, linewidths=0.8)
        _mark_sides(axes, marks)
    figure.text(left / width, (top - 0.1) / height, _words(case), va="top", fontsize=9.5)


def _mark_sides(axes: Axes, marks: str) -> None:
    for mark, place in zip(marks, (0.05, 0.95), strict=True):
        axes.text(place, 0.99, mark, transform=axes.transAxes, ha="center", va="top", fontsize=8)
    axes.set(xticks=[], yticks=[], anchor="N")


def _words(case: CaseMap) -> str:
    caption = case.caption
    return f"Case {caption.case}: {caption.outcome}, probability {caption.probability:.3f}"
