"""The settings of a study and their digest."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bs_common.settings import StudySettings

# Another valid value of every field.
OTHER: dict[str, Any] = {
    "name": "other",
    "seed": 1,
    "backbone": "random:1",
    "trainable": "head",
    "view_height": 256,
    "view_width": 128,
    "preprocessing": "robust",
    "rounds": 7,
    "local_epochs": 2,
    "local_steps": 200,
    "batch_size": 8,
    "learning_rate": 1e-3,
    "threshold": 0.4,
    "threshold_rule": "sensitivity:0.9",
    "bootstrap_resamples": 100,
    "validation_fraction": 0.2,
    "min_cell": 10,
    "compare_local": True,
}


def test_every_field_is_tried() -> None:
    assert set(OTHER) == set(StudySettings.model_fields)


@pytest.mark.parametrize("field", OTHER)
def test_the_digest_changes_with_each_field(field: str) -> None:
    default = StudySettings(name="bone-scan")
    values: dict[str, Any] = {"name": "bone-scan", field: OTHER[field]}

    assert StudySettings(**values).digest() != default.digest()


def test_the_digest_does_not_change_on_the_way_through_json() -> None:
    settings = StudySettings(**OTHER)

    again = StudySettings.model_validate_json(settings.model_dump_json())

    assert again.digest() == settings.digest()


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        StudySettings(name="Bad Name", rounds=0, treshold=0.5)  # type: ignore[call-arg]

    places = {fault["loc"] for fault in refused.value.errors()}
    assert places == {("name",), ("rounds",), ("treshold",)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("seed", True),
        ("seed", 1.0),
        ("backbone", "https://example.org/weights"),
        ("backbone", "random:x"),
        ("backbone", "file:"),
        ("trainable", "head "),
        ("view_height", 500),
        ("view_width", 0),
        ("rounds", "6"),
        ("local_steps", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("threshold", 1.0),
        ("threshold", float("nan")),
        ("validation_fraction", 0.5),
    ],
)
def test_a_value_out_of_range_or_of_another_type_is_refused(field: str, value: object) -> None:
    values: dict[str, Any] = {"name": "bone-scan", field: value}

    with pytest.raises(ValidationError):
        StudySettings(**values)


@pytest.mark.parametrize(
    "name", ["", "Aachen", "1st", "a b", "../a", "a/b", "a\n", "a" * 33, "\u00e4"]
)
def test_a_name_that_is_no_plain_word_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        StudySettings(name=name)


def test_settings_cannot_be_changed_after_they_were_agreed_to() -> None:
    settings = StudySettings(name="bone-scan")

    with pytest.raises(ValidationError):
        settings.rounds = 7
