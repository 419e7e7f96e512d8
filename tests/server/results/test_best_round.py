"""Choosing the best round."""

from __future__ import annotations

import pytest

from bs_common.errors import StudyStopped
from bs_server.results.best_round import choose_best, contenders
from bs_server.results.summary import RoundSummary


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
