"""A running coordinator follows its folder: revoked sites, a renewed certificate, ends to come."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bs_common.settings import StudySettings
from bs_server.gateway.watch import Watch
from bs_server.trust.authority import Authority, renew_server_certificate
from bs_server.trust.register import revoke
from bs_server.trust.signed_register import read_register
from support.study_maker import MadeStudy, make_study

NOW = datetime.datetime.now(datetime.UTC)
SETTINGS = StudySettings(name="watched", backbone="random:1", trainable="head", rounds=3)


class Clock:
    now = NOW

    def __call__(self) -> datetime.datetime:
        return self.now


class NotedLink:
    """A link that notes what it is told."""

    def __init__(self, study: MadeStudy) -> None:
        self.keys = dict(read_register(study.folder).enrolled())
        self.told: list[str] = []

    @property
    def sites(self) -> Mapping[str, ec.EllipticCurvePublicKey]:
        return dict(self.keys)

    def revoke(self, site: str) -> None:
        del self.keys[site]
        self.told.append(f"revoke {site}")

    def reload_certificate(self) -> None:
        self.told.append("reload")

    def write_refusals(self) -> None:
        """Nothing was refused."""


@pytest.fixture
def study(tmp_path: Path) -> MadeStudy:
    return make_study(tmp_path, SETTINGS, {"aachen": "train", "namur": "evaluate"})


@pytest.fixture
def link(study: MadeStudy) -> NotedLink:
    return NotedLink(study)


@pytest.fixture
def watch(study: MadeStudy, link: NotedLink) -> Watch:
    return Watch(study.folder, link, Clock())


def test_nothing_is_told_while_nothing_changes(watch: Watch, link: NotedLink) -> None:
    watch.look()
    watch.look()

    assert link.told == []


def test_a_revoked_site_is_told_once(study: MadeStudy, watch: Watch, link: NotedLink) -> None:
    revoke(study.folder, "namur")
    watch.look()
    watch.look()

    assert link.told == ["revoke namur"]


def test_a_renewed_certificate_is_told_once(
    study: MadeStudy, watch: Watch, link: NotedLink
) -> None:
    renew_server_certificate(Authority(study.folder.authority), more_names=(), now=NOW)
    watch.look()
    watch.look()

    assert link.told == ["reload"]


def test_a_tampered_register_changes_nothing_and_is_told(
    study: MadeStudy, watch: Watch, link: NotedLink, caplog: pytest.LogCaptureFixture
) -> None:
    content = json.loads(study.folder.register.read_text())
    del content["sites"]["namur"]
    study.folder.register.write_text(json.dumps(content))

    with caplog.at_level(logging.ERROR):
        watch.look()

    assert link.told == []
    assert "signature does not fit" in caplog.text


def test_an_older_register_that_is_put_back_is_not_followed(
    study: MadeStudy, watch: Watch, link: NotedLink, caplog: pytest.LogCaptureFixture
) -> None:
    older = study.folder.register.read_bytes()
    revoke(study.folder, "namur")
    watch.look()
    study.folder.register.write_bytes(older)

    with caplog.at_level(logging.ERROR):
        watch.look()

    assert link.told == ["revoke namur"]
    assert "older register" in caplog.text


def test_an_end_to_come_is_told_once_a_day(
    study: MadeStudy, link: NotedLink, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    clock.now = NOW + datetime.timedelta(days=380)
    watch = Watch(study.folder, link, clock)

    with caplog.at_level(logging.WARNING):
        for hours in (0, 1, 23, 25, 26):
            clock.now = NOW + datetime.timedelta(days=380, hours=hours)
            watch.look()

    assert caplog.text.count("bs-server renew") == 2


def test_it_looks_by_itself_while_it_is_open(study: MadeStudy, link: NotedLink) -> None:
    import time

    with Watch(study.folder, link, Clock()):
        revoke(study.folder, "namur")
        end = time.monotonic() + 10
        while not link.told and time.monotonic() < end:
            time.sleep(0.02)

    assert link.told == ["revoke namur"]
