"""References made through a stand-in lead to the true object and frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from bs_client.dicom.result_context import SourceImage
from bs_client.dicom.view_proxy import SourceView, make_proxy, put_back

Make = Callable[..., Dataset]


@pytest.fixture
def views(make_object: Make) -> list[SourceView]:
    """Both views of one object: anterior is frame 1, posterior frame 2."""
    dataset = make_object("anterior", "posterior")
    dataset.SeriesInstanceUID = generate_uid()
    source = SourceImage(dataset, (1, 2))
    return [
        SourceView("anterior", source, 1, (256, 64)),
        SourceView("posterior", source, 2, (256, 64)),
    ]


def reference(view: SourceView) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = SecondaryCaptureImageStorage
    item.ReferencedSOPInstanceUID = view.proxy_uid
    return item


def test_a_proxy_is_a_plain_image_of_the_view_without_the_patient(views: list[SourceView]) -> None:
    proxy = make_proxy(views[0])

    assert proxy.SOPClassUID == SecondaryCaptureImageStorage
    assert (proxy.Rows, proxy.Columns) == (256, 64)
    assert "NumberOfFrames" not in proxy
    assert not proxy.PatientID
    assert not proxy.PatientName


def test_a_deep_reference_leads_to_class_instance_and_frame(views: list[SourceView]) -> None:
    result, item = Dataset(), Dataset()
    item.SourceImageSequence = [reference(views[1])]
    result.DerivationImageSequence = [item]

    put_back(result, views)

    (found,) = result.DerivationImageSequence[0].SourceImageSequence
    assert found.ReferencedSOPInstanceUID == views[1].source.sop_instance_uid
    assert found.ReferencedSOPClassUID == views[1].source.sop_class_uid
    assert found.ReferencedFrameNumber == 2


def test_both_frames_of_one_object_become_one_reference(views: list[SourceView]) -> None:
    result = Dataset()
    result.ReferencedImageSequence = [reference(view) for view in views]

    put_back(result, views)

    (found,) = result.ReferencedImageSequence
    assert found.ReferencedFrameNumber == [1, 2]


def test_a_list_of_instances_names_no_frames(views: list[SourceView]) -> None:
    result = Dataset()
    result.ReferencedInstanceSequence = [reference(views[0])]

    put_back(result, views)

    assert "ReferencedFrameNumber" not in result.ReferencedInstanceSequence[0]


def test_an_item_that_stands_in_two_sequences_is_put_back_in_both(views: list[SourceView]) -> None:
    shared, result = reference(views[0]), Dataset()
    result.ReferencedInstanceSequence = [shared]
    result.SourceImageSequence = [shared]

    put_back(result, views)

    assert result.SourceImageSequence[0].ReferencedFrameNumber == 1
    assert "ReferencedFrameNumber" not in result.ReferencedInstanceSequence[0]


def test_references_to_other_objects_stay(views: list[SourceView]) -> None:
    result, other = Dataset(), Dataset()
    other.ReferencedSOPInstanceUID = "1.2.3"
    result.SourceImageSequence = [other]

    put_back(result, views)

    assert result.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
