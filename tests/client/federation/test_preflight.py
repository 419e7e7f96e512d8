"""What is tried before a site joins: each failure has a clear error and a remedy."""

from __future__ import annotations

import datetime
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bs_client.check.labelled import Labelled
from bs_client.check.report import Report
from bs_client.config import DataSettings, SiteFile, SiteFolder
from bs_client.data.cohort import CohortGroup, CohortTable
from bs_client.data.labels import Split
from bs_client.federation import preflight
from bs_client.federation.preflight import (
    Finding,
    Verdict,
    check_backbone,
    check_certificate,
    check_clock,
    check_coordinator,
    check_counts,
    check_device,
    check_disk,
    check_memory,
    check_scans,
    needed_disk,
    needed_memory,
    read_scans,
    run_preflight,
)
from bs_client.federation.transport import Coordinator
from bs_common.settings import StudySettings
from bs_server.trust.authority import Authority, issue_server_certificate, make_authority
from support.connect_proxy import ConnectProxy
from support.invitations import make_invitation
from support.study_maker import free_port
from support.tls_server import HOST, refusal, tls_server

HEAD = StudySettings(name="t", trainable="head", backbone="random:1")
DAY = datetime.timedelta(days=1)
GIB = 2**30


def clock() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder = tmp_path_factory.mktemp("authority") / "authority"
    return make_authority(folder, study="t", names=[HOST], now=clock())


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def coordinator(authority: Authority) -> Iterator[Coordinator]:
    with tls_server(authority, refusal(clock())) as port:
        yield Coordinator(f"{HOST}:{port}", authority.ca_certificate.read_text())


def verdicts(findings: list[Finding]) -> dict[str, Verdict]:
    return {finding.name: finding.verdict for finding in findings}


def only(findings: list[Finding], verdict: Verdict) -> Finding:
    """Give the one finding, after checking that it says what to do."""
    (finding,) = findings
    assert finding.verdict is verdict
    assert finding.remedy
    return finding


def test_a_coordinator_that_answers_is_reached_and_its_clock_and_certificate_known(
    coordinator: Coordinator,
) -> None:
    findings = check_coordinator(coordinator, clock)

    assert verdicts(findings) == dict.fromkeys(("coordinator", "certificate", "clock"), "ok")
    assert "directly" in findings[0].says
    assert "valid for 396 days" in findings[1].says


def test_another_authority_is_a_failure_that_says_what_to_compare(
    coordinator: Coordinator, tmp_path: Path
) -> None:
    other = make_authority(tmp_path / "other", study="t", names=[HOST], now=clock())
    wrong = replace(coordinator, ca_certificate=other.ca_certificate.read_text())

    finding = only(check_coordinator(wrong, clock), Verdict.FAILED)

    assert "not from this study's authority" in finding.says
    assert "fingerprint" in finding.remedy


def test_a_certificate_for_another_name_is_a_failure(authority: Authority, tmp_path: Path) -> None:
    elsewhere = make_authority(tmp_path / "a", study="t", names=["other.example"], now=clock())
    with tls_server(elsewhere, refusal(clock())) as port:
        pinned = Coordinator(f"{HOST}:{port}", elsewhere.ca_certificate.read_text())

        finding = only(check_coordinator(pinned, clock), Verdict.FAILED)

    assert f"does not name {HOST}" in finding.says
    assert "bs-server renew" in finding.remedy


@pytest.mark.parametrize(
    ("made", "verdict", "said", "remedy"),
    [
        (-500 * DAY, "warning", "has expired", "bs-server renew"),  # mended at the coordinator
        (2 * DAY, "failed", "not valid yet", "Set the clock"),
    ],
)
def test_a_certificate_out_of_its_time_is_told_with_the_clock(
    tmp_path: Path, made: datetime.timedelta, verdict: str, said: str, remedy: str
) -> None:
    authority = make_authority(tmp_path / "a", study="t", names=[HOST], now=clock() - 600 * DAY)
    issue_server_certificate(authority, names=[HOST], now=clock() + made)
    with tls_server(authority, refusal(clock())) as port:
        pinned = Coordinator(f"{HOST}:{port}", authority.ca_certificate.read_text())

        finding = only(check_coordinator(pinned, clock), Verdict(verdict))

    assert said in finding.says
    assert remedy in finding.remedy
    assert "clock" in finding.remedy


def test_a_coordinator_that_does_not_run_yet_is_a_warning(authority: Authority) -> None:
    absent = Coordinator(f"{HOST}:{free_port()}", authority.ca_certificate.read_text())

    finding = only(check_coordinator(absent, clock), Verdict.WARNING)

    assert "Nobody listens" in finding.says
    assert "may not run yet" in finding.remedy


