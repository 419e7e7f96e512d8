"""The demo's settings and its folder; the whole of it runs in `deploy/demo`."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from bs_common.errors import ConfigError
from bs_common.profiles import differences_from_paper
from bs_server.demo import SITES, DemoOptions, demo_settings, run_demo


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("years of work")
    options = DemoOptions(folder=tmp_path, rounds=1, seed=0)

    with pytest.raises(ConfigError, match="was not made by the demo"):
        run_demo(options, Console(quiet=True))
    assert (tmp_path / "thesis.odt").read_text() == "years of work"


def test_the_demo_tells_that_its_backbone_is_random() -> None:
    settings = demo_settings(DemoOptions(folder=Path(), rounds=4, seed=7))

    assert "backbone = random:1 (paper: imagenet)" in differences_from_paper(settings)
    assert (settings.rounds, settings.seed) == (4, 7)


def test_the_demo_has_the_papers_hospitals_in_their_roles() -> None:
    roles = {site.name: site.role for site in SITES}

    assert roles == {"aachen": "train", "aalborg": "train", "namur": "evaluate"}


def test_training_sites_have_no_external_scans_and_the_judge_no_others() -> None:
    for site in SITES:
        trains = any((*site.train, *site.validation))
        assert trains is (site.role == "train")
        assert any(site.external) is (site.role == "evaluate")
