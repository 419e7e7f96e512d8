"""Masks as sites draw them: which pictures are read, and which are refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bs_client.data.masks import read_mask
from bs_client.data.preprocess import Geometry
from bs_common.errors import DataError

GEOMETRY = Geometry((6, 4), (6, 4))
SPOTS = np.zeros((6, 8), np.uint8)
SPOTS[1, 2] = 1  # anterior
SPOTS[4, 7] = 1  # posterior


def draw(path: Path, picture: Image.Image) -> Path:
    picture.save(path, format="PNG")
    return path


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(SPOTS.astype(bool)),
        Image.fromarray(SPOTS * 255),
        Image.fromarray(SPOTS),
        Image.fromarray(SPOTS.astype(np.uint16)),
        Image.fromarray(SPOTS).convert("P"),
    ],
    ids=["black and white", "grey", "faint grey", "faint 16-bit grey", "indexed colours"],
)
def test_a_spot_is_read_from_every_picture_without_colour_channels(
    picture: Image.Image, tmp_path: Path
) -> None:
    anterior, posterior = read_mask(draw(tmp_path / "mask.png", picture), GEOMETRY)

    assert anterior.dtype == posterior.dtype == np.bool_
    assert np.argwhere(anterior).tolist() == [[1, 2]]
    assert np.argwhere(posterior).tolist() == [[4, 3]]


def test_a_posterior_mask_is_mirrored_with_its_view(tmp_path: Path) -> None:
    path = draw(tmp_path / "mask.png", Image.fromarray(SPOTS))

    anterior, posterior = read_mask(path, Geometry((6, 4), (6, 4), posterior_mirrored=True))

    assert np.argwhere(anterior).tolist() == [[1, 2]]
    assert np.argwhere(posterior).tolist() == [[4, 0]]


def test_views_of_different_width_are_cut_between_them(tmp_path: Path) -> None:
    path = draw(tmp_path / "mask.png", Image.fromarray(SPOTS))

    anterior, posterior = read_mask(path, Geometry((6, 5), (6, 3)))

    assert np.argwhere(anterior).tolist() == [[1, 2]]
    assert np.argwhere(posterior).tolist() == [[4, 2]]


@pytest.mark.parametrize(
    ("picture", "geometry", "shape"),
    [
        (Image.fromarray(SPOTS), Geometry((6, 8), (6, 8)), r"\(6, 8\), expected \(6, 16\)"),
        (Image.fromarray(SPOTS[:, :4]), GEOMETRY, r"\(6, 4\), expected \(6, 8\)"),
        (Image.fromarray(SPOTS.T.copy()), GEOMETRY, r"\(8, 6\), expected \(6, 8\)"),
        (Image.fromarray(SPOTS), Geometry((6, 4), (5, 4)), "both views side by side"),
        (Image.fromarray(SPOTS).convert("RGB"), GEOMETRY, r"\(6, 8, 3\)"),
        (Image.fromarray(SPOTS).convert("LA"), GEOMETRY, r"\(6, 8, 2\)"),
    ],
    ids=["other matrix", "one view", "turned", "views of other height", "colour", "transparency"],
)
def test_a_picture_of_another_form_is_refused_with_both_shapes(
    picture: Image.Image, geometry: Geometry, shape: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=shape) as caught:
        read_mask(draw(tmp_path / "mask.png", picture), geometry)

    assert "anterior left" in caught.value.remedy


def encoded(kind: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(SPOTS).save(content, format=kind)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"1,2,3\n", encoded("PNG")[:50], encoded("BMP")],
    ids=["empty", "text", "torn", "another format"],
)
def test_what_is_no_png_is_refused_without_naming_the_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "DOE_JOHN.png"
    path.write_bytes(content)

    with pytest.raises(DataError, match="PNG") as caught:
        read_mask(path, GEOMETRY)

    assert "DOE" not in str(caught.value) + caught.value.remedy


def test_an_absent_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(DataError):
            read_mask(path, GEOMETRY)


def test_a_picture_made_to_exhaust_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = draw(tmp_path / "mask.png", Image.fromarray(SPOTS))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # 48 pixels are more than twice as many

    with pytest.raises(DataError):
        read_mask(path, GEOMETRY)
