"""The wish to stop or pause."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from bs_server.oversight.control import Control, StopRequested, Wish, read_wish, write_wish


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_wish_the_study_runs(tmp_path: Path) -> None:
    control = Control(tmp_path / "control.json")

    control.check()
    assert control.wish is Wish.RUN


def test_a_signal_stops_at_the_next_look(tmp_path: Path) -> None:
    stop = Event()
    control = Control(tmp_path / "control.json", stop)
    stop.set()

    with pytest.raises(StopRequested):
        control.check()


def test_a_wish_on_disk_is_seen_soon_and_not_looked_up_each_time(tmp_path: Path) -> None:
    clock = Clock()
    control = Control(tmp_path / "control.json", clock=clock)
    control.check()
    write_wish(tmp_path / "control.json", Wish.STOP)

    control.check()
    clock.now = 1.0
    with pytest.raises(StopRequested):
        control.check()


def test_a_pause_does_not_stop(tmp_path: Path) -> None:
    write_wish(tmp_path / "control.json", Wish.PAUSE)
    control = Control(tmp_path / "control.json")

    control.check()
    assert control.wish is Wish.PAUSE


def test_a_stop_is_for_the_run_before_and_a_pause_stays(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    write_wish(path, Wish.STOP)
    Control(path).check()
    assert read_wish(path) is Wish.RUN

    write_wish(path, Wish.PAUSE)
    Control(path)
    assert read_wish(path) is Wish.PAUSE


def test_a_damaged_wish_means_to_run(tmp_path: Path) -> None:
    (tmp_path / "control.json").write_text("{stop")

    Control(tmp_path / "control.json").check()
