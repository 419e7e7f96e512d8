"""Everybody's scans and labels, read once and given out as the data sets of any sites."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bs_client.data.cache import ArrayCache
from bs_client.data.dataset import Dataset, Intake, known_files, label_scans, take_in
from bs_client.data.labels import LabelTable, read_labels
from bs_client.data.manifest import Entry
from bs_client.dicom.settings import IngestSettings
from bs_common.errors import DataError
from bs_common.settings import StudySettings
from bs_common.simulation import SiteData, Steps


@dataclass(frozen=True, slots=True)
class Cohort:
    """One site's scans and labels."""

    data: SiteData
    table: LabelTable
    intake: Intake
    ingest: IngestSettings

    def entries(self, settings: StudySettings) -> tuple[Entry, ...]:
        """Give the labelled scans, split as this site alone would with these settings."""
        name, role = self.data.name, self.data.role
        return label_scans(self.intake, self.table, settings=settings, role=role, site=name)


@dataclass(frozen=True, slots=True)
class Cohorts:
    """All sites' scans and labels.

    images : network inputs, shared by all.
    """

    by_site: Mapping[str, Cohort]
    images: ArrayCache

    def dataset(self, members: Sequence[str], settings: StudySettings) -> Dataset:
        """Give the members' scans as one site's, each in the split that its own site gives it."""
        cohorts = [self.by_site[name] for name in members]
        entries = [entry for cohort in cohorts for entry in cohort.entries(settings)]
        scans = {uid: scan for cohort in cohorts for uid, scan in cohort.intake.scans.items()}
        refused = sum((Counter(cohort.intake.refused) for cohort in cohorts), Counter[str]())
        return Dataset(
            tuple(sorted(entries, key=lambda entry: entry.study_uid)),
            Intake(scans, dict(sorted(refused.items()))),
            self.images,
            settings,
            cohorts[0].ingest,  # of several sites nothing is read again: all inputs are in `images`
        )

    @property
    def synthetic(self) -> bool:
        """Whether any scan says that it was made artificially."""
        intakes = [cohort.intake for cohort in self.by_site.values()]
        return any(scan.synthetic for intake in intakes for scan in intake.scans.values())

    def content(self, settings: StudySettings) -> list[object]:
        """Give what decides every study's inputs, as plain values in a fixed order."""
        return [
            (
                name,
                cohort.data.role,
                cohort.ingest.model_dump(mode="json"),
                [(e.pixel_sha256, e.label, str(e.split)) for e in cohort.entries(settings)],
            )
            for name, cohort in sorted(self.by_site.items())
        ]

    def shared_patients(self, settings: StudySettings) -> int:
        """Count the patient ids that stand at more than one site."""
        return _at_two_sites(
            {entry.patient_id for entry in cohort.entries(settings)}
            for cohort in self.by_site.values()
        )

    def refuse_shared_scans(self, settings: StudySettings) -> None:
        """Raise DataError if a labelled scan, by its pixels or its study, is at two sites."""
        by_site = [cohort.entries(settings) for cohort in self.by_site.values()]
        shared = max(
            _at_two_sites({entry.pixel_sha256 for entry in entries} for entries in by_site),
            _at_two_sites({entry.study_uid for entry in entries} for entries in by_site),
        )
        if shared:
            raise DataError(
                f"Labelled scans that are at more than one site: {shared}, expected 0.",
                remedy="Keep each scan at one site: a model is not to be judged on what it has "
                "seen.",
            )


def read_cohorts(
    data: Sequence[SiteData], settings: StudySettings, images: ArrayCache, *, told: Steps
) -> Cohorts:
    """Read every site's scans and labels.

    Raises DataError if labels are faulty, a site has no labelled scan, or a scan is at two sites.
    """
    by_site: dict[str, Cohort] = {}
    for site in data:
        table = read_labels(site.labels)
        ingest = IngestSettings.model_validate(dict(site.ingest))
        intake = take_in(
            site.scans,
            ingest=ingest,
            settings=settings,
            images=images,
            known=known_files(site.labels, table),
            progress=partial(told, f"scans of {site.name}"),
        )
        by_site[site.name] = Cohort(site, table, intake, ingest)
    cohorts = Cohorts(by_site, images)
    cohorts.refuse_shared_scans(settings)
    return cohorts


def _at_two_sites(found: Iterable[set[str]]) -> int:
    """Count what stands in two of the sets or more."""
    return sum(count > 1 for count in Counter(one for names in found for one in names).values())
