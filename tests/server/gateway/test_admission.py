"""Who may speak: an enrolled key, now, and each of its signatures once."""

from __future__ import annotations

import datetime
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bs_server.gateway.admission import Admission, Refused, SignedHeaders

HEADERS = SignedHeaders(key="k", time="t", signature="s")
KEY = ec.generate_private_key(ec.SECP256R1())
START = 1_800_000_000.0


class Clock:
    now = START

    def __call__(self) -> float:
        return self.now


def signed(at: float, *, key: ec.EllipticCurvePrivateKey = KEY, text: str = "") -> dict[str, str]:
    moment = text or datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
    signature = key.sign(moment.encode(), ec.ECDSA(hashes.SHA256()))
    return {"k": b64encode(b"aachen's").decode(), "t": moment, "s": b64encode(signature).decode()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def admission(clock: Clock) -> Admission:
    made = Admission(HEADERS, clock)
    made.admit("aachen", b"aachen's", KEY.public_key())
    clock.now += 1000
    return made


def reason(admission: Admission, headers: dict[str, str]) -> tuple[int, str, str | None]:
    with pytest.raises(Refused) as refused:
        admission.check(headers)
    return refused.value.status, refused.value.reason, refused.value.peer


def test_an_enrolled_key_speaks_for_its_site(admission: Admission, clock: Clock) -> None:
    assert admission.check(signed(clock.now)) == "aachen"


def test_two_signatures_of_different_times_both_count(admission: Admission, clock: Clock) -> None:
    admission.check(signed(clock.now))

    assert admission.check(signed(clock.now + 0.000_001)) == "aachen"


def test_a_time_that_was_signed_counts_once_for_as_long_as_it_is_accepted(
    admission: Admission, clock: Clock
) -> None:
    headers = signed(clock.now + 4)
    admission.check(headers)

    for seconds in (0.1, 1, 100, 200, 7.5):
        clock.now += seconds
        assert reason(admission, headers) == (401, "replayed", "aachen")
    clock.now += 10
    assert reason(admission, headers) == (401, "clock", "aachen")


def test_what_was_signed_before_the_coordinator_started_does_not_count() -> None:
    clock = Clock()
    restarted = Admission(HEADERS, clock)
    restarted.admit("aachen", b"aachen's", KEY.public_key())

    assert reason(restarted, signed(START - 1)) == (401, "clock", "aachen")
    assert restarted.check(signed(START + 1)) == "aachen"


@pytest.mark.parametrize(("off_s", "admitted"), [(4.9, True), (5.1, False), (-304, True)])
def test_the_window_is_the_one_that_sites_are_told(
    admission: Admission, clock: Clock, off_s: float, admitted: bool
) -> None:
    headers = signed(clock.now + off_s)

    if admitted:
        assert admission.check(headers) == "aachen"
    else:
        assert reason(admission, headers) == (401, "clock", "aachen")


@pytest.mark.parametrize("text", ["now", "2026-13-01T00:00:00+00:00", "2027-01-15T08:16:40"])
def test_a_signed_text_that_is_no_time_with_its_zone(admission: Admission, text: str) -> None:
    assert reason(admission, signed(0, text=text)) == (401, "clock", "aachen")


def test_a_signature_of_another_key_names_nobody(admission: Admission, clock: Clock) -> None:
    other = ec.generate_private_key(ec.SECP256R1())

    assert reason(admission, signed(clock.now, key=other)) == (401, "signature", None)


@pytest.mark.parametrize("missing", ["k", "t", "s"])
def test_a_request_that_is_not_signed(admission: Admission, clock: Clock, missing: str) -> None:
    headers = signed(clock.now)
    del headers[missing]

    assert reason(admission, headers) == (401, "unsigned", None)


@pytest.mark.parametrize("name", ["k", "s"])
def test_a_header_that_is_not_base64(admission: Admission, clock: Clock, name: str) -> None:
    assert reason(admission, signed(clock.now) | {name: "?"}) == (401, "signature", None)


def test_a_revoked_key_is_told_apart_from_one_that_nobody_knows(
    admission: Admission, clock: Clock
) -> None:
    admission.revoke("aachen")

    assert reason(admission, signed(clock.now)) == (403, "revoked", "aachen")
    unknown = signed(clock.now) | {"k": b64encode(b"other").decode()}
    assert reason(admission, unknown) == (401, "unknown_key", None)


def test_one_site_cannot_ask_without_end_and_can_again_a_second_later(
    admission: Admission, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bs_server.gateway.admission._AT_ONCE", 5.0)
    for number in range(5):
        admission.check(signed(clock.now + number / 1000))

    assert reason(admission, signed(clock.now + 0.5)) == (429, "too_many", "aachen")
    clock.now += 1
    assert admission.check(signed(clock.now)) == "aachen"
