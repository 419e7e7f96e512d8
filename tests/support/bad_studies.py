"""A hospital's export in small: many usable studies, and twelve that are bad in twelve ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID

from bs_client.phantom.nm_object import nm_objects
from bs_client.phantom.site_style import STYLES
from bs_client.phantom.study import draw_study

SHRINK = 4
Spoil = Callable[[Dataset], None]


def small_scan(*, label: bool) -> Dataset:
    """Give a two-frame phantom of 256 x 64 pixels that holds all counts of 1024 x 256."""
    study = draw_study(
        7, 1, style=STYLES["aachen"], label=label, preset="conspicuous", patient_number=1
    )
    (dataset,) = nm_objects(study).values()
    frames, rows, columns = dataset.pixel_array.shape
    shape = (frames, rows // SHRINK, SHRINK, columns // SHRINK, SHRINK)
    counts = dataset.pixel_array.reshape(shape).sum(axis=(2, 4))
    dataset.Rows, dataset.Columns = counts.shape[1:]
    dataset.PixelSpacing = [SHRINK * float(value) for value in dataset.PixelSpacing]
    dataset.PixelData = counts.astype("<u2").tobytes()
    return dataset


def _set(**values: object) -> Spoil:
    def spoil(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return spoil


def _image_type(place: int, value: str) -> Spoil:
    def spoil(dataset: Dataset) -> None:
        kind = list(dataset.ImageType)
        kind[place] = value
        dataset.ImageType = kind

    return spoil


def _keep_one_view(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[: len(dataset.PixelData) // 2]
    dataset.NumberOfFrames = dataset.NumberOfDetectors = 1
    dataset.DetectorVector = dataset.EnergyWindowVector = 1
    del dataset.DetectorInformationSequence[1]


def _blank(dataset: Dataset) -> None:
    dataset.PixelData = bytes(len(dataset.PixelData))


def _scale_down(dataset: Dataset) -> None:
    dataset.PixelData = (dataset.pixel_array // 100).astype("<u2").tobytes()


def _cut(content: bytes) -> bytes:
    return content[:-2000]


def _write_over(content: bytes) -> bytes:
    return b"exported by hand\n" * (len(content) // 20)


def _claim_compression(content: bytes) -> bytes:
    # The header says run lengths (PS3.5 annex G), the pixels are plain: no decoder reads them.
    plain, run_lengths = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"
    return content.replace(plain, run_lengths, 1)


IN_HEADER: Mapping[str, Spoil] = {
    "E_MODALITY": _set(Modality="CT"),
    "E_SCREEN_CAPTURE": _set(PhotometricInterpretation="RGB"),
    "E_BURNED_IN": _set(BurnedInAnnotation="YES"),
    "E_TRANSMISSION": _image_type(3, "TRANSMISSION"),
    "E_NOT_WHOLE_BODY": _image_type(2, "TOMO"),
    "E_VIEW_CONFLICT": _set(ViewPosition=["POSTERIOR", "ANTERIOR"]),
    "E_VIEW_MISSING": _keep_one_view,
    "E_BLANK": _blank,
    "E_TOO_FEW_COUNTS": _scale_down,
}
IN_BYTES: Mapping[str, Callable[[bytes], bytes]] = {
    "E_NOT_DICOM": _write_over,
    "E_TRUNCATED": _cut,
    "E_DECODE": _claim_compression,
}
KINDS = sorted((*IN_HEADER, *IN_BYTES))


def write_export(folder: Path, good: int) -> Path:
    """Write `good` usable studies with labels, and one bad study of each kind among them.

    Every third usable study has metastases. Gives the labels file; the scans are in
    `folder/scans`.
    """
    (folder / "scans").mkdir(parents=True)
    templates = {label: small_scan(label=label) for label in (True, False)}
    lines = ["study_uid,label"]
    for number in range(good + len(KINDS)):
        kind = KINDS[number - good] if number >= good else ""
        label = number % 3 == 0
        dataset = _own(templates[label], number)
        if kind in IN_HEADER:
            IN_HEADER[kind](dataset)
        # Bad ones lie between the others, as in a real folder.
        path = folder / "scans" / f"{(number * 7919) % 100_003:06d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        if kind in IN_BYTES:
            path.write_bytes(IN_BYTES[kind](path.read_bytes()))
        lines.append(f"{dataset.StudyInstanceUID},{int(label)}")
    labels = folder / "labels.csv"
    labels.write_text("\n".join(lines) + "\n")
    return labels


def _own(template: Dataset, number: int) -> Dataset:
    """Give a copy with its own study, patient and noise."""
    dataset = deepcopy(template)
    dataset.StudyInstanceUID, dataset.PatientID = f"1.2.826.{number + 1}", f"P{number}"
    dataset.SOPInstanceUID = UID(f"1.3.826.{number + 1}")
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    counts = np.random.default_rng(number).poisson(dataset.pixel_array).astype("<u2")
    dataset.PixelData = counts.tobytes()
    return dataset
