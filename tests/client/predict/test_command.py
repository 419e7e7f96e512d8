from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from bs_client.cli import app
from bs_client.data.preprocess import as_channels, prepare
from bs_client.dicom import IngestSettings, find_studies, read_study
from bs_client.model.backbone import draw_backbone
from bs_client.predict.model import open_model
from bs_common.bundle import pack_bundle
from bs_common.errors import TrustError
from bs_common.signing import release_public_pem
from bs_common.weights import digest
from support.released import SETTINGS, drawn_head, make_model

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a released model of 64 x 32 pixels a view and its key."""
    folder = tmp_path_factory.mktemp("release")
    arrays = drawn_head()
    model = make_model(arrays, backbone_sha256=digest(draw_backbone(7)))
    (folder / "model.bsm").write_bytes(pack_bundle(model, arrays, KEY))
    (folder / "release.pub").write_text(release_public_pem(KEY.public_key()))
    return folder


def predict(release: Path, *rest: str | Path) -> tuple[int, str]:
    options = ["--key", release / "release.pub"]
    words = ["predict", release / "model.bsm", *rest, *options]
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout


@pytest.mark.parametrize("option", ["--seg", "--gsps"])
def test_regions_without_dicom_results_are_a_mistake_that_is_told(
    release: Path, scans: Path, tmp_path: Path, option: str
) -> None:
    status, _ = predict(release, scans, "--out", tmp_path / "out", option)

    assert status == 2
    assert not (tmp_path / "out").exists()


def test_three_scans_give_probabilities_pictures_objects_and_a_table(
    release: Path, scans: Path, tmp_path: Path
) -> None:
    status, output = predict(release, scans, "--out", tmp_path / "out", "--dicom", "--json")

    facts = [json.loads(line) for line in output.splitlines()]
    cases = [one for one in facts if one["verdict"] == "accepted"]
    assert status == 0
    assert [one["case"] for one in cases] == [1, 2, 3]
    assert all(0 < one["probability"] < 1 for one in cases)
    written = {file.name for file in (tmp_path / "out").iterdir()}
    assert written == {"results.csv"} | {
        f"case-000{case}{end}"
        for case in (1, 2, 3)
        for end in (".png", "-overlay.dcm", "-report.dcm")
    }
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert [row["verdict"] for row in rows] == [one["verdict"] for one in facts]


def test_the_released_network_gives_what_a_dense_head_gives_on_its_features(
    release: Path, scans: Path
) -> None:
    """The head is computed again with numpy from the last convolution's maps."""
    opened = open_model(release / "model.bsm", KEY.public_key(), backbone_file=None)
    scan = read_study(find_studies(scans).studies[0].files, IngestSettings())
    image = prepare(
        scan.anterior.counts,
        scan.posterior.counts,
        height=SETTINGS.view_height,
        width=SETTINGS.view_width,
        profile=SETTINGS.preprocessing,
    ).image

    maps, _ = opened.network.explain(as_channels(image[np.newaxis]))
    pooled = maps[0].reshape(2, 2, 2, 2, 512).max(axis=(1, 3)).mean(axis=(0, 1))
    head = drawn_head()
    hidden = np.maximum(pooled @ head["head_hidden/kernel"] + head["head_hidden/bias"], 0)
    logits = hidden @ head["head_output/kernel"] + head["head_output/bias"]
    expected = np.exp(logits[1]) / np.exp(logits).sum()
    assert opened.read(scan).probability == pytest.approx(expected, abs=1e-5)


def test_a_folder_without_scans_ends_with_status_1(release: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")

    status, output = predict(release, tmp_path / "in", "--out", tmp_path / "out")

    assert status == 1
    assert "E_NOT_DICOM 1" in output


def test_a_model_of_another_backbone_is_not_opened(release: Path, tmp_path: Path) -> None:
    arrays = drawn_head()
    other = pack_bundle(make_model(arrays, backbone_sha256="e" * 64), arrays, KEY)
    (tmp_path / "model.bsm").write_bytes(other)

    with pytest.raises(TrustError, match="not the one that this model was trained on"):
        open_model(tmp_path / "model.bsm", KEY.public_key(), backbone_file=None)


def test_a_changed_model_reads_no_scan(release: Path, scans: Path, tmp_path: Path) -> None:
    content = bytearray((release / "model.bsm").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.bsm").write_bytes(bytes(content))
    (tmp_path / "release.pub").write_text((release / "release.pub").read_text())

    status, output = predict(tmp_path, scans, "--out", tmp_path / "out")

    assert status == 1
    assert "case" not in output
    assert not (tmp_path / "out").exists()
