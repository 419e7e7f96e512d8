"""What all maps together say of the masks: one line a case, and the means. It stays at the site."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from bs_client.explain.agreement import (
    MEASURES,
    SOURCES,
    AgreementSummary,
    ScanAgreement,
    summarise_agreement,
)
from bs_client.explain.cases import CaseMap
from bs_common.files import write_atomic
from bs_common.settings import StudySettings

ARTEFACTS = ("outside_body", "bladder", "injection")


@dataclass(frozen=True, slots=True)
class CaseFinding:
    """The figures of one case, without its pictures."""

    case: int
    outcome: str
    agreement: ScanAgreement | None
    artefacts: dict[str, float]
    lesions: int | None

    @classmethod
    def of(cls, case: CaseMap) -> CaseFinding:
        """Keep the figures of a case."""
        caption = case.caption
        return cls(caption.case, caption.outcome, case.agreement, case.artefacts, case.lesions)


def mean_artefacts(findings: Sequence[CaseFinding]) -> dict[str, float]:
    """Average each share over the maps that have it."""
    shares = {
        name: [finding.artefacts[name] for finding in findings if name in finding.artefacts]
        for name in ARTEFACTS
    }
    return {name: sum(values) / len(values) for name, values in shares.items() if values}


def write_agreement(
    folder: Path, findings: Sequence[CaseFinding], settings: StudySettings
) -> AgreementSummary | None:
    """Write `maps.csv`, readable by its owner alone, and give the means over scans with masks."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = [f"{source}_{measure}" for source in SOURCES for measure in MEASURES]
    table.writerow(
        ["case", "outcome", *ARTEFACTS, "lesions", "lesions_hit", "blank", "mask_share", *names]
    )
    for finding in findings:
        shares = [finding.artefacts.get(name, "") for name in ARTEFACTS]
        table.writerow([finding.case, finding.outcome, *shares, *_cells(finding.agreement)])
    write_atomic(folder / "maps.csv", text.getvalue().encode(), mode=0o600)
    scans = [finding.agreement for finding in findings if finding.agreement is not None]
    return summarise_agreement(scans, seed=settings.seed, resamples=settings.bootstrap_resamples)


def _cells(scan: ScanAgreement | None) -> list[float | int | str]:
    if scan is None:
        return [""] * (4 + len(SOURCES) * len(MEASURES))
    measured = [value for source in SOURCES for value in astuple(scan.by_source[source])]
    return [scan.lesions, scan.lesions_hit, int(scan.blank), scan.chance, *measured]
