"""One view of a scan as a plain single-frame image, for what cannot refer to NM frames itself.

highdicom makes segmentations and presentation states of single-frame images; of a nuclear medicine
object it expects functional groups that the NM IOD does not have (PS3.3 A.5). So each view is
described as a Secondary Capture, and the reference to it is put back to the true frame afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from bs_client.dicom.fields import text
from bs_client.dicom.result_context import SourceImage

_PATIENT_AND_STUDY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
# Names instances and never frames (PS3.3 C.12.2, table 10-11).
WHOLE_INSTANCES = "ReferencedInstanceSequence"


@dataclass(frozen=True, slots=True, eq=False)
class SourceView:
    """One view where it is stored.

    name : ``"anterior"`` or ``"posterior"``.
    frame : its number in the object, from 1.
    shape : (rows, columns) of the stored frame.
    """

    name: str
    source: SourceImage
    frame: int
    shape: tuple[int, int]

    @property
    def proxy_uid(self) -> str:
        """SOP Instance UID of the stand-in; the same frame always has the same."""
        return str(generate_uid(entropy_srcs=["proxy", self.source.sop_instance_uid, self.name]))


def make_proxy(view: SourceView) -> Dataset:
    """Describe a view as a Secondary Capture, without pixels and without the patient."""
    proxy = Dataset()
    proxy.file_meta = FileMetaDataset()
    proxy.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for keyword in _PATIENT_AND_STUDY:
        setattr(proxy, keyword, None)
    proxy.SOPClassUID = SecondaryCaptureImageStorage
    proxy.SOPInstanceUID = view.proxy_uid
    proxy.StudyInstanceUID = view.source.study_instance_uid
    proxy.SeriesInstanceUID = view.source.series_instance_uid
    proxy.Modality = "NM"
    proxy.Rows, proxy.Columns = view.shape
    proxy.SamplesPerPixel, proxy.PhotometricInterpretation = 1, "MONOCHROME2"
    proxy.BitsAllocated = proxy.BitsStored = 16
    proxy.HighBit, proxy.PixelRepresentation = 15, 0
    return proxy


def put_back(result: Dataset, views: Sequence[SourceView]) -> None:
    """Let every reference to a stand-in lead to the true object and frame instead.

    Items that then name the same object are joined to one with all their frames.
    """
    by_proxy = {view.proxy_uid: view for view in views}
    for element in result:
        if element.VR != "SQ":
            continue
        # Copies, because highdicom puts one and the same item into several sequences.
        references = [deepcopy(item) for item in element.value]
        for item in references:
            view = by_proxy.get(text(item, "ReferencedSOPInstanceUID"))
            if view is not None:
                _lead_to(item, view, with_frame=element.keyword != WHOLE_INSTANCES)
            put_back(item, views)
        joins = element.keyword in ("ReferencedImageSequence", WHOLE_INSTANCES)
        element.value = _joined(references) if joins else references


def _lead_to(item: Dataset, view: SourceView, *, with_frame: bool) -> None:
    item.ReferencedSOPClassUID = view.source.sop_class_uid
    item.ReferencedSOPInstanceUID = view.source.sop_instance_uid
    if with_frame and view.source.referenced_frames is not None:
        item.ReferencedFrameNumber = view.frame


def _joined(references: Sequence[Dataset]) -> list[Dataset]:
    joined: dict[str, Dataset] = {}
    for item in references:
        first = joined.setdefault(text(item, "ReferencedSOPInstanceUID"), item)
        if first is not item and "ReferencedFrameNumber" in item:
            frames = (first.ReferencedFrameNumber, item.ReferencedFrameNumber)
            first.ReferencedFrameNumber = sorted(map(int, frames))
    return list(joined.values())
