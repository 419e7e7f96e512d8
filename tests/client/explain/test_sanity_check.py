"""`bs-client sanity` on a site's own scans, with a stand-in for network and training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray
from typer.testing import CliRunner

from bs_client.cli import app
from bs_client.cli.evidence import SURVIVED
from bs_client.config import DataSettings, SiteFile, SiteFolder
from bs_client.data.labels import Split
from bs_client.explain import sanity_check
from bs_client.explain.sanity import GROUPS
from bs_client.explain.sanity_check import SanityReport, check_sanity
from bs_client.federation.work import SiteWork
from bs_client.model.network import Network
from bs_client.training.local import Trainer, TrainOutcome
from bs_common.architecture import NamedArrays, initial_head
from bs_common.bundle import pack_bundle
from bs_common.errors import ConfigError, DataError, TrustError
from bs_common.joining import Invitation, write_document
from bs_common.signing import release_public_pem
from bs_common.weights import digest
from support.released import make_model
from support.small_network import drawn_dataset, small_settings

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SETTINGS = small_settings("head")
BACKBONE: NamedArrays = {
    "block5_conv3/kernel": np.random.default_rng(0).normal(0, 1, (9, 512)).astype(np.float32)
}
HEAD = initial_head(4)
LABELS = [True, False, True, True, False, False, True, False]
MakeWork = Callable[..., SiteWork]


class OneLayerNetwork(Network):
    """One convolution of 3 x 3 pixels in place of thirteen; it holds whatever it is given."""

    def __init__(self) -> None:
        self.trainable = "head"
        self._arrays: NamedArrays = {}

    def set_arrays(self, arrays: NamedArrays) -> None:
        self._arrays = dict(arrays)

    def explain(
        self, images: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        seen = images[:, ::4, ::4, 0]
        moved = [np.roll(seen, (r, c), (1, 2)) for r in (-1, 0, 1) for c in (-1, 0, 1)]
        drawn = (np.stack(moved, axis=-1) - 0.5) @ self._arrays["block5_conv3/kernel"]
        return np.maximum(drawn, 0), np.zeros(len(images))


class LearningTrainer(Trainer):
    """Gives a head that follows from the labels it was shown."""

    def __init__(self) -> None:
        self.shown: list[NDArray[np.bool_]] = []

    def train_round(self, arrays: NamedArrays, **asked: Any) -> TrainOutcome:
        labels: NDArray[np.bool_] = asked["labels"]
        self.shown.append(labels)
        seed = int("".join(str(int(label)) for label in labels), 2)
        return TrainOutcome(initial_head(seed), labels.size, 0.5, 0.5, 1)


class DeafTrainer(LearningTrainer):
    """Gives the same head whatever the labels say."""

    def train_round(self, arrays: NamedArrays, **asked: Any) -> TrainOutcome:
        return TrainOutcome(HEAD, 8, 0.5, 0.5, 1)


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    """A site that has joined a study whose models its pinned key verifies."""
    site = SiteFolder(tmp_path)
    invitation = Invitation(
        address="localhost:8443",
        ca_certificate="-",
        site="aachen",
        role="train",
        settings=SETTINGS,
        release_key=release_public_pem(KEY.public_key()),
    )
    write_document(site.invitation, invitation)
    return site


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The study's model, signed."""
    path = tmp_path / "small-model.bsm"
    described = make_model(HEAD, settings=SETTINGS, backbone_sha256=digest(BACKBONE))
    path.write_bytes(pack_bundle(described, HEAD, KEY))
    return path


