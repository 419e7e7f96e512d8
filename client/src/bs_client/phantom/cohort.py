"""A folder of synthetic studies as a hospital would prepare it: scans, labels and masks.

Written are ``scans/<number>.dcm`` (GE-like: ``<number>_e.dcm`` and ``<number>_f.dcm``),
``labels.csv`` and, for positives, ``masks/<number>.png``: one bit per pixel, set where a metastasis
can be seen, in the scan's own geometry, the anterior view left and the posterior, as stored, right:
(rows, 2 x columns).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from bs_client.phantom.findings import Preset
from bs_client.phantom.nm_object import encoded, nm_objects, patient_id, study_instance_uid
from bs_client.phantom.site_style import SiteStyle
from bs_client.phantom.study import PhantomStudy, draw_study
from bs_client.phantom.vendor_layout import layouts
from bs_common.architecture import CLASSES
from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_common.randomness import generator

COLUMNS = (
    "study_uid",
    "patient_id",
    "label",
    "split",
    "mask",
    "age",
    "sex",
    "primary",
    "reference_standard",
)
REFERENCE_STANDARD = "synthetic"
SHARE_WITH_TWO_STUDIES = 0.03  # of the patients, so that splits by patient have something to do


@dataclass(frozen=True, slots=True)
class CohortCounts:
    """Number of studies with and without metastasis, by split.

    `positive` and `negative` have no split: the site divides them itself.
    Raises ConfigError if a number is negative or all are zero.
    """

    positive: int = 0
    negative: int = 0
    train_positive: int = 0
    train_negative: int = 0
    validation_positive: int = 0
    validation_negative: int = 0
    external_positive: int = 0
    external_negative: int = 0

    def __post_init__(self) -> None:
        numbers = asdict(self).values()
        if min(numbers) < 0 or sum(numbers) == 0:
            raise ConfigError(
                f"A cohort has at least one study and no negative numbers; received {asdict(self)}",
                remedy="Ask for one study or more.",
            )


@dataclass(frozen=True, slots=True)
class PlannedStudy:
    """One study of a cohort before it is drawn; `split` is empty where none was asked for."""

    number: int
    patient_number: int
    label: bool
    split: str


def plan_cohort(counts: CohortCounts, *, style: SiteStyle, seed: int) -> tuple[PlannedStudy, ...]:
    """Give the studies their numbers 1, 2, ... in an order that tells neither class nor split.

    About 3 % of the patients have two studies; these share label and split.
    """
    rng = generator(seed, "phantom", style.name, "cohort")
    planned: list[tuple[int, bool, str]] = []  # patient, label, split
    patients = 0
    for label, split, studies in _groups(counts):
        remaining = studies
        while remaining:
            taken = 2 if remaining > 1 and rng.random() < SHARE_WITH_TWO_STUDIES else 1
            planned += [(patients, label, split)] * taken
            patients += 1
            remaining -= taken
    patient_numbers = rng.permutation(patients) + 1
    order = rng.permutation(len(planned))
    return tuple(
        PlannedStudy(number, int(patient_numbers[patient]), label, split)
        for number, (patient, label, split) in enumerate((planned[k] for k in order), start=1)
    )


def _groups(counts: CohortCounts) -> tuple[tuple[bool, str, int], ...]:
    return (
        (True, "", counts.positive),
        (False, "", counts.negative),
        (True, "train", counts.train_positive),
        (False, "train", counts.train_negative),
        (True, "validation", counts.validation_positive),
        (False, "validation", counts.validation_negative),
        (True, "external", counts.external_positive),
        (False, "external", counts.external_negative),
    )


def write_cohort(
    folder: Path,
    *,
    style: SiteStyle,
    counts: CohortCounts,
    seed: int,
    preset: Preset,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a cohort and return the path of its ``labels.csv``, which is written last.

    The same arguments write the same bytes, so an interrupted run is simply repeated.

    Parameters
    ----------
    progress : called after each study with the number done and the number of all.

    Raises ConfigError if the folder already holds scans or masks that are not of this cohort.
    """
    plan = plan_cohort(counts, style=style, seed=seed)
    _refuse_foreign_files(folder, plan, style)
    for name in ("scans", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for done, planned in enumerate(plan, start=1):
        study = draw_study(
            seed,
            planned.number,
            style=style,
            label=planned.label,
            preset=preset,
            patient_number=planned.patient_number,
        )
        _write_study(folder, study)
        rows.append(_row(study, planned.split))
        if progress is not None:
            progress(done, len(plan))
    labels = folder / "labels.csv"
    write_atomic(labels, _table(rows))
    return labels


def _refuse_foreign_files(folder: Path, plan: tuple[PlannedStudy, ...], style: SiteStyle) -> None:
    suffixes = [layout.suffix for layout in layouts(style.vendor)]
    own = {_scan_name(study.number, suffix) for study in plan for suffix in suffixes}
    own |= {_mask_name(study.number) for study in plan if study.label}
    found = (*folder.glob("scans/*"), *folder.glob("masks/*"))
    foreign = [path for path in found if path.relative_to(folder).as_posix() not in own]
    if foreign:
        raise ConfigError(
            f"The folder holds {len(foreign)} scans or masks that are not of this cohort",
            remedy="Choose an empty folder, or remove the old cohort first.",
        )


def _write_study(folder: Path, study: PhantomStudy) -> None:
    for suffix, dataset in nm_objects(study).items():
        write_atomic(folder / _scan_name(study.number, suffix), encoded(dataset))
    if study.label:
        write_atomic(folder / _mask_name(study.number), _mask_png(study))


def _scan_name(number: int, suffix: str) -> str:
    return f"scans/{number:04d}{suffix}.dcm"


def _mask_name(number: int) -> str:
    return f"masks/{number:04d}.png"


def _mask_png(study: PhantomStudy) -> bytes:
    both = np.concatenate([study.mask_anterior, study.mask_posterior], axis=1)
    content = io.BytesIO()
    Picture.fromarray(both).save(content, format="PNG")  # a bool array becomes mode "1"
    return content.getvalue()


def _row(study: PhantomStudy, split: str) -> dict[str, str | int]:
    return {
        "study_uid": study_instance_uid(study),
        "patient_id": patient_id(study),
        "label": CLASSES[int(study.label)],
        "split": split,
        "mask": _mask_name(study.number) if study.label else "",
        "age": study.patient.age_years,
        "sex": study.patient.sex,
        "primary": study.patient.primary,
        "reference_standard": REFERENCE_STANDARD,
    }


def _table(rows: list[dict[str, str | int]]) -> bytes:
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()
