from __future__ import annotations

import math

import numpy as np
import pytest

from bs_client.phantom.camera import project_points, transmission
from bs_client.phantom.window import Image, View, Window

WINDOW = Window(rows=128, columns=64, spacing_mm=2.0, top_mm=256.0)


def point_source(view: View, *, x_mm: float, depth_mm: float) -> Image:
    points = np.array([[x_mm, 0.0, 129.0]], np.float32)
    return project_points(
        points,
        np.array([1000.0], np.float32),
        depth=np.array([depth_mm]),
        window=WINDOW,
        view=view,
        fwhm_mm=(8.0, 14.0),
    )


def centre_and_fwhm(image: Image) -> tuple[float, float]:
    """Give the mean x (mm) of the anterior view and the width, by moments."""
    profile = image.sum(axis=0, dtype=np.float64) / image.sum(dtype=np.float64)
    x = WINDOW.x_of_columns()
    mean = float((profile * x).sum())
    return mean, 2.355 * math.sqrt((profile * (x - mean) ** 2).sum())


def test_counts_fall_by_half_every_sixty_millimetres_of_tissue() -> None:
    # ln 2 / 0.0115 per mm = 60.27 mm
    through = transmission(np.array([50.0, 110.27]))

    assert through[1] / through[0] == pytest.approx(0.5, rel=1e-3)


def test_a_deep_point_source_has_the_transmitted_counts_and_the_far_width() -> None:
    image = point_source("anterior", x_mm=1.0, depth_mm=220.0)

    _, fwhm = centre_and_fwhm(image)
    assert image.sum() == pytest.approx(1000 * math.exp(-0.0115 * 220), rel=1e-3)
    assert fwhm == pytest.approx(14.0, rel=0.03)


def test_a_shallow_point_source_is_sharper() -> None:
    _, shallow = centre_and_fwhm(point_source("anterior", x_mm=1.0, depth_mm=20.0))
    _, deep = centre_and_fwhm(point_source("anterior", x_mm=1.0, depth_mm=200.0))

    assert 8.0 < shallow < deep < 14.0


def test_the_patients_left_is_on_the_right_from_the_front_and_on_the_left_from_behind() -> None:
    anterior, _ = centre_and_fwhm(point_source("anterior", x_mm=31.0, depth_mm=100.0))
    posterior, _ = centre_and_fwhm(point_source("posterior", x_mm=31.0, depth_mm=100.0))

    assert anterior == pytest.approx(31.0, abs=1.0)
    assert posterior == pytest.approx(-31.0, abs=1.0)


def test_a_point_beside_the_window_is_lost() -> None:
    assert point_source("anterior", x_mm=90.0, depth_mm=50.0).sum() == 0
