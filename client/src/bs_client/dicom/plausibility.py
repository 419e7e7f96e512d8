"""Look at the counts themselves: is this a scan, and do two views fit (ingest rules 17-22).

Thresholds marked "measured" were set on a real scan (1024 x 256 pixels, 2.26 mm, 3.6 M counts).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bs_client.dicom.codes import Finding, IngestWarning, Refusal, refused
from bs_client.dicom.scan import Counts
from bs_client.dicom.settings import IngestSettings

# Rule 17. A single body is brightest along its spine (1.9 x the mean, measured); between two
# bodies side by side nothing was counted (0.0, measured).
SIDE_BY_SIDE_ASPECT = 0.4
CENTRE_BAND = 0.04
EMPTY_CENTRE = 0.25
# Rule 18.
MIN_COUNTS, LOW_COUNTS = 50_000, 300_000
CORNER_ROWS, CORNER_COLUMNS = 1 / 16, 1 / 8
BRIGHT_CORNER = 0.10
# Rule 19.
RANGE_ENDS = (255, 32767, 65535)
SATURATED_PIXELS = 3
WRAP_MAXIMA = (250, 255)
WRAP_JUMP = 200
# The last rows hold nothing below the feet (0.0), 0.74 of the mean at mid-thigh (measured).
LAST_ROWS = 1 / 100
CUT_SIGNAL = 0.25
# Rule 20. Rows above 2 % of the mean row give 1745 mm for the scan measured as 1747 mm.
SIGNAL_ROW = 0.02
BODY_HEIGHT_MM = (1000, 2150)
# Rules 21 and 22.
MIN_CORRELATION = 0.4
MIRROR_MARGIN = 0.02


def is_side_by_side(counts: Counts) -> bool:
    """Tell whether one frame is wide and has an empty centre column band (rule 17).

    counts : (rows, columns), >= 0. A frame without counts is not side by side.
    """
    rows, columns = counts.shape
    if columns <= SIDE_BY_SIDE_ASPECT * rows or not counts.any():
        return False
    half_band = max(1, round(columns * CENTRE_BAND / 2))
    band = counts[:, columns // 2 - half_band : columns // 2 + half_band]
    return bool(band.mean() < EMPTY_CENTRE * counts.mean())


def check_view(counts: Counts, settings: IngestSettings) -> tuple[Finding, ...]:
    """Apply rules 18 and 19 to one view, (rows, columns), >= 0; give their warnings.

    Raises ScanRefused with E_BLANK, E_TOO_FEW_COUNTS, E_NOT_A_SCAN or E_WRAP8.
    """
    total = float(counts.sum(dtype=np.float64))
    if counts.max() == counts.min():
        raise refused(Refusal.E_BLANK, f"{counts.max():g} in every pixel")
    if total < MIN_COUNTS:
        raise refused(Refusal.E_TOO_FEW_COUNTS, f"{total:.0f} counts")
    _check_corners(counts)
    return tuple(_view_findings(counts, total, settings))


def _check_corners(counts: Counts) -> None:
    rows = max(1, int(counts.shape[0] * CORNER_ROWS))
    columns = max(1, int(counts.shape[1] * CORNER_COLUMNS))
    corners = np.hstack([counts[:rows, :columns], counts[:rows, -columns:]])
    share = float(corners.mean() / counts.max())
    if share > BRIGHT_CORNER:
        raise refused(Refusal.E_NOT_A_SCAN, f"upper corners at {share:.0%} of the maximum")


def _view_findings(counts: Counts, total: float, settings: IngestSettings) -> Iterator[Finding]:
    if total < LOW_COUNTS:
        yield Finding(IngestWarning.W_LOW_COUNTS, f"{total:.0f} counts")
    maximum = counts.max()
    at_maximum = int(np.count_nonzero(counts == maximum))
    if maximum in RANGE_ENDS and at_maximum > SATURATED_PIXELS:
        yield Finding(IngestWarning.W_SATURATED, f"{at_maximum} pixels at {maximum:.0f}")
    if WRAP_MAXIMA[0] <= maximum <= WRAP_MAXIMA[1] and _largest_jump(counts) >= WRAP_JUMP:
        if not settings.accept_wrap8:
            raise refused(
                Refusal.E_WRAP8, f"maximum {maximum:.0f}, jump {_largest_jump(counts):.0f}"
            )
        yield Finding(IngestWarning.W_WRAP8, f"jump {_largest_jump(counts):.0f}")
    last_rows = counts[-max(2, int(counts.shape[0] * LAST_ROWS)) :]
    if last_rows.mean() > CUT_SIGNAL * counts.mean():
        yield Finding(IngestWarning.W_BODY_CUT)


def _largest_jump(counts: Counts) -> float:
    return max(float(np.abs(np.diff(counts, axis=axis)).max(initial=0)) for axis in (0, 1))


def check_height(counts: Counts, row_spacing_mm: float | None) -> tuple[Finding, ...]:
    """Apply rule 20 to one view; an unstated spacing gives no height and no warning."""
    if row_spacing_mm is None:
        return ()
    profile = counts.mean(axis=1)
    rows = int(np.count_nonzero(profile > SIGNAL_ROW * profile.mean()))
    height_mm = rows * row_spacing_mm
    if BODY_HEIGHT_MM[0] <= height_mm <= BODY_HEIGHT_MM[1]:
        return ()
    return (Finding(IngestWarning.W_BODY_HEIGHT, f"{height_mm:.0f} mm"),)


def check_pair(anterior: Counts, posterior: Counts) -> tuple[Finding, ...]:
    """Apply rules 21 and 22 to two views of equal shape.

    A posterior view is seen from behind, so mirrored it resembles the anterior one. Correlations
    are Pearson's, of the square roots of counts, which levels their Poisson noise.
    """
    mirrored = correlation(anterior, posterior[:, ::-1])
    as_stored = correlation(anterior, posterior)
    findings = []
    if mirrored < MIN_CORRELATION:
        findings.append(Finding(IngestWarning.W_VIEW_GEOMETRY, f"correlation {mirrored:.2f}"))
    if as_stored > mirrored + MIRROR_MARGIN:
        detail = f"correlation {as_stored:.2f} as stored, {mirrored:.2f} mirrored"
        findings.append(Finding(IngestWarning.W_PA_MIRRORED, detail))
    return tuple(findings)


def correlation(first: Counts, second: Counts) -> float:
    """Give Pearson's correlation of the square roots of two count images of equal shape."""
    return float(np.corrcoef(np.sqrt(first).ravel(), np.sqrt(second).ravel())[0, 1])
