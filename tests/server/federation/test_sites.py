"""What the sites say of themselves, and whether they fit together."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bs_common.contract import MessageType
from bs_common.errors import StudyStopped
from bs_common.keys import fingerprint, public_pem
from bs_common.messages import Metric, Reply, Request
from bs_common.settings import StudySettings
from bs_server.federation.sites import check_one_backbone, declared, is_synthetic, summarise_site
from bs_server.results.summary import CohortCount, SiteSummary
from bs_server.trust.signed_register import Register, RegisteredSite
from support.fake_site import FakeWork

KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
SITE = RegisteredSite(role="train", public_key=public_pem(KEY))
REGISTER = Register(sites={"aachen": SITE, "aalborg": SITE})
SETTINGS = StudySettings(name="test")


def reply(*, hide: tuple[str, ...] = (), backbone: str = "a" * 64, **changes: Metric) -> Reply:
    work = FakeWork("aachen", SETTINGS, positives=22, backbone_sha256=backbone)
    full = work.describe(Request(MessageType.DESCRIBE, 0))
    metrics = {**full.metrics, "refused.E_VIEW": 7, **changes}
    kept = {name: value for name, value in metrics.items() if name not in hide}
    return Reply(full.message_type, 0, {}, kept, full.texts, hide)


def summary(name: str = "aachen", *, backbone: str = "a" * 64) -> SiteSummary:
    return summarise_site(name, reply(backbone=backbone), REGISTER)


def test_a_description_takes_its_place_in_the_summary() -> None:
    site = summary()

    assert (site.name, site.role, site.device) == ("aachen", "train", "cpu (1 thread)")
    assert site.key_sha256 == fingerprint(KEY)
    assert site.versions["backend"] == "numpy 1.0"
    assert set(site.versions) == {"bs-client", "python", "keras", "backend", "flwr"}
    assert site.refused == {"E_VIEW": 7}
    assert site.min_cell == 1


def test_only_splits_with_scans_are_listed() -> None:
    assert summary().cohort == [
        CohortCount(split="train", metastasis=22, no_metastasis=30),
        CohortCount(split="validation", metastasis=8, no_metastasis=8),
    ]


def test_the_role_is_the_registers_word() -> None:
    register = Register(sites={"aachen": SITE.model_copy(update={"role": "evaluate"})})

    assert summarise_site("aachen", reply(), register).role == "evaluate"


def test_hidden_counts_are_null_and_named() -> None:
    names = ("train.metastasis", "train.no_metastasis", "refused.E_VIEW")

    site = summarise_site("aachen", reply(hide=names), REGISTER)

    assert site.cohort[0] == CohortCount(split="train", metastasis=None, no_metastasis=None)
    assert site.refused == {}
    assert site.hidden == dict.fromkeys(names, "small_cell")


def test_updates_are_screened_against_the_declared_positives() -> None:
    assert declared(reply()).train_positives == 22
    assert declared(reply(hide=("train.metastasis",))).train_positives is None


def test_one_site_with_phantoms_makes_the_study_synthetic() -> None:
    real, phantoms = reply(synthetic=0), reply(synthetic=1)

    assert is_synthetic({"aachen": real, "aalborg": phantoms})
    assert not is_synthetic({"aachen": real, "aalborg": real})


def test_sites_with_the_same_backbone_fit_together() -> None:
    check_one_backbone([summary(), summary("aalborg")])


def test_sites_with_different_backbones_stop_the_study_and_are_named() -> None:
    sites = [summary(), summary("aalborg", backbone="b" * 64)]

    with pytest.raises(StudyStopped, match=r"aachen: a{12}; aalborg: b{12}") as stopped:
        check_one_backbone(sites)
    assert "same weights file" in stopped.value.remedy
