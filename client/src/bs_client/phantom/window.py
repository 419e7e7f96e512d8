"""The part of the camera's matrix in which the body lies, in mm and in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bs_client.phantom.site_style import SiteStyle

Image = NDArray[np.float32]  # (rows, columns)
View = Literal["anterior", "posterior"]

# +1 looks at the patient from the front, -1 from behind; the posterior picture is stored as seen
# from behind, so the patient's left is on its left.
SIDE: dict[View, int] = {"anterior": 1, "posterior": -1}

FIELD_WIDTH_MM = 580.0  # the widest body with arms; wider matrices are empty beyond it
CROWN_MM = 1745.0  # template height
SPAN_MM = 1790.0  # template crown to toe tips, feet pointing down
LEAST_MARGIN_MM = 40.0  # above the crown


@dataclass(frozen=True, slots=True)
class Window:
    """Pixels of width `spacing_mm`; the top edge is at height `top_mm`, x = 0 is in the middle."""

    rows: int
    columns: int
    spacing_mm: float
    top_mm: float

    def coarser(self, factor: int) -> Window:
        """Give the same window in pixels `factor` times as wide; sizes must divide."""
        return Window(
            self.rows // factor, self.columns // factor, self.spacing_mm * factor, self.top_mm
        )

    def x_of_columns(self) -> NDArray[np.float64]:
        """Give the x of each column's centre in the anterior view, mm."""
        centres = np.arange(self.columns, dtype=np.float64) + 0.5
        return (centres - self.columns / 2) * np.float64(self.spacing_mm)

    def z_of_rows(self) -> NDArray[np.float64]:
        """Give the height of each row's centre, mm."""
        centres = np.arange(self.rows, dtype=np.float64) + 0.5
        return self.top_mm - centres * np.float64(self.spacing_mm)

    def box(self, *, x_mm: tuple[float, float], z_mm: tuple[float, float]) -> tuple[slice, slice]:
        """Give the rows and columns that cover a rectangle of the anterior view, cut to fit."""
        first_row = int((self.top_mm - z_mm[1]) / self.spacing_mm)
        last_row = int((self.top_mm - z_mm[0]) / self.spacing_mm) + 1
        first_column = int(self.columns / 2 + x_mm[0] / self.spacing_mm)
        last_column = int(self.columns / 2 + x_mm[1] / self.spacing_mm) + 1
        return (
            slice(max(first_row, 0), max(min(last_row, self.rows), 0)),
            slice(max(first_column, 0), max(min(last_column, self.columns), 0)),
        )


def body_window(style: SiteStyle, *, height: float, headroom: float) -> Window:
    """Place a patient in a site's matrix.

    Parameters
    ----------
    height : the patient's factor on the template height.
    headroom : share (0-1) of the rows not needed for the body that lies above the head.
    """
    # Multiples of four columns, for the coarse grids of soft tissue and scatter.
    columns = min(style.columns, int(FIELD_WIDTH_MM / style.spacing_mm) // 4 * 4)
    spare = style.rows * style.spacing_mm - SPAN_MM * height
    top = CROWN_MM * height + max(LEAST_MARGIN_MM, spare * headroom)
    return Window(style.rows, columns, style.spacing_mm, top)
