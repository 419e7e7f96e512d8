"""One object at a time into a folder, without a network."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from pydicom import Dataset

from bs_client.phantom.nm_object import encoded
from bs_client.receive import Inbox, Outcome, StoreStatus
from bs_common.errors import ConfigError
from bs_common.files import write_atomic

UID = "1.2.3"


def full_disk(path: Path, content: bytes, *, mode: int) -> None:
    """Fail as a full disk does, after half of the bytes were written under another name."""
    (path.parent / f".{path.name}.half").write_bytes(content[: len(content) // 2])
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_answered_as_out_of_resources_and_tears_no_file(
    tmp_path: Path, phantom: Dataset
) -> None:
    inbox = Inbox(tmp_path, write=full_disk)

    outcome = inbox.store(encoded(phantom), UID)

    assert outcome == Outcome(StoreStatus.OUT_OF_RESOURCES, "E_STORAGE ENOSPC")
    assert not list(tmp_path.glob("*.dcm"))


def test_a_failed_write_keeps_the_object_that_was_there(tmp_path: Path, phantom: Dataset) -> None:
    Inbox(tmp_path).store(encoded(phantom), UID)

    Inbox(tmp_path, write=full_disk).store(encoded(phantom) + bytes(2), UID)

    (file,) = tmp_path.glob("*.dcm")
    assert file.read_bytes() == encoded(phantom)


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "whole.dcm", b"whole")
    (tmp_path / ".half.dcm.x1y2").write_bytes(b"ha")

    Inbox(tmp_path)

    assert [file.name for file in tmp_path.iterdir()] == ["whole.dcm"]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"no scan", "E_NOT_DICOM"), (bytes(128) + b"DICM", "E_NO_TRANSFER_SYNTAX")],
)
def test_bytes_that_are_no_image_are_not_understood(
    tmp_path: Path, content: bytes, code: str
) -> None:
    outcome = Inbox(tmp_path).store(content, UID)

    assert outcome == Outcome(StoreStatus.CANNOT_UNDERSTAND, code)
    assert not list(tmp_path.iterdir())


def test_an_object_without_its_pixels_is_not_understood(tmp_path: Path, phantom: Dataset) -> None:
    whole = encoded(phantom)

    outcome = Inbox(tmp_path).store(whole[: len(whole) - len(phantom.PixelData) - 12], UID)

    assert outcome == Outcome(StoreStatus.CANNOT_UNDERSTAND, "E_TRUNCATED")


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ConfigError, match="inbox"):
        Inbox(tmp_path / "file" / "inbox")
