"""The two small files of joining."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ValidationError

from bs_common.contract import CONTRACT_VERSION
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import (
    MAX_BYTES,
    Contact,
    Enrolment,
    Invitation,
    parse_document,
    read_document,
    read_invitation,
    read_sent_document,
    read_small_text,
    write_document,
)
from bs_common.settings import StudySettings
from support.invitations import NOW, answer_to, ca_certificate, make_invitation

KEY = ec.generate_private_key(ec.SECP256R1())
DAY = datetime.timedelta(days=1)
SETTINGS = StudySettings(name="bone-scan", learning_rate=0.1 + 0.2)


def enrolment(**changes: Any) -> Enrolment:
    return Enrolment(**answer_to(make_invitation(), KEY).model_dump() | changes)


@pytest.mark.parametrize("document", [make_invitation(settings=SETTINGS), enrolment()])
def test_a_document_is_read_as_it_was_written(tmp_path: Path, document: BaseModel) -> None:
    write_document(tmp_path / "file", document)

    assert read_document(tmp_path / "file", type(document)) == document


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:8443", "a-b.example.org:65535"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert make_invitation(address=address).address == address


@pytest.mark.parametrize(
    "address", ["", "host", "host:", ":1", "https://host:1", "ho st:1", "host:1/x", "a@host:1"]
)
def test_anything_else_in_place_of_an_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        make_invitation(address=address)


@pytest.mark.parametrize(
    "changes",
    [
        {"site": "../../etc"},
        {"site": "/etc/passwd"},
        {"site": "Aachen"},
        {"role": "admin"},
        {"private_key": "a further entry"},
        {"expires": datetime.datetime(2026, 1, 1)},  # noqa: DTZ001 - of no zone, so of no meaning
    ],
)
def test_an_invitation_with_a_wrong_entry_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make_invitation(**changes)


@pytest.mark.parametrize(
    "certificate", ["x" * 10_001, "x", "\u00e4", "-----BEGIN CERTIFICATE-----"]
)
def test_a_certificate_that_is_none_is_refused(certificate: str) -> None:
    fields = make_invitation().model_dump()

    with pytest.raises(ValidationError):
        Invitation(**fields | {"ca_certificate": certificate})


def test_an_invitation_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    fields = json.loads(make_invitation().model_dump_json())
    fields["ca_certificate"] = ca_certificate("another")
    (tmp_path / "a.invite").write_text(json.dumps(fields))

    with pytest.raises(ConfigError, match="ca_sha256 is not the fingerprint") as refused:
        read(tmp_path / "a.invite")
    assert "Ask for the file again" in refused.value.remedy


@pytest.mark.parametrize("name", ["", "two\nlines", "\x1b[2Jcleared", "\u202egnirts", "x" * 101])
def test_a_coordinators_name_cannot_paint_over_the_terminal(name: str) -> None:
    with pytest.raises(ValidationError):
        Contact(name=name)
    assert Contact(name="Prof. M\u00fcller (K\u00f6ln)").name.startswith("Prof")


@pytest.mark.parametrize(
    "changes",
    [
        {"settings_sha256": "0" * 63},
        {"terms_sha256": "G" * 64},
        {"role": "train"},
        {"signature": "no hex"},
    ],
)
def test_an_enrolment_with_a_wrong_entry_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        enrolment(**changes)


def test_an_answer_carries_the_signature_of_its_key() -> None:
    enrolment().check_signature()


@pytest.mark.parametrize(
    "changes",
    [
        {"site": "aalborg"},
        {"study": "other"},
        {"settings_sha256": "0" * 64},
        {"terms_sha256": "0" * 64},
        {"approved": NOW + DAY},
        {"signature": "00"},
        {
            "public_key": answer_to(
                make_invitation(), ec.generate_private_key(ec.SECP256R1())
            ).public_key
        },
    ],
)
def test_any_change_of_an_answer_breaks_its_signature(changes: dict[str, Any]) -> None:
    with pytest.raises(TrustError, match="was changed after it was written") as refused:
        enrolment(**changes).check_signature()
    assert "Ask the site" in refused.value.remedy


def read(
    path: Path, *, now: datetime.datetime = NOW, version: int = CONTRACT_VERSION
) -> Invitation:
    return read_invitation(path, contract_version=version, now=now)


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "aachen.invite"
    write_document(path, make_invitation(**changes))
    return path


def test_an_invitation_holds_until_it_expires(tmp_path: Path) -> None:
    path = written(tmp_path, expires=NOW + DAY)

    assert read(path, now=NOW + 0.99 * DAY).site == "aachen"
    with pytest.raises(ConfigError, match="expired at 2026-01-03 03:04 UTC") as refused:
        read(path, now=NOW + DAY)
    assert "bs-server invite" in refused.value.remedy
    assert "clock" in refused.value.remedy


@pytest.mark.parametrize("field", ["ca_sha256", "expires", "contract_version"])
def test_nobody_joins_with_an_older_releases_invitation(tmp_path: Path, field: str) -> None:
    path = written(tmp_path, **{field: None})

    with pytest.raises(ConfigError, match="older release"):
        read(path)
    assert read_document(path, Invitation).site == "aachen"  # what was joined before stays readable


def test_an_invitation_for_another_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"version {CONTRACT_VERSION}, this program has 99"):
        read(written(tmp_path), version=99)


def test_a_link_in_place_of_a_sent_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written(tmp_path))

    with pytest.raises(ConfigError, match="a link, not a file"):
        read(tmp_path / "link")


def test_a_sent_file_of_any_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(" " * (MAX_BYTES + 1))

    with pytest.raises(ConfigError, match=f"larger than {MAX_BYTES} bytes"):
        read_sent_document(tmp_path / "file", Invitation)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "pipe"
    if kind == "pipe":
        os.mkfifo(path)

    with pytest.raises(ConfigError, match="not a plain file"):
        read_sent_document(path, Invitation)


def test_every_fault_of_a_file_is_named_at_once_and_no_value(tmp_path: Path) -> None:
    fields = json.loads(make_invitation().model_dump_json())
    fields |= {"site": "JOHN^DOE", "role": "boss", "colour": "red"}
    fields["settings"]["rounds"] = 0
    (tmp_path / "file.invite").write_text(json.dumps(fields))

    with pytest.raises(ConfigError) as refused:
        read_document(tmp_path / "file.invite", Invitation)
    told = str(refused.value)
    assert all(name in told for name in ("site:", "role:", "colour:", "settings.rounds:"))
    assert "file.invite: not a valid invitation" in told
    assert "JOHN" not in told


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "{}"])
def test_a_text_that_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not a valid enrolment"):
        parse_document(Enrolment, text, "file")


def test_an_absent_file_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as refused:
        read_small_text(tmp_path / "absent")
    assert "absent" in refused.value.remedy


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="UnicodeDecodeError"):
        read_small_text(tmp_path / "file")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="IsADirectoryError"):
        read_small_text(tmp_path)


def test_a_file_above_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 11)

    assert read_small_text(tmp_path / "file", limit=11) == "x" * 11
    with pytest.raises(ConfigError, match="larger than 10 bytes"):
        read_small_text(tmp_path / "file", limit=10)
