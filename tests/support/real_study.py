"""A whole small study with the real programs: synthetic scans, `bs-server` and `bs-client`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bs_client.config import DataSettings, Policy
from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.site_style import STYLES, SiteName
from bs_common.settings import Role, StudySettings
from bs_server.processes import Processes
from support.study_maker import MadeStudy, make_study
from support.tls_proxy import Exchanged

ROLES: Mapping[str, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}
HEAD = StudySettings(
    name="small",
    seed=7,
    backbone="random:1",
    trainable="head",
    view_height=64,
    view_width=32,
    rounds=2,
    learning_rate=1e-3,
    compare_local=True,
)
PROGRAMS = Path(sys.executable).parent
COHORTS: Mapping[SiteName, CohortCounts] = {
    "aachen": CohortCounts(
        train_positive=6, train_negative=8, validation_positive=3, validation_negative=3
    ),
    "aalborg": CohortCounts(
        train_positive=6, train_negative=8, validation_positive=3, validation_negative=3
    ),
    "namur": CohortCounts(external_positive=6, external_negative=6),
}


@dataclass(frozen=True, slots=True)
class HeadStudy:
    """A finished study of the head alone.

    exchanged, upward : what a proxy between sites and coordinator saw.
    reader_study : folder of the finished reader study of Namur's scans, which was asked for.
    """

    study: MadeStudy
    data: Mapping[str, DataSettings]
    exchanged: Sequence[Exchanged]
    upward: Sequence[bytes]
    reader_study: Path


def make_cohorts(
    root: Path, counts: Mapping[SiteName, CohortCounts] = COHORTS
) -> dict[str, DataSettings]:
    """Write the synthetic scans of sites named after a style; the same each time."""
    data: dict[str, DataSettings] = {}
    for name, count in counts.items():
        folder = root / name
        labels = write_cohort(
            folder, style=STYLES[name], counts=count, seed=1, preset="conspicuous"
        )
        data[name] = DataSettings(scans=folder / "scans", labels=labels)
    return data


def make_head_study(
    root: Path, data: Mapping[str, DataSettings], *, dialled_port: int | None = None
) -> MadeStudy:
    """Make the study of the head alone; the same settings and scans each time."""
    policy = Policy(min_cell=1, release_local=True, external_models=3)
    return make_study(
        root, HEAD, dict(ROLES), data=dict(data), dialled_port=dialled_port, policy=policy
    )


def run_real_study(study: MadeStudy, *, seconds: float) -> None:
    """Run coordinator and sites as processes until all have ended with status 0.

    Raises StudyStopped, with the end of its log, if one ends otherwise or is not over in time.
    """
    server, client = (str(PROGRAMS / name) for name in ("bs-server", "bs-client"))
    with Processes() as processes:
        command = [server, "run", str(study.folder.path), "--json"]
        processes.start("coordinator", command, log=study.folder.path / "run.log")
        for name, site in study.sites.items():
            processes.start(name, [client, "run", str(site.path)], log=site.path / "run.log")
        processes.wait_for_all(seconds)


def ask_readers(study: MadeStudy, judge: str, *, seconds: float) -> None:
    """Ask a site for its reader study, after the study's end, with both real programs."""
    server, client = (str(PROGRAMS / name) for name in ("bs-server", "bs-client"))
    site, folder = study.sites[judge], study.folder.path
    with Processes() as processes:
        command = [server, "ask-readers", str(folder), "--json"]
        processes.start("coordinator", command, log=folder / "ask-readers.log")
        processes.start(judge, [client, "run", str(site.path)], log=site.path / "run-again.log")
        processes.wait_for_all(seconds)
