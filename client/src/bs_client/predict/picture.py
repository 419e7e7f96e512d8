"""The overlay of a result with a strip below that says what it is and is not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bs_client.data.preprocess import Image as Map
from bs_client.dicom.result_context import NOT_FOR_DIAGNOSIS
from bs_client.dicom.scan import BoneScan
from bs_client.explain.overlay import OverlayCaption, OverlayView, draw_overlay
from bs_common.files import write_atomic

Picture = NDArray[np.uint8]  # (rows, columns, 3), RGB

STRIP_ROWS = 34
_FONT_SIZE = 17
_RED = (176, 0, 32)


def draw_result(
    path: Path,
    scan: BoneScan,
    maps: tuple[Map, Map],
    *,
    caption: OverlayCaption,
    model: str,
) -> Picture:
    """Write the overlay with its strip as a PNG (0600) and give its pixels.

    Parameters
    ----------
    maps : of the anterior and the posterior view, in native geometry.
    model : how the strip names the model.

    Raises
    ------
    DataError
        The two views differ in geometry.
    """
    anterior, posterior = maps
    draw_overlay(
        path,
        OverlayView(scan.anterior.counts, anterior),
        OverlayView(scan.posterior.counts, posterior),
        caption=caption,
    )
    picture = add_strip(read_picture(path), model)
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="png")
    write_atomic(path, content.getvalue(), mode=0o600)
    return picture


def read_picture(path: Path) -> Picture:
    """Read a PNG's pixels."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.uint8)


def add_strip(picture: Picture, model: str) -> Picture:
    """Put a white strip below: not for diagnosis on the left, the model on the right."""
    rows, columns, _ = picture.shape
    image = Image.new("RGB", (columns, rows + STRIP_ROWS), "white")
    image.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=_FONT_SIZE)
    middle = rows + STRIP_ROWS // 2
    draw.line([(0, rows), (columns, rows)], fill=_RED, width=2)
    draw.text((10, middle), NOT_FOR_DIAGNOSIS, fill=_RED, font=font, anchor="lm")
    draw.text((columns - 10, middle), model, fill="black", font=font, anchor="rm")
    return np.asarray(image, np.uint8)
