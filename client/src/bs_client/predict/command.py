"""What `bs-client predict` needs before the first scan, put together from options and site file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bs_client.config import Compute, SiteFolder
from bs_client.dicom.settings import IngestSettings
from bs_client.model.device import prepare_device
from bs_client.predict.model import open_model
from bs_client.predict.pinned_key import pinned_key
from bs_client.predict.studies import Predictor, Wanted


def open_predictor(
    model: Path,
    folder: Path,
    *,
    site: SiteFolder | None,
    key_file: Path | None,
    backbone_file: Path | None,
    wanted: Wanted,
) -> Predictor:
    """Verify the model and build its network, as a site's file says or with the defaults.

    Raises ConfigError or TrustError, as `pinned_key` and `open_model` do.
    """
    key = pinned_key(key_file=key_file, site=site)
    file = None if site is None else site.read()
    compute = Compute() if file is None else file.compute
    prepare_device(compute.threads)
    opened = open_model(model, key, backbone_file=backbone_file or compute.backbone_file)
    ingest = IngestSettings() if file is None else file.ingest
    return Predictor(opened, ingest, folder, wanted, clock=_now)


def _now() -> datetime:
    # DICOM dates and times are the site's own (PS3.3 C.12.1.1.8).
    return datetime.now(UTC).astimezone()
