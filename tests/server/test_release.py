from __future__ import annotations

import datetime
import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bs_common.bundle import ModelBundle, read_bundle
from bs_common.errors import ConfigError, TrustError
from bs_common.joining import Invitation, read_document
from bs_common.keys import public_pem, read_private_key
from bs_common.settings import Role, StudySettings
from bs_common.signing import read_release_public_pem, release_fingerprint
from bs_common.toml import write_toml
from bs_common.weights import digest
from bs_server.cli import app
from bs_server.config import Deadlines, ServerSettings, StudyFile, StudyFolder
from bs_server.release import release_model
from bs_server.results.summary import Summary, read_summary, write_summary
from bs_server.storage.checkpoint import Checkpoints
from bs_server.study import Study, run_study
from bs_server.trust.authority import Authority, make_authority
from bs_server.trust.register import invite
from bs_server.trust.signed_register import Register, RegisteredSite
from support.fake_site import TIME, FakeLink, FakeWork, fake_app

SETTINGS = StudySettings(name="test", seed=3, backbone="random:1", trainable="head", rounds=2)
ROLES: dict[str, Role] = {"aachen": "train", "namur": "evaluate"}


@dataclass(frozen=True)
class Finished:
    folder: StudyFolder
    summary: Summary


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """A study that has ended, with its summary on disk."""
    folder = StudyFolder(tmp_path / "study")
    folder.path.mkdir()
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    make_authority(folder.authority, study="test", names=["localhost"], now=now)
    file = StudyFile(
        study=SETTINGS,
        server=ServerSettings(address="localhost:1"),
        deadlines=Deadlines(sites_s=5, answer_s=5),
    )
    write_toml(folder.study_file, file)
    key = Authority(folder.authority).ca_key  # any P-256 key serves a site that only pretends
    pem = public_pem(read_private_key(key).public_key())
    sites = {name: RegisteredSite(role=role, public_key=pem) for name, role in ROLES.items()}
    apps = {n: fake_app(FakeWork(n, SETTINGS), ROLES[n], tmp_path) for n in ROLES}
    study = Study(folder, file, Register(sites=sites))
    summary = run_study(study, FakeLink(apps), lambda event, **facts: None, clock=lambda: TIME)
    write_summary(folder.summary, summary)
    return Finished(folder, summary)


def read(finished: Finished, bundle: Path) -> ModelBundle:
    pem = Authority(finished.folder.authority).release_public.read_text()
    return read_bundle(bundle, read_release_public_pem(pem))


def test_the_released_weights_are_those_of_the_best_round(finished: Finished) -> None:
    released = release_model(finished.folder)

    bundle = read(finished, released.bundle)
    best = finished.summary.rounds[finished.summary.best_round or 0]
    kept = Checkpoints(finished.folder.rounds, "head").weights(best)
    assert digest(bundle.arrays) == digest(kept) == finished.summary.weights_sha256
    assert released.bundle == finished.folder.path / "test-model.bsm"


def test_the_manifest_says_what_the_summary_says(finished: Finished) -> None:
    model = read(finished, release_model(finished.folder).bundle).model

    summary = finished.summary
    assert summary.external is not None and model.external is not None
    assert model.settings == SETTINGS
    assert model.synthetic
    assert model.backbone_sha256 == "a" * 64
    assert (model.external.tp, model.external.fp) == (summary.external.tp, summary.external.fp)
    assert model.external.rates["tpr"].low == summary.external.rates["tpr"].low
    assert [site.name for site in model.lineage.sites] == ["aachen", "namur"]
    assert (model.lineage.round, model.lineage.rounds) == (summary.best_round, 2)
    content = finished.folder.summary.read_bytes()
    assert model.lineage.summary_sha256 == hashlib.sha256(content).hexdigest()


def test_releasing_twice_gives_the_same_bytes(finished: Finished) -> None:
    first = release_model(finished.folder)
    contents = [path.read_bytes() for path in (first.bundle, *first.cards)]

    second = release_model(finished.folder)

    assert [path.read_bytes() for path in (second.bundle, *second.cards)] == contents


def test_the_cards_lie_beside_the_model_and_warn_of_synthetic_scans(finished: Finished) -> None:
    released = release_model(finished.folder, finished.folder.path / "other.bsm")

    assert [path.name for path in released.cards] == ["other-card.md", "other-card.html"]
    for card in released.cards:
        text = card.read_text()
        assert "Synthetic scans: no clinical claim" in text
        assert "Not for diagnosis" in text
        assert str(finished.summary.weights_sha256) in text
        assert released.key_sha256 in text


def test_a_study_that_has_not_ended_releases_nothing(finished: Finished) -> None:
    finished.folder.summary.unlink()

    with pytest.raises(ConfigError, match=r"no summary\.json"):
        release_model(finished.folder)


def test_a_study_without_a_chosen_round_releases_nothing(finished: Finished) -> None:
    none = {"best_round": None, "weights_sha256": None, "external": None}
    write_summary(
        finished.folder.summary, Summary.model_validate(finished.summary.model_dump() | none)
    )

    with pytest.raises(ConfigError, match="No round of this study was chosen"):
        release_model(finished.folder)


def test_weights_that_are_not_the_summary_s_are_not_signed(finished: Finished) -> None:
    best = finished.summary.best_round or 0
    other = next(number for number in range(3) if number != best)
    name = "weights.safetensors"
    folder = finished.folder.rounds
    (folder / f"{best:04d}" / name).write_bytes((folder / f"{other:04d}" / name).read_bytes())

    with pytest.raises(TrustError, match="not those that were recorded"):
        release_model(finished.folder)


def test_a_folder_that_is_not_there_is_named(finished: Finished) -> None:
    with pytest.raises(ConfigError, match="not a folder"):
        release_model(finished.folder, finished.folder.path / "nowhere" / "model.bsm")


def test_a_study_from_before_releases_gets_its_key_at_the_first_one(finished: Finished) -> None:
    authority = Authority(finished.folder.authority)
    authority.release_key.unlink()
    authority.release_public.unlink()

    released = release_model(finished.folder)

    assert stat.S_IMODE(authority.release_key.stat().st_mode) == 0o600
    assert read(finished, released.bundle).model.study == "test"


def test_an_invitation_carries_the_key_that_signs_the_release(finished: Finished) -> None:
    invitation = read_document(invite(finished.folder, "aalborg", "train"), Invitation)

    assert invitation.release_key is not None
    key = read_release_public_pem(invitation.release_key)
    assert release_fingerprint(key) == release_model(finished.folder).key_sha256


def test_the_command_names_what_it_wrote_and_the_next_step(finished: Finished) -> None:
    result = CliRunner().invoke(app, ["release", str(finished.folder.path)])

    assert result.exit_code == 0, result.output
    assert "test-model.bsm" in result.output
    assert "bs-client predict" in result.output
    assert read_summary(finished.folder.summary) == finished.summary
