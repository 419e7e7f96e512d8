"""What a hospital must decide itself before doubtful scans are used."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class IngestSettings(BaseModel):
    """Doubts that a site may resolve for its own cameras; all are refused by default."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    # Two frames without any view statement: take detector 1 as anterior. True for many cameras,
    # yet not for all: a site sets it after looking at its own scans.
    assume_detector1_anterior: bool = False
    # One frame with both views next to each other: cut it in the middle. The header must still
    # name the view of each half.
    split_side_by_side: bool = False
    # Scans whose high counts were wrapped to 8 bits by an export tool. The hottest uptake is
    # lost in them, so they are refused unless nothing better can be had.
    accept_wrap8: bool = False
    # Mirror a posterior view that fits the anterior one better unmirrored. The sign is
    # statistical, so a site sets it only if its workstation is known to mirror.
    flip_mirrored_posterior: bool = False
