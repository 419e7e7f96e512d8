"""Other names: constant, far apart, and well-formed."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest
from pydicom.uid import UID

from bs_client.deidentify.private_folder import open_pseudonyms
from bs_client.deidentify.pseudonyms import Pseudonyms
from bs_common.errors import ConfigError


def test_a_patient_pseudonym_is_the_start_of_an_hmac(pseudonyms: Pseudonyms) -> None:
    expected = hmac.new(bytes(32), b"patient\x1f4711", hashlib.sha256).hexdigest()

    assert pseudonyms.patient_id("4711") == f"P{expected[:12]}"


def test_a_uid_pseudonym_is_a_valid_uid_of_its_own(pseudonyms: Pseudonyms) -> None:
    pseudonyms_of = {pseudonyms.uid(f"1.2.{number}") for number in range(100)}

    assert len(pseudonyms_of) == 100
    assert all(UID(uid).is_valid and len(uid) <= 64 for uid in pseudonyms_of)


def test_nothing_stays_nothing(pseudonyms: Pseudonyms) -> None:
    assert (pseudonyms.uid(""), pseudonyms.patient_id("")) == ("", "")


def test_the_salt_is_not_shown(pseudonyms: Pseudonyms) -> None:
    assert repr(pseudonyms) == "Pseudonyms()"


def test_a_salt_is_made_once_and_kept(tmp_path: Path) -> None:
    first = open_pseudonyms(tmp_path / "private")

    assert open_pseudonyms(tmp_path / "private") == first
    assert open_pseudonyms(tmp_path / "other") != first


def test_a_damaged_salt_is_refused(tmp_path: Path) -> None:
    (tmp_path / "salt").write_bytes(b"short")

    with pytest.raises(ConfigError, match="5 bytes, expected 32"):
        open_pseudonyms(tmp_path)
