"""What is remembered of a study beside its rounds."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from bs_common.errors import StudyStopped, TrustError
from bs_common.settings import StudySettings
from bs_server.config import Deadlines, ServerSettings, StudyFile, StudyFolder
from bs_server.storage.history import History, open_history
from support.fake_site import TIME

FILE = StudyFile(study=StudySettings(name="a"), server=ServerSettings(address="b:1"))


def opened(folder: Path, file: StudyFile = FILE, *, hours: int = 0) -> History:
    return open_history(StudyFolder(folder), file, lambda: TIME + datetime.timedelta(hours=hours))


def test_the_first_start_stays_the_start(tmp_path: Path) -> None:
    opened(tmp_path)

    assert opened(tmp_path, hours=5).file.started == TIME


def test_notes_and_goodbyes_outlive_the_process(tmp_path: Path) -> None:
    history = opened(tmp_path)
    history.note("round 3 was damaged")
    history.dismiss("aachen")
    history.dismiss("aachen")

    again = opened(tmp_path).file
    assert again.notes == ["2026-01-02T03:04:05+00:00: round 3 was damaged"]
    assert again.dismissed == ["aachen"]


def test_settings_changed_on_the_way_stop_the_study(tmp_path: Path) -> None:
    opened(tmp_path)
    changed = FILE.model_copy(update={"study": StudySettings(name="a", rounds=7)})

    with pytest.raises(StudyStopped, match="not those this study began with"):
        opened(tmp_path, changed)


def test_deadlines_may_change_on_the_way(tmp_path: Path) -> None:
    opened(tmp_path)

    opened(tmp_path, FILE.model_copy(update={"deadlines": Deadlines(answer_s=1)}))


@pytest.mark.parametrize("content", ["", "{}", '{"version": 2}'])
def test_a_history_that_cannot_be_read_is_not_begun_anew_in_silence(
    tmp_path: Path, content: str
) -> None:
    StudyFolder(tmp_path).history.write_text(content)

    with pytest.raises(TrustError) as refused:
        opened(tmp_path)
    assert "backup" in refused.value.remedy
