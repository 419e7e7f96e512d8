"""The figure of ROC curve and confusion matrix."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from bs_client.evaluation.auc import trace_roc
from bs_client.evaluation.external import evaluate_external
from bs_client.evaluation.plots import draw_calibration, draw_performance

MARGINS, LABELS = [-1.0, 0.5, -0.2, 2.0], [0, 0, 1, 1]


def drawn(*, synthetic: bool) -> bytes:
    result = evaluate_external(MARGINS, LABELS, threshold=0.5, seed=0, resamples=20)
    return draw_performance(trace_roc(MARGINS, LABELS), result, synthetic=synthetic)


def red_pixels(content: bytes) -> int:
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    return int(np.count_nonzero(picture[..., 0] - picture[..., 1:].max(axis=-1) > 100))


def test_the_figure_is_the_same_png_each_time() -> None:
    first, again = drawn(synthetic=False), drawn(synthetic=False)

    assert first == again
    assert Image.open(io.BytesIO(first)).format == "PNG"


def test_only_synthetic_scans_are_marked_in_red() -> None:
    assert red_pixels(drawn(synthetic=True)) > 100
    assert red_pixels(drawn(synthetic=False)) == 0


def test_the_figure_of_calibration_is_the_same_png_each_time_and_marked() -> None:
    margins, labels = np.array(MARGINS), np.array(LABELS, bool)

    marked = draw_calibration(margins, labels, synthetic=True)

    assert marked == draw_calibration(margins, labels, synthetic=True)
    assert red_pixels(marked) > 100
    assert red_pixels(draw_calibration(margins, labels, synthetic=False)) == 0
