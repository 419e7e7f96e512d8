"""Bad studies in a hospital's export: counted by code, and the round goes on."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from threading import Event

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bs_client.config import Compute, DataSettings, Policy, SiteFile, SiteFolder
from bs_client.federation.app import make_app
from bs_client.federation.gate import Gate
from bs_client.federation.work import open_site
from bs_common.audit import AuditLog
from bs_common.joining import write_document
from bs_common.keys import public_pem
from bs_common.toml import write_toml
from bs_server.config import Deadlines, ServerSettings, StudyFile, StudyFolder
from bs_server.report.page import render_report
from bs_server.results.summary import Summary
from bs_server.study import Study, run_study
from bs_server.trust.signed_register import Register, RegisteredSite
from support.bad_studies import KINDS, write_export
from support.fake_site import TIME, FakeLink
from support.invitations import make_invitation
from support.small_network import small_settings

pytestmark = pytest.mark.usefixtures("device")

SETTINGS = small_settings("head", rounds=1)


def run_round(root: Path, labels: Path, *, min_cell: int) -> Summary:
    """Train one round on a site's export, from its files to the coordinator's summary."""
    site = SiteFolder(root / "aachen")
    site.path.mkdir()
    data = DataSettings(scans=labels.parent / "scans", labels=labels)
    write_toml(
        site.site_file,
        SiteFile(data=data, policy=Policy(min_cell=min_cell), compute=Compute(threads=2)),
    )
    write_document(
        site.invitation,
        make_invitation(settings=SETTINGS),
    )
    gate = Gate(
        settings=SETTINGS,
        role="train",
        policy=Policy(min_cell=min_cell),
        audit=AuditLog(site.audit, lambda: TIME),
    )
    link = FakeLink({"aachen": make_app(open_site(site), gate, Event())})
    key = public_pem(ec.generate_private_key(ec.SECP256R1()).public_key())
    study = Study(
        StudyFolder(root / "coordinator"),
        StudyFile(
            study=SETTINGS,
            server=ServerSettings(address="localhost:1"),
            deadlines=Deadlines(sites_s=5, answer_s=300),
        ),
        Register(sites={"aachen": RegisteredSite(role="train", public_key=key)}),
    )
    study.folder.path.mkdir()
    return run_study(study, link, lambda event, **facts: None, clock=lambda: TIME)


def assert_trained_on(summary: Summary, good: int) -> None:
    (site,) = summary.sites
    counts = [(row.metastasis or 0) + (row.no_metastasis or 0) for row in site.cohort]
    assert sum(counts) == good
    assert [entry.round for entry in summary.rounds] == [0, 1]
    assert summary.rounds[1].sites[0].verdict == "accepted"


@pytest.mark.slow
def test_twelve_bad_studies_are_counted_by_code_and_the_round_goes_on(tmp_path: Path) -> None:
    labels = write_export(tmp_path / "export", good=30)

    summary = run_round(tmp_path, labels, min_cell=1)

    assert summary.sites[0].refused == dict.fromkeys(KINDS, 1)
    assert_trained_on(summary, 30)
    page = render_report(summary)
    assert all(kind in page for kind in KINDS)
    assert "1.2.826." not in page


@pytest.mark.slow
def test_a_rare_reason_reaches_the_coordinator_as_a_code_without_its_count(tmp_path: Path) -> None:
    labels = write_export(tmp_path / "export", good=60)

    summary = run_round(tmp_path, labels, min_cell=3)

    assert summary.sites[0].refused == {}
    assert {f"refused.{kind}" for kind in KINDS} <= set(summary.sites[0].hidden)
    assert all(kind in render_report(summary) for kind in KINDS)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_twelve_bad_studies_among_nine_hundred_do_not_stop_a_round(tmp_path: Path) -> None:
    labels = write_export(tmp_path / "export", good=900 - len(KINDS))
    started = time.monotonic()

    summary = run_round(tmp_path, labels, min_cell=1)

    sys.stdout.write(f"\n900 studies, one round: {time.monotonic() - started:.0f} s\n")
    sys.stdout.write(f"refused: {summary.sites[0].refused}\n")
    assert summary.sites[0].refused == dict.fromkeys(KINDS, 1)
    assert_trained_on(summary, 900 - len(KINDS))
