"""The command that shows what federation gained each site."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_server.cli.shell import HERE, StudyDir, explained, out
from bs_server.config import StudyFolder
from bs_server.report.comparison import ComparisonView, comparison_csv, comparison_view
from bs_server.results.comparison import Comparison
from bs_server.results.summary import Summary, read_summary


def compare(
    study_dir: StudyDir = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="The rows as JSON.")] = False,
) -> None:
    """Show the federated model beside those of single sites, and write the table as CSV."""
    with explained():
        folder = StudyFolder(study_dir)
        found = _comparison_of(read_summary(folder.summary))
        write_atomic(folder.comparison, comparison_csv(found).encode())
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    view = comparison_view(found)
    if view is not None:
        out.print(_table(view))
        for sentence in (view.lead, *view.absent):
            out.print(sentence, soft_wrap=True)
    out.print(f"Table: {folder.comparison}", soft_wrap=True)


def _comparison_of(summary: Summary) -> Comparison:
    """Give the study's comparison, or raise ConfigError with how to get one."""
    if summary.comparison is not None:
        return summary.comparison
    raise ConfigError(
        f"Study {summary.study} trained no models to compare with.",
        remedy="Set compare_local = true under [study] before inviting the sites, who approve it: "
        "a study that has begun keeps its own. A train site lets its model out with release_local "
        "= true under [policy] in its site.toml; an evaluate site judges as many models as its "
        "external_models says, the study's own among them.",
    )


def _table(view: ComparisonView) -> Table:
    table = Table(box=None, pad_edge=False)  # two lines a model: it fits on 80 columns
    table.add_column("model")
    shown = {"judged by": view.has_sites, "seed": view.has_seeds}
    numbers = ("AUC\n95 % CI", "federated minus\nit, 95 % CI", "p", "sens.", "spec.")
    for name in (*(name for name, wanted in shown.items() if wanted), *numbers):
        table.add_column(name, justify="right")
    for line in view.lines:
        where = [line.evaluate_site] if view.has_sites else []
        where += [line.seed] if view.has_seeds else []
        figures = (
            f"{line.auc}\n{line.auc_interval}",
            f"{line.difference}\n{line.difference_interval}",
            *(line.p, line.sensitivity, line.specificity),
        )
        table.add_row(line.model, *where, *figures)
    return table
