"""Pages of small pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bs_client.check.contact_sheet import (
    GAP,
    HEAD,
    Page,
    doubtful_first,
    draw_page,
    lay_out,
    write_sheet,
)
from bs_client.check.crew import Crew
from bs_client.check.inspection import PICTURES, Inspection
from bs_client.check.reading import CheckedScan, picture_of
from bs_client.check.source import NO_STUDY, Source
from bs_client.dicom import IngestSettings, read_study

Look = Callable[..., tuple[Inspection, list[str]]]
MakeScan = Callable[..., Path]


def scan(number: int, *warnings: str) -> CheckedScan:
    return CheckedScan(
        files=(Path(f"{number:03d}"),),
        study_uid=f"1.2.{number}",
        patient_id="",
        pixel_sha256="",
        synthetic=False,
        warnings=warnings,
        notes=(),
        picture=f"{number}.png",
    )


def pages_of(scans: list[CheckedScan], pictures: Path) -> tuple[Page, ...]:
    for one in scans:
        Image.new("L", (256, 256), 128).save(pictures / one.picture)
    return lay_out(scans, pictures, title="title", legend="legend")


def test_scans_with_most_warnings_come_first_then_the_order_of_files() -> None:
    scans = [scan(1), scan(2, "W_LOSSY"), scan(3), scan(4, "W_LOSSY", "W_BODY_CUT")]

    assert [one.study_uid for one in doubtful_first(scans)] == ["1.2.4", "1.2.2", "1.2.1", "1.2.3"]


def test_sixty_scans_fill_a_page_and_numbers_run_on(tmp_path: Path) -> None:
    pages = pages_of([scan(number) for number in range(130)], tmp_path)

    assert [len(page.cells) for page in pages] == [60, 60, 10]
    assert [page.cells[0].number for page in pages] == [1, 61, 121]
    assert pages[2].title == "title: page 3 of 3"


def test_a_page_shows_each_picture_in_its_place(tmp_path: Path) -> None:
    (page,) = pages_of([scan(number) for number in range(12)], tmp_path)
    Image.new("L", (256, 256), 7).save(tmp_path / "1.png")

    sheet = np.asarray(draw_page(page))

    second = sheet[HEAD : HEAD + 256, GAP + 256 + GAP :][:, :256]
    assert (second[:, :127] == 7).all()
    assert np.count_nonzero(sheet == 128) > 11 * 250 * 250


def test_the_picture_is_the_network_input_bone_dark(make_scan: MakeScan) -> None:
    read = read_study([make_scan(1)], IngestSettings())

    picture = picture_of(read, NO_STUDY)

    assert picture.shape == (256, 256)
    hottest = np.unravel_index(read.anterior.counts.argmax(), read.anterior.counts.shape)
    row, column = (int(hottest[0]), int(hottest[1] * 128 / read.anterior.counts.shape[1]))
    assert picture[row - 2 : row + 3, column - 2 : column + 3].min() < 64
    assert picture[:20].mean() > 230


@pytest.mark.parametrize(("height", "width", "columns"), [(64, 32, 256), (512, 128, 128)])
def test_the_picture_keeps_the_proportions_of_the_input(
    make_scan: MakeScan, height: int, width: int, columns: int
) -> None:
    settings = NO_STUDY.model_copy(update={"view_height": height, "view_width": width})

    picture = picture_of(read_study([make_scan(1)], IngestSettings()), settings)

    assert picture.shape == (256, columns)


@pytest.mark.slow
def test_unchanged_pages_stay_and_old_ones_go(tmp_path: Path) -> None:
    pictures, folder = tmp_path / "pictures", tmp_path / "pages"
    pictures.mkdir()
    folder.mkdir()
    pages = pages_of([scan(number) for number in range(61)], pictures)
    crew = Crew(1)
    told: list[tuple[str, int, int]] = []

    first, second = write_sheet(pages, folder, crew, progress=lambda *said: told.append(said))
    changed = replace(pages[1], legend="another")
    kept, renewed = write_sheet(
        [pages[0], changed], folder, crew, progress=lambda *said: told.append(said)
    )

    crew.close()
    assert told == [("contact sheet", 1, 2), ("contact sheet", 2, 2), ("contact sheet", 1, 1)]
    assert kept == first
    assert not second.exists()
    assert sorted(folder.iterdir()) == [first, renewed]
    assert first.stat().st_mode & 0o777 == 0o600


def test_no_identifier_is_in_the_picture_file(
    make_scan: MakeScan, look: Look, source: Source
) -> None:
    make_scan(1)

    look()

    (picture,) = (source.cache / PICTURES).iterdir()
    with Image.open(picture) as opened:
        assert opened.info == {}
    assert b"1.2.1" not in picture.read_bytes()
