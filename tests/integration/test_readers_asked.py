"""A reader study asked for after the study, over TLS: what arrives, and what stays."""

from __future__ import annotations

import json

import pytest

from bs_client.reader.case_key import read_key
from bs_client.reader.protocol import ReaderStudyFolder
from bs_common.audit import read_entries
from bs_server.results.summary import read_summary
from support.finished_readers import COMMENT
from support.real_study import HeadStudy

pytestmark = pytest.mark.integration


def test_the_sites_own_analysis_arrives_in_the_summary_and_the_report(
    head_study: HeadStudy,
) -> None:
    own = json.loads((head_study.reader_study / "analysis/analysis.json").read_text())

    (told,) = read_summary(head_study.study.folder.summary).readers

    arm = own["arms"]["unaided"]
    assert (told.site, told.readers, told.metastasis, told.no_metastasis) == ("namur", 2, 4, 4)
    assert told.arms[0].auc is not None
    assert told.arms[0].auc.median == pytest.approx(arm["auc_median"])
    assert told.model is not None
    assert told.model.auc is not None
    assert told.model.auc.value == pytest.approx(own["model"]["auc"])
    assert told.model.device.startswith("cpu")
    assert told.model.seconds_alone == pytest.approx(own["model_time"]["alone_s"])
    assert told.arms[0].each_reader == []
    assert "Reader study at namur" in head_study.study.folder.report.read_text()


def test_both_audit_logs_tell_of_one_question_and_one_answer(head_study: HeadStudy) -> None:
    study = head_study.study
    for path, ways in ((study.sites["namur"].audit, "in out"), (study.folder.audit, "out in")):
        entries = [e for e in read_entries(path) if e["message_type"] == "query.readers"]

        assert [e["direction"] for e in entries] == ways.split()
        assert {e["verdict"] for e in entries} == {"passed"}


def test_no_comment_case_or_reader_is_on_the_wire(head_study: HeadStudy) -> None:
    key = read_key(ReaderStudyFolder(head_study.reader_study).key)
    upward = b"\n".join(head_study.upward)

    assert b"query.readers" in b"".join(e.response.body for e in head_study.exchanged)
    assert b"readers-minus-model" in upward
    for word in (COMMENT, "each-reader", *key, *(row.study_uid for row in key.values())):
        assert word.encode() not in upward


def test_the_sites_report_shows_its_readers(head_study: HeadStudy) -> None:
    page = (head_study.study.sites["namur"].private / "index.html").read_text()

    assert page.count("Readers of the same scans") == 1
    assert (head_study.study.sites["namur"].readers / "index.html").exists()
