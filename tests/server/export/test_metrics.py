"""`metrics.json` and its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from bs_common.metrics import wilson
from bs_server.export.measures import Measure
from bs_server.export.metrics import collect_metrics, metrics_json, metrics_schema
from bs_server.results.summary import Summary

Changed = Callable[..., Summary]
DIGEST = "c" * 64


def written(summary: Summary) -> dict[str, Any]:
    content = json.loads(metrics_json(collect_metrics(summary, summary_sha256=DIGEST)))
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def metrics(summary: Summary) -> dict[str, Any]:
    return written(summary)


@pytest.fixture(scope="module")
def measures(metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = metrics["measures"]
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(metrics_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_file_fits_its_schema(
    metrics: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(metrics)


@pytest.mark.parametrize(
    "spoiled",
    [
        {"value": "high"},
        {"value": None},
        {"reason": "small_cell"},
        {"n": -1},
        {"p": 0.1},
    ],
)
def test_the_schema_refuses_a_measure_of_another_form(
    metrics: dict[str, Any], validator: jsonschema.Draft202012Validator, spoiled: dict[str, Any]
) -> None:
    sound = metrics["measures"]["external.namur.auc"]

    assert not list(validator.iter_errors(metrics | {"measures": {"external.a.auc": sound}}))
    measures = {"external.a.auc": sound | spoiled}
    assert list(validator.iter_errors(metrics | {"measures": measures}))


def test_the_schema_refuses_another_version_and_other_names(
    metrics: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    sound = metrics["measures"]["external.namur.auc"]

    assert list(validator.iter_errors(metrics | {"schema_version": 2}))
    assert list(validator.iter_errors(metrics | {"measures": {"External AUC": sound}}))


def test_every_measure_has_the_same_six_entries(measures: dict[str, dict[str, Any]]) -> None:
    entries = {"value", "low", "high", "method", "n", "reason"}

    assert len(measures) > 100
    assert all(set(measure) == entries for measure in measures.values())


def test_a_sensitivity_rests_on_the_scans_with_metastasis(
    summary: Summary, measures: dict[str, dict[str, Any]]
) -> None:
    namur = summary.external_sites[0]
    assert namur.tp is not None
    assert namur.fn is not None
    scans = namur.tp + namur.fn

    found = measures["external.namur.sensitivity"]

    assert found["n"] == scans
    assert found["value"] == namur.tp / scans
    assert (found["low"], found["high"]) == pytest.approx(wilson(namur.tp, scans))
    assert found["method"] == "Wilson score interval"


def test_each_site_and_all_of_them_pooled_are_named(
    summary: Summary, measures: dict[str, dict[str, Any]]
) -> None:
    aucs = {name: one["value"] for name, one in measures.items() if name.endswith(".auc")}

    assert summary.external is not None
    assert aucs["external.pooled.auc"] == summary.external.auc
    assert {"external.namur.auc", "external.nancy.auc", "validation.round-1.auc"} <= set(aucs)


def test_what_a_site_hides_is_null_with_its_reason(measures: dict[str, dict[str, Any]]) -> None:
    found = measures["cohort.aachen.validation.metastasis"]

    assert found["value"] is None
    assert found["n"] is None
    assert found["reason"] == "small_cell"


def test_a_hidden_subgroup_tells_no_number(
    summary: Summary, measures: dict[str, dict[str, Any]]
) -> None:
    nancy = summary.external_sites[1]
    hidden = [
        (group, f"external.nancy.subgroup.{group.variable}.{group.level}.sensitivity")
        for group in nancy.subgroups
        if group.tp is None
    ]

    assert hidden
    for _, name in hidden:
        assert (measures[name]["value"], measures[name]["n"]) == (None, None)
        assert measures[name]["reason"] == "small_cell"


def test_a_rate_of_nobody_is_undefined_and_not_hidden(
    measures: dict[str, dict[str, Any]],
) -> None:
    # Only scans with metastasis have lesions, so no specificity is theirs.
    found = measures["external.namur.subgroup.lesions.3-to-9.specificity"]

    assert (found["value"], found["n"], found["reason"]) == (None, 0, "undefined")


def test_a_hidden_external_result_stays_hidden(changed: Changed, summary: Summary) -> None:
    answer = summary.external_sites[0].model_dump()
    names = ("auc", "auc_ci", "auc_bootstrap_ci", "tp", "fn", "roc", "scores", "calibration")
    answer |= dict.fromkeys(names)
    answer["rates"] = {}
    rates = dict.fromkeys(("rates.tpr", "rates.f1"), "small_cell")
    answer["hidden"] |= dict.fromkeys(names, "small_cell") | rates

    found = written(changed(external=answer, external_sites=[]))["measures"]

    for name in ("auc", "auc_bootstrap", "tp", "sensitivity", "f1"):
        assert found[f"external.namur.{name}"]["value"] is None
        assert found[f"external.namur.{name}"]["n"] is None
        assert found[f"external.namur.{name}"]["reason"] == "small_cell"


def test_a_study_without_an_external_result_has_the_others(changed: Changed) -> None:
    found = written(changed(external=None, external_sites=[]))["measures"]

    assert not [name for name in found if name.startswith("external.")]
    assert found["validation.round-1.loss"]["value"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "fields",
    [
        {"value": None},
        {"value": 0.5, "reason": "small_cell"},
        {"value": 0.5, "low": 0.4},
        {"value": None, "low": 0.1, "high": 0.2, "reason": "small_cell"},
    ],
)
def test_a_measure_is_known_or_says_why_not(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a value or a reason|an interval"):
        Measure.model_validate({"method": "count"} | fields)
