"""Judging the finished model at home: scores, figures, maps and a page that never leave."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bs_client.data.dataset import Dataset
from bs_client.data.manifest import Entry
from bs_client.data.masks import Mask, read_mask
from bs_client.data.preprocess import as_channels
from bs_client.evaluation.auc import trace_roc
from bs_client.evaluation.external import (
    ExternalResult,
    evaluate_external,
    probabilities_of,
    write_scores,
)
from bs_client.evaluation.plots import draw_performance
from bs_client.explain.gallery import CaseFile, write_gallery
from bs_client.explain.gradcam import Maps, grad_cam
from bs_client.explain.overlay import OverlayCaption, OverlayView, draw_overlay, overlay_name
from bs_client.model.network import Network
from bs_common.errors import DataError

_log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]  # pictures drawn, pictures in all

RANDOM_BACKBONE = "The network's convolutions are a random draw: this is a rehearsal of a study."


@dataclass(frozen=True, slots=True)
class Judgement:
    """The external result and how many scans were called positive and drawn."""

    result: ExternalResult
    overlays: int


def judge(
    dataset: Dataset,
    entries: Sequence[Entry],
    margins: NDArray[np.float64],
    *,
    network: Network,
    folder: Path,
    progress: Progress,
) -> Judgement:
    """Write scores, overlays of every positive call, curve and page; give what may be counted.

    Parameters
    ----------
    entries, margins : the external scans in manifest order, and the model's margin of each.
    network : holds the weights that gave the margins.
    folder : emptied first; readable by its owner alone.

    Raises
    ------
    ClassTooSmall if a class has fewer than two scans, DataError if a margin is not finite; the
    folder is then as it was.
    """
    settings = dataset.settings
    labels = np.array([entry.label for entry in entries], bool)
    result = evaluate_external(margins, labels, threshold=settings.threshold, seed=settings.seed)
    captions = _captions(dataset, entries, margins)
    _empty(folder)
    write_scores(
        folder / "scores.csv",
        cases=[caption.case for caption in captions],
        margins=margins,
        labels=labels,
        threshold=settings.threshold,
    )
    cases = [CaseFile(e.study_uid, c) for e, c in zip(entries, captions, strict=True)]
    called = [(e, c) for e, c in zip(entries, captions, strict=True) if c.called]
    head = network.get_arrays()
    for done, (entry, caption) in enumerate(called, start=1):
        image = as_channels(dataset.image(entry)[np.newaxis])  # (1, rows, columns, 3)
        convolution, _ = network.explain(image)
        _draw(dataset, entry, caption, grad_cam(convolution, head)[0], folder)
        progress(done, len(called))
    write_gallery(
        folder,
        cases,
        result=result,
        performance_png=draw_performance(
            trace_roc(margins, labels), result, synthetic=dataset.synthetic
        ),
        title=f"External evaluation: {settings.name}",
        remarks=[RANDOM_BACKBONE] if settings.backbone.startswith("random:") else [],
    )
    return Judgement(result, len(called))


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)


def _captions(
    dataset: Dataset, entries: Sequence[Entry], margins: NDArray[np.float64]
) -> list[OverlayCaption]:
    return [
        OverlayCaption(
            case=number,
            probability=float(probability),
            threshold=dataset.settings.threshold,
            label=entry.label,
            synthetic=dataset.record(entry).synthetic,
        )
        for number, (entry, probability) in enumerate(
            zip(entries, probabilities_of(margins), strict=True), start=1
        )
    ]


def _draw(
    dataset: Dataset,
    entry: Entry,
    caption: OverlayCaption,
    heat: Maps,
    folder: Path,
) -> None:
    anterior_map, posterior_map = dataset.record(entry).geometry.to_native(heat)
    scan = dataset.read(entry)
    anterior_mask, posterior_mask = _masks(dataset, entry)
    draw_overlay(
        folder / overlay_name(caption.case),
        OverlayView(scan.anterior.counts, anterior_map, anterior_mask),
        OverlayView(scan.posterior.counts, posterior_map, posterior_mask),
        caption=caption,
    )


def _masks(dataset: Dataset, entry: Entry) -> tuple[Mask, Mask] | tuple[None, None]:
    """Read an entry's mask; one that does not fit is left out and said in the log."""
    if entry.mask is None:
        return None, None
    try:
        return read_mask(entry.mask, dataset.record(entry).geometry)
    except DataError as error:
        _log.warning("a mask is left out: %s", error)
        return None, None
