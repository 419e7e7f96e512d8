"""What three sites send in a whole study, read on the wire and not at the sites' own gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from bs_common.architecture import array_shapes, parameter_count
from bs_common.audit import read_entries
from bs_common.contract import REPLY_METRICS, REPLY_TEXTS, MessageType
from bs_common.weights import read_weights
from support.real_study import HEAD, HeadStudy
from support.site_secrets import read_secrets
from support.wire_objects import (
    WireObject,
    below_messages,
    float32_form,
    pushed_objects,
    sent_replies,
)
from support.wire_search import Searched, Secrets, telling_blocks

pytestmark = pytest.mark.integration

HEADER = {"contract", "settings-sha256", "round", "hidden"}


@pytest.fixture(scope="module")
def secrets(head_study: HeadStudy) -> dict[str, Secrets]:
    return {name: read_secrets(site) for name, site in head_study.study.sites.items()}


@pytest.fixture(scope="module")
def found(head_study: HeadStudy, secrets: dict[str, Secrets]) -> dict[str, Mapping[str, int]]:
    upward = Searched(b"\n".join(head_study.upward))
    return {name: upward.find(secrets[name]) for name in secrets}


@pytest.fixture(scope="module")
def objects(head_study: HeadStudy) -> dict[str, WireObject]:
    return pushed_objects(head_study.exchanged)


def test_the_search_knows_every_scan_and_all_that_was_computed_from_it(
    secrets: dict[str, Secrets],
) -> None:
    held = {name: (len(s.counts), len(s.inputs), len(s.features)) for name, s in secrets.items()}

    # Two views a scan; features of training scans are kept as they are and flipped.
    assert held == {"aachen": (40, 20, 34), "aalborg": (40, 20, 34), "namur": (24, 12, 12)}
    assert [len(scores) for scores in secrets["namur"].scores] == [12, 12]
    for site in secrets.values():
        assert all(len(telling_blocks([view])) > 1000 for view in site.counts)
        assert all(len(telling_blocks([image])) > 100 for image in site.inputs)
        assert all(len(telling_blocks([row])) > 10 for row in site.features)


@pytest.mark.parametrize("kind", ["counts", "inputs", "features", "scores", "texts"])
def test_nothing_of_a_scan_or_patient_is_on_the_wire(
    found: dict[str, Mapping[str, int]], kind: str
) -> None:
    assert {name: kinds[kind] for name, kinds in found.items() if kind in kinds} == {}


def test_the_only_arrays_that_leave_are_the_models_in_replies_to_training(
    objects: dict[str, WireObject],
) -> None:
    replies = sent_replies(objects)

    model = {"arrays/weights": float32_form((parameter_count("head"),))}
    training = (MessageType.TRAIN, MessageType.LOCAL)
    trained = [reply.arrays for reply in replies if reply.message_type in training]
    others = [reply.arrays for reply in replies if reply.message_type not in training]
    assert trained == [model] * 2 * (HEAD.rounds + 1)
    assert not any(others)


def test_numbers_and_texts_that_leave_are_those_of_the_contract(
    objects: dict[str, WireObject],
) -> None:
    for reply in sent_replies(objects):
        kind = MessageType(reply.message_type)

        # None is a list of floats: such a key would end in [].
        assert reply.metrics <= {f"metrics/{name}" for name in REPLY_METRICS[kind]}
        assert reply.config == {f"config/{name}" for name in HEADER | set(REPLY_TEXTS[kind])}


def test_every_pushed_object_belongs_to_a_message(objects: dict[str, WireObject]) -> None:
    assert set(objects) == below_messages(objects)


def test_the_sites_audit_logs_name_every_message_on_the_wire(
    head_study: HeadStudy, objects: dict[str, WireObject]
) -> None:
    entries = [e for site in head_study.study.sites.values() for e in read_entries(site.audit)]

    sent = Counter(e["message_type"] for e in entries if e["direction"] == "out")
    assert sent == Counter(reply.message_type for reply in sent_replies(objects))


def test_the_proxy_saw_the_other_direction_too(head_study: HeadStudy) -> None:
    downward = b"".join(e.response.body for e in head_study.exchanged)

    for number in range(HEAD.rounds + 1):
        path = head_study.study.folder.rounds / f"{number:04d}" / "weights.safetensors"
        weights = read_weights(path, array_shapes("head"))
        assert weights["head_output/kernel"].tobytes() in downward
