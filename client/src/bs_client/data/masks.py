"""Outlines of metastatic spots, drawn by the site in the scan's own geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bs_client.data.preprocess import Geometry
from bs_common.errors import DataError

Mask = NDArray[np.bool_]


def read_mask(path: Path, geometry: Geometry) -> tuple[Mask, Mask]:
    """Read a PNG with the anterior view's mask left and the posterior's, as stored, right.

    Black and white, grey or indexed colours of any depth: 0 is background, all else a spot.

    Returns
    -------
    Anterior and posterior mask, each (rows, columns) of its view; set where a spot was drawn. The
    posterior one is mirrored where the view was.

    Raises
    ------
    DataError if the file is no PNG, has colour channels, or is not (rows, anterior + posterior
    columns).
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            # Not turned into 8-bit grey: that would lose a spot drawn as 1 in 16 bits.
            drawn = np.asarray(picture) > 0
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            "A mask cannot be read as a PNG.", remedy="Export the masks as PNG again."
        ) from error
    rows, columns = geometry.anterior_shape
    expected = (rows, columns + geometry.posterior_shape[1])
    if drawn.shape != expected or geometry.posterior_shape[0] != rows:
        raise DataError(
            f"A mask is {drawn.shape}, expected {expected}: both views side by side.",
            remedy="Draw masks without colour in the scan's own matrix, anterior left, posterior "
            "right.",
        )
    anterior, posterior = drawn[:, :columns], drawn[:, columns:]
    return anterior, posterior[:, ::-1] if geometry.posterior_mirrored else posterior
