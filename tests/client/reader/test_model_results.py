"""Taking the model's results from files that other commands wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bs_client.dicom.scan import BoneScan, ViewImage
from bs_client.evaluation.external import write_scores
from bs_client.evaluation.inference_time import InferenceTime, write_inference_time
from bs_client.explain.overlay import OverlayCaption, OverlayView, overlay_name
from bs_client.predict.picture import draw_result
from bs_client.reader.model_results import copy_map, find_model_time, read_model_results
from bs_common.errors import ConfigError


def test_results_of_predict_bring_probability_and_map(predicted: Path) -> None:
    results = read_model_results(predicted)

    assert len(results) == 6
    assert all(result.map_picture and result.map_picture.exists() for result in results.values())


def test_an_external_evaluation_brings_no_map_because_its_pictures_tell_the_label(
    tmp_path: Path,
) -> None:
    write_scores(
        tmp_path / "scores.csv", cases=[1, 2], margins=[0.0, 2.0], labels=[0, 1], threshold=0.4
    )
    (tmp_path / "cases.csv").write_text("case,study\n1,1.2.3\n2,1.2.4\n")
    (tmp_path / overlay_name(2)).write_bytes(b"a picture that says: label metastasis (TP)")

    results = read_model_results(tmp_path, threshold=0.4)

    assert results["1.2.3"].probability == 0.5
    assert {(one.threshold, one.map_picture) for one in results.values()} == {(0.4, None)}


@pytest.mark.parametrize("applied", [0.3, 0.55, 0.95])
def test_calls_from_a_threshold_chosen_on_other_scans_stay_the_same_calls(
    tmp_path: Path, applied: float
) -> None:
    """The tables do not state it, and the settings' own would call other scans."""
    margins = np.linspace(-2, 2, 12)
    write_scores(
        tmp_path / "scores.csv",
        cases=range(12),
        margins=margins,
        labels=np.arange(12) % 2,
        threshold=applied,
    )
    rows = "".join(f"{case},1.2.{case}\n" for case in range(12))
    (tmp_path / "cases.csv").write_text(f"case,study\n{rows}")

    results = read_model_results(tmp_path, threshold=0.5)

    for case, margin in enumerate(margins):
        result = results[f"1.2.{case}"]
        called = result.probability >= result.threshold
        assert called == (1 / (1 + np.exp(-margin)) >= applied)


def test_the_time_of_the_model_is_taken_where_it_was_measured(tmp_path: Path) -> None:
    assert find_model_time(tmp_path) is None
    measured = InferenceTime(
        device="cpu (2 threads)",
        rows=512,
        columns=512,
        scans=8,
        reading_s=0.1,
        alone_s=0.8,
        in_batch_s=0.7,
    )

    write_inference_time(tmp_path, measured)

    assert find_model_time(tmp_path) == measured
    assert (tmp_path / "inference.json").stat().st_mode & 0o077 == 0


def test_a_folder_without_results_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no results of a model"):
        read_model_results(tmp_path)


def test_a_damaged_table_is_explained(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("case,verdict\n1,accepted\n")

    with pytest.raises(ConfigError, match="cannot be read"):
        read_model_results(tmp_path)


def test_the_copied_map_is_the_right_half_without_heading_and_strip(tmp_path: Path) -> None:
    """The heading numbers the case as another table does; a reader must not see it."""
    counts = np.random.default_rng(1).poisson(5, (400, 200)).astype(np.float32)
    view = ViewImage(counts, (2.0, 2.0), "view_code", "1.2", 1)
    scan = BoneScan("1", "p", view, view, (), (), "", "0", True)
    caption = OverlayCaption(case=17, probability=0.9, threshold=0.5, label=None, synthetic=True)
    assert OverlayView(counts, counts).counts is counts
    draw_result(tmp_path / "map.png", scan, (counts, counts), caption=caption, model="m")

    copy_map(tmp_path / "map.png", tmp_path / "copy.png")

    with Image.open(tmp_path / "map.png") as whole, Image.open(tmp_path / "copy.png") as copy:
        assert copy.width < whole.width / 2 + 60
        assert copy.height < whole.height - 78 - 30
        pixels = np.asarray(whole.convert("RGB"))
        part = np.asarray(copy.convert("RGB"))
        left = whole.width - copy.width
        assert (part == pixels[78 : 78 + copy.height, left:]).all()
        # The heading's letters end above the cut.
        assert (pixels[60:78, :left] == 255).all()
