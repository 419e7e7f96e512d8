"""A receiver on this machine, a sender to call it, and whole-body objects to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, FileDataset, FileMetaDataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from bs_client.phantom import STYLES, draw_study
from bs_client.phantom.nm_object import nm_objects
from bs_client.receive import Inbox, ReceiverSettings, listening

Connect = Callable[..., Association]


@pytest.fixture(scope="session")
def phantom() -> Dataset:
    """Two frames, uncompressed, Siemens-like."""
    study = draw_study(5, 1, style=STYLES["aachen"], label=True, preset="realistic")
    return nm_objects(study)[""]


@pytest.fixture
def bundled() -> FileDataset:
    """Give the real scan that pydicom brings: a secondary capture, lossy JPEG 2000."""
    return dcmread(str(get_testdata_file("JPEG2000.dcm")))


@pytest.fixture
def computed_tomogram() -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = CTImageStorage, "1.2.3", "CT"
    return dataset


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox")


@pytest.fixture
def settings() -> ReceiverSettings:
    return ReceiverSettings("BONESCAN", ("PACS1",), port=0, max_object_bytes=4 * 2**20)


@pytest.fixture
def port(inbox: Inbox, settings: ReceiverSettings) -> Iterator[int]:
    with listening(inbox, settings) as number:
        yield number


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    """Call the receiver: for a class and transfer syntax, under a title."""
    opened: list[Association] = []

    def call(
        sop_class: UID | str,
        syntax: UID = ExplicitVRLittleEndian,
        *,
        title: str = "PACS1",
        called: str = "BONESCAN",
    ) -> Association:
        entity = AE(ae_title=title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 5
        entity.add_requested_context(sop_class, syntax)
        opened.append(entity.associate("127.0.0.1", port, ae_title=called))
        return opened[-1]

    yield call
    for association in opened:
        if association.is_established:
            association.release()
