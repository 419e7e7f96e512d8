from __future__ import annotations

import numpy as np

from bs_client.phantom import STYLES, FindingKind, PhantomStudy, draw_study
from bs_client.phantom.acquisition import CountImage


def correlation(first: CountImage, second: CountImage) -> float:
    return float(np.corrcoef(np.sqrt(first).ravel(), np.sqrt(second).ravel())[0, 1])


def test_the_same_seed_gives_the_same_study(studies: tuple[PhantomStudy, ...]) -> None:
    first = studies[1]

    again = draw_study(first.seed, first.number, style=first.style, label=True, preset="realistic")

    assert again.findings == first.findings
    for field in ("anterior", "posterior", "mask_anterior", "mask_posterior"):
        np.testing.assert_array_equal(getattr(again, field), getattr(first, field))


def test_another_number_gives_another_study(studies: tuple[PhantomStudy, ...]) -> None:
    assert (studies[0].anterior != studies[2].anterior).any()
    assert studies[0].patient != studies[2].patient


def test_counts_lie_where_the_site_counts(studies: tuple[PhantomStudy, ...]) -> None:
    for study in studies:
        low, high = study.style.counts.low, study.style.counts.high
        # Foci and background come on top; the posterior head sees up to 10 % less or 7 % more.
        assert 0.95 * low < study.anterior.sum() < 1.6 * high
        assert 0.85 * low < study.posterior.sum() < 1.6 * high


def test_arrays_have_the_sites_matrix(studies: tuple[PhantomStudy, ...]) -> None:
    for study in studies:
        shape = (study.style.rows, study.style.columns)
        views = (study.anterior, study.posterior, study.mask_anterior, study.mask_posterior)
        assert {view.shape for view in views} == {shape}
        assert study.anterior.dtype == study.posterior.dtype == np.uint16


def test_every_positive_and_no_negative_shows_a_metastasis(
    studies: tuple[PhantomStudy, ...],
) -> None:
    for study in studies:
        outlined = bool(study.mask_anterior.any() or study.mask_posterior.any())
        drawn = any(finding.malignant for finding in study.findings)
        assert outlined == drawn == study.label


def test_benign_findings_occur_in_both_classes(studies: tuple[PhantomStudy, ...]) -> None:
    for label in (True, False):
        kinds = {f.kind for study in studies if study.label is label for f in study.findings}
        assert FindingKind.DEGENERATIVE in kinds


def test_the_posterior_view_is_stored_as_seen_from_behind(
    studies: tuple[PhantomStudy, ...],
) -> None:
    for study in studies:
        flipped = correlation(study.anterior, study.posterior[:, ::-1])
        assert flipped > correlation(study.anterior, study.posterior)


def test_the_body_stands_head_up_with_plausible_height(studies: tuple[PhantomStudy, ...]) -> None:
    for study in studies:
        signal = np.flatnonzero(study.anterior.sum(axis=1) > 60)  # counts; air gives about ten
        height = (signal[-1] - signal[0]) * study.style.spacing_mm
        widest = study.anterior[: study.style.rows // 2].sum() / study.anterior.sum()
        assert 1400 < height < 2000  # mm
        assert widest > 0.5  # head and trunk outweigh the legs


def test_conspicuous_positives_have_at_least_four_metastases() -> None:
    for number in range(3):
        study = draw_study(5, number, style=STYLES["aachen"], label=True, preset="conspicuous")

        assert sum(finding.malignant for finding in study.findings) >= 4


def test_two_studies_of_one_patient_show_the_same_body_in_another_pose() -> None:
    style = STYLES["aachen"]

    first, second = (
        draw_study(5, number, style=style, label=False, preset="realistic", patient_number=1)
        for number in (1, 2)
    )

    assert first.patient == second.patient
    assert (first.anterior != second.anterior).any()
