"""Judging the finished model at home: scores, figures, maps and a page that never leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs_client.data.dataset import Dataset
from bs_client.data.manifest import Entry
from bs_client.data.preprocess import as_channels
from bs_client.evaluation.auc import trace_roc
from bs_client.evaluation.external import (
    ExternalResult,
    evaluate_external,
    probabilities_of,
    write_scores,
)
from bs_client.evaluation.plots import draw_calibration, draw_performance
from bs_client.evaluation.subgroups import Tables, Traits, tabulate
from bs_client.explain.agreement import AgreementSummary
from bs_client.explain.agreement_table import CaseFinding, mean_artefacts, write_agreement
from bs_client.explain.cases import explain_case
from bs_client.explain.gallery import CaseFile, MapEvidence, write_gallery
from bs_client.explain.gradcam import grad_cam
from bs_client.explain.overlay import OverlayCaption, draw_overlay, overlay_name
from bs_client.explain.sheets import choose_sheets
from bs_client.model.network import Network

Progress = Callable[[int, int], None]  # pictures drawn, pictures in all

RANDOM_BACKBONE = "The network's convolutions are a random draw: this is a rehearsal of a study."


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything of the external evaluation that may be counted.

    overlays : scans called positive, all of which are drawn.
    subgroups : calls by what is known of the scans.
    agreement : of the maps with the site's masks; None without any.
    artefacts : mean share of a map's sum where no metastasis can be, by place.
    """

    result: ExternalResult
    overlays: int
    subgroups: Tables
    agreement: AgreementSummary | None
    artefacts: dict[str, float]


def judge(
    dataset: Dataset,
    entries: Sequence[Entry],
    margins: NDArray[np.float64],
    *,
    network: Network,
    threshold: float,
    folder: Path,
    progress: Progress,
) -> Judgement:
    """Write scores, maps, curves, galleries and page; give what may be counted.

    A map is made of every positive call, and of every scan with metastasis that was missed or has a
    mask.

    Parameters
    ----------
    entries, margins : the external scans in manifest order, and the model's margin of each.
    network : holds the weights that gave the margins.
    threshold : probability from which a scan is called, fixed before these scans were seen.
    folder : emptied of files first, not of folders; readable by its owner alone.

    Raises
    ------
    ClassTooSmall if a class has fewer than two scans, DataError if a margin is not finite; the
    folder is then as it was.
    """
    settings = dataset.settings
    labels = np.array([entry.label for entry in entries], bool)
    result = evaluate_external(
        margins,
        labels,
        threshold=threshold,
        seed=settings.seed,
        resamples=settings.bootstrap_resamples,
    )
    captions = _captions(dataset, entries, margins, threshold)
    _empty(folder)
    write_scores(
        folder / "scores.csv",
        cases=[caption.case for caption in captions],
        margins=margins,
        labels=labels,
        threshold=threshold,
    )
    findings = _explain_all(dataset, entries, captions, network, folder, progress)
    agreement = write_agreement(folder, findings, settings)
    write_gallery(
        folder,
        [CaseFile(e.study_uid, c) for e, c in zip(entries, captions, strict=True)],
        result=result,
        pictures=_pictures(margins, labels, result, dataset),
        evidence=MapEvidence(agreement, mean_artefacts(findings), findings),
        title=f"External evaluation: {settings.name}",
        remarks=[RANDOM_BACKBONE] if settings.backbone.startswith("random:") else [],
        seed=settings.seed,
        resamples=settings.bootstrap_resamples,
    )
    lesions = {finding.case: finding.lesions for finding in findings}
    traits = [
        _traits(dataset, entry, lesions.get(caption.case))
        for entry, caption in zip(entries, captions, strict=True)
    ]
    return Judgement(
        result=result,
        overlays=sum(caption.called for caption in captions),
        subgroups=tabulate(traits, np.array([caption.called for caption in captions]), labels),
        agreement=agreement,
        artefacts=mean_artefacts(findings),
    )


def _empty(folder: Path) -> None:
    """Take away an earlier judgement's files; folders that somebody put there stay."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink()


def _captions(
    dataset: Dataset, entries: Sequence[Entry], margins: NDArray[np.float64], threshold: float
) -> list[OverlayCaption]:
    return [
        OverlayCaption(
            case=number,
            probability=float(probability),
            threshold=threshold,
            label=entry.label,
            synthetic=dataset.record(entry).synthetic,
        )
        for number, (entry, probability) in enumerate(
            zip(entries, probabilities_of(margins), strict=True), start=1
        )
    ]


def _explain_all(
    dataset: Dataset,
    entries: Sequence[Entry],
    captions: Sequence[OverlayCaption],
    network: Network,
    folder: Path,
    progress: Progress,
) -> list[CaseFinding]:
    """Draw every scan that has a map, and the sheets of right and wrong calls."""
    wanted = [
        (entry, caption)
        for entry, caption in zip(entries, captions, strict=True)
        if caption.called or entry.label or entry.mask is not None
    ]
    sheets = choose_sheets([caption for _, caption in wanted])
    head = network.get_arrays()
    findings = []
    for done, (entry, caption) in enumerate(wanted, start=1):
        image = as_channels(dataset.image(entry)[np.newaxis])  # (1, rows, columns, 3)
        convolution, _ = network.explain(image)
        case = explain_case(dataset, entry, caption, grad_cam(convolution, head)[0])
        draw_overlay(
            folder / overlay_name(caption.case), case.anterior, case.posterior, caption=caption
        )
        sheets.offer(case)
        findings.append(CaseFinding.of(case))
        progress(done, len(wanted))
    sheets.draw(folder)
    return findings


def _pictures(
    margins: NDArray[np.float64],
    labels: NDArray[np.bool_],
    result: ExternalResult,
    dataset: Dataset,
) -> dict[str, bytes]:
    return {
        "performance.png": draw_performance(
            trace_roc(margins, labels), result, synthetic=dataset.synthetic
        ),
        "calibration.png": draw_calibration(margins, labels, synthetic=dataset.synthetic),
    }


def _traits(dataset: Dataset, entry: Entry, lesions: int | None) -> Traits:
    record = dataset.record(entry)
    return Traits(
        sex=entry.sex,
        age=entry.age,
        scanner=record.scanner,
        counts=record.total_counts,
        lesions=lesions if entry.label else None,
    )
