"""Pictures of scans with maps, and the site's page of them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from bs_client.evaluation.external import evaluate_external
from bs_client.explain.agreement import Agreement, ScanAgreement
from bs_client.explain.agreement_table import CaseFinding
from bs_client.explain.gallery import (
    CaseFile,
    MapEvidence,
    case_rows,
    headline_rows,
    write_gallery,
)
from bs_client.explain.overlay import (
    OverlayCaption,
    OverlayView,
    draw_overlay,
    inverted_grey,
    lay_over,
    overlay_name,
    shown_box,
)
from bs_common.errors import DataError

SHAPE = (60, 24)
PICTURE = b"\x89PNG picture"


def body() -> NDArray[np.float32]:
    counts = np.zeros(SHAPE, np.float32)
    counts[10:50, 8:16] = 20
    return counts


def view(*, hot: tuple[int, int] | None = None, mask: bool = False) -> OverlayView:
    heat = np.zeros(SHAPE, np.float32)
    if hot is not None:
        heat[hot[0] - 2 : hot[0] + 3, hot[1] - 2 : hot[1] + 3] = 3.0
    return OverlayView(body(), heat, heat > 0 if mask else None)


def caption(
    case: int = 1, *, probability: float = 0.9, label: bool | None = True, synthetic: bool = True
) -> OverlayCaption:
    return OverlayCaption(case, probability, 0.5, label, synthetic)


def reddish_columns(path: Path) -> tuple[bool, ...]:
    """Tell for each of the four views whether the map has coloured it, from left to right."""
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    rows, columns, _ = picture.shape
    # Below the captions and without the colour bar.
    pane = picture[rows // 4 :, : columns - 100]
    red = (pane[..., 0] - pane[..., 1] > 60).sum(axis=0)
    return tuple(bool(part.sum() > 20) for part in np.array_split(red, 4))


def test_counts_are_shown_dark_on_white_up_to_the_window() -> None:
    counts = np.array([[0, 1, 2, 4]], np.float32)

    grey = inverted_grey(counts)

    window = np.percentile([1, 2, 4], 99.5)
    assert_allclose(grey, [[1, 1 - 1 / window, 1 - 2 / window, 0]], atol=1e-6)


def test_an_empty_view_is_white() -> None:
    assert_array_equal(inverted_grey(np.zeros((2, 2), np.float32)), np.ones((2, 2)))


def test_where_the_map_is_zero_the_view_is_unchanged() -> None:
    grey = np.array([[0.0, 0.2, 1.0]], np.float32)

    picture = lay_over(grey, np.zeros_like(grey))

    assert_array_equal(picture, np.repeat([[[0], [51], [255]]], 3, axis=2))


def test_bone_stays_visible_under_the_strongest_map() -> None:
    black_and_white = np.array([[0.0, 1.0]], np.float32)

    dark, light = lay_over(black_and_white, np.ones_like(black_and_white))[0].astype(int)

    assert (light - dark == round(0.4 * 255)).all()


def test_a_stronger_map_is_further_from_the_white_background() -> None:
    heat = np.linspace(0, 1, 50, dtype=np.float32)[np.newaxis]

    lightness = lay_over(np.ones_like(heat), heat)[0].astype(int).sum(axis=1)

    assert (np.diff(lightness) <= 0).all()
    assert lightness[-1] < lightness[0] - 200


def test_the_empty_rim_of_the_detector_is_cut_off() -> None:
    rows, columns = shown_box(view(), view())

    assert (rows, columns) == (slice(8, 52), slice(7, 17))


def test_a_map_outside_the_body_is_never_cut_off() -> None:
    rows, columns = shown_box(view(hot=(55, 3)), view())

    assert rows.stop >= 58
    assert columns.start <= 1


def test_a_scan_without_counts_and_map_is_shown_whole() -> None:
    empty = OverlayView(np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32))

    assert shown_box(empty, empty) == (slice(0, 60), slice(0, 24))


def test_the_map_colours_the_right_hand_pair_of_views_alone(tmp_path: Path) -> None:
    draw_overlay(tmp_path / "a.png", view(hot=(30, 12)), view(), caption=caption(synthetic=False))
    draw_overlay(tmp_path / "p.png", view(), view(hot=(30, 12)), caption=caption(synthetic=False))

    assert reddish_columns(tmp_path / "a.png") == (False, False, True, False)
    assert reddish_columns(tmp_path / "p.png") == (False, False, False, True)


def test_a_picture_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / overlay_name(17)

    draw_overlay(path, view(hot=(30, 12), mask=True), view(mask=True), caption=caption(17))

    assert path.name == "case-0017.png"
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_size_of_the_map_does_not_matter_only_its_shape(tmp_path: Path) -> None:
    once = view(hot=(30, 12))
    tenfold = OverlayView(once.counts, 10 * once.heat)

    draw_overlay(tmp_path / "1.png", once, view(), caption=caption())
    draw_overlay(tmp_path / "10.png", tenfold, view(), caption=caption())

    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "10.png").read_bytes()


def test_a_blank_map_is_drawn_and_said_to_be_blank(tmp_path: Path) -> None:
    draw_overlay(tmp_path / "blank.png", view(), view(), caption=caption(synthetic=False))
    draw_overlay(tmp_path / "hot.png", view(hot=(30, 12)), view(), caption=caption(synthetic=False))

    def remarks(name: str) -> bool:
        picture = np.asarray(Image.open(tmp_path / name).convert("RGB")).astype(int)[:60]
        return bool((picture[..., 0] - picture[..., 1] > 100).any())

    assert remarks("blank.png")
    assert not remarks("hot.png")
    assert reddish_columns(tmp_path / "blank.png") == (False,) * 4


@pytest.mark.parametrize(
    ("probability", "label", "outcome"),
    [(0.9, True, "TP"), (0.5, False, "FP"), (0.4, True, "FN"), (0.4, False, "TN"), (0.9, None, "")],
)
def test_the_outcome_follows_from_call_and_label(
    probability: float, label: bool | None, outcome: str
) -> None:
    assert caption(probability=probability, label=label).outcome == outcome


def test_a_map_of_another_geometry_is_refused() -> None:
    with pytest.raises(DataError, match="expected one geometry"):
        OverlayView(body(), np.zeros((16, 16), np.float32))


def test_a_mask_of_another_geometry_is_refused() -> None:
    with pytest.raises(DataError, match="expected one geometry"):
        OverlayView(body(), np.zeros(SHAPE, np.float32), np.zeros((16, 16), np.bool_))


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_a_map_that_is_negative_or_not_finite_is_refused(value: float) -> None:
    with pytest.raises(DataError, match="negative or non-finite"):
        OverlayView(body(), np.full(SHAPE, value, np.float32))


def test_views_of_different_geometry_are_refused(tmp_path: Path) -> None:
    small = OverlayView(np.ones((8, 8), np.float32), np.zeros((8, 8), np.float32))

    with pytest.raises(DataError, match="expected one geometry"):
        draw_overlay(tmp_path / "a.png", view(), small, caption=caption())


# ---- the page


RESULT = evaluate_external(
    [2.0, 1.0, -1.0, -2.0, 1.5], [1, 0, 1, 0, 1], threshold=0.5, seed=0, resamples=50
)


def case_files(*, synthetic: bool = True) -> list[CaseFile]:
    scans = ((0.88, True), (0.73, False), (0.27, True), (0.12, False), (0.82, True))
    return [
        CaseFile(f"study <{case}>", caption(case, probability=p, label=label, synthetic=synthetic))
        for case, (p, label) in enumerate(scans, start=1)
    ]


def write_page(folder: Path, cases: list[CaseFile], *, title: str = "demo, round 6") -> str:
    for case in (1, 2, 5):
        (folder / overlay_name(case)).write_bytes(PICTURE)
    page = write_gallery(
        folder,
        cases,
        result=RESULT,
        pictures={"performance.png": PICTURE, "calibration.png": PICTURE},
        evidence=MapEvidence(None, {"outside_body": 0.125}),
        title=title,
        remarks=["A & B."],
        seed=0,
        resamples=100,
    )
    return page.read_text()


def test_the_page_shows_every_drawn_case_under_its_outcome(tmp_path: Path) -> None:
    page = write_page(tmp_path, case_files())

    pictures = re.findall(r'<img src="(case-\d+\.png)"', page)
    assert pictures == ["case-0001.png", "case-0005.png", "case-0002.png"]
    assert page.index("True positives") < page.index("False positives")
    assert "False negatives" not in page  # none was drawn


def test_the_page_lists_every_case(tmp_path: Path) -> None:
    page = write_page(tmp_path, case_files())

    table = page[page.index("All cases") :]
    assert re.findall(r"<td>(TP|FP|FN|TN)</td>", table) == ["TP", "FP", "FN", "TN", "TP"]


def test_every_case_stands_with_what_its_own_map_gave() -> None:
    found = Agreement(
        pointing=1.0, pointing_tolerant=1.0, energy=0.25, auprc=0.5, iou=0.125, dice=0.2222
    )
    scan = ScanAgreement({"model": found}, chance=0.01, lesions=4, lesions_hit=3, blank=False)
    captions = [case.caption for case in case_files()]

    rows = case_rows(
        captions[::-1],
        [
            CaseFinding(2, "FP", None, {"outside_body": 0.5}, None),
            CaseFinding(1, "TP", scan, {"outside_body": 0.0625}, 4),
        ],
    )

    assert [row.caption.case for row in rows] == [1, 2, 3, 4, 5]
    first, second, third = rows[:3]
    assert (first.inside, first.pointing, first.iou) == ("25.0 %", "1.00", "0.125")
    assert (first.spots, first.outside_body) == ("3 of 4", "6.2 %")
    assert (second.inside, second.spots, second.outside_body) == ("", "", "50.0 %")
    assert (third.inside, third.outside_body) == ("", "")


def test_study_names_are_in_the_private_table_and_not_on_the_page(tmp_path: Path) -> None:
    page = write_page(tmp_path, case_files())

    assert "study" not in re.sub(r"tells the\s+study behind", "", page)
    with (tmp_path / "cases.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[:3] == [["case", "study"], ["1", "study <1>"], ["2", "study <2>"]]


def test_everything_written_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    write_page(tmp_path, case_files())

    for name in ("index.html", "cases.csv", "performance.png"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_the_page_works_from_the_local_disk_without_scripts(tmp_path: Path) -> None:
    page = write_page(tmp_path, case_files())

    assert "<script" not in page
    assert "//" not in page.replace("/*", "").replace("*/", "")
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all((tmp_path / link).exists() for link in links if not link.startswith("#"))
    named = re.findall(r' id="([^"]+)"', page)
    assert {link[1:] for link in links if link.startswith("#")} <= set(named)


def test_synthetic_scans_are_said_to_be_so_and_real_ones_are_not(tmp_path: Path) -> None:
    assert "Synthetic scans, no clinical claim." in write_page(tmp_path, case_files())
    assert "Synthetic" not in write_page(tmp_path, case_files(synthetic=False))


def test_titles_and_remarks_are_text_and_never_markup(tmp_path: Path) -> None:
    page = write_page(tmp_path, case_files(), title="<img src=x>")

    assert "&lt;img src=x&gt;" in page
    assert "A &amp; B." in page


def test_the_numbers_on_the_page_are_those_of_the_result() -> None:
    rows = {row.name: row for row in headline_rows(RESULT, seed=0, resamples=100)}

    # Of 3 x 2 pairs, 2.0 and 1.5 win both and -1.0 one.
    assert rows["AUC (DeLong)"].value == "0.833"
    assert rows["Sensitivity (TPR)"].counted == "2 of 3"
    assert rows["Sensitivity (TPR)"].interval == "20.8 to 93.9 %"
    assert rows["F1"].value == "0.667"


def test_a_rate_of_nobody_is_a_dash() -> None:
    never_called = evaluate_external(
        [-2.0, -1.0, -3.0, -1.5], [1, 1, 0, 0], threshold=0.5, seed=0, resamples=20
    )

    rows = {row.name: row for row in headline_rows(never_called, seed=0, resamples=100)}

    assert (rows["Positive predictive value"].value, rows["F1"].value) == ("-", "0.000")


def test_a_case_number_used_twice_is_refused(tmp_path: Path) -> None:
    twice = [CaseFile("a", caption(1)), CaseFile("b", caption(1))]

    with pytest.raises(DataError, match="2 cases share 1 case numbers"):
        write_page(tmp_path, twice)


def test_a_case_without_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 1 cases have no label"):
        write_page(tmp_path, [CaseFile("a", caption(1, label=None))])
