"""Two logs of one study, compared message by message."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bs_common.audit import AuditLog, Entry, Passage, read_entries
from bs_common.content import NOTHING
from bs_common.reconciliation import EMPTY, describe, reconcile

TIME = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def passage(direction: str, number: int, content: str, *, verdict: str = "passed") -> Passage:
    sha = content * 64 if content else EMPTY
    return Passage(direction, "train", number, (), 1, sha, verdict)  # type: ignore[arg-type]


ASKED = [passage("in", number, "a") for number in (1, 2)]
ANSWERED = [passage("out", number, "b") for number in (1, 2)]
SITE = [ASKED[0], ANSWERED[0], ASKED[1], ANSWERED[1]]


def mirrored(passages: list[Passage], site: str = "aachen") -> list[Passage]:
    """What the coordinator records of the same messages."""
    turned = {"in": "out", "out": "in"}
    return [replace(p, direction=turned[p.direction], peer=site) for p in passages]  # type: ignore[arg-type]


def entries(folder: Path, name: str, passages: list[Passage]) -> list[Entry]:
    log = AuditLog(folder / name, lambda: TIME)
    for recorded in passages:
        log.record(recorded)
    return read_entries(folder / name) if passages else []


def compared(folder: Path, site: list[Passage], coordinator: list[Passage]) -> list[str]:
    """Give each difference in short, and the number of messages that agree."""
    found = reconcile(
        entries(folder, "site", site), entries(folder, "coordinator", coordinator), site="aachen"
    )
    marks = [
        f"{'!!' if d.serious else 'ok'} {d.count} {d.what.direction} at {d.only_at}"
        for d in found.differences
    ]
    return [*marks, str(found.agreed)]


def test_two_logs_of_the_same_messages_agree(tmp_path: Path) -> None:
    assert compared(tmp_path, SITE, mirrored(SITE)) == ["4"]


def test_the_order_and_other_sites_do_not_matter(tmp_path: Path) -> None:
    other = mirrored(SITE, "aalborg")

    assert compared(tmp_path, SITE, [*other, *mirrored(SITE[::-1])]) == ["4"]


def test_a_site_that_crashed_was_asked_again(tmp_path: Path) -> None:
    coordinator = [*mirrored(SITE), *mirrored([ASKED[1]])]

    assert compared(tmp_path, SITE, coordinator) == ["ok 1 in at coordinator", "4"]


def test_an_answer_that_a_broken_connection_lost_never_counted(tmp_path: Path) -> None:
    site = [*SITE, ASKED[1], ANSWERED[1]]
    coordinator = [*mirrored(SITE), *mirrored([ASKED[1]])]

    assert compared(tmp_path, site, coordinator) == ["ok 1 out at site", "5"]


def test_a_code_that_the_coordinator_gave_itself_carries_nothing(tmp_path: Path) -> None:
    revoked = passage("out", 2, "", verdict="revoked")

    assert compared(tmp_path, SITE, [*mirrored(SITE), *mirrored([revoked])]) == [
        "ok 1 out at coordinator",
        "4",
    ]


@pytest.mark.parametrize(
    ("site", "coordinator", "told"),
    [
        (SITE[:3], mirrored(SITE), "!! 1 out at coordinator"),
        (SITE, mirrored(SITE[1:]), "!! 1 in at site"),
    ],
    ids=["a line cut off the site's log", "a line missing at the coordinator"],
)
def test_what_no_crash_explains_is_serious(
    tmp_path: Path, site: list[Passage], coordinator: list[Passage], told: str
) -> None:
    assert compared(tmp_path, site, coordinator) == [told, "3"]


def test_a_changed_last_line_shows_in_the_other_log(tmp_path: Path) -> None:
    changed = [*SITE[:3], replace(SITE[3], content_sha256="c" * 64)]

    assert compared(tmp_path, changed, mirrored(SITE)) == [
        "ok 1 out at site",
        "!! 1 out at coordinator",
        "3",
    ]


def refused(kind: str, direction: str = "in") -> Passage:
    made = passage(direction, -1, "", verdict="too_many")
    return replace(made, message_type=kind, count=1000)


@pytest.mark.parametrize("kind", ["connection", "http", "/v1/fleet/push-object"])
def test_refused_requests_are_no_messages(tmp_path: Path, kind: str) -> None:
    assert compared(tmp_path, SITE, [*mirrored(SITE), *mirrored([refused(kind)])]) == ["4"]


def test_nothing_is_measured_alike_here_and_where_messages_are() -> None:
    assert NOTHING.sha256 == EMPTY


@pytest.mark.parametrize(
    ("change", "end"),
    [
        (lambda site: site, "Nothing is left to explain."),
        (lambda site: site[:3], "1 of them must be explained (marked !!)."),
    ],
)
def test_the_result_is_said_in_lines(
    tmp_path: Path, change: Callable[[list[Passage]], list[Passage]], end: str
) -> None:
    site = entries(tmp_path, "site", change(SITE))
    coordinator = entries(tmp_path, "coordinator", mirrored(SITE))

    lines = describe(reconcile(site, coordinator, site="aachen"))

    assert lines[0].endswith("messages are in both logs with the same content.")
    assert lines[-1] == end
