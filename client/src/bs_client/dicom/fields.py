"""Read single header fields as plain values; a malformed field reads as absent."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydicom import Dataset, Sequence

from bs_client.dicom.dataset_file import PYDICOM_FAILURES

MAX_VALUES = 64  # of a multi-valued text field; more is no statement about a frame


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Give each value of a field as stripped text; empty if absent or malformed."""
    try:
        return as_texts(dataset.get(keyword))
    except PYDICOM_FAILURES:
        return ()


def as_texts(value: object) -> tuple[str, ...]:
    """Give a pydicom value as texts, one for each part between backslashes."""
    if value is None:
        return ()
    if isinstance(value, bytes):  # private fields of implicit VR files are raw
        value = value.decode("latin-1").rstrip("\0 ")
    if isinstance(value, str):
        value = value.split("\\")
    parts = value if isinstance(value, Iterable) else (value,)
    stripped = tuple(str(part).strip(" \0") for part in parts)[:MAX_VALUES]
    return stripped if any(stripped) else ()


def text(dataset: Dataset, keyword: str) -> str:
    """Give a field's values as one text, empty if absent or malformed."""
    return "\\".join(texts(dataset, keyword))


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Give a field's finite numbers; empty if absent, malformed or not finite."""
    try:
        values = tuple(float(part) for part in texts(dataset, keyword))
    except ValueError:
        return ()
    return values if all(map(math.isfinite, values)) else ()


def integers(dataset: Dataset, keyword: str) -> tuple[int, ...]:
    """Give a field's whole numbers, however many; empty if absent or malformed."""
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return ()
        parts = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
        return tuple(int(part) for part in parts)
    except PYDICOM_FAILURES:
        return ()


def integer(dataset: Dataset, keyword: str) -> int | None:
    """Give a field's first whole number, None if absent or malformed."""
    values = integers(dataset, keyword)
    return values[0] if values else None


def items(dataset: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Give the items of a sequence; empty if absent or malformed."""
    try:
        value = dataset.get(keyword)
        return tuple(value) if isinstance(value, Sequence) else ()
    except PYDICOM_FAILURES:
        return ()


def private_texts(dataset: Dataset, group: int, creator: str, element: int) -> tuple[str, ...]:
    """Give the texts of a vendor's private element; empty if absent or malformed."""
    try:
        return as_texts(dataset.private_block(group, creator)[element].value)
    except PYDICOM_FAILURES:
        return ()
