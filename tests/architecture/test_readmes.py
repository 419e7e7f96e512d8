"""What the READMEs say about the tree is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("client", "common", "deploy", "server", "tests")
READMES = [ROOT / "README.md", *(ROOT / folder / "README.md" for folder in FOLDERS)]
SCREEN = 70  # lines
GENERATED = "<!-- codes"  # a table made from the code, at the end, is looked up and not read
SCREENS = {"server": 2}  # the second is the threat model


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.parent.name)
def test_every_link_in_a_readme_leads_to_a_file(readme: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", readme.read_text("utf-8"))

    missing = [
        target
        for target in targets
        if not target.startswith("https://") and not (readme.parent / target).exists()
    ]

    assert not missing


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_readme_fits_on_its_screens(folder: str) -> None:
    written, _, _ = (ROOT / folder / "README.md").read_text("utf-8").partition(GENERATED)
    lines = written.splitlines()

    assert 5 < len(lines) <= SCREENS.get(folder, 1) * SCREEN


@pytest.mark.parametrize("folder", ["client", "common", "server"])
def test_each_dependency_has_its_reason_in_the_readme(folder: str) -> None:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    requirements = [
        *project["dependencies"],
        *(line for lines in extras.values() for line in lines),
    ]
    declared = {re.split(r"[><=~!;\[ ]", line)[0] for line in requirements}

    readme = (ROOT / folder / "README.md").read_text("utf-8")
    _, _, reasons = readme.partition("## Why each dependency")
    reasons, _, _ = reasons.partition("\n## ")
    explained = set(re.findall(r"^\| `(\S+)` \| [\w`].+ \| \w.+ \|$", reasons, re.MULTILINE))

    assert explained == declared
