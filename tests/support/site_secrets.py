"""What a site of a real study holds, read from its own folders for a search of the wire."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import UID

from bs_client.config import SiteFolder
from support.wire_search import Rows, Secrets


def read_secrets(site: SiteFolder) -> Secrets:
    """Read scans, cached network inputs and features, private scores, and every identifier."""
    data = site.read().data
    files = sorted(path for path in data.scans.rglob("*") if path.is_file())
    objects = [pydicom.dcmread(path) for path in files]
    names = {path.name for path in files} | {data.scans.name + "/" + path.name for path in files}
    return Secrets(
        counts=[frame for o in objects for frame in _frames(o)],
        inputs=read_arrays(site.cache / "images"),
        features=[row.reshape(1, -1) for row in read_arrays(site.cache / "features")],
        scores=_scores(site.private / "scores.csv"),
        texts=frozenset(names.union(*map(_identifiers, objects))),
    )


def read_arrays(folder: Path) -> list[Rows]:
    """Read a cache folder's arrays; the checksum behind each is left unread."""
    return [np.load(path, allow_pickle=False) for path in sorted(folder.glob("*.npy"))]


def _frames(scan: pydicom.Dataset) -> Rows:
    frames: Rows = scan.pixel_array
    return frames.reshape(-1, *frames.shape[-2:])


def _identifiers(scan: pydicom.Dataset) -> Iterator[str]:
    """Give the patient's id and name, and every UID that is not one of the standard's."""
    yield str(scan.PatientID)
    yield str(scan.PatientName)
    for element in scan.iterall():
        if element.VR == "UI" and UID(element.value).name == str(element.value):
            yield str(element.value)


def _scores(path: Path) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [np.array([float(row[name]) for row in rows]) for name in ("margin", "probability")]
