"""The model's result on each study, taken from files that other commands wrote.

`bs-client predict` writes `results.csv` and pictures that carry no label: readers may see these.
The external evaluation writes `scores.csv` and `cases.csv`; its pictures say whether the model was
right, so that only its probabilities are taken, for the comparison after the study.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from bs_client.dicom.study import ACCEPTED
from bs_client.evaluation.inference_time import INFERENCE_TIME, InferenceTime
from bs_client.explain.overlay import BAR_WIDTH_IN, CAPTION_HEIGHT_IN, DOTS_PER_INCH
from bs_client.predict.outcome import RESULTS
from bs_client.predict.picture import STRIP_ROWS
from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_common.joining import read_document

_HEADING_ROWS = round(CAPTION_HEIGHT_IN * DOTS_PER_INCH) - 22  # the views' names stay
_GAP_COLUMNS = 5  # between two views


@dataclass(frozen=True, slots=True)
class ModelResult:
    """What the model said of one study.

    map_picture : overlay without a label, or None.
    """

    probability: float
    threshold: float
    map_picture: Path | None


def read_model_results(folder: Path, *, threshold: float = 0.5) -> Mapping[str, ModelResult]:
    """Read a results folder of `bs-client predict` or of the external evaluation, by study UID.

    threshold : of an external evaluation, whose tables do not state it; where its calls were made
        from another one, chosen on validation scans, one that gives the same calls is taken.

    Raises
    ------
    ConfigError
        The folder holds neither kind of table, or one that cannot be read.
    """
    try:
        if (folder / RESULTS).exists():
            return _of_predict(folder)
        if (folder / "scores.csv").exists() and (folder / "cases.csv").exists():
            return _of_evaluation(folder, threshold)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"{folder}: a table of results cannot be read ({type(error).__name__})",
            remedy="Run `bs-client predict` again and give its --out folder.",
        ) from error
    raise ConfigError(
        f"{folder}: no results of a model.",
        remedy="Give the --out folder of `bs-client predict`, or the site's private folder.",
    )


def _of_predict(folder: Path) -> dict[str, ModelResult]:
    return {
        row["study_uid"]: ModelResult(
            probability=float(row["probability"]),
            threshold=float(row["threshold"]),
            map_picture=folder / Path(row["overlay"]).name if row["overlay"] else None,
        )
        for row in _rows(folder / RESULTS)
        if row["verdict"] == ACCEPTED
    }


def _of_evaluation(folder: Path, threshold: float) -> dict[str, ModelResult]:
    study_by_case = {row["case"]: row["study"] for row in _rows(folder / "cases.csv")}
    rows = _rows(folder / "scores.csv")
    called = {row["case"]: row["called_metastasis"] == "1" for row in rows}
    probabilities = {row["case"]: float(row["probability"]) for row in rows}
    if any((probabilities[case] >= threshold) != call for case, call in called.items()):
        threshold = min((probabilities[case] for case in called if called[case]), default=1.0)
    return {
        study_by_case[case]: ModelResult(probability, threshold, None)
        for case, probability in probabilities.items()
    }


def find_model_time(folder: Path) -> InferenceTime | None:
    """Give how long the model takes for a scan, where the external evaluation measured it."""
    path = folder / INFERENCE_TIME
    return read_document(path, InferenceTime) if path.exists() else None


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def copy_map(source: Path, target: Path) -> None:
    """Copy the two views with the map and their scale from an overlay of `predict` (0600).

    The views as acquired are on the page already; the heading numbers the case as `predict` did,
    while readers know it by another code; what the strip below says, the page says.
    """
    with Image.open(source) as picture:
        columns, rows = picture.size
        middle = (columns - round(BAR_WIDTH_IN * DOTS_PER_INCH)) // 2 + _GAP_COLUMNS
        cut = picture.crop((middle, _HEADING_ROWS, columns, rows - STRIP_ROWS))
        content = io.BytesIO()
        cut.save(content, format="png")
    write_atomic(target, content.getvalue(), mode=0o600)
