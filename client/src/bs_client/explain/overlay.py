"""A picture of one scan with its Grad-CAM map laid over both views, for the site's own eyes.

The maps come already cut into native views; how they are made is `gradcam`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bs_client.evaluation.plots import SYNTHETIC_MARK, png_bytes
from bs_common.errors import DataError
from bs_common.files import write_atomic

Grey = NDArray[np.float32]
Colour = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

# The bladder or the injection site would darken the window if it ended at the maximum.
WINDOW_PERCENTILE = 99.5
# Evenly falling lightness from pale yellow to dark red: a weak map stays pale on the white
# background, and a strong one is told from dark bone by its colour.
COLOURS = matplotlib.colormaps["YlOrRd"](range(256))[:, :3].astype(np.float32)
# Bone stays visible under the hottest spot.
STRONGEST_ALPHA = 0.6
CONTOUR_GREEN = "#007a30"

# What counts as something to show, when the empty rim of the detector is cut off: rows and columns
# with this share of the fullest one's counts, and this share of the strongest map value.
RIM_COUNTS = 0.01
RIM_HEAT = 0.2

DOTS_PER_INCH = 100
VIEW_HEIGHT_IN = 8.0
VIEW_WIDTH_IN = 2.9
BAR_WIDTH_IN = 0.95
CAPTION_HEIGHT_IN = 1.0


@dataclass(frozen=True, slots=True)
class OverlayView:
    """One view as it is drawn.

    counts : (rows, columns) counts per pixel, >= 0, native geometry; rows run head to foot. The
        posterior view is as seen from behind.
    heat : (rows, columns) Grad-CAM map in the same geometry, >= 0. The largest value of the two
        views is drawn as 1, so that they can be compared.
    mask : (rows, columns) annotated metastases, drawn as a contour; None where there is none.
    """

    counts: NDArray[np.float32]
    heat: NDArray[np.float32]
    mask: Mask | None = None

    def __post_init__(self) -> None:
        """Refuse a map or mask of another geometry, and values that cannot be drawn."""
        mask_shape = self.counts.shape if self.mask is None else self.mask.shape
        if not self.counts.shape == self.heat.shape == mask_shape or self.counts.ndim != 2:
            raise DataError(
                f"counts {self.counts.shape}, map {self.heat.shape} and mask {mask_shape} differ, "
                "expected one geometry (rows, columns)",
                remedy="Cut the map into native views before drawing it.",
            )
        if not (np.isfinite(self.heat).all() and self.heat.min(initial=0) >= 0):
            raise DataError(
                "a Grad-CAM map has negative or non-finite values",
                remedy="Draw the map after its ReLU; a NaN comes from a diverged model.",
            )


@dataclass(frozen=True, slots=True)
class OverlayCaption:
    """What is written around the picture.

    case : case number, from 1; never an identifier of the study.
    probability : of metastasis, 0 to 1.
    threshold : probability from which a scan is called positive.
    label : True for metastasis, None where the truth is not known.
    synthetic : whether the scan was made artificially.
    """

    case: int
    probability: float
    threshold: float
    label: bool | None
    synthetic: bool

    @property
    def called(self) -> bool:
        """Whether the scan is called metastasis."""
        return self.probability >= self.threshold

    @property
    def certainty(self) -> float:
        """How far the probability lies from the threshold."""
        return abs(self.probability - self.threshold)

    @property
    def outcome(self) -> str:
        """TP, FP, TN or FN; empty without a label."""
        if self.label is None:
            return ""
        return ("T" if self.called == self.label else "F") + ("P" if self.called else "N")

    def text(self) -> str:
        """Give the two lines above the picture."""
        call = "called metastasis" if self.called else "called no metastasis"
        lines = f"Case {self.case}: {call}\n"
        lines += f"probability {self.probability:.3f}, threshold {self.threshold:.3g}"
        if self.label is not None:
            truth = "metastasis" if self.label else "no metastasis"
            lines += f"; label {truth} ({self.outcome})"
        return lines


def overlay_name(case: int) -> str:
    """Name a case's picture, such as ``case-0017.png``."""
    return f"case-{case:04d}.png"


def draw_overlay(
    path: Path, anterior: OverlayView, posterior: OverlayView, *, caption: OverlayCaption
) -> None:
    """Write one PNG: both views as acquired, and beside them both with the map laid over.

    Patient's right is on the viewer's left in the anterior view and on the viewer's right in the
    posterior one; marks R and L say so. Detector rims with neither counts nor map are cut off,
    alike in both views. The file is readable by its owner alone (0600).

    Raises
    ------
    DataError if the two views differ in geometry.
    """
    if anterior.counts.shape != posterior.counts.shape:
        raise DataError(
            f"anterior {anterior.counts.shape} and posterior {posterior.counts.shape} differ, "
            "expected one geometry",
            remedy="Export both views of the study with the same matrix.",
        )
    strongest = max(float(anterior.heat.max(initial=0)), float(posterior.heat.max(initial=0)))
    box = shown_box(anterior, posterior)
    figure, axes, bar = _lay_out(*anterior.counts[box].shape)
    views = (("Anterior", "RL", anterior), ("Posterior", "LR", posterior))
    for column, (name, sides, view) in enumerate(views):
        grey = inverted_grey(view.counts)[box]
        heat = view.heat[box] / (strongest or 1.0)
        mask = None if view.mask is None else view.mask[box]
        _draw_view(axes[column], lay_over(grey, np.zeros_like(heat)), None, sides=sides)
        _draw_view(axes[2 + column], lay_over(grey, heat), mask, sides=sides)
        axes[column].set_title(name, fontsize=11)
        axes[2 + column].set_title(f"{name} with map", fontsize=11)
    draw_colour_bar(bar)
    _write_caption(figure, caption, blank=strongest == 0)
    write_atomic(path, png_bytes(figure), mode=0o600)


