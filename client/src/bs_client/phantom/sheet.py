"""A picture of many studies at once, to look at before training on them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw
from scipy import ndimage

from bs_client.phantom.acquisition import CountImage
from bs_client.phantom.study import Mask, PhantomStudy
from bs_client.phantom.window import FIELD_WIDTH_MM
from bs_common.files import write_atomic

STUDIES_PER_ROW = 6
VIEW_WIDTH, VIEW_HEIGHT, TITLE_HEIGHT, GAP = 150, 560, 18, 8  # pixels
BLACK_PERCENTILE = 99.2  # of the pixels with counts; hotter ones are black
GAMMA = 0.8  # brightens faint bone a little
OUTLINE = (220, 0, 0)


def contact_sheet(studies: Sequence[PhantomStudy], path: Path) -> None:
    """Write a PNG of all studies, both views each, masks outlined in red."""
    rows = -(-len(studies) // STUDIES_PER_ROW)
    cell_width, cell_height = 2 * VIEW_WIDTH + GAP, VIEW_HEIGHT + TITLE_HEIGHT
    sheet = Picture.new("RGB", (STUDIES_PER_ROW * cell_width, rows * cell_height), "white")
    for place, study in enumerate(studies):
        row, column = divmod(place, STUDIES_PER_ROW)
        left, top = column * cell_width, row * cell_height
        ImageDraw.Draw(sheet).text((left + 3, top + 3), _title(study), fill=(90, 90, 90))
        views = ((study.anterior, study.mask_anterior), (study.posterior, study.mask_posterior))
        for side, (counts, mask) in enumerate(views):
            picture = _picture(counts, mask, spacing_mm=study.style.spacing_mm)
            sheet.paste(picture, (left + side * VIEW_WIDTH, top + TITLE_HEIGHT))
    content = io.BytesIO()
    sheet.save(content, format="PNG")
    write_atomic(path, content.getvalue())


def _title(study: PhantomStudy) -> str:
    malignant = sum(finding.malignant for finding in study.findings)
    benign = len(study.findings) - malignant
    return f"{study.style.name} {study.number}: {malignant} metastases, {benign} benign"


def _picture(counts: CountImage, mask: Mask, *, spacing_mm: float) -> Picture.Image:
    margin = max(0, (counts.shape[1] - int(FIELD_WIDTH_MM / spacing_mm)) // 2)
    body = slice(margin, counts.shape[1] - margin)
    grey = _grey(counts[:, body])
    edge = mask[:, body] & ~ndimage.binary_erosion(mask[:, body], iterations=2)
    colours = np.repeat(grey[:, :, None], 3, axis=2)  # (rows, columns, RGB)
    colours[edge] = OUTLINE
    return Picture.fromarray(colours).resize((VIEW_WIDTH, VIEW_HEIGHT), Picture.Resampling.BILINEAR)


def _grey(counts: CountImage) -> NDArray[np.uint8]:
    black = np.percentile(counts[counts > 0], BLACK_PERCENTILE)
    return (255 - 255 * np.clip(counts / black, 0, 1) ** GAMMA).astype(np.uint8)
