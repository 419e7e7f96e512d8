"""The study file and the study's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from bs_common.errors import ConfigError
from bs_common.settings import StudySettings
from bs_common.toml import write_toml
from bs_server.config import Deadlines, ServerSettings, StudyFile, StudyFolder

EVERY_SETTING = StudyFile(
    study=StudySettings(
        name="every-setting",
        seed=2**63 - 1,
        backbone='file:/data/"weights"\\v1 \u00e4.h5',
        trainable="block5",
        view_height=256,
        view_width=128,
        rounds=10_000,
        local_epochs=3,
        local_steps=200,
        batch_size=8,
        learning_rate=1e-05,
        threshold=0.1 + 0.2,
        validation_fraction=0.25,
    ),
    server=ServerSettings(host="::", port=443, address="[2001:db8::1]:443"),
    deadlines=Deadlines(sites_s=0.5, answer_s=1e6),
)


@pytest.mark.parametrize(
    "file",
    [
        EVERY_SETTING,
        StudyFile(study=StudySettings(name="a"), server=ServerSettings(address="b:1")),
    ],
)
def test_the_study_file_is_read_as_it_was_written(tmp_path: Path, file: StudyFile) -> None:
    folder = StudyFolder(tmp_path)

    write_toml(folder.study_file, file)

    assert folder.read() == file
    assert folder.read().study.digest() == file.study.digest()


def test_a_folder_without_a_study_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no study\.toml") as refused:
        StudyFolder(tmp_path).read()
    assert "bs-server init" in refused.value.remedy


def test_every_fault_of_the_study_file_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(
        '[study]\nname = "a"\nround = 3\nbatch_size = 0\n'
        '[server]\naddress = "no port"\nport = 70000\n'
        "[deadlines]\nanswer_s = -1\n"
    )

    with pytest.raises(ConfigError) as refused:
        StudyFolder(tmp_path).read()
    for name in ("study.round", "study.batch_size", "server.address", "server.port"):
        assert f"{name}:" in str(refused.value)
    assert "deadlines.answer_s:" in str(refused.value)


@pytest.mark.parametrize("forever", ["inf", "nan", "0"])
def test_a_deadline_that_never_or_always_passes_is_refused(tmp_path: Path, forever: str) -> None:
    (tmp_path / "study.toml").write_text(
        f'[study]\nname = "a"\n[server]\naddress = "b:1"\n[deadlines]\nanswer_s = {forever}\n'
    )

    with pytest.raises(ConfigError, match=r"deadlines\.answer_s"):
        StudyFolder(tmp_path).read()


def test_everything_of_a_study_lies_in_its_folder(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    places = [getattr(folder, n) for n, v in vars(StudyFolder).items() if isinstance(v, property)]

    assert len(places) >= 8
    assert len({*places}) == len(places)
    assert all(place.parent == tmp_path for place in places)
