"""The paper's cohort from labels alone: through a site's own code, the gate, and the report."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bs_client.check.labels_alone import read_labels_alone
from bs_client.data.cohort import count_cells
from bs_client.data.labels import Split
from bs_client.data.sampling import balanced_epoch
from bs_client.federation.small_cells import hide_small_cells
from bs_common.contract import MessageType
from bs_common.keys import public_pem
from bs_common.messages import Reply, read_reply, write_reply
from bs_common.settings import Role, StudySettings
from bs_server.federation.sites import summarise_site
from bs_server.report import render_report
from bs_server.report.flow import Box, trace_flow
from bs_server.results.summary import Summary
from bs_server.trust.signed_register import Register, RegisteredSite
from support.page_text import PageText
from support.paper_labels import (
    PRINTED_TOTALS,
    PRINTED_TRAINING,
    TABLE_1,
    paper_rows,
    write_rows,
)

ROLES: Mapping[str, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}
SETTINGS = StudySettings(name="labels-only")
MIN_CELL = 5


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of all 2,365 rows."""
    return write_rows(tmp_path_factory.mktemp("labels") / "labels.csv", paper_rows())


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """The study's summary when all three sites have said what they have."""
    folder = tmp_path_factory.mktemp("sites")
    key = public_pem(ec.generate_private_key(ec.SECP256R1()).public_key())
    register = Register(
        sites={name: RegisteredSite(role=role, public_key=key) for name, role in ROLES.items()}
    )
    return Summary(
        study=SETTINGS.name,
        settings=SETTINGS,
        settings_sha256=SETTINGS.digest(),
        synthetic=False,
        started="2026-01-02T03:04:05Z",
        finished="2026-01-02T03:04:06Z",
        differences=[],
        sites=[summarise_site(site, _described(folder, site), register) for site in register.sites],
        rounds=[],
        best_round=None,
        chosen_by="pooled_auc",
        external=None,
        versions={},
        weights_sha256=None,
    )


def _described(folder: Path, site: str) -> Reply:
    """Let a site read its labels and pass its counts through its gate and over the wire."""
    rows = [row for row in paper_rows() if row[-1] == site]
    found = read_labels_alone(write_rows(folder / f"{site}.csv", rows))
    assert found.reasons == ()
    metrics = {**count_cells(found.entries), "synthetic": 0, "min-cell": MIN_CELL}
    texts = {
        "backbone-sha256": "0" * 64,
        "device": "none",
        "version.backend": "none 0",
        **{f"version.{name}": "0" for name in ("bs-client", "python", "keras", "flwr")},
    }
    reply = hide_small_cells(Reply(MessageType.DESCRIBE, 0, {}, metrics, texts), MIN_CELL)
    sent = write_reply(reply, SETTINGS)
    return read_reply(MessageType.DESCRIBE.value, sent, SETTINGS)


def test_the_command_counts_the_papers_cohort_without_tensorflow(labels: Path) -> None:
    program = (
        "import sys; from bs_client.cli import app; "
        "app(sys.argv[1:], standalone_mode=False); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, "cohort", str(labels)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    flow = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "2365 labelled scans of 2365 patients" in flow
    assert "train 1203 329 with metastasis, 874 without" in flow
    assert "validation 164 82 with metastasis, 82 without" in flow
    assert "external 998 411 with metastasis, 587 without" in flow


def test_table_1_of_the_report_is_the_papers(summary: Summary) -> None:
    text = PageText(render_report(summary))

    for (site, split), (with_, without) in TABLE_1.items():
        assert text.row(site, split)[2:] == [str(with_), str(without), str(with_ + without)]
    assert text.row("All sites", "train")[2:] == [*map(str, PRINTED_TRAINING), "1203"]
    assert text.row("All sites", "validation")[2:] == ["82", "82", "164"]


def test_the_flow_of_the_report_is_the_papers(summary: Summary) -> None:
    flow = trace_flow(summary)

    assert flow.received == flow.included == sum(PRINTED_TOTALS.values()) == 2365
    assert flow.refused == 0
    assert {split: box.total for split, box in flow.splits.items()} == PRINTED_TOTALS
    assert flow.splits["train"] == Box(*PRINTED_TRAINING)
    found = {
        (site.site, split): (box.metastasis, box.no_metastasis)
        for site in flow.sites
        for split, box in site.splits.items()
    }
    assert found == TABLE_1


def test_the_drawn_diagram_says_the_papers_numbers(summary: Summary) -> None:
    drawn = re.findall(r'aria-label="(Flow of scans[^"]*)"', render_report(summary))

    assert "received 2365; refused 0; in the study 2365" in drawn[0]
    assert "aachen: received 1019" in drawn[1]
    assert "train n = 903 metastasis: 235 no metastasis: 668" in drawn[1]
    assert "external n = 998 metastasis: 411 no metastasis: 587" in drawn[1]


@pytest.mark.parametrize(("site", "positives"), [("aachen", 235), ("aalborg", 94)])
def test_an_epoch_shows_as_many_scans_of_each_label_as_the_papers(
    labels: Path, site: str, positives: int
) -> None:
    train = [
        entry.label
        for entry in read_labels_alone(labels).entries
        if entry.split is Split.TRAIN and entry.patient_id.startswith(site)
    ]

    epoch = balanced_epoch(np.array(train), seed=0, site=site, round_number=1, epoch=0)

    shown = np.array(train)[epoch.indices]
    assert (int(shown.sum()), int((~shown).sum())) == (positives, positives)


@pytest.mark.parametrize(("printed", "scans"), [("17.79", 411), ("80.45", 587), ("19.55", 587)])
def test_no_number_of_the_papers_external_scans_gives_its_printed_rates(
    printed: str, scans: int
) -> None:
    # Table 1 adds up; these three rates fit neither 411 nor 587 scans, rounded or cut off.
    for count in range(scans + 1):
        exact = 10_000 * count / scans
        assert printed not in (f"{round(exact) / 100:.2f}", f"{int(exact) / 100:.2f}")
