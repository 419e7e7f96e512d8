"""Commands about evidence: the figures of a 2 x 2 table."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from bs_client.cli.shell import explained, out

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
