from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bs_common.errors import ConfigError
from bs_common.settings import StudySettings
from bs_server.results.summary import Summary, read_summary, write_summary

COUNTS = ("sent", "sent_bytes", "received", "received_bytes", "refused")
AUDIT = {
    "lines": 1,
    "head": "d" * 64,
    "traffic": [{"site": "namur", "kind": "train", **dict.fromkeys(COUNTS, 1)}],
    "refused_requests": {},
}


def _fields() -> dict[str, Any]:
    settings = StudySettings(name="small", backbone="random:1")
    site = {
        "name": "aachen",
        "role": "train",
        "key_sha256": "a" * 64,
        "device": "CPU",
        "versions": {"keras": "3.15.0"},
        "backbone_sha256": "b" * 64,
        "cohort": [{"split": "train", "metastasis": None, "no_metastasis": 66}],
        "refused": {"E_VIEW": 7},
        "min_cell": 5,
        "hidden": {"train.metastasis": "small_cell", "refused.E_FRAMES": "small_cell"},
    }
    reply = {"name": "aachen", "verdict": "accepted", "num_examples": 56, "loss": 0.1 + 0.2}
    round_ = {
        "round": 1,
        "pooled_auc": 0.75,
        "pooled_auc_bound": 0.01,
        "validation_loss": 0.4,
        "validation_examples": 12,
        "weights_sha256": "c" * 64,
        "seconds": 1.5,
        "sites": [reply | {"accuracy": 0.9}],
        "hidden": {},
    }
    external = {
        "site": "aachen",
        "round": 1,
        "auc": 0.9,
        "auc_ci": (0.85, 0.95),
        "auc_method": "DeLong",
        "tp": 8,
        "fn": None,
        "tn": 9,
        "fp": 1,
        "threshold": 0.5,
        "rates": {"fpr": {"value": 0.1, "low": 0.02, "high": 0.4}},
        "roc": {"fpr": [0.0, 1.0], "tpr": [0.0, 1.0]},
        "calibration": [{"low": 0.0, "high": 1.0, "count": 20, "positives": None}],
        "hidden": {"fn": "small_cell", "calibration.0.positives": "small_cell"},
    }
    return {
        "study": "small",
        "settings": settings.model_dump(),
        "settings_sha256": settings.digest(),
        "synthetic": True,
        "started": "2026-03-01T08:00:00Z",
        "finished": "2026-03-01T08:10:00+00:00",
        "differences": [],
        "sites": [site],
        "rounds": [round_],
        "best_round": 1,
        "chosen_by": "pooled_auc",
        "external": external,
        "versions": {"flwr": "1.41.0"},
        "weights_sha256": "c" * 64,
    }


def test_a_summary_read_back_is_the_one_written(tmp_path: Path) -> None:
    summary = Summary.model_validate(_fields())

    write_summary(tmp_path / "summary.json", summary)

    assert read_summary(tmp_path / "summary.json") == summary


def test_a_hidden_cell_is_null_in_the_file_and_its_reason_beside_it(tmp_path: Path) -> None:
    write_summary(tmp_path / "summary.json", Summary.model_validate(_fields()))

    site = json.loads((tmp_path / "summary.json").read_text())["sites"][0]

    assert site["cohort"][0]["metastasis"] is None
    assert site["hidden"]["train.metastasis"] == "small_cell"


@pytest.mark.parametrize(
    "where",
    [(), ("settings",), ("sites", 0), ("rounds", 0), ("rounds", 0, "sites", 0), ("external",)],
)
def test_an_unknown_key_is_refused_wherever_it_stands(where: tuple[str | int, ...]) -> None:
    fields = _fields()
    inner: Any = fields
    for step in where:
        inner = inner[step]
    inner["pooled_acu"] = 0.9

    with pytest.raises(ValidationError, match="pooled_acu"):
        Summary.model_validate(fields)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"synthetic": 1}, "valid boolean"),
        ({"settings_sha256": "abc"}, "pattern"),
        ({"started": "1 March 2026"}, "pattern"),
        ({"best_round": 4}, "best_round 4 is not among the rounds"),
        ({"weights_sha256": "d" * 64}, "not that of the best round"),
        ({"audit": AUDIT}, "not among the sites: namur"),
        ({"schema_version": 2}, "schema_version"),
    ],
)
def test_a_summary_that_contradicts_itself_is_refused(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Summary.model_validate(_fields() | change)


def test_a_hidden_cell_with_a_value_is_refused() -> None:
    fields = _fields()
    fields["external"]["tp"] = 3
    fields["external"]["hidden"]["tp"] = "small_cell"

    with pytest.raises(ValidationError, match="tp has a value"):
        Summary.model_validate(fields)


def test_hiding_a_cell_that_does_not_exist_is_refused() -> None:
    fields = _fields()
    fields["sites"][0]["hidden"] = {"trian.metastasis": "small_cell"}

    with pytest.raises(ValidationError, match=r"trian\.metastasis is not a cell"):
        Summary.model_validate(fields)


def test_a_curve_with_unpaired_points_is_refused() -> None:
    fields = _fields()
    fields["external"]["roc"] = {"fpr": [0.0, 0.5, 1.0], "tpr": [0.0, 1.0]}

    with pytest.raises(ValidationError, match="same length"):
        Summary.model_validate(fields)


def test_an_interval_with_one_end_is_refused() -> None:
    fields = _fields()
    fields["external"]["rates"]["fpr"]["high"] = None

    with pytest.raises(ValidationError, match="both ends or none"):
        Summary.model_validate(fields)


def test_a_file_with_two_faults_names_both(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(_fields() | {"best_round": "one", "study": 7}))

    with pytest.raises(ConfigError, match=r"study: .*best_round: ") as refusal:
        read_summary(path)
    assert refusal.value.remedy
