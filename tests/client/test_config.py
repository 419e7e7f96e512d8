"""The site file and the site's folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from bs_client.config import Compute, DataSettings, Policy, SiteFile, SiteFolder
from bs_client.dicom.settings import IngestSettings
from bs_common.errors import ConfigError
from bs_common.toml import write_toml

ODD = Path('/data/"whole" body\\scans \u00e4\u03a9 # [1]')
EVERY_SETTING = SiteFile(
    data=DataSettings(scans=ODD, labels=ODD / "labels.csv"),
    policy=Policy(min_cell=1000),
    compute=Compute(threads=256, backbone_file=ODD / "vgg16.h5"),
    ingest=IngestSettings(**dict.fromkeys(IngestSettings.model_fields, True)),
)
DEFAULTS = SiteFile(data=DataSettings(scans=Path("a"), labels=Path("b")))


@pytest.mark.parametrize("file", [EVERY_SETTING, DEFAULTS])
def test_the_site_file_is_read_as_it_was_written(tmp_path: Path, file: SiteFile) -> None:
    folder = SiteFolder(tmp_path)

    write_toml(folder.site_file, file)

    assert folder.read() == file


def test_small_counts_are_hidden_and_doubtful_scans_refused_unless_the_site_says_so() -> None:
    assert DEFAULTS.policy.min_cell == 5
    assert not any(DEFAULTS.ingest.model_dump().values())


@pytest.mark.parametrize("min_cell", [0, -1, 1001, 5.0, True, "5"])
def test_a_smallest_count_out_of_range_or_of_another_type_is_refused(min_cell: object) -> None:
    with pytest.raises(ValidationError):
        Policy(min_cell=min_cell)  # type: ignore[arg-type]


def test_every_fault_of_the_site_file_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(
        '[data]\nscans = "a"\n[policy]\nmin_cel = 3\nmin_cell = 0\n[compute]\nthreads = "all"\n'
    )

    with pytest.raises(ConfigError) as refused:
        SiteFolder(tmp_path).read()
    for name in ("data.labels", "policy.min_cel", "policy.min_cell", "compute.threads"):
        assert f"{name}:" in str(refused.value)


def test_a_folder_that_has_not_joined_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no site\.toml") as refused:
        SiteFolder(tmp_path).read()
    assert "bs-client join" in refused.value.remedy


def test_everything_of_a_site_lies_in_its_folder(tmp_path: Path) -> None:
    folder = SiteFolder(tmp_path)
    places = [getattr(folder, n) for n, v in vars(SiteFolder).items() if isinstance(v, property)]

    assert len(places) >= 6
    assert len({*places}) == len(places)
    assert all(place.parent == tmp_path for place in places)
