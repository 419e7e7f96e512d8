"""What is checked: a site's part in a study, or any folder with DICOM files."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from bs_client.config import SiteFile, SiteFolder
from bs_client.dicom.settings import IngestSettings
from bs_common.errors import ConfigError, DataError
from bs_common.joining import Invitation
from bs_common.settings import Role, StudySettings

# A folder that belongs to no study is prepared as the paper does.
NO_STUDY = StudySettings(name="check")


@dataclass(frozen=True, slots=True)
class Source:
    """Scans, labels and settings exactly as training will take them.

    role, site : None and empty where the folder belongs to no study.
    cache : what an earlier check found, and the small pictures; can be deleted at any time.
    pages : where the contact sheet and the lists with names go. Both folders hold patient data.
    site_folder : of the site that the scans belong to, or None.
    """

    scans: Path
    labels: Path | None
    ingest: IngestSettings
    settings: StudySettings
    role: Role | None
    site: str
    cache: Path
    pages: Path
    site_folder: Path | None = None


def open_source(path: Path, *, labels: Path | None, cache: Path | None) -> Source:
    """Read the settings of a site's folder; any other folder or file is taken as scans.

    Parameters
    ----------
    labels : labels of a folder that belongs to no study; a site's stand in its `site.toml`.
    cache : replaces the site's cache, or `~/.cache/bs-client` where there is no site.

    Raises
    ------
    ConfigError or DataError if the site's files, `path` or `labels` cannot be used.
    """
    folder = SiteFolder(path)
    if folder.site_file.exists():
        return _of_site(folder, labels, cache)
    if not path.exists():
        raise DataError(
            f"{path}: no such folder.", remedy="Give the site's folder, or one with DICOM files."
        )
    place = _own_folder(cache, path)
    return Source(
        scans=path,
        labels=labels,
        ingest=IngestSettings(),
        settings=NO_STUDY,
        role=None,
        site="",
        cache=place,
        pages=_made(place / "pages"),
    )


def _of_site(folder: SiteFolder, labels: Path | None, cache: Path | None) -> Source:
    if labels is not None:
        raise ConfigError(
            "The labels of a site stand in its site.toml.", remedy="Leave out --labels."
        )
    file, invitation = folder.read(), folder.read_invitation()
    if not file.data.scans.exists():
        raise ConfigError(
            f"{file.data.scans}: no such folder.", remedy=f"Correct scans in {folder.site_file}."
        )
    return site_source(folder, file, invitation, cache=cache)


def site_source(
    folder: SiteFolder, file: SiteFile, invitation: Invitation, *, cache: Path | None = None
) -> Source:
    """Give what a site with this file and invitation would read in training."""
    return Source(
        scans=file.data.scans,
        labels=file.data.labels,
        ingest=file.ingest,
        settings=invitation.settings,
        role=invitation.role,
        site=invitation.site,
        cache=_made((cache if cache is not None else folder.cache) / "check"),
        pages=_made(folder.path / "check"),
        site_folder=folder.path,
    )


def _own_folder(cache: Path | None, scans: Path) -> Path:
    """Make the folder that belongs to these scans, in a temporary place if home is read-only."""
    name = sha256(os.fsencode(scans.absolute())).hexdigest()[:16]
    if cache is not None:
        return _made(cache / name)
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    try:
        return _made(Path(home).expanduser() / "bs-client" / "check" / name)
    except (OSError, RuntimeError):  # no home, or one that cannot be written
        return Path(tempfile.mkdtemp(prefix="bs-client-check-"))


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
