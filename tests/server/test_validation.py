"""Pooling the sites' validation, and choosing the best round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bs_common.contract import HISTOGRAM_BINS, MessageType
from bs_common.errors import StudyStopped
from bs_common.messages import Metric, Reply
from bs_common.metrics import histogram
from bs_server.summary import RoundSummary
from bs_server.validation import choose_best, contenders, pool_validation


def reply(
    margins: list[float], labels: list[int], *, loss: float = 0.5, hide: bool = False
) -> Reply:
    counts = histogram(margins, labels)
    metrics: dict[str, Metric] = {"num-examples": len(labels), "loss": loss}
    names = ("histogram.no_metastasis", "histogram.metastasis")
    if hide:
        return Reply(MessageType.EVALUATE, 1, {}, metrics, hidden=names)
    metrics |= {name: counts[row].tolist() for row, name in enumerate(names)}
    return Reply(MessageType.EVALUATE, 1, {}, metrics)


def entry(number: int, auc: float | None, loss: float | None = 0.5) -> RoundSummary:
    return RoundSummary(
        round=number,
        pooled_auc=auc,
        pooled_auc_bound=None if auc is None else 0.0,
        validation_loss=loss,
        validation_examples=10,
        weights_sha256="a" * 64,
        seconds=None,
        sites=[],
        hidden={},
    )


def test_pooled_figures_are_those_worked_by_hand() -> None:
    # Positives at 1 and 3, negatives at -1, 2 and -3: of 6 pairs only (1, 2) is the wrong way.
    one = reply([1.0, -1.0, 2.0], [1, 0, 0], loss=0.3)
    other = reply([3.0, -3.0], [1, 0], loss=0.8)

    pooled = pool_validation({"aachen": one, "aalborg": other})

    assert pooled.auc == pytest.approx(5 / 6)
    assert pooled.auc_bound == 0
    assert pooled.loss == pytest.approx((3 * 0.3 + 2 * 0.8) / 5)
    assert (pooled.examples, pooled.hidden) == (5, {})


SCAN = st.tuples(st.floats(-9, 9), st.integers(0, 1))


@settings(deadline=None)
@given(st.lists(SCAN, min_size=1, max_size=15), st.lists(SCAN, min_size=1, max_size=15))
def test_the_auc_of_the_pooled_scans_lies_within_the_bound(
    one: list[tuple[float, int]], other: list[tuple[float, int]]
) -> None:
    margins, labels = zip(*one, *other, strict=True)
    sites = {
        "aachen": reply([m for m, _ in one], [y for _, y in one]),
        "aalborg": reply([m for m, _ in other], [y for _, y in other]),
    }

    pooled = pool_validation(sites)

    if len(set(labels)) < 2:
        assert (pooled.auc, pooled.auc_bound, pooled.hidden) == (None, None, {})
        return
    assert pooled.auc is not None
    assert pooled.auc_bound is not None
    assert abs(roc_auc_score(labels, margins) - pooled.auc) <= pooled.auc_bound + 1e-12


def test_the_order_of_arrival_does_not_change_the_figures() -> None:
    sites = {f"site{k}": reply([k / 7, -k / 3], [1, 0], loss=0.1 * k) for k in range(1, 6)}

    assert pool_validation(sites) == pool_validation(dict(reversed(sites.items())))


def test_one_hidden_histogram_hides_the_pooled_auc_and_keeps_the_loss() -> None:
    shown, hiding = reply([1.0, -1.0], [1, 0], loss=0.2), reply([1.0], [1], loss=0.8, hide=True)

    pooled = pool_validation({"aachen": shown, "aalborg": hiding})

    assert (pooled.auc, pooled.auc_bound) == (None, None)
    assert pooled.hidden == {"pooled_auc": "small_cell", "pooled_auc_bound": "small_cell"}
    assert pooled.loss == pytest.approx((2 * 0.2 + 0.8) / 3)


def test_an_auc_without_one_of_the_classes_is_not_known_and_not_called_hidden() -> None:
    pooled = pool_validation({"aachen": reply([1.0, 2.0], [0, 0])})

    assert pooled.auc is None
    assert pooled.hidden == {}


def test_the_histograms_have_the_contracts_length() -> None:
    counts = reply([0.0], [1]).metrics["histogram.metastasis"]

    assert np.shape(counts) == (HISTOGRAM_BINS,)


def test_the_best_round_has_the_highest_pooled_auc() -> None:
    rounds = [entry(0, 0.5), entry(1, 0.7), entry(2, 0.9, loss=9.0), entry(3, 0.8, loss=0.1)]

    best, chosen_by = choose_best(rounds)

    assert (best.round, chosen_by) == (2, "pooled_auc")


def test_the_starting_weights_do_not_compete() -> None:
    assert choose_best([entry(0, 0.99, loss=0.0), entry(1, 0.6)])[0].round == 1


def test_the_earlier_round_wins_a_tie() -> None:
    by_auc = [entry(0, 0.1), entry(1, 0.5), entry(2, 0.9), entry(3, 0.9)]
    by_loss = [entry(0, None), entry(1, None, 0.7), entry(2, None, 0.3), entry(3, None, 0.3)]

    assert choose_best(by_auc)[0].round == 2
    assert choose_best(by_loss)[0].round == 2


def test_one_unknown_auc_lets_the_loss_decide() -> None:
    rounds = [entry(0, None), entry(1, 0.9, loss=0.6), entry(2, None, loss=0.4), entry(3, 0.8)]

    best, chosen_by = choose_best(rounds)

    assert (best.round, chosen_by) == (2, "validation_loss")


def test_a_round_of_unknown_loss_is_chosen_last() -> None:
    assert choose_best([entry(1, None, None), entry(2, None, 3.0)])[0].round == 2


def test_an_auc_of_zero_is_a_figure_and_not_a_missing_one() -> None:
    assert choose_best([entry(1, 0.0, 0.1), entry(2, 0.2, 0.9)])[1] == "pooled_auc"


@pytest.mark.parametrize("rounds", [[], [entry(0, 0.9)]])
def test_without_a_trained_round_there_is_nothing_to_choose(rounds: list[RoundSummary]) -> None:
    with pytest.raises(StudyStopped, match="No round was finished"):
        choose_best(rounds)


def without(entry_: RoundSummary, *sites: str) -> RoundSummary:
    return entry_.model_copy(update={"not_validated": dict.fromkeys(sites, "away")})


def test_rounds_judged_on_fewer_scans_do_not_compete_with_the_whole() -> None:
    rounds = [entry(1, 0.6), entry(2, 0.7), without(entry(3, 0.9), "bonn")]

    assert choose_best(rounds)[0].round == 2
    assert choose_best(rounds, same_scans=False)[0].round == 3


def test_where_one_site_was_never_there_the_others_scans_decide() -> None:
    rounds = [without(entry(1, 0.6), "bonn"), without(entry(2, 0.8), "bonn")]

    assert choose_best(rounds)[0].round == 2


def test_of_two_groups_of_sites_the_one_with_more_rounds_decides() -> None:
    rounds = [
        without(entry(1, 0.9), "aachen"),
        without(entry(2, 0.6), "bonn"),
        without(entry(3, 0.7), "bonn"),
    ]

    assert choose_best(rounds)[0].round == 3


def test_whatever_rule_decides_the_best_is_among_the_contenders() -> None:
    rounds = [
        entry(1, 0.9, loss=0.9),
        entry(2, 0.6, loss=0.1),
        without(entry(3, 0.95), "bonn"),
        entry(4, 0.7),
    ]

    kept = {e.round for e in contenders(rounds)}

    assert kept == {1, 2, 3}
