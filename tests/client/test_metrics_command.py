"""`bs-client metrics`: the figures of four counts."""

from __future__ import annotations

import json
import subprocess
import sys

from typer.testing import CliRunner

from bs_client.cli import app

PAPER = ("--tp", "338", "--fn", "73", "--tn", "472", "--fp", "115")


def test_each_measure_has_its_value_and_its_interval() -> None:
    result = CliRunner().invoke(app, ["metrics", *PAPER, "--json"])

    found = json.loads(result.stdout)
    assert list(found) == [
        "sensitivity",
        "specificity",
        "ppv",
        "npv",
        "accuracy",
        "balanced_accuracy",
        "f1",
    ]
    assert all(set(measure) == {"value", "low", "high"} for measure in found.values())
    assert all(m["low"] < m["value"] < m["high"] for m in found.values())
    assert found["sensitivity"]["value"] == 338 / 411
    assert found["specificity"]["value"] == 472 / 587


def test_a_person_sees_a_table() -> None:
    result = CliRunner().invoke(app, ["metrics", *PAPER])

    assert "sensitivity" in result.stdout
    assert "0.7825 to 0.8563" in result.stdout


def test_figures_of_nobody_are_null() -> None:
    result = CliRunner().invoke(
        app, ["metrics", "--tp", "0", "--fn", "0", "--tn", "9", "--fp", "1", "--json"]
    )

    assert json.loads(result.stdout)["sensitivity"] == {"value": None, "low": None, "high": None}


def test_a_negative_count_is_a_usage_error() -> None:
    result = CliRunner().invoke(
        app, ["metrics", "--tp", "-1", "--fn", "0", "--tn", "9", "--fp", "1"]
    )

    assert result.exit_code == 2


def test_the_command_loads_no_network() -> None:
    program = (
        "import sys\nfrom bs_client.cli import app\n"
        f"app(['metrics', *{PAPER!r}, '--json'], standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
