"""The evaluate site's own page of results: figure, numbers and every drawn case. It never leaves.

The page shows case numbers; `cases.csv` beside it tells the study behind each. All files are
readable by their owner alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bs_client.evaluation.external import ExternalResult
from bs_client.explain.agreement import SOURCES, AgreementSummary, Mean
from bs_client.explain.agreement_table import CaseFinding
from bs_client.explain.overlay import OverlayCaption, overlay_name
from bs_client.explain.sheets import SHEETS
from bs_common.errors import DataError
from bs_common.files import write_atomic
from bs_common.metrics import Confusion, wilson
from bs_common.rates import Measure, measures

TEMPLATES = Path(__file__).parent / "templates"
OWNER_ONLY = 0o600
# Between these the page shows a reader study of the same scans, which may end months later.
READERS_BEGIN, READERS_END = "<!-- readers -->", "<!-- end of readers -->"

# Right calls first, as the paper's figures 5 and 6; missed scans before the uneventful ones.
OUTCOMES = {
    "TP": "True positives: metastasis called",
    "FP": "False positives: called without metastasis",
    "FN": "False negatives: metastasis missed",
    "TN": "True negatives: rightly not called",
}
RATES = {
    "tpr": "Sensitivity (TPR)",
    "fnr": "Miss rate (FNR)",
    "tnr": "Specificity (TNR)",
    "fpr": "False alarm rate (FPR)",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "accuracy": "Accuracy",
}

MEASURE_WORDS = {
    "pointing": "Pointing game: highest point in a metastasis",
    "pointing_tolerant": "Pointing game, one cell of the map off allowed",
    "energy": "Share of the map inside metastases",
    "auprc": "Area under the precision-recall curve",
    "iou": "Overlap at equal area (IoU)",
    "dice": "Overlap at equal area (Dice)",
}
ARTEFACT_WORDS = {
    "outside_body": "outside the body",
    "bladder": "on the bladder, where drawn",
    "injection": "on the injection site, where drawn",
}


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One evaluated scan of the page.

    study : what the site calls the study; it is written to `cases.csv` and nowhere else.
    caption : case number, probability, threshold and label.
    """

    study: str
    caption: OverlayCaption


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page's table of numbers, as text."""

    name: str
    value: str
    interval: str
    counted: str


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One line of the table of all cases; figures of its map as text, empty without one."""

    caption: OverlayCaption
    inside: str
    pointing: str
    iou: str
    spots: str
    outside_body: str


@dataclass(frozen=True, slots=True)
class MapEvidence:
    """What the maps say: agreement with masks, shares where no metastasis can be.

    cases : what each single map gave, in any order; a case without a map is not among them.
    """

    agreement: AgreementSummary | None
    artefacts: Mapping[str, float]
    cases: Sequence[CaseFinding] = ()


def write_gallery(
    folder: Path,
    cases: Sequence[CaseFile],
    *,
    result: ExternalResult,
    pictures: Mapping[str, bytes],
    evidence: MapEvidence,
    title: str,
    remarks: Sequence[str],
    seed: int,
    resamples: int,
) -> Path:
    """Write `index.html`, the pictures given and `cases.csv`; give the page's path.

    Parameters
    ----------
    folder : where `draw_overlay` has written the pictures under their `overlay_name`; a case
        without a picture there is listed without one. Sheets of several cases are shown too.
    cases : every evaluated scan, labelled, each case number once.
    result : figures of the same scans.
    pictures : by file name: the curves, from `plots`.
    evidence : what the maps together say.
    title : heading, such as the study's name and round.
    remarks : sentences shown above the results, such as that the backbone is a random draw.
    seed, resamples : of the bootstrap behind F1 and balanced accuracy.

    Raises
    ------
    DataError if a case number occurs twice or a case has no label.
    """
    _refuse_unusable(cases)
    page = (
        _environment()
        .get_template("gallery.html")
        .render(
            title=title,
            remarks=remarks,
            synthetic=any(case.caption.synthetic for case in cases),
            threshold=f"{result.threshold:.3g}",
            scans=len(cases),
            rows=headline_rows(result, seed=seed, resamples=resamples),
            separated=result.auc in (0.0, 1.0),
            groups=_groups(folder, cases),
            pictures=list(pictures),
            sheets=[
                (name, title) for name, (title, _) in SHEETS.items() if (folder / name).exists()
            ],
            agreement=agreement_rows(evidence.agreement),
            masks=evidence.agreement,
            artefacts=[
                (ARTEFACT_WORDS[k], f"{100 * v:.1f} %") for k, v in evidence.artefacts.items()
            ],
            cases=case_rows([case.caption for case in cases], evidence.cases),
        )
    )
    for name, content in pictures.items():
        write_atomic(folder / name, content, mode=OWNER_ONLY)
    write_atomic(folder / "cases.csv", _case_table(cases), mode=OWNER_ONLY)
    write_atomic(folder / "index.html", page.encode(), mode=OWNER_ONLY)
    return folder / "index.html"


def put_readers(page: str, section: str) -> str:
    """Give the page with a reader study's section in its place, instead of an earlier one's.

    A page of an earlier release, which has no such place, gets it before its end.
    """
    if READERS_BEGIN not in page:
        page = page.replace("</body>", f"{READERS_BEGIN}{READERS_END}\n</body>")
    before, _, rest = page.partition(READERS_BEGIN)
    after = rest.partition(READERS_END)[2]
    return f"{before}{READERS_BEGIN}\n{section}{READERS_END}{after}"


def _refuse_unusable(cases: Sequence[CaseFile]) -> None:
    numbers = {case.caption.case for case in cases}
    if len(numbers) < len(cases):
        raise DataError(
            f"{len(cases)} cases share {len(numbers)} case numbers, expected one for each",
            remedy="Number the cases in the order of the manifest.",
        )
    unlabelled = sum(case.caption.label is None for case in cases)
    if unlabelled:
        raise DataError(
            f"{unlabelled} of {len(cases)} cases have no label",
            remedy="Show only the scans that were evaluated.",
        )


def headline_rows(result: ExternalResult, *, seed: int, resamples: int) -> list[Row]:
    """Write the AUC with both intervals, the rates with Wilson's, and calibration as text."""
    low, high = result.auc_interval
    rows = [Row("AUC (DeLong)", f"{result.auc:.3f}", f"{low:.3f} to {high:.3f}", "")]
    low, high = result.auc_bootstrap_interval
    rows.append(Row("AUC (bootstrap)", f"{result.auc:.3f}", f"{low:.3f} to {high:.3f}", ""))
    rows += [_rate_row(name, key, result.confusion) for key, name in RATES.items()]
    drawn = measures(result.confusion, seed=seed, resamples=resamples)
    for name, key in (("Balanced accuracy", "balanced_accuracy"), ("F1", "f1")):
        rows.append(_drawn_row(name, drawn[key]))
    rows.append(Row("Brier score", f"{result.calibration.brier:.3f}", "", ""))
    fitted = (("slope", result.calibration.slope), ("intercept", result.calibration.intercept))
    for name, found in fitted:
        if found is not None:
            interval = f"{found.low:.2f} to {found.high:.2f}"
            rows.append(Row(f"Calibration {name}", f"{found.value:.2f}", interval, ""))
    return rows


