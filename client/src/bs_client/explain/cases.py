"""One scan with its map: drawn on both views, and held against what the site has drawn on it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bs_client.data.dataset import Dataset
from bs_client.data.manifest import Entry
from bs_client.data.masks import Masks, Region, read_regions
from bs_client.dicom.scan import BoneScan
from bs_client.explain.agreement import ScanAgreement, count_spots, hold_against_mask
from bs_client.explain.body import artefact_shares
from bs_client.explain.overlay import OverlayCaption, OverlayView
from bs_common.errors import DataError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CaseMap:
    """What one map shows.

    anterior, posterior : ready to be drawn.
    agreement : with the drawn metastases; None where there are none.
    artefacts : shares of the map's sum where no metastasis can be; empty for a blank map.
    lesions : separate spots drawn in the view that has more of them; None without a mask.
    """

    caption: OverlayCaption
    anterior: OverlayView
    posterior: OverlayView
    agreement: ScanAgreement | None
    artefacts: dict[str, float]
    lesions: int | None


def explain_case(
    dataset: Dataset, entry: Entry, caption: OverlayCaption, heat: NDArray[np.float32]
) -> CaseMap:
    """Read a scan again and lay a map of the network over it.

    Parameters
    ----------
    heat : (h, w) over both views side by side, >= 0.
    """
    scan = dataset.read(entry)
    geometry = dataset.record(entry).geometry
    regions = _regions(dataset, entry, scan)
    counts = (scan.anterior.counts, scan.posterior.counts)
    maps = geometry.to_native(heat)
    mask = regions.get(Region.METASTASIS)
    drawn = mask is not None and any(view.any() for view in mask)
    return CaseMap(
        caption=caption,
        anterior=OverlayView(counts[0], maps[0], mask[0] if mask else None),
        posterior=OverlayView(counts[1], maps[1], mask[1] if mask else None),
        agreement=hold_against_mask(heat, counts, mask, geometry) if mask and drawn else None,
        artefacts=artefact_shares(maps, counts, regions),
        lesions=max(count_spots(view)[1] for view in mask) if mask else None,
    )


def _regions(dataset: Dataset, entry: Entry, scan: BoneScan) -> dict[Region, Masks]:
    """Read what is drawn on a scan; a mask that does not fit is left out and said in the log."""
    if entry.mask is None:
        return {}
    try:
        return read_regions(
            entry.mask,
            dataset.record(entry).geometry,
            frames=(
                (scan.anterior.sop_instance_uid, scan.anterior.frame),
                (scan.posterior.sop_instance_uid, scan.posterior.frame),
            ),
        )
    except DataError as error:
        _log.warning("a mask is left out: %s", error)
        return {}
