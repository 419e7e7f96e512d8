"""Commands about results: reading new scans with the released model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bs_client.cli.shell import explained, out, progress_bar
from bs_client.config import SiteFolder


def predict(
    model: Annotated[Path, typer.Argument(help="The released model, STUDY-model.bsm.")],
    scans: Annotated[list[Path], typer.Argument(help="DICOM files or folders; only read.")],
    folder: Annotated[Path, typer.Option("--out", help="Where the results go.")],
    site: Annotated[Path | None, typer.Option(help="Site whose pinned key must fit.")] = None,
    key: Annotated[Path | None, typer.Option(help="release.pub of the study.")] = None,
    backbone: Annotated[Path | None, typer.Option(help="Weights file of the backbone.")] = None,
    dicom: Annotated[bool, typer.Option("--dicom", help="Write DICOM results as well.")] = False,
    seg: Annotated[
        bool, typer.Option("--seg", help="With --dicom: the map's hot regions as segmentations.")
    ] = False,
    gsps: Annotated[
        bool, typer.Option("--gsps", help="With --dicom: circles that a viewer draws on the scan.")
    ] = False,
    maps: Annotated[bool, typer.Option(help="Draw a Grad-CAM map of each scan.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a study.")] = False,
) -> None:
    """Read scans with a released model: probability, call, map. Research, not diagnosis.

    Ends with status 1 where no scan could be read.
    """
    from bs_client.predict.command import open_predictor
    from bs_client.predict.outcome import count_verdicts, write_results
    from bs_client.predict.studies import Wanted, predict_studies, prepare_folder

    if (seg or gsps) and not dicom:
        raise typer.BadParameter("goes with --dicom", param_hint="--seg" if seg else "--gsps")
    outcomes = []
    with explained():
        predictor = open_predictor(
            model,
            folder,
            site=None if site is None else SiteFolder(site),
            key_file=key,
            backbone_file=backbone,
            wanted=Wanted(maps=maps, dicom=dicom, seg=seg, gsps=gsps),
        )
        prepare_folder(folder, scans)
        with progress_bar() as bar:
            task = bar.add_task("scans", total=None)
            for outcome in predict_studies(
                scans,
                predictor,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            ):
                outcomes.append(outcome)
                if as_json:
                    print(outcome.to_json(), flush=True)
                elif outcome.case is not None:
                    out.print(outcome.line(), soft_wrap=True)
        table = write_results(folder, outcomes)
    if not as_json:
        counts = ", ".join(f"{code} {n}" for code, n in count_verdicts(outcomes).items())
        out.print(f"{counts or 'Nothing found'}. Table: {table}", soft_wrap=True)
    if not any(outcome.accepted for outcome in outcomes):
        raise typer.Exit(1)
