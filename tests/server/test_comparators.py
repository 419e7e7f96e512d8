"""Models of single sites, frozen first, then judged beside the study's in the one request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message

from bs_client.config import Policy
from bs_common.architecture import initial_head
from bs_common.contract import MessageType
from bs_common.errors import TrustError
from bs_common.weights import digest
from bs_server.oversight.control import StopRequested
from bs_server.results.comparison import ComparisonRow
from bs_server.results.summary import Summary
from bs_server.storage.frozen import FrozenModels
from support.fake_study import COMPARING, ROLES, make_comparing_study, make_fake_study


def rows(summary: Summary) -> list[ComparisonRow]:
    assert summary.comparison is not None
    return summary.comparison.rows


def test_every_site_s_own_model_stands_beside_the_study_s(tmp_path: Path) -> None:
    summary = make_comparing_study(tmp_path).run()

    assert [(row.model, row.site) for row in rows(summary)] == [
        ("federated", None),
        *(("local", site) for site in ROLES),
    ]
    federated, *local = rows(summary)
    assert (federated.tp, federated.auc, federated.difference) == (7, 0.9, None)
    assert [row.difference.value for row in local if row.difference] == [0.1] * 3
    assert {row.weights_sha256 for row in local} & {federated.weights_sha256} == set()


def test_the_judging_site_gets_one_request_with_all_frozen_models(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path)

    summary = study.run()

    assert study.sent("namur").count("query.external") == 1
    (asked,) = [r for r in study.works["namur"].seen if r.message_type is MessageType.EXTERNAL]
    assert [digest(arrays) for arrays in (asked.arrays, *asked.compared)] == [
        row.weights_sha256 for row in rows(summary)
    ]
    thresholds = [row.threshold for row in rows(summary)]
    assert asked.numbers == {"threshold": thresholds[0], "compared-thresholds": thresholds[1:]}
    start = initial_head(COMPARING.seed)["head_output/bias"]
    for arrays, work in zip(asked.compared, study.works.values(), strict=False):
        assert np.allclose(arrays["head_output/bias"], start + 3 * work.step)


def test_models_are_on_disk_before_the_judging_site_is_asked(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path)
    seen: list[int] = []

    def look(site: str, reply: Message) -> Message:
        if site == "namur" and reply.metadata.message_type == "query.external":
            frozen = FrozenModels(study.study.folder.local, "head")
            listed = frozen.find_list()
            assert listed is not None
            seen.append(sum(frozen.find(model.site) == model for model in listed.models))
        return reply

    study.link.change = look
    study.run()

    assert seen == [3]


def test_a_site_that_keeps_its_model_is_an_outcome_with_a_reason(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path, aalborg=Policy(min_cell=1))

    summary = study.run()

    assert summary.outcome == "finished"
    assert summary.comparison is not None
    assert summary.comparison.left_out == {"aalborg": "policy_local"}
    assert [row.site for row in rows(summary)] == [None, "aachen", "bonn"]


def test_a_site_that_does_not_answer_is_left_out_after_the_deadline(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path)
    study.link.change = lambda site, reply: (
        None if (site, reply.metadata.message_type) == ("bonn", "train.local") else reply
    )

    summary = study.run()

    assert summary.comparison is not None
    assert summary.comparison.left_out == {"bonn": "deadline"}


def test_where_no_site_lets_its_model_out_the_study_s_own_is_judged_alone(tmp_path: Path) -> None:
    closed = Policy(min_cell=1)
    study = make_comparing_study(tmp_path, **dict.fromkeys(ROLES, closed), namur=closed)

    summary = study.run()

    assert summary.comparison is not None
    assert [row.model for row in rows(summary)] == ["federated"]
    assert summary.comparison.left_out == dict.fromkeys(ROLES, "policy_local")
    assert summary.comparison.not_compared == {}


def test_a_judging_site_that_allows_fewer_models_judges_the_study_s_alone(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path, namur=Policy(min_cell=1, external_models=3))

    summary = study.run()

    assert summary.external is not None
    assert summary.comparison is not None
    assert summary.comparison.not_compared == {"namur": "policy_models"}
    assert [row.model for row in rows(summary)] == ["federated"]
    assert study.sent("namur").count("query.external") == 1


def test_a_judging_site_that_was_asked_about_one_model_is_asked_about_that_again(
    tmp_path: Path,
) -> None:
    study = make_comparing_study(tmp_path, namur=Policy(min_cell=1, external_models=3))
    study.link.change = lambda site, reply: (
        None if reply.metadata.message_type == "query.external" else reply
    )
    study.run()
    study.link.change = lambda _site, reply: reply
    study.works["namur"].external_models = 4  # and yet it lets no second question in

    summary = study.run()

    assert summary.outcome == "finished"
    assert summary.comparison is not None
    assert summary.comparison.not_compared == {"namur": "policy_models"}


def test_a_study_without_the_setting_asks_nobody_for_a_model_of_its_own(tmp_path: Path) -> None:
    study = make_fake_study(tmp_path)

    summary = study.run()

    assert summary.comparison is None
    assert "train.local" not in [kind for _, kind in study.link.sent]


def test_a_study_stopped_while_sites_train_alone_asks_only_those_that_are_missing(
    tmp_path: Path,
) -> None:
    study = make_comparing_study(tmp_path)
    study.link.change = lambda site, reply: (
        None if (site, reply.metadata.message_type) == ("bonn", "train.local") else reply
    )
    asked: list[str] = []

    def stop_after_two(event: str, **facts: object) -> None:
        if event == "local_model":
            asked.append(str(facts["site"]))
            if len(asked) == 2:
                raise StopRequested

    with pytest.raises(StopRequested):
        study.run(stop_after_two)
    study.link.change = lambda _site, reply: reply
    study.link.sent.clear()

    summary = study.run()

    local = [site for site, kind in study.link.sent if kind == "train.local"]
    assert local == ["bonn"]
    assert [row.site for row in rows(summary)] == [None, *ROLES]


def test_a_study_stopped_before_it_was_judged_asks_for_no_model_again(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path)
    study.link.change = lambda site, reply: (
        None if reply.metadata.message_type == "query.external" else reply
    )
    waiting = study.run()
    study.link.change = lambda _site, reply: reply
    study.link.sent.clear()

    summary = study.run()

    assert waiting.outcome == "waiting_for_external"
    assert "train.local" not in [kind for _, kind in study.link.sent]
    assert [row.site for row in rows(summary)] == [None, *ROLES]


def test_a_finished_study_that_is_run_again_has_the_same_comparison(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path)
    first = study.run()
    study.link.sent.clear()

    again = study.run()

    assert again.comparison == first.comparison
    assert {"train.local", "query.external"} & {kind for _, kind in study.link.sent} == set()


def test_a_damaged_model_is_not_judged(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path)
    study.link.change = lambda site, reply: (
        None if reply.metadata.message_type == "query.external" else reply
    )
    study.run()
    weights = study.study.folder.local / "bonn" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    study.link.sent.clear()

    with pytest.raises(TrustError, match="bonn alone") as refused:
        study.run()

    assert "Move" in refused.value.remedy
    assert "query.external" not in [kind for _, kind in study.link.sent]


@pytest.mark.parametrize(
    ("where", "key", "value", "reason"),
    [
        ("config", "start-sha256", "0" * 64, "other_start"),
        ("metrics", "best-round", 9, "best_round"),
        ("metrics", "train-examples", 22, "example_count"),
    ],
)
def test_a_model_that_is_not_what_was_asked_for_is_left_out(
    tmp_path: Path, where: str, key: str, value: Any, reason: str
) -> None:
    study = make_comparing_study(tmp_path)

    def other(site: str, reply: Message) -> Message:
        if (site, reply.metadata.message_type) == ("aachen", "train.local"):
            reply.content[where][key] = value
        return reply

    study.link.change = other

    summary = study.run()

    assert summary.comparison is not None
    assert summary.comparison.left_out == {"aachen": reason}


def test_a_judgement_of_other_models_is_not_taken(tmp_path: Path) -> None:
    study = make_comparing_study(tmp_path)

    def other(_site: str, reply: Message) -> Message:
        if reply.metadata.message_type == "query.external":
            reply.content.config_records["config"]["compared-sha256"] = "0" * 64
        return reply

    study.link.change = other

    assert study.run().outcome == "waiting_for_external"