def test_a_name_that_is_not_known_is_explained(authority: Authority) -> None:
    unknown = Coordinator("coordinator.invalid:8443", authority.ca_certificate.read_text())

    finding = only(check_coordinator(unknown, clock), Verdict.WARNING)

    assert "The name coordinator.invalid is not known" in finding.says
    assert "--proxy http://HOST:PORT" in finding.remedy


def test_a_firewall_that_swallows_everything_is_explained(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_TIMEOUT_S", 0.3)
    with socket.create_server((HOST, 0)) as silent:
        address = f"{HOST}:{silent.getsockname()[1]}"

        findings = check_coordinator(replace(coordinator, address=address), clock)

    finding = only(findings, Verdict.WARNING)
    assert f"No answer from {address}" in finding.says
    assert f"outgoing HTTPS to {address}" in finding.remedy


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_ten_minutes_off_is_a_failure_with_the_seconds(
    coordinator: Coordinator, minutes: int
) -> None:
    def wrong() -> datetime.datetime:
        return clock() + datetime.timedelta(minutes=minutes)

    findings = check_coordinator(coordinator, wrong)

    found = {finding.name: finding for finding in findings}["clock"]
    assert found.verdict is Verdict.FAILED
    seconds = int(found.says.partition("clock is ")[2].partition(" s ")[0])
    assert abs(seconds - 600) <= 3
    assert ("ahead of" in found.says) is (minutes > 0)
    assert "timedatectl" in found.remedy


@pytest.mark.parametrize(
    ("ahead_s", "verdict"),
    [(0.0, "ok"), (4.9, "ok"), (5.1, "failed"), (-299.0, "ok"), (-301.0, "failed")],
)
def test_the_clock_may_be_off_as_far_as_the_coordinator_lets_it(
    ahead_s: float, verdict: str
) -> None:
    assert check_clock(ahead_s).verdict == verdict


def test_a_coordinator_that_keeps_the_time_to_itself_leaves_the_clock_open() -> None:
    assert only([check_clock(None)], Verdict.WARNING).name == "clock"


@pytest.mark.parametrize(("days", "verdict"), [(31, "ok"), (30, "warning"), (2, "warning")])
def test_a_certificate_of_its_last_thirty_days_is_warned_of(days: int, verdict: str) -> None:
    now = clock()

    finding = check_certificate(now + days * DAY, now)

    assert finding.verdict == verdict
    assert f"{days} days" in finding.says


@pytest.mark.parametrize("setting", ["site.toml", "HTTPS_PROXY"])
def test_a_proxy_is_gone_through_and_named(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    with ConnectProxy() as proxy:
        if setting == "HTTPS_PROXY":
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        else:
            coordinator = replace(coordinator, proxy=proxy.url)

        findings = check_coordinator(coordinator, clock)

    assert set(verdicts(findings).values()) == {"ok"}
    assert f"through the proxy {proxy.url}" in findings[0].says
    assert proxy.asked == [coordinator.address]


@pytest.mark.parametrize("how", ["NO_PROXY", "direct"])
def test_a_proxy_can_be_left_out(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with ConnectProxy(status="403 Forbidden") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        if how == "NO_PROXY":
            monkeypatch.setenv("NO_PROXY", f"example.org,{HOST}")
        else:
            coordinator = replace(coordinator, proxy="direct")

        findings = check_coordinator(coordinator, clock)

    assert "directly" in findings[0].says
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("status", "verdict", "said", "remedy"),
    [
        ("403 Forbidden", "failed", "does not let this machine reach", "allow CONNECT to"),
        ("407 Proxy Authentication Required", "failed", "user name and password", "[connection]"),
        ("502 Bad Gateway", "warning", "does not reach", "may not run yet"),
    ],
)
def test_a_proxy_that_refuses_is_named_with_what_to_do(
    coordinator: Coordinator, status: str, verdict: str, said: str, remedy: str
) -> None:
    with ConnectProxy(status=status) as proxy:
        behind = replace(coordinator, proxy=proxy.url)

        finding = only(check_coordinator(behind, clock), Verdict(verdict))

    assert f"The proxy {proxy.url}" in finding.says
    assert said in finding.says
    assert remedy in finding.remedy


def test_a_proxy_that_is_not_there_is_told_from_a_coordinator_that_is_not(
    coordinator: Coordinator,
) -> None:
    absent = replace(coordinator, proxy=f"http://{HOST}:{free_port()}")

    finding = only(check_coordinator(absent, clock), Verdict.WARNING)

    assert "The proxy" in finding.says
    assert "HTTPS_PROXY" in finding.remedy


def test_a_password_for_the_proxy_is_never_shown(coordinator: Coordinator) -> None:
    with ConnectProxy(status="403 Forbidden") as proxy:
        secret = proxy.url.replace("http://", "http://user:geheim@")

        findings = check_coordinator(replace(coordinator, proxy=secret), clock)

    assert "geheim" not in repr(findings)


def test_a_proxy_of_an_unknown_kind_is_a_failure(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example.org:70")

    assert "cannot be used" in only(check_coordinator(coordinator, clock), Verdict.FAILED).says


def test_memory_is_compared_with_what_the_scope_needs() -> None:
    whole = HEAD.model_copy(update={"trainable": "all"})

    assert needed_memory(HEAD) < needed_memory(whole)
    assert check_memory(HEAD, needed_memory(HEAD)).verdict is Verdict.OK
    assert only([check_memory(whole, GIB)], Verdict.WARNING).name == "memory"


def test_disk_is_compared_with_what_the_scans_will_take() -> None:
    needed = needed_disk(HEAD, 900)

    assert check_disk(HEAD, scans=900, free_bytes=needed + 3 * GIB).verdict is Verdict.OK
    assert check_disk(HEAD, scans=900, free_bytes=needed + GIB).verdict is Verdict.WARNING
    assert only([check_disk(HEAD, scans=900, free_bytes=needed - 1)], Verdict.FAILED)


def test_a_machine_without_gpu_is_enough_for_the_head_and_slow_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    if Path("/proc/driver/nvidia/version").exists():
        pytest.fail("this test is for a machine without a GPU")

    assert check_device(HEAD).verdict is Verdict.OK
    assert only([check_device(HEAD.model_copy(update={"trainable": "all"}))], Verdict.WARNING)


def test_starting_weights_that_are_not_there_are_found_before_the_study(tmp_path: Path) -> None:
    imagenet = HEAD.model_copy(update={"backbone": "imagenet"})
    (tmp_path / "vgg16.h5").touch()

    assert check_backbone(HEAD, None).verdict is Verdict.OK
    assert check_backbone(imagenet, tmp_path / "vgg16.h5").verdict is Verdict.OK
    finding = only([check_backbone(imagenet, tmp_path / "absent.h5")], Verdict.FAILED)
    assert "backbone_file" in finding.remedy


def labelled(*groups: tuple[Split, bool, int]) -> Report:
    rows = tuple(CohortGroup(s, label, n, n, None, (), ()) for s, label, n in groups)
    return Report(labelled=Labelled(0, None, CohortTable(rows), ()))


def test_a_class_that_the_sites_own_limit_would_stop_is_warned_of() -> None:
    report = labelled((Split.TRAIN, True, 28), (Split.VALIDATION, True, 3))

    finding = only([check_counts(report, 5)], Verdict.WARNING)

    assert finding.says.startswith("3 validation scans with metastasis")
    assert check_counts(report, 3).verdict is Verdict.OK


def test_scans_that_cannot_be_trained_on_are_a_failure_with_the_reason() -> None:
    report = Report(reasons=("No scan was accepted; the table says why, by code.",))

    finding = only([check_scans(report)], Verdict.FAILED)

    assert "No scan was accepted" in finding.says
    assert "bs-client check" in finding.remedy


def site_with(folder: Path, *files: str) -> tuple[SiteFolder, SiteFile]:
    """A site whose files are no scans."""
    scans = folder / "scans"
    scans.mkdir()
    for name in files:
        (scans / name).write_text("not DICOM")
    (folder / "labels.csv").write_text("study_uid,label\n1.2.3,metastasis\n")
    data = DataSettings(scans=scans, labels=folder / "labels.csv")
    return SiteFolder(folder / "site"), SiteFile(data=data)


def nothing(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


@pytest.mark.slow
def test_unreadable_scans_are_counted_by_code_as_training_would(tmp_path: Path) -> None:
    folder, file = site_with(tmp_path, "a.dcm", "b.dcm")

    report = read_scans(folder, file, make_invitation(), workers=1, progress=nothing)

    assert report.refused == {"E_NOT_DICOM": 2}
    finding = only([check_scans(report)], Verdict.FAILED)
    assert "2 files: 0 accepted, 2 refused" in finding.says


def test_a_labels_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    folder, file = site_with(tmp_path)
    file.data.labels.write_bytes(b"\xff\xfe")

    report = read_scans(folder, file, make_invitation(), workers=1, progress=nothing)

    assert check_scans(report).verdict is Verdict.FAILED


def test_everything_is_tried_and_told_by_name(tmp_path: Path, coordinator: Coordinator) -> None:
    folder, file = site_with(tmp_path)
    invitation = make_invitation(
        address=coordinator.address, ca_certificate=coordinator.ca_certificate, settings=HEAD
    )

    findings = list(
        run_preflight(folder, file, invitation, clock=clock, workers=1, progress=nothing)
    )

    assert [finding.name for finding in findings] == [
        "coordinator",
        "certificate",
        "clock",
        "memory",
        "device",
        "starting weights",
        "scans",
        "small counts",
        "disk",
    ]
    assert all(finding.remedy for finding in findings if finding.verdict is Verdict.FAILED)
    assert not folder.key.exists()
    assert folder.path.stat().st_mode & 0o077 == 0