def _drawn_row(name: str, measure: Measure) -> Row:
    if measure.value is None:
        return Row(name, "-", "", "")
    return Row(name, f"{measure.value:.3f}", f"{measure.low:.3f} to {measure.high:.3f}", "")


def case_rows(captions: Sequence[OverlayCaption], findings: Sequence[CaseFinding]) -> list[CaseRow]:
    """Give a row for every case, by its number, with what its map gave."""
    by_case = {finding.case: finding for finding in findings}
    return [
        _case_row(caption, by_case.get(caption.case))
        for caption in sorted(captions, key=lambda caption: caption.case)
    ]


def _case_row(caption: OverlayCaption, finding: CaseFinding | None) -> CaseRow:
    scan = finding.agreement if finding else None
    outside = finding.artefacts.get("outside_body") if finding else None
    outside_body = "" if outside is None else f"{100 * outside:.1f} %"
    if scan is None:
        return CaseRow(caption, "", "", "", "", outside_body)
    model = scan.by_source["model"]
    return CaseRow(
        caption,
        inside=f"{100 * model.energy:.1f} %",
        pointing=f"{model.pointing:.2f}",
        iou=f"{model.iou:.3f}",
        spots=f"{scan.lesions_hit} of {scan.lesions}",
        outside_body=outside_body,
    )


def agreement_rows(summary: AgreementSummary | None) -> list[tuple[str, list[tuple[str, str]]]]:
    """Write each measure's (mean, interval) for the model and the maps it is held against."""
    if summary is None:
        return []
    columns = [summary.by_source[source] for source in SOURCES] + [summary.beyond_intensity]
    return [
        (words, [_mean_text(column[measure]) for column in columns])
        for measure, words in MEASURE_WORDS.items()
    ]


def _mean_text(mean: Mean) -> tuple[str, str]:
    return f"{mean.value:.3f}", f"{mean.low:.3f} to {mean.high:.3f}"


def _rate_row(name: str, key: str, table: Confusion) -> Row:
    counted, out_of = table.fractions()[key]
    if out_of == 0:
        return Row(name, "-", "", "0 of 0")
    low, high = wilson(counted, out_of)
    interval = f"{100 * low:.1f} to {100 * high:.1f} %"
    return Row(name, f"{100 * counted / out_of:.1f} %", interval, f"{counted} of {out_of}")


def _groups(
    folder: Path, cases: Sequence[CaseFile]
) -> list[tuple[str, list[tuple[OverlayCaption, str]]]]:
    """Give each outcome's heading and its drawn cases, the surest call first."""
    groups = []
    for outcome, heading in OUTCOMES.items():
        drawn = [
            (case.caption, overlay_name(case.caption.case))
            for case in cases
            if case.caption.outcome == outcome
            and (folder / overlay_name(case.caption.case)).exists()
        ]
        drawn.sort(key=lambda pair: (-pair[0].certainty, pair[0].case))
        if drawn:
            groups.append((heading, drawn))
    return groups


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _case_table(cases: Sequence[CaseFile]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["case", "study"])
    for case in sorted(cases, key=lambda case: case.caption.case):
        table.writerow([case.caption.case, case.study])
    return text.getvalue().encode()
