"""Telling what a study is doing."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from bs_server.progress import LinesProgress, RichProgress, describe_event, describe_round

ROUND: dict[str, Any] = {
    "round": 2,
    "rounds": 3,
    "pooled_auc": 0.91234,
    "validation_loss": 0.5,
    "seconds": 1.5,
}


def test_each_event_is_one_line_of_json() -> None:
    stream = StringIO()
    progress = LinesProgress(stream)

    progress("waiting", online=["aachen"], missing=["nam\nur"])
    progress("round", **ROUND)

    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first == {"event": "waiting", "online": ["aachen"], "missing": ["nam\nur"]}
    assert second == {"event": "round", **ROUND}


def test_a_round_is_told_with_its_figures() -> None:
    assert describe_round(ROUND) == "round   2: validation AUC 0.912, loss 0.5000"


def test_an_unknown_auc_is_told_as_such() -> None:
    assert "AUC not known" in describe_round(ROUND | {"pooled_auc": None})


@pytest.mark.parametrize(
    ("event", "facts", "line"),
    [
        ("serving", {"port": 8443}, "listening on port 8443"),
        ("waiting", {"missing": ["aachen", "namur"]}, "waiting for: aachen, namur"),
        ("connected", {"online": ["aachen"]}, "connected: aachen"),
        ("trained", {"site": "aachen", "round": 1}, None),
    ],
)
def test_an_event_is_told_in_one_line_or_not_at_all(
    event: str, facts: dict[str, object], line: str | None
) -> None:
    assert describe_event(event, facts) == line


def test_people_see_events_and_rounds_on_their_screen() -> None:
    stream = StringIO()
    progress = RichProgress(Console(file=stream, width=100))

    progress("serving", port=8443)
    progress("round", **ROUND)
    progress("round", **ROUND | {"round": 3})
    progress("external", round=3, sites=["namur"])
    progress("finished", report="r", summary="s")

    shown = stream.getvalue()
    assert "listening on port 8443" in shown
    assert "round   3: validation AUC 0.912" in shown
    assert "external evaluation of round 3 at namur" in shown
