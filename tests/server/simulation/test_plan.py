from __future__ import annotations

from pathlib import Path

import pytest

from bs_common.errors import ConfigError
from bs_server.simulation.plan import comparators, read_simulation

STUDY = '[study]\nname = "bones"\nbackbone = "random:1"\ntrainable = "head"\n'


def site(name: str, role: str) -> str:
    return f'[sites.{name}]\nrole = "{role}"\nscans = "{name}"\nlabels = "{name}.csv"\n'


def write(root: Path, text: str, *names: str) -> Path:
    for name in names:
        (root / name).mkdir()
        (root / f"{name}.csv").touch()
    path = root / "simulation.toml"
    path.write_text(text)
    return path


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    text = STUDY + site("aachen", "train") + site("namur", "evaluate")

    file = read_simulation(write(tmp_path, text, "aachen", "namur"))

    aachen, namur = file.data()
    assert (aachen.scans, aachen.labels) == (tmp_path / "aachen", tmp_path / "aachen.csv")
    assert (aachen.role, namur.role) == ("train", "evaluate")
    assert file.machine(tmp_path).threads == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (STUDY + site("aachen", "train"), "no site has the role evaluate"),
        (STUDY + site("namur", "evaluate"), "no site has the role train"),
        (
            STUDY + site("centralised", "train") + site("namur", "evaluate"),
            "no site may be called centralised",
        ),
        (STUDY + site("aachen", "trains") + site("namur", "evaluate"), "aachen.role"),
        ("[study]\n", "study.name"),
    ],
)
def test_a_fault_of_the_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text, "aachen", "namur", "centralised")

    with pytest.raises(ConfigError, match=says):
        read_simulation(path)


def test_a_missing_folder_or_file_is_named_with_its_site(tmp_path: Path) -> None:
    text = STUDY + site("aachen", "train") + site("namur", "evaluate")
    path = write(tmp_path, text, "aachen")

    with pytest.raises(ConfigError, match=r"namur: .* is not a folder of scans"):
        read_simulation(path)
    with pytest.raises(ConfigError, match="no such file"):
        read_simulation(tmp_path / "other.toml")


def test_the_local_studies_have_one_site_each_and_the_centralised_one_has_all() -> None:
    found = {one.name: dict(one.sites) for one in comparators(("aachen", "aalborg"))}

    assert found == {
        "federated": {"aachen": ("aachen",), "aalborg": ("aalborg",)},
        "local-aachen": {"aachen": ("aachen",)},
        "local-aalborg": {"aalborg": ("aalborg",)},
        "centralised": {"centralised": ("aachen", "aalborg")},
    }