def shown_box(anterior: OverlayView, posterior: OverlayView) -> Box:
    """Find the rows and columns where either view has a body or a map, with a rim of 3 %.

    Two views without counts and map are shown whole.
    """
    counts = anterior.counts + posterior.counts
    heat = np.maximum(anterior.heat, posterior.heat)
    box = []
    for axis in (1, 0):
        profile, hottest = counts.sum(axis=axis), heat.max(axis=axis)
        body = profile > RIM_COUNTS * profile.max()
        shown = np.flatnonzero(body | (hottest > RIM_HEAT * hottest.max()))
        length = profile.size
        rim = round(0.03 * length)
        first, last = (shown[0], shown[-1]) if shown.size else (0, length - 1)
        box.append(slice(max(0, int(first) - rim), min(length, int(last) + 1 + rim)))
    return box[0], box[1]


def inverted_grey(counts: NDArray[np.float32]) -> Grey:
    """Show counts dark on white: 1 - counts / window, (rows, columns) in [0, 1].

    The window ends at the 99.5th percentile of the counts above zero; an empty view is white.
    """
    above_zero = counts[counts > 0]
    if above_zero.size == 0:
        return np.ones(counts.shape, np.float32)
    window = np.percentile(above_zero, WINDOW_PERCENTILE)
    grey: Grey = (1 - np.clip(counts / window, 0, 1)).astype(np.float32)
    return grey


def lay_over(grey: Grey, heat: NDArray[np.float32]) -> Colour:
    """Lay a map in [0, 1] over a grey view in [0, 1], the stronger the less transparent.

    Returns (rows, columns, 3) uint8, 255 ((1 - a) grey + a colour) with a = 0.6 heat: where the
    map is zero the view is unchanged.
    """
    alpha = (STRONGEST_ALPHA * heat)[..., np.newaxis]
    colour = COLOURS[np.rint(255 * heat).astype(np.uint8)]
    mixed = (1 - alpha) * grey[..., np.newaxis] + alpha * colour
    picture: Colour = np.rint(255 * mixed).astype(np.uint8)
    return picture


def _lay_out(rows: int, columns: int) -> tuple[Figure, list[Axes], Axes]:
    """Place four views of one geometry and the colour bar, as tall as the page's width allows."""
    height = min(VIEW_HEIGHT_IN, VIEW_WIDTH_IN * rows / columns)
    width = height * columns / rows
    total = 4 * (width + 0.1) + BAR_WIDTH_IN
    page = height + CAPTION_HEIGHT_IN + 0.15
    figure = Figure(figsize=(total, page), dpi=DOTS_PER_INCH)
    axes = [
        figure.add_axes(
            ((0.1 + n * (width + 0.1)) / total, 0.1 / page, width / total, height / page)
        )
        for n in range(4)
    ]
    left = 0.2 + 4 * (width + 0.1)
    bar = figure.add_axes((left / total, 0.1 / page, 0.15 / total, height / page))
    return figure, axes, bar


def _draw_view(axes: Axes, picture: Colour, mask: Mask | None, *, sides: str) -> None:
    axes.imshow(picture, interpolation="antialiased")
    if mask is not None and mask.any():
        axes.contour(mask, levels=[0.5], colors=CONTOUR_GREEN, linewidths=0.9)
    for side, place in zip(sides, (0.06, 0.94), strict=True):
        mark = axes.text(place, 0.99, side, transform=axes.transAxes, ha="center", va="top")
        mark.set(fontsize=12, fontweight="bold")
    axes.set(xticks=[], yticks=[])


def draw_colour_bar(axes: Axes) -> None:
    """Draw the colours from no map to a scan's strongest value."""
    # Mixed with white as in the picture, so that a colour reads the same in both.
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[:, np.newaxis]
    bar = lay_over(np.ones_like(ramp), ramp)
    axes.imshow(bar, origin="lower", aspect="auto", extent=(0, 1, 0, 1))
    axes.set(xticks=[])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_ylabel("Grad-CAM, share of this scan's strongest value", fontsize=9)
    axes.tick_params(labelsize=8)


def _write_caption(figure: Figure, caption: OverlayCaption, *, blank: bool) -> None:
    top = 1 - 0.12 / figure.get_figheight()
    figure.text(0.01, top, caption.text(), ha="left", va="top", fontsize=12, linespacing=1.4)
    remarks = []
    if caption.synthetic:
        remarks.append(SYNTHETIC_MARK)
    if blank:
        remarks.append("blank map: no region speaks for the class")
    text = figure.text(0.99, top, "\n".join(remarks), ha="right", va="top", linespacing=1.4)
    text.set(color="#b00020", fontsize=11)
