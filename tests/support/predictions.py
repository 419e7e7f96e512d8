"""Results as `bs-client predict` writes them, made without a network: the maps are white."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from bs_client.data.labels import read_labels
from bs_client.explain.overlay import overlay_name
from bs_client.predict.outcome import Outcome, write_results

SIZE = (1295, 904)  # as an overlay of a whole-body scan


def write_predictions(folder: Path, labels: Path) -> None:
    """Write `results.csv` and a picture for every labelled study; positives above 0.5."""
    outcomes = []
    for case, row in enumerate(read_labels(labels).rows, start=1):
        Image.new("RGB", SIZE, "white").save(folder / overlay_name(case))
        step = 0.4 * case / (case + 10)
        outcomes.append(
            Outcome(
                case=case,
                study_uid=row.study_uid or "",
                files=(),
                verdict="accepted",
                threshold=0.5,
                probability=0.5625 + step if row.label else 0.4375 - step,
                overlay=overlay_name(case),
            )
        )
    write_results(folder, outcomes)
