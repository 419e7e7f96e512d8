"""A reader study in its site's folder: shown in the report, and kept for the coordinator."""

from __future__ import annotations

from pathlib import Path

import pytest

from bs_client.config import SiteFolder
from bs_client.explain.gallery import READERS_BEGIN, READERS_END, put_readers
from bs_client.reader.aggregates import Aggregates
from bs_client.reader.report import analyse_study
from bs_client.reader.site_report import put_into_site, show_readers, site_of
from bs_common.errors import ConfigError
from bs_common.joining import read_document
from support.reading_visitors import MakeStudy, Study

PAGE = f"<body>\n<h2>Maps</h2>\n{READERS_BEGIN}{READERS_END}\n<h2>Cases</h2>\n</body>"
PAGES = {"index.html": b"page", "section.html": b"<section>readers</section>\n"}


def aggregates(study: str = "trial", digit: str = "0") -> Aggregates:
    return Aggregates(
        study=study, protocol_sha256=digit * 64, metrics={"readers": 2}, model_device=""
    )


def make_site(path: Path, page: str | None = PAGE) -> SiteFolder:
    site = SiteFolder(path)
    site.private.mkdir(parents=True)
    site.site_file.touch()
    if page is not None:
        (site.private / "index.html").write_text(page)
    return site


def read_all(study: Study, *readers: str) -> None:
    for name in readers:
        study.reader(name).read_all(lambda code: (int(code[1:]), True, ""))


def test_a_section_takes_the_place_of_an_earlier_one_and_nothing_else_changes() -> None:
    once = put_readers(PAGE, "<section>first</section>\n")
    twice = put_readers(once, "<section>second</section>\n")

    assert "first" in once
    assert "first" not in twice
    assert twice == once.replace("first", "second")
    assert once.replace("\n<section>first</section>\n", "") == PAGE


def test_a_page_of_an_earlier_release_gets_the_section_at_its_end() -> None:
    page = put_readers("<body><h2>Cases</h2>\n</body>", "<section>readers</section>\n")

    assert page.index("Cases") < page.index("readers") < page.index("</body>")


def test_a_later_judgement_shows_the_readers_again(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    put_into_site(site, PAGES, aggregates(), finished=True)
    (site.private / "index.html").write_text(PAGE)  # as a judgement leaves it

    show_readers(site)

    assert "<section>readers</section>" in (site.private / "index.html").read_text()


def test_readers_who_are_analysed_before_the_judgement_wait_for_its_page(tmp_path: Path) -> None:
    site = make_site(tmp_path, page=None)

    put_into_site(site, PAGES, aggregates(), finished=True)

    assert not (site.private / "index.html").exists()
    assert (site.readers / "section.html").exists()


def test_another_reader_study_does_not_replace_a_finished_one(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    put_into_site(site, PAGES, aggregates(), finished=True)

    with pytest.raises(ConfigError, match="holds the analysis of the reader study 'trial'"):
        put_into_site(site, PAGES, aggregates("other", "1"), finished=True)

    assert read_document(site.readers / "aggregates.json", Aggregates).study == "trial"


def test_everything_in_the_sites_folder_is_its_owners_alone(tmp_path: Path) -> None:
    site = make_site(tmp_path)

    put_into_site(site, PAGES, aggregates(), finished=True)

    paths = [site.readers, site.private / "index.html", *site.readers.iterdir()]
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}


def test_nothing_is_kept_for_the_coordinator_before_every_reader_has_finished(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    study, site = make_study(with_model=True), make_site(tmp_path / "site")
    read_all(study, "R1")

    analyse_study(study.opened, unfinished=True).show_at(site)
    before = (site.readers / "aggregates.json").exists()
    read_all(study, "R2")
    analyse_study(study.opened, unfinished=False).show_at(site)

    assert not before
    found = read_document(site.readers / "aggregates.json", Aggregates)
    assert found.metrics["readers"] == 2
    assert "1 of 2 readers" not in (site.private / "index.html").read_text()


def test_a_site_that_has_moved_is_asked_for(tmp_path: Path) -> None:
    note = tmp_path / "site.txt"
    assert site_of(note, None) is None
    note.write_text(f"{tmp_path / 'gone'}\n")

    with pytest.raises(ConfigError, match="is not a site's folder"):
        site_of(note, None)

    assert site_of(note, make_site(tmp_path / "here").path) == SiteFolder(tmp_path / "here")
