"""A PACS pushes scans over the loopback interface."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable
from copy import deepcopy

import numpy as np
import pytest
from pydicom import Dataset, FileDataset, dcmread
from pydicom.uid import JPEGExtended12Bit
from pynetdicom.association import Association

from bs_client.dicom import IngestSettings, find_studies, inspect_study
from bs_client.receive import Inbox, ReceiverSettings, listening
from bs_client.receive.server import RETIRED_NM, VERIFICATION
from bs_common.errors import ConfigError

pytestmark = pytest.mark.integration
Connect = Callable[..., Association]


def send(connect: Connect, dataset: Dataset) -> int:
    association = connect(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    status = association.send_c_store(dataset)
    association.release()
    return int(status.Status)


def test_an_allowed_caller_is_answered_to_an_echo(connect: Connect) -> None:
    assert connect(VERIFICATION).send_c_echo().Status == 0x0000


@pytest.mark.parametrize(("title", "called"), [("STRANGER", "BONESCAN"), ("PACS1", "OTHER")])
def test_a_stranger_and_a_wrong_address_are_rejected(
    connect: Connect, title: str, called: str
) -> None:
    assert connect(VERIFICATION, title=title, called=called).is_rejected


def test_an_uncompressed_scan_arrives_and_passes_ingest(
    connect: Connect, inbox: Inbox, phantom: Dataset
) -> None:
    status = send(connect, phantom)

    (file,) = inbox.folder.iterdir()
    (study,) = find_studies(inbox.folder).studies
    assert status == 0x0000
    assert dcmread(file).PixelData == phantom.PixelData
    assert inspect_study(study.files, IngestSettings()).scan is not None


def test_a_compressed_secondary_capture_of_nuclear_medicine_arrives_byte_for_byte(
    connect: Connect, inbox: Inbox, bundled: FileDataset
) -> None:
    status = send(connect, bundled)

    (file,) = inbox.folder.iterdir()
    received = dcmread(file)
    assert status == 0x0000
    assert received.PixelData == bundled.PixelData
    np.testing.assert_array_equal(received.pixel_array, bundled.pixel_array)
    # Alone it lacks its partner; every rule before that one has been passed.
    assert inspect_study([file], IngestSettings()).verdicts[0].verdict == "E_VIEW_MISSING"


def test_an_object_of_the_retired_class_arrives(
    connect: Connect, inbox: Inbox, phantom: Dataset
) -> None:
    old = deepcopy(phantom)
    old.SOPClassUID = RETIRED_NM

    assert send(connect, old) == 0x0000
    assert len(list(inbox.folder.iterdir())) == 1


def test_the_same_object_twice_is_one_file_without_its_uid_in_the_name(
    connect: Connect, inbox: Inbox, phantom: Dataset
) -> None:
    first, second = send(connect, phantom), send(connect, phantom)

    (file,) = inbox.folder.iterdir()
    assert (first, second) == (0x0000, 0x0000)
    assert phantom.SOPInstanceUID not in file.name
    assert file.stat().st_mode & 0o777 == 0o600


def test_other_classes_of_objects_are_not_negotiated(
    connect: Connect, computed_tomogram: Dataset
) -> None:
    association = connect(computed_tomogram.SOPClassUID)

    assert not association.accepted_contexts


def test_a_syntax_that_ingest_cannot_decode_is_not_negotiated(
    connect: Connect, phantom: Dataset
) -> None:
    assert not connect(phantom.SOPClassUID, JPEGExtended12Bit).accepted_contexts


def test_a_refusal_is_a_status_and_a_code_in_the_log_and_nothing_on_disk(
    connect: Connect, inbox: Inbox, phantom: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    other = deepcopy(phantom)
    other.Modality = "PT"

    with caplog.at_level(logging.DEBUG):
        status = send(connect, other)

    assert status == 0xA900
    assert not list(inbox.folder.iterdir())
    assert "PACS1: E_MODALITY (0xA900" in caplog.text


def test_no_identifier_is_in_the_log(
    connect: Connect, phantom: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        send(connect, phantom)
        assert connect(phantom.SOPClassUID, title="JOHN DOE").is_rejected

    assert "PACS1: accepted" in caplog.text
    for secret in (phantom.PatientID, str(phantom.PatientName), phantom.SOPInstanceUID, "JOHN DOE"):
        assert secret not in caplog.text


def test_an_object_above_the_size_limit_ends_the_association(
    connect: Connect, inbox: Inbox, phantom: Dataset
) -> None:
    large = deepcopy(phantom)
    large.PixelData = bytes(5 * 2**20)
    association = connect(large.SOPClassUID)

    status = association.send_c_store(large)

    assert "Status" not in status
    assert not list(inbox.folder.iterdir())


def test_many_objects_over_one_association_are_counted_one_by_one(
    connect: Connect, inbox: Inbox, phantom: Dataset
) -> None:
    association = connect(phantom.SOPClassUID)

    for number in range(6):  # 6 MB in all, of at most 4 MB each
        one = deepcopy(phantom)
        one.SOPInstanceUID = f"1.2.3.{number}"
        assert association.send_c_store(one).Status == 0x0000

    assert len(list(inbox.folder.iterdir())) == 6


def test_a_unit_of_unbelievable_length_ends_the_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stranger:
        stranger.sendall(struct.pack(">BBL", 0x01, 0, 2**31))

        assert stranger.recv(1) == b""


def test_after_the_end_nobody_is_answered(inbox: Inbox, settings: ReceiverSettings) -> None:
    with listening(inbox, settings) as port:
        pass

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_taken_port_is_named_as_the_fault(
    inbox: Inbox, settings: ReceiverSettings, port: int
) -> None:
    again = ReceiverSettings(settings.ae_title, settings.allow, port=port)

    with pytest.raises(ConfigError, match=f"port {port}"), listening(inbox, again):
        pass


def test_nobody_is_allowed_by_default() -> None:
    with pytest.raises(ConfigError, match="No caller is allowed"):
        ReceiverSettings("BONESCAN", ())


@pytest.mark.parametrize("title", ["", "A\\B", "SEVENTEEN-LETTERS", " PACS"])
def test_a_text_that_is_no_title_is_a_fault(title: str) -> None:
    with pytest.raises(ConfigError, match="1 AE titles"):
        ReceiverSettings("BONESCAN", (title,))
