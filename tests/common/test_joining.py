"""The two small files of joining."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bs_common.errors import ConfigError
from bs_common.joining import (
    Enrolment,
    Invitation,
    parse_document,
    read_document,
    read_small_text,
    write_document,
)
from bs_common.settings import StudySettings


def invitation(**changes: Any) -> Invitation:
    fields: dict[str, Any] = {
        "address": "coordinator.example.org:8443",
        "ca_certificate": "-----BEGIN CERTIFICATE-----\n",
        "site": "aachen",
        "role": "train",
        "settings": StudySettings(name="bone-scan", learning_rate=0.1 + 0.2),
    }
    return Invitation(**fields | changes)


def enrolment(**changes: Any) -> Enrolment:
    fields = {"site": "aachen", "study": "bone-scan", "settings_sha256": "0" * 64}
    return Enrolment(**fields | {"public_key": "PEM"} | changes)


@pytest.mark.parametrize("document", [invitation(), enrolment()])
def test_a_document_is_read_as_it_was_written(
    tmp_path: Path, document: Invitation | Enrolment
) -> None:
    write_document(tmp_path / "file", document)

    assert read_document(tmp_path / "file", type(document)) == document


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:8443", "a-b.example.org:65535"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert invitation(address=address).address == address


@pytest.mark.parametrize(
    "address", ["", "host", "host:", ":1", "https://host:1", "ho st:1", "host:1/x", "a@host:1"]
)
def test_anything_else_in_place_of_an_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        invitation(address=address)


@pytest.mark.parametrize(
    "changes",
    [
        {"site": "../../etc"},
        {"site": "Aachen"},
        {"role": "admin"},
        {"ca_certificate": "x" * 10_001},
        {"private_key": "a further entry"},
    ],
)
def test_an_invitation_with_a_wrong_entry_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        invitation(**changes)


@pytest.mark.parametrize(
    "changes", [{"settings_sha256": "0" * 63}, {"settings_sha256": "G" * 64}, {"role": "train"}]
)
def test_an_enrolment_with_a_wrong_entry_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        enrolment(**changes)


def test_every_fault_of_a_file_is_named_at_once_and_no_value(tmp_path: Path) -> None:
    fields = invitation().model_dump() | {"site": "JOHN^DOE", "role": "boss", "colour": "red"}
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
