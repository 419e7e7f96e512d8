"""Asking until enough usable answers are there, and what to do where they do not come.

Both sides of a round, training and validation, go through `gather`; the policy is the study
file's `[quorum]`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bs_common.errors import StudyStopped
from bs_common.messages import Reply, Request
from bs_server.config import Quorum
from bs_server.federation.exchange import Answer, NoAnswer, Patience
from bs_server.federation.reasons import LOOK_THERE, remedy_for
from bs_server.results.summary import MISSING, Refusal

Screen = Callable[[Mapping[str, Reply]], Mapping[str, str]]  # usable as form -> reason against


class Asks(Protocol):
    """Sends a request to sites and gives their answers, as `Exchange.ask`."""

    def __call__(
        self, request: Request, sites: tuple[str, ...], *, patience: Patience
    ) -> dict[str, Answer]:
        """Ask."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of asking the train sites.

    replies : those that are used, in the order of the site names.
    left_out : site -> why the round goes on without it.
    refusals : replies that were not used, in the order in which they were refused.
    """

    replies: dict[str, Reply] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The quorum rules for a study of so many train sites."""

    rules: Quorum
    sites: int
    longest_s: float

    @property
    def fewest(self) -> int:
        """Usable replies that a round needs."""
        return self.sites if self.rules.fewest is None else min(self.rules.fewest, self.sites)

    def patience(self, *, have: int = 0) -> Patience:
        """Give how long to wait where so many usable replies are there already."""
        rules = self.rules
        if rules.missing == "go_on":
            more = max(0, self.fewest - have)
            return Patience(self.longest_s, more, rules.patience_s, rules.away_s)
        longest_s = self.longest_s
        if rules.missing == "stop":
            longest_s = min(longest_s, rules.patience_s)
        return Patience(longest_s, self.sites + 1, longest_s, longest_s)

    def does_without(self, usable: int, reasons: Mapping[str, str]) -> bool:
        """Tell whether a round with so many usable replies goes on without these sites."""
        policies = {
            self.rules.missing if reason in MISSING else self.rules.refused
            for reason in reasons.values()
        }
        return policies <= {"go_on"} and usable >= self.fewest

    def asks_again(self, attempt: int) -> bool:
        """Tell whether sites whose replies were refused are asked once more."""
        return self.rules.refused != "stop" and attempt < self.rules.attempts


def gather(
    ask: Asks,
    request: Request,
    sites: tuple[str, ...],
    policy: Policy,
    *,
    screen: Screen,
    unasked: Mapping[str, str],
    told: Callable[[Refusal], None],
) -> Gathered:
    """Ask the sites, those with a refused reply again, until the policy has what it needs.

    Parameters
    ----------
    screen : gives the sites whose replies cannot be used, with the reason. It gets all replies
        that have come, accepted ones included, so the order of arrival changes nothing.
    unasked : train sites that cannot be asked now, with the reason.
    told : hears each refusal.

    Raises
    ------
    StudyStopped
        If there are too few usable replies, naming every site without one and its reason.
    """
    usable: dict[str, Reply] = {}
    missing = dict(unasked)
    refusals: list[Refusal] = []
    attempt, asked = 0, sites
    while True:
        attempt += 1
        patience = policy.patience(have=len(usable))
        answers = ask(request, asked, patience=patience) if asked else {}
        usable, refused = _sort(usable, answers, screen, missing)
        for site, reason in refused.items():
            refusals.append(
                Refusal(name=site, message=request.message_type, attempt=attempt, reason=reason)
            )
            told(refusals[-1])
        reasons = missing | refused
        if not reasons or policy.does_without(len(usable), reasons):
            ordered = {site: usable[site] for site in sorted(usable)}
            return Gathered(ordered, dict(sorted(reasons.items())), tuple(refusals))
        if not refused or not policy.asks_again(attempt):
            raise _stopped(request, reasons)
        asked = tuple(sorted(refused))


def _sort(
    usable: Mapping[str, Reply],
    answers: Mapping[str, Answer],
    screen: Screen,
    missing: dict[str, str],
) -> tuple[dict[str, Reply], dict[str, str]]:
    """Split all replies so far into usable and refused; note who did not answer in `missing`."""
    refused: dict[str, str] = {}
    replies = dict(usable)
    for site, answer in answers.items():
        if isinstance(answer, Reply):
            replies[site] = answer
        elif answer.reason in MISSING:
            missing[site] = answer.reason
        else:
            refused[site] = answer.reason
    refused |= screen({site: replies[site] for site in sorted(replies)})
    return {site: reply for site, reply in replies.items() if site not in refused}, refused


def _stopped(request: Request, reasons: Mapping[str, str]) -> StudyStopped:
    what = f"Round {request.round_number}, {request.message_type.value}"
    return StudyStopped(
        f"{what}: no usable answer from {listed(reasons)}.",
        remedy=remedy_for(
            reasons.values(),
            otherwise="Mend the cause at these sites, then run again: the study goes on with this "
            "round. [quorum] in study.toml says what a round does without.",
        ),
    )


def listed(reasons: Mapping[str, str]) -> str:
    """Name the sites with their reasons, in order."""
    return ", ".join(f"{site} ({reason})" for site, reason in sorted(reasons.items()))


def needed(answers: Mapping[str, Answer], what: str) -> dict[str, Reply]:
    """Give the replies, or stop the study naming every site without a usable one."""
    reasons = {name: a.reason for name, a in answers.items() if isinstance(a, NoAnswer)}
    if reasons:
        raise StudyStopped(
            f"No usable answer to '{what}' from: {listed(reasons)}.",
            remedy=remedy_for(reasons.values(), otherwise=LOOK_THERE),
        )
    return {name: answer for name, answer in answers.items() if isinstance(answer, Reply)}
