"""A site's answers hold to the contract, and are those of its scans and weights."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from bs_client.config import Compute, DataSettings, Policy, SiteFile, SiteFolder
from bs_client.data.labels import Split
from bs_client.federation.work import SiteWork, open_site
from bs_client.model.backbone import draw_backbone
from bs_common.architecture import Trainable, array_shapes, initial_head
from bs_common.bins import bins_from_metrics, edges_with
from bs_common.contract import MessageType
from bs_common.errors import DataError
from bs_common.joining import Invitation, write_document
from bs_common.messages import Metric, Reply, Request, read_reply, write_reply
from bs_common.metrics import histogram, pooled_auc
from bs_common.settings import Role
from bs_common.toml import write_toml
from bs_common.weights import digest
from support.small_network import BACKBONE_SEED, small_settings, start

pytestmark = [pytest.mark.usefixtures("device"), pytest.mark.slow]

DESCRIBE = Request(MessageType.DESCRIBE, 0)


def open_work(folder: Path, cohort: Path, role: Role, trainable: Trainable = "head") -> SiteWork:
    """Open a site as `bs-client run` does, with the files that joining leaves."""
    site = SiteFolder(folder)
    data = DataSettings(scans=cohort / "scans", labels=cohort / "labels.csv")
    file = SiteFile(data=data, policy=Policy(min_cell=1), compute=Compute(threads=2))
    write_toml(site.site_file, file)
    invitation = Invitation(
        address="127.0.0.1:8443",
        ca_certificate="not needed before connecting",
        site="aachen",
        role=role,
        settings=small_settings(trainable),
    )
    write_document(site.invitation, invitation)
    return open_site(site)


@pytest.fixture(scope="module")
def training_site(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> SiteWork:
    return open_work(tmp_path_factory.mktemp("aachen"), cohort, "train")


@pytest.fixture(scope="module")
def evaluating_site(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> SiteWork:
    return open_work(tmp_path_factory.mktemp("namur"), cohort, "evaluate")


def carried(reply: Reply, work: SiteWork) -> Reply:
    """Write a reply and read it as gate and coordinator do, against the contract."""
    settings = work.dataset.settings
    return read_reply(reply.message_type, write_reply(reply, settings), settings)


def ask(message_type: MessageType, round_number: int = 1) -> Request:
    numbers = {"threshold": 0.5} if message_type is MessageType.EXTERNAL else {}
    return Request(message_type, round_number, start("head"), numbers)


def test_a_training_site_describes_its_scans_and_programs(training_site: SiteWork) -> None:
    reply = carried(training_site.describe(DESCRIBE), training_site)

    counts = {name: count for name, count in reply.metrics.items() if "." in name}
    assert counts == {
        "train.metastasis": 2,
        "train.no_metastasis": 2,
        "validation.metastasis": 1,
        "validation.no_metastasis": 1,
        "external.metastasis": 0,
        "external.no_metastasis": 0,
    }
    assert reply.metrics["synthetic"] == 1
    assert reply.texts["backbone-sha256"] == digest(draw_backbone(BACKBONE_SEED))


def test_refused_studies_are_described_by_their_codes(training_site: SiteWork) -> None:
    intake = replace(training_site.dataset.intake, refused={"E_BLANK": 3})
    work = replace(training_site, dataset=replace(training_site.dataset, intake=intake))

    reply = carried(work.describe(DESCRIBE), work)

    assert reply.metrics["refused.E_BLANK"] == 3


@pytest.mark.parametrize("trainable", [scope for scope in get_args(Trainable) if scope != "head"])
def test_the_start_of_a_deeper_training_is_the_backbones_own_part(
    trainable: Trainable, cohort: Path, tmp_path: Path
) -> None:
    work = open_work(tmp_path, cohort, "train", trainable)

    reply = carried(work.initial(Request(MessageType.INITIAL, 0)), work)

    backbone = draw_backbone(BACKBONE_SEED)
    assert digest(reply.arrays) == digest({name: backbone[name] for name in reply.arrays})
    assert len(reply.arrays) == {"block5": 6, "all": 26}[trainable]


def test_a_round_of_training_answers_with_new_weights_and_how_it_went(
    training_site: SiteWork,
) -> None:
    reply = carried(training_site.train(ask(MessageType.TRAIN)), training_site)

    assert reply.metrics["num-examples"] == 4  # two scans with metastasis and two without
    assert reply.round_number == 1
    assert not np.array_equal(
        reply.arrays["head_output/kernel"], start("head")["head_output/kernel"]
    )


def test_a_repeated_request_has_the_same_answer_whatever_was_asked_between(
    training_site: SiteWork,
) -> None:
    first = training_site.train(ask(MessageType.TRAIN))
    training_site.train(ask(MessageType.TRAIN, round_number=2))
    training_site.evaluate(ask(MessageType.EVALUATE))

    again = training_site.train(ask(MessageType.TRAIN))

    assert digest(again.arrays) == digest(first.arrays)
    assert again.metrics == first.metrics


def test_another_round_draws_other_epochs(training_site: SiteWork) -> None:
    first, second = (
        training_site.train(ask(MessageType.TRAIN, round_number=number)) for number in (1, 2)
    )

    assert digest(first.arrays) != digest(second.arrays)


def test_validation_answers_with_the_histogram_of_its_margins(training_site: SiteWork) -> None:
    reply = carried(training_site.evaluate(ask(MessageType.EVALUATE)), training_site)

    data, network = training_site.dataset, training_site.network
    images = [data.image(entry) for entry in data.of_split(Split.VALIDATION)]
    margins = network.score(network.activate(np.stack([np.stack([i] * 3, -1) for i in images])))
    expected = histogram(margins, data.labels(Split.VALIDATION))
    assert reply.metrics["num-examples"] == 2
    bins = bins_from_metrics(reply.metrics)
    assert bins is not None
    assert bins.counts.sum() == 2
    assert pooled_auc(bins.counts) == pooled_auc(expected)


def test_a_model_of_this_site_alone_is_its_own_rounds_one_after_the_other(
    training_site: SiteWork,
) -> None:
    rounds = training_site.dataset.settings.rounds
    arrays, found = start("head"), []
    for number in range(1, rounds + 1):
        arrays = training_site.train(Request(MessageType.TRAIN, number, arrays)).arrays
        validation = training_site.evaluate(Request(MessageType.EVALUATE, number, arrays))
        found.append((digest(arrays), validation.metrics))

    reply = carried(training_site.local(Request(MessageType.LOCAL, 0)), training_site)

    best = reply.metrics["best-round"]
    assert isinstance(best, int)
    weights, validation_metrics = found[best - 1]
    assert digest(reply.arrays) == weights
    assert reply.metrics.items() >= validation_metrics.items()
    assert reply.metrics["train-examples"] == 4
    assert reply.texts == {"start-sha256": digest(start("head"))}
    training_site.folder.local_draft.unlink()


@pytest.mark.parametrize("trainable", ["block5", "all"])
def test_a_deeper_training_of_this_site_alone_starts_where_the_study_does(
    trainable: Trainable, cohort: Path, tmp_path: Path
) -> None:
    work = open_work(tmp_path, cohort, "train", trainable)
    given = work.initial(Request(MessageType.INITIAL, 0)).arrays
    of_the_study = initial_head(work.dataset.settings.seed) | given

    start_sha256 = digest({name: of_the_study[name] for name in array_shapes(trainable)})

    assert digest(work._start()) == start_sha256


def test_models_beside_the_study_s_are_judged_each_with_its_own_weights(
    evaluating_site: SiteWork,
) -> None:
    others = tuple(
        {name: array * np.float32(scale) for name, array in start("head").items()}
        for scale in (-1, 2)
    )
    alone = [
        evaluating_site.external(Request(MessageType.EXTERNAL, 1, arrays, {"threshold": 0.5}))
        for arrays in (*others, start("head"))
    ]
    numbers: dict[str, Metric] = {"threshold": 0.5, "compared-thresholds": [0.5, 0.5]}

    reply = evaluating_site.external(
        Request(MessageType.EXTERNAL, 1, start("head"), numbers, others)
    )

    study = alone.pop()
    assert reply.metrics.items() >= study.metrics.items()
    for place, one in enumerate(alone, start=1):
        for name in ("auc", "auc-low", "auc-high", "tp", "fn", "tn", "fp"):
            assert reply.metrics[f"compared.{place}.{name}"] == one.metrics[name]
        difference = study.metrics["auc"] - one.metrics["auc"]  # type: ignore[operator]
        assert reply.metrics[f"compared.{place}.difference"] == pytest.approx(difference)
    judged = [text.texts["weights-sha256"] for text in alone]
    assert reply.texts["compared-sha256"] == ",".join(judged)


def test_the_external_answer_counts_the_scans_and_names_the_weights(
    evaluating_site: SiteWork,
) -> None:
    request = ask(MessageType.EXTERNAL)

    reply = carried(evaluating_site.external(request), evaluating_site)

    cells = {name: reply.metrics[name] for name in ("tp", "fn", "tn", "fp")}
    assert cells["tp"] + cells["fn"] == cells["tn"] + cells["fp"] == 3  # type: ignore[operator]
    assert reply.metrics["overlays"] == cells["tp"] + cells["fp"]  # type: ignore[operator]
    bins = bins_from_metrics(reply.metrics, edges_with(0.5))
    assert bins is not None
    assert bins.counts.sum(axis=1).tolist() == [3, 3]
    assert {n: getattr(bins.confusion_at(0.0), n) for n in cells} == cells
    estimate, bound = pooled_auc(bins.counts)
    assert abs(estimate - reply.metrics["auc"]) <= bound + 1e-12  # type: ignore[operator]
    assert reply.texts == {"weights-sha256": digest(request.arrays), "compared-sha256": ""}


def test_the_external_evaluation_leaves_its_page_in_the_sites_own_folder(
    evaluating_site: SiteWork,
) -> None:
    evaluating_site.external(ask(MessageType.EXTERNAL))

    assert (evaluating_site.folder.private / "index.html").exists()
    assert sorted(path.name for path in evaluating_site.folder.path.iterdir()) == [
        "cache",
        "invitation.json",
        "private",
        "site.toml",
    ]


def test_a_scan_that_vanished_is_counted_and_the_others_are_judged(
    cohort: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(cohort, tmp_path / "own"))
    work = open_work(tmp_path, own, "evaluate")
    lost = next(entry for entry in work.dataset.entries if entry.label)
    for file in work.dataset.record(lost).files:
        file.unlink()

    first, again = (
        carried(work.external(ask(MessageType.EXTERNAL)), work).metrics for _ in range(2)
    )

    assert first == again
    assert first["refused.E_VANISHED"] == 1
    judged = sum(int(str(first[name])) for name in ("tp", "fn", "tn", "fp"))
    assert judged == len(work.dataset.entries) - 1 == 5


def test_a_site_without_scans_of_a_split_says_so(
    training_site: SiteWork, evaluating_site: SiteWork
) -> None:
    with pytest.raises(DataError, match="no external scan"):
        training_site.external(ask(MessageType.EXTERNAL))
    with pytest.raises(DataError, match="no validation scan"):
        evaluating_site.evaluate(ask(MessageType.EVALUATE))


def test_a_reopened_site_gives_the_same_answer(
    training_site: SiteWork, cohort: Path, tmp_path: Path
) -> None:
    first = training_site.train(ask(MessageType.TRAIN))

    again = open_work(tmp_path, cohort, "train").train(ask(MessageType.TRAIN))

    assert digest(again.arrays) == digest(first.arrays)