@pytest.fixture
def opened(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> MakeWork:
    """Let the site open with a stand-in network, drawn scans, and what is given."""

    def make(*, labels: list[bool] = LABELS, trainer: Trainer | None = None) -> SiteWork:
        work = SiteWork(
            site,
            SiteFile(data=DataSettings(scans=site.path, labels=site.path / "labels.csv")),
            site.read_invitation(),
            drawn_dataset(site.path, {Split.TRAIN: labels}, SETTINGS),
            OneLayerNetwork(),
            trainer or LearningTrainer(),
            BACKBONE,
            "cpu",
        )
        monkeypatch.setattr(sanity_check, "open_site", lambda _: work)
        return work

    return make


def check(site: SiteFolder, model: Path, **options: int) -> SanityReport:
    asked = {"scans": 3, "draws": 2} | options
    return check_sanity(site, model, progress=lambda done, total: None, **asked)


def broken(convolution: NDArray[np.float32], _head: NamedArrays) -> NDArray[np.float32]:
    """A map that was painted beforehand: it asks neither the network nor the scan."""
    count, rows, columns, _ = convolution.shape
    painted = np.linspace(0, 1, rows * columns, dtype=np.float32).reshape(rows, columns)
    return np.repeat(painted[np.newaxis], count, axis=0)


def run(site: SiteFolder, model: Path, *options: str) -> Result:
    arguments = ["sanity", str(model), "--site", str(site.path), "--draws", "2", *options]
    return CliRunner().invoke(app, arguments)


def test_maps_that_follow_the_weights_pass(site: SiteFolder, model: Path, opened: MakeWork) -> None:
    opened()

    report = check(site, model)

    assert report.passed
    assert report.scans == 3
    assert [step.group for step in report.steps] == list(GROUPS)
    assert report.labels is not None


def test_a_broken_map_is_flagged(
    site: SiteFolder, model: Path, opened: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened()
    monkeypatch.setattr(sanity_check, "grad_cam", broken)

    report = check(site, model)

    assert not report.passed
    assert report.steps[-1].likeness.survives


def test_maps_that_do_not_ask_for_the_labels_are_flagged(
    site: SiteFolder, model: Path, opened: MakeWork
) -> None:
    opened(trainer=DeafTrainer())

    report = check(site, model)

    assert not report.steps[-1].likeness.survives
    assert report.labels is not None
    assert report.labels.spearman == pytest.approx(1)
    assert not report.passed


def test_the_second_head_sees_the_same_labels_in_another_order(
    site: SiteFolder, model: Path, opened: MakeWork
) -> None:
    trainer = LearningTrainer()
    opened(trainer=trainer)

    check(site, model)

    real, permuted = trainer.shown
    assert real.tolist() == LABELS
    assert permuted.sum() == real.sum()
    assert permuted.tolist() != LABELS


def test_a_site_with_few_positive_scans_looks_at_those_it_has(
    site: SiteFolder, model: Path, opened: MakeWork
) -> None:
    opened(labels=[True, False, True, False])

    assert check(site, model, scans=50).scans == 2


def test_a_site_without_metastases_cannot_check(
    site: SiteFolder, model: Path, opened: MakeWork
) -> None:
    opened(labels=[False, False])

    with pytest.raises(DataError, match="no scan with metastasis"):
        check(site, model)


def test_a_model_of_other_settings_is_refused(
    site: SiteFolder, tmp_path: Path, opened: MakeWork
) -> None:
    opened()
    other = small_settings("head", seed=99)
    path = tmp_path / "other.bsm"
    described = make_model(HEAD, settings=other, backbone_sha256=digest(BACKBONE))
    path.write_bytes(pack_bundle(described, HEAD, KEY))

    with pytest.raises(ConfigError, match="other settings"):
        check(site, path)


def test_a_model_of_another_backbone_is_refused(
    site: SiteFolder, tmp_path: Path, opened: MakeWork
) -> None:
    opened()
    path = tmp_path / "other.bsm"
    path.write_bytes(pack_bundle(make_model(HEAD, settings=SETTINGS), HEAD, KEY))

    with pytest.raises(TrustError, match="backbone") as refused:
        check(site, path)

    assert SETTINGS.backbone in refused.value.remedy


def test_a_model_that_another_key_signed_is_refused(
    site: SiteFolder, tmp_path: Path, opened: MakeWork
) -> None:
    opened()
    path = tmp_path / "forged.bsm"
    described = make_model(HEAD, settings=SETTINGS, backbone_sha256=digest(BACKBONE))
    path.write_bytes(pack_bundle(described, HEAD, Ed25519PrivateKey.generate()))

    with pytest.raises(TrustError):
        check(site, path)


def test_the_command_shows_every_check_and_what_follows(
    site: SiteFolder, model: Path, opened: MakeWork
) -> None:
    opened()

    result = run(site, model)

    assert result.exit_code == 0
    for group in GROUPS:
        assert f"weights drawn anew: {group}" in result.stdout
    assert "head trained on permuted labels" in result.stdout
    assert "4 scans, 2 draws. The maps depend on what was learned." in result.stdout


def test_the_command_ends_with_status_1_where_a_map_survives(
    site: SiteFolder, model: Path, opened: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened()
    monkeypatch.setattr(sanity_check, "grad_cam", broken)

    result = run(site, model)

    assert result.exit_code == 1
    assert SURVIVED in " ".join(result.stdout.split())


def test_json_holds_the_same_figures(site: SiteFolder, model: Path, opened: MakeWork) -> None:
    opened()

    result = run(site, model, "--json", "--scans", "2")

    found = json.loads(result.stdout)
    assert (found["scans"], found["passed"]) == (2, True)
    assert len(found["checks"]) == len(GROUPS) + 1
    assert all({"taken_away", "spearman", "ssim"} == set(one) for one in found["checks"])
    assert found["checks"][-1]["taken_away"] == "head trained on permuted labels"


def test_a_fault_is_told_with_its_remedy(site: SiteFolder, model: Path, opened: MakeWork) -> None:
    opened(labels=[False, False])

    result = run(site, model)

    assert result.exit_code == 1
    assert "no scan with metastasis" in result.stderr
    assert "What to do: Run the check at a site that has some." in result.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("device")
def test_the_studys_own_network_is_checked_end_to_end(site: SiteFolder, cohort: Path) -> None:
    from bs_client.config import Compute, Policy
    from bs_common.toml import write_toml
    from support.small_network import backbone

    data = DataSettings(scans=cohort / "scans", labels=cohort / "labels.csv")
    file = SiteFile(data=data, policy=Policy(min_cell=1), compute=Compute(threads=2))
    write_toml(site.site_file, file)
    path = site.path / "small-model.bsm"
    described = make_model(HEAD, settings=SETTINGS, backbone_sha256=digest(backbone()))
    path.write_bytes(pack_bundle(described, HEAD, KEY))

    report = check(site, path, scans=2, draws=1)

    assert report.scans == 2
    assert report.labels is not None
    assert all(-1 <= step.likeness.spearman <= 1 for step in report.steps)
