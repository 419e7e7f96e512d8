"""Days that a certificate still holds."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bs_common.certificates import days_left, describe_end
from bs_common.errors import TrustError
from bs_server.trust.authority import make_authority

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def test_days_are_whole_and_go_below_nothing(tmp_path: Path) -> None:
    made = make_authority(tmp_path / "a", study="days", names=["localhost"], now=NOW)
    pem = made.server_certificate.read_text()

    assert days_left(pem, NOW) == 397
    assert days_left(pem, NOW + 396.5 * DAY) == 0
    assert days_left(pem, NOW + 398 * DAY) == -1


@pytest.mark.parametrize("text", ["", "x", "-----BEGIN CERTIFICATE-----\nä\n"])
def test_what_is_no_certificate_is_a_matter_of_trust(text: str) -> None:
    with pytest.raises(TrustError, match="not a readable certificate"):
        days_left(text, NOW)


@pytest.mark.parametrize(
    ("days", "said"),
    [(30, None), (29, "It ends in 29 days"), (0, "It ends in 0 days"), (-1, "It is over")],
)
def test_an_end_is_told_from_thirty_days_on(days: int, said: str | None) -> None:
    assert describe_end("It", days) == said
