"""The flow of scans as a diagram in the manner of STARD: one band of boxes for each site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bs_server.report.drawing import INK, MAIN, MARK, inline_svg, report_style
from bs_server.report.flow import Box, Flow, Refused, SiteFlow
from bs_server.report.places import PLACES

SITES_A_FIGURE = 3  # a taller figure would leave half a printed page empty before it
CODES_SHOWN = 6
NOT_SHOWN = "not shown"  # a sum with a hidden part

# All lengths in inches; the figure is as wide as the page's text.
_WIDTH = 7.2
_COLUMNS = (0.02, 1.9, 3.78, 5.66)  # left edges: received, in the study, split, judged
_BOX = 1.52
_LINE = 0.155
_PAD = 0.07
_GAP = 0.14
_BAND_GAP = 0.3
_ROLES = {"train": "trains and validates", "evaluate": "judges, never trains"}


@dataclass(frozen=True, slots=True)
class _Frame:
    """A drawn box: its edges in inches, y downwards."""

    left: float
    top: float
    height: float

    @property
    def middle(self) -> float:
        return self.top + self.height / 2

    @property
    def bottom(self) -> float:
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class _Band:
    """What the boxes of one band say; splits and judged by heading, in lines."""

    received: int | None
    refused: Refused
    included: int | None
    splits: Mapping[str, list[str]]
    judged: Mapping[str, Mapping[str, list[str]]]


def flow_figures(flow: Flow) -> list[Markup]:
    """Draw all sites together, then a few sites a figure; empty without sites."""
    starts = range(0, len(flow.sites), SITES_A_FIGURE)
    groups = [flow.sites[start : start + SITES_A_FIGURE] for start in starts]
    with report_style():
        together = [_draw_together(flow)] if len(flow.sites) > 1 else []
        return [*together, *(_draw_sites(group, number) for number, group in enumerate(groups))]


def spoken(sites: Sequence[SiteFlow]) -> str:
    """Say the flow of sites in words."""
    parts = []
    for site in sites:
        parts.append(f"{site.site}: received {_number(site.received)}")
        refused = ", ".join(_code_line(site.refused, code) for code in site.refused.by_code)
        parts.append(f"refused {_number(site.refused.total)}" + (f" ({refused})" * bool(refused)))
        parts.append(f"in the study {_number(site.included)}")
        parts += [f"{split} {' '.join(_box_lines(box))}" for split, box in site.splits.items()]
        if site.judged is not None:
            parts.append(f"judged {_number(site.judged.total)}")
            parts.append(f"called {' '.join(_box_lines(site.judged.called))}")
            parts.append(f"not called {' '.join(_box_lines(site.judged.not_called))}")
    return f"Flow of scans. {'; '.join(parts)}."


def spoken_together(flow: Flow) -> str:
    """Say the flow over all sites in words."""
    splits = [f"{split} {' '.join(_box_lines(box))}" for split, box in flow.splits.items()]
    return (
        f"Flow of scans over all sites: received {_number(flow.received)}; refused "
        f"{_number(flow.refused)}; in the study {_number(flow.included)}; {'; '.join(splits)}; "
        f"judged {_number(flow.judged)}."
    )


def _draw_sites(sites: Sequence[SiteFlow], number: int) -> Markup:
    figure, axes = _canvas()
    bottom = 0.05 - _BAND_GAP
    for site in sites:
        bottom = _draw_site(axes, site, top=bottom + _BAND_GAP)
    _fit(figure, axes, bottom)
    return inline_svg(figure, f"flow-sites-{number}", spoken(sites))


def _draw_together(flow: Flow) -> Markup:
    figure, axes = _canvas()
    top = _title(axes, "All sites", "", top=0.05)
    judged = {} if flow.judged is None else {"external": {"judged": [_count(flow.judged)]}}
    band = _Band(
        received=flow.received,
        refused=Refused({"": flow.refused}),
        included=flow.included,
        splits={split: _box_lines(box) for split, box in flow.splits.items()},
        judged=judged,
    )
    _fit(figure, axes, _draw_band(axes, band, top=top))
    return inline_svg(figure, "flow-together", spoken_together(flow))


def _canvas() -> tuple[Figure, Axes]:
    figure = Figure()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    return figure, axes


def _fit(figure: Figure, axes: Axes, bottom: float) -> None:
    """Cut the figure below its last box; a unit of the axes is an inch, y runs downwards."""
    height = bottom + 0.05
    figure.set_size_inches(_WIDTH, height)
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))


def _draw_site(axes: Axes, site: SiteFlow, *, top: float) -> float:
    top = _title(axes, site.site, _ROLES.get(site.role, site.role), top=top)
    judged: dict[str, dict[str, list[str]]] = {}
    if site.judged is not None:
        boxes = {
            "called metastasis": _box_lines(site.judged.called),
            "not called": _box_lines(site.judged.not_called),
        }
        if site.judged.refused.by_code:
            lines = [_code_line(site.judged.refused, code) for code in site.judged.refused.by_code]
            boxes["not judged"] = lines
        judged = {"external": boxes}
    band = _Band(
        received=site.received,
        refused=site.refused,
        included=site.included,
        splits={split: _box_lines(box) for split, box in site.splits.items()},
        judged=judged,
    )
    return _draw_band(axes, band, top=top)


def _draw_band(axes: Axes, band: _Band, *, top: float) -> float:
    """Draw one band from left to right; give its lower end."""
    first = _box(axes, 0, top, "received", [_count(band.received)])
    second = _box(axes, 1, top, "in the study", [_count(band.included), "labelled"])
    _arrow(axes, first, second)
    bottoms = [_draw_refused(axes, band.refused, first, top=second.bottom + _GAP)]
    at = top
    for split, lines in band.splits.items():
        frame = _box(axes, 2, at, split, lines)
        _arrow(axes, second, frame)
        last, right = frame.bottom, at
        for heading, words in band.judged.get(split, {}).items():
            one = _box(axes, 3, right, heading, words)
            _arrow(axes, frame, one)
            right = one.bottom + _GAP
            last = max(last, one.bottom)
        bottoms.append(last)
        at = last + _GAP
    return max(bottoms)


def _draw_refused(axes: Axes, refused: Refused, first: _Frame, *, top: float) -> float:
    """Draw the side box of what left the flow, hanging from the first arrow."""
    codes = [code for code in refused.by_code if code]
    lines = [_code_line(refused, code) for code in codes[:CODES_SHOWN]]
    if len(codes) > CODES_SHOWN:
        table = PLACES["sites-table"].label
        lines.append(f"and {len(codes) - CODES_SHOWN} more reasons, see {table}")
    middle = (_COLUMNS[0] + _BOX + _COLUMNS[1]) / 2
    heading = f"refused: {_number(refused.total)}"
    width = _COLUMNS[1] + _BOX - _COLUMNS[0]
    frame = _frame(axes, _COLUMNS[0], top, width, heading, lines, edge=MARK)
    _head(axes, (middle, first.middle), (middle, frame.top), colour=MARK)
    return frame.bottom


def _title(axes: Axes, name: str, role: str, *, top: float) -> float:
    axes.text(_COLUMNS[0], top, name, fontsize=9, fontweight="bold", va="top")
    axes.text(_WIDTH - 0.02, top, role, fontsize=8, va="top", ha="right")
    axes.plot([_COLUMNS[0], _WIDTH - 0.02], [top + 0.19] * 2, color=INK, linewidth=0.6)
    return top + 0.28


def _box(axes: Axes, column: int, top: float, heading: str, lines: Sequence[str]) -> _Frame:
    return _frame(axes, _COLUMNS[column], top, _BOX, heading, lines, edge=MAIN)


def _frame(
    axes: Axes,
    left: float,
    top: float,
    width: float,
    heading: str,
    lines: Sequence[str],
    *,
    edge: str,
) -> _Frame:
    height = 2 * _PAD + _LINE * (1 + len(lines))
    corner = Rectangle((left, top), width, height, facecolor="white", edgecolor=edge, lw=1.0)
    axes.add_patch(corner)
    for index, line in enumerate((heading, *lines)):
        weight = "bold" if index == 0 else "normal"
        y = top + _PAD + _LINE * (index + 0.5)
        axes.text(left + _PAD, y, line, fontsize=7.5, fontweight=weight, va="center")
    return _Frame(left, top, height)


def _arrow(axes: Axes, start: _Frame, end: _Frame) -> None:
    """Lead from the right side of one box to the left side of another, by right angles."""
    right = start.left + _BOX
    level = end.top < start.middle < end.bottom
    y = start.middle if level else end.middle
    middle = (right + end.left) / 2
    axes.plot([right, middle, middle], [start.middle, start.middle, y], color=INK, linewidth=0.8)
    _head(axes, (middle, y), (end.left, y), colour=INK)


def _head(axes: Axes, start: tuple[float, float], end: tuple[float, float], *, colour: str) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
    )


def _box_lines(box: Box) -> list[str]:
    """Write a box's counts; what is hidden is said once."""
    if box.hidden:
        known = {"metastasis": box.metastasis, "no metastasis": box.no_metastasis}
        shown = [f"{label}: {count}" for label, count in known.items() if count is not None]
        return [*shown, *box.hidden.replace(" (", "\n(").split("\n")]
    return [
        _count(box.total),
        f"metastasis: {box.metastasis}",
        f"no metastasis: {box.no_metastasis}",
    ]


def _code_line(refused: Refused, code: str) -> str:
    count = refused.by_code[code]
    return f"{code}: {refused.hidden if count is None else count}"


def _count(count: int | None) -> str:
    return NOT_SHOWN if count is None else f"n = {count}"


def _number(count: int | None) -> str:
    return NOT_SHOWN if count is None else str(count)
