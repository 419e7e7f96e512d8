"""The study's certificate authority: what a TLS client makes of its certificates."""

from __future__ import annotations

import datetime
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from bs_common.errors import TrustError
from bs_server.trust.authority import (
    Authority,
    Validity,
    check_modes,
    issue_server_certificate,
    make_authority,
    read_validity,
    renew_server_certificate,
)

NAMES = ("coordinator.example.org", "127.0.0.1", "2001:db8::1")
DAY = datetime.timedelta(days=1)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def made(folder: Path, *, at: datetime.datetime | None = None) -> Authority:
    folder.mkdir(exist_ok=True)
    return make_authority(folder / "authority", study="test", names=NAMES, now=at or now())


def shake_hands(server: Authority, pinned: Authority, name: str) -> str:
    """Do a whole TLS handshake in memory; give the protocol, or raise what the client says."""
    client_context = ssl.create_default_context(cadata=pinned.ca_certificate.read_text())
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(server.server_certificate, server.server_key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    other = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, other):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version() or ""


@pytest.mark.parametrize("name", NAMES)
def test_every_name_and_address_of_the_certificate_is_accepted(tmp_path: Path, name: str) -> None:
    authority = made(tmp_path)

    assert shake_hands(authority, authority, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["other.example.org", "127.0.0.2", "sub.coordinator.example.org"])
def test_another_name_is_refused(tmp_path: Path, name: str) -> None:
    authority = made(tmp_path)

    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(authority, authority, name)


def test_a_certificate_of_another_authority_is_refused(tmp_path: Path) -> None:
    own, other = made(tmp_path / "own"), made(tmp_path / "other")

    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(other, own, NAMES[0])


@pytest.mark.parametrize("at", [now() - 400 * DAY, now() + DAY])
def test_a_certificate_that_is_over_or_not_begun_is_refused(
    tmp_path: Path, at: datetime.datetime
) -> None:
    authority = made(tmp_path, at=at)

    with pytest.raises(ssl.SSLCertVerificationError, match=r"expired|not yet valid"):
        shake_hands(authority, authority, NAMES[0])


def test_a_site_whose_clock_is_a_little_behind_is_served(tmp_path: Path) -> None:
    authority = made(tmp_path, at=now() + datetime.timedelta(minutes=5))

    assert shake_hands(authority, authority, NAMES[0])


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def verify(authority: Authority, leaf: Path) -> None:
    """Verify by RFC 5280 and the CA/Browser profile, which is stricter than OpenSSL."""
    store = Store([read(authority.ca_certificate)])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName(NAMES[0]))
    verifier.verify(read(leaf), [])


def test_the_certificates_keep_to_rfc_5280(tmp_path: Path) -> None:
    authority = made(tmp_path)

    verify(authority, authority.server_certificate)


def test_the_authority_cannot_pass_as_a_server(tmp_path: Path) -> None:
    authority = made(tmp_path)

    with pytest.raises(VerificationError):
        verify(authority, authority.ca_certificate)


def test_a_server_certificate_cannot_sign_others(tmp_path: Path) -> None:
    certificate = read(made(tmp_path).server_certificate)

    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not usage.key_cert_sign


def test_a_new_server_certificate_is_accepted_where_the_authority_is_pinned(
    tmp_path: Path,
) -> None:
    authority = made(tmp_path)
    before = authority.server_certificate.read_bytes()

    issue_server_certificate(authority, names=["new.example.org"], now=now())

    assert authority.server_certificate.read_bytes() != before
    assert shake_hands(authority, authority, "new.example.org")


def test_the_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    authority = made(tmp_path)

    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    for key in authority.folder.glob("*.[kp]e[ym]"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_an_authority_whose_key_others_could_read_signs_nothing(tmp_path: Path) -> None:
    authority = made(tmp_path)
    authority.ca_key.chmod(0o640)

    with pytest.raises(TrustError, match="other users can read"):
        issue_server_certificate(authority, names=NAMES, now=now())


def test_a_renewed_certificate_keeps_every_name_and_takes_more(tmp_path: Path) -> None:
    authority = made(tmp_path)

    names = renew_server_certificate(authority, more_names=["10.0.0.7", NAMES[0]], now=now())

    assert names == (*NAMES, "10.0.0.7")
    assert all(shake_hands(authority, authority, name) for name in names)


def test_a_power_cut_while_a_certificate_is_renewed_leaves_a_pair_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = made(tmp_path)
    before = authority.server_certificate.read_bytes()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("os.fsync", "pathlib.Path.replace"):
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(step, cut)
            renew_server_certificate(authority, more_names=(), now=now())

        assert authority.server_certificate.read_bytes() == before
        assert shake_hands(authority, authority, NAMES[0])


def test_the_days_that_are_left_are_those_of_the_certificates(tmp_path: Path) -> None:
    authority = made(tmp_path, at=now())

    later = read_validity(authority, now() + 300 * DAY)

    assert later in (Validity(96, 3349), Validity(97, 3350))  # 397 and 3,650 from the start


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((30, 400), []),
        ((29, 400), ["The server certificate ends in 29 days"]),
        ((-1, 400), ["The server certificate is over"]),
        ((5, 5), ["The server certificate ends", "The study's certificate authority ends"]),
    ],
)
def test_an_end_within_thirty_days_is_told_with_what_to_do(
    days: tuple[int, int], said: list[str]
) -> None:
    warnings = Validity(*days).warnings()

    assert [told.startswith(start) for told, start in zip(warnings, said, strict=True)] == [
        True
    ] * len(said)
    assert all("renew" in told or "new study" in told for told in warnings)


@pytest.mark.parametrize("name", ["ca.key", "server.pem", "register.key", "release.key"])
def test_a_key_that_others_could_read_is_named_with_the_command_that_mends_it(
    tmp_path: Path, name: str
) -> None:
    authority = made(tmp_path)
    check_modes(authority)
    (authority.folder / name).chmod(0o640)

    with pytest.raises(TrustError, match=name) as refused:
        check_modes(authority)
    assert f"chmod 600 {authority.folder / name}" in refused.value.remedy


def test_a_folder_that_others_could_write_into_is_refused(tmp_path: Path) -> None:
    authority = made(tmp_path)
    authority.folder.chmod(0o770)

    with pytest.raises(TrustError, match="write into it"):
        check_modes(authority)
