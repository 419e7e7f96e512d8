"""Commands about evidence: figures of a 2 x 2 table, two models compared, maps that explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from bs_client.cli.shell import HERE, explained, out, progress_bar
from bs_client.config import SiteFolder

if TYPE_CHECKING:
    from bs_client.explain.sanity import Likeness

PAIRED = "DeLong's test of two correlated areas, two-sided"
SURVIVED = "A map survives: it is drawn by the picture and explains nothing of the model."

# Order and names in which a reader looks for them; on the right the names of `bs_common.rates`.
MEASURES = {
    "sensitivity": "tpr",
    "specificity": "tnr",
    "ppv": "ppv",
    "npv": "npv",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "f1": "f1",
}


def metrics(
    tp: Annotated[int, typer.Option(help="Scans with metastasis, called so.", min=0)],
    fn: Annotated[int, typer.Option(help="Scans with metastasis, missed.", min=0)],
    tn: Annotated[int, typer.Option(help="Scans without, rightly not called.", min=0)],
    fp: Annotated[int, typer.Option(help="Scans without, called.", min=0)],
    resamples: Annotated[
        int, typer.Option(help="Bootstrap draws for F1 and balanced accuracy.", min=1)
    ] = 2000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Give the figures of four counts with 95 % intervals (Wilson; F1 and balanced: bootstrap)."""
    from bs_common.metrics import Confusion
    from bs_common.rates import measures

    with explained():
        found = measures(Confusion(tp=tp, fn=fn, tn=tn, fp=fp), seed=0, resamples=resamples)
    named = {name: found[key] for name, key in MEASURES.items()}
    if as_json:
        print(json.dumps({name: measure._asdict() for name, measure in named.items()}))
        return
    table = Table("measure", "value", "95 % interval")
    for name, measure in named.items():
        value, interval = "-", ""
        if measure.value is not None:
            value = f"{measure.value:.4f}"
            interval = f"{measure.low:.4f} to {measure.high:.4f}"
        table.add_row(name.replace("_", " "), value, interval)
    out.print(table)


def compare_scores(
    first: Annotated[Path, typer.Argument(help="CSV with scan, label and score of one model.")],
    second: Annotated[Path, typer.Argument(help="The same scans, scored by the other model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare the areas under two models' ROC curves on the same scans (DeLong's paired test).

    The columns are scan, label and score, or case, metastasis and margin as in private/scores.csv.
    """
    from bs_client.evaluation.paired import compare_aucs
    from bs_client.evaluation.score_files import pair_scores

    with explained():
        scores = pair_scores(first, second)
        found = compare_aucs(scores.first, scores.second, scores.labels)
    figures = {
        "first": (found.first.auc, *found.first.interval()),
        "second": (found.second.auc, *found.second.interval()),
        "difference": (found.difference, *found.interval()),
    }
    scans, positives = scores.labels.size, int(scores.labels.sum())
    if as_json:
        named = {
            name: dict(zip(("value", "low", "high"), figure, strict=True))
            for name, figure in figures.items()
        }
        test = {"z": found.z, "p_value": found.p_value, "method": PAIRED}
        print(json.dumps({**named, **test, "scans": scans, "metastasis": positives}))
        return
    table = Table("AUC of", "value", "95 % interval")
    words = {"first": first.name, "second": second.name, "difference": "difference, second - first"}
    for name, (value, low, high) in figures.items():
        table.add_row(words[name], f"{value:.4f}", f"{low:.4f} to {high:.4f}")
    out.print(table)
    out.print(f"p = {found.p_value:.4g}, {PAIRED}. {scans} scans, {positives} with metastasis.")


def sanity(
    model: Annotated[Path, typer.Argument(help="The released model, STUDY-model.bsm.")],
    site: Annotated[Path, typer.Option(help="Folder of this site's part in the study.")] = HERE,
    scans: Annotated[int, typer.Option(help="Scans with metastasis to look at.", min=1)] = 6,
    draws: Annotated[int, typer.Option(help="Sets of random weights.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check that maps change when what was learned is taken away; status 1 if a map survives."""
    from bs_client.explain.sanity_check import check_sanity

    with explained(), progress_bar() as bar:
        task = bar.add_task("random weights", total=None)
        report = check_sanity(
            SiteFolder(site),
            model,
            scans=scans,
            draws=draws,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    rows = [(f"weights drawn anew: {step.group}", step.likeness) for step in report.steps]
    if report.labels is not None:
        rows.append(("head trained on permuted labels", report.labels))
    if as_json:
        print(json.dumps({"scans": report.scans, "passed": report.passed, **_as_json(rows)}))
    else:
        table = Table("what was taken away", "rank correlation", "structural similarity")
        for words, likeness in rows:
            table.add_row(words, f"{likeness.spearman:.2f}", f"{likeness.ssim:.2f}")
        out.print(table)
        verdict = "The maps depend on what was learned." if report.passed else SURVIVED
        out.print(f"{report.scans} scans, {draws} draws. {verdict}")
    if not report.passed:
        raise typer.Exit(1)


def _as_json(rows: list[tuple[str, Likeness]]) -> dict[str, object]:
    return {
        "checks": [
            {"taken_away": words, "spearman": one.spearman, "ssim": one.ssim} for words, one in rows
        ]
    }
