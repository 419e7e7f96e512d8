"""The rounds as TensorBoard event files, for those who compare runs there.

MLflow is not written: its library is larger than this program, and its own file format changes.
``tables/rounds.csv`` has the same figures; `mlflow.log_metric` takes them row by row.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bs_common.errors import ConfigError
from bs_common.files import storing_in
from bs_server.results.summary import RoundSummary, Summary


def write_tensorboard(summary: Summary, folder: Path) -> Path:
    """Write every round's known figures as scalars, the round as step; give the run's folder.

    The run lies in a folder named after the study; one written before is replaced. A hidden figure
    has no point. Raises ConfigError where the `tensorboard` extra is not installed.
    """
    try:
        from tensorboardX import SummaryWriter  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ConfigError(
            "TensorBoard event files need the package tensorboardX, which is not installed.",
            remedy="uv pip install tensorboardX, or install bs-server with the extra: "
            "bs-server[tensorboard]. The same figures stand in tables/rounds.csv.",
        ) from error
    run = folder / summary.study
    with storing_in(folder):
        run.mkdir(parents=True, exist_ok=True)
        for old in run.glob("events.out.tfevents.*"):
            old.unlink()
        with SummaryWriter(str(run)) as writer:
            for entry in summary.rounds:
                for name, value in _scalars(entry):
                    writer.add_scalar(name, value, entry.round)
    return run


def _scalars(entry: RoundSummary) -> Iterator[tuple[str, float]]:
    named = {
        "validation/pooled_auc": entry.pooled_auc,
        "validation/pooled_auc_bound": entry.pooled_auc_bound,
        "validation/loss": entry.validation_loss,
        "time/seconds": entry.seconds,
    }
    for site in entry.sites:
        named |= {
            f"train/loss/{site.name}": site.loss,
            f"train/accuracy/{site.name}": site.accuracy,
        }
    yield from ((name, value) for name, value in named.items() if value is not None)
