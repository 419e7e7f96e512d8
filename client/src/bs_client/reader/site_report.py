"""A reader study's analysis in its site's own folder: page, aggregates, and a place in the report.

It lies beside the external evaluation's folder, not in it: a later judgement replaces that one,
and shows the readers again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bs_client.config import SiteFolder
from bs_client.explain.gallery import put_readers
from bs_client.reader.aggregates import Aggregates
from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_common.joining import read_document

AGGREGATES = "aggregates.json"
SECTION = "section.html"
PAGE = "index.html"


def put_into_site(
    site: SiteFolder, pages: Mapping[str, bytes], aggregates: Aggregates, *, finished: bool
) -> None:
    """Show an analysis in the site's report, and keep the aggregates for the coordinator.

    Parameters
    ----------
    pages : by file name, `PAGE` and `SECTION` among them.
    finished : whether every reader has ended. Before, nothing is kept for the coordinator.

    Raises ConfigError if the site holds the finished analysis of another reader study.
    """
    kept = site.readers / AGGREGATES
    if kept.exists():
        other = read_document(kept, Aggregates)
        if other.protocol_sha256 != aggregates.protocol_sha256:
            raise ConfigError(
                f"{site.readers} holds the analysis of the reader study '{other.study}'.",
                remedy="Move that folder away if this study shall be shown and asked for instead.",
            )
    site.readers.mkdir(mode=0o700, exist_ok=True)
    for name, content in pages.items():
        write_atomic(site.readers / name, content, mode=0o600)
    if finished:
        content = aggregates.model_dump_json(indent=2).encode() + b"\n"
        write_atomic(kept, content, mode=0o600)
    show_readers(site)


def show_readers(site: SiteFolder) -> None:
    """Put the readers' section into the external evaluation's page, if there are both."""
    page, section = site.private / PAGE, site.readers / SECTION
    if page.exists() and section.exists():
        text = put_readers(page.read_text("utf-8"), section.read_text("utf-8"))
        write_atomic(page, text.encode(), mode=0o600)


def site_of(note: Path, chosen: Path | None) -> SiteFolder | None:
    """Give the site that a study was drawn from, as noted or where it is now; None for no site's.

    Raises ConfigError if it is no longer there.
    """
    if chosen is None and not note.exists():
        return None
    path = chosen if chosen is not None else Path(note.read_text("utf-8").strip())
    if not SiteFolder(path).site_file.exists():
        raise ConfigError(
            f"{path} is not a site's folder.",
            remedy="Say where it is now with --site; the analysis itself is complete.",
        )
    return SiteFolder(path)
