"""The study from the first site's connection to the last site's goodbye, as one readable run.

Every finished round is on disk before it is announced, so a coordinator that is started again goes
on after the last one. The evaluate sites are asked once, after the best round is fixed.
"""

from __future__ import annotations

import datetime
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from bs_common.architecture import NamedArrays, array_shapes, initial_head
from bs_common.contract import MessageType
from bs_common.errors import ReplyRefused, StudyStopped
from bs_common.files import write_atomic
from bs_common.messages import Reply, Request
from bs_common.weights import digest
from bs_server.aggregation import Update, federated_average
from bs_server.checkpoint import Checkpoints
from bs_server.config import StudyFile, StudyFolder
from bs_server.exchange import Answer, Exchange, Link, NoAnswer
from bs_server.external import Question, ask_once
from bs_server.outcome import Course, Described, summarise
from bs_server.register import Register
from bs_server.screening import Declared, admit_update
from bs_server.sites import check_one_backbone, declared, summarise_site
from bs_server.summary import ACCEPTED, RoundSummary, SiteRound, Summary
from bs_server.validation import choose_best, pool_validation

Clock = Callable[[], datetime.datetime]  # the time now, in UTC

_log = logging.getLogger(__name__)
_POLL_S = 0.05
_GOODBYE_S = 30.0
_ATTEMPTS = 2  # a round whose answers are not all usable is repeated once


class Progress(Protocol):
    """Told what happens, for a person's screen or a program's pipe."""

    def __call__(self, event: str, **facts: object) -> None:
        """Take one event and its facts."""


@dataclass(frozen=True, slots=True)
class Study:
    """A study that can run: its folder, its file, its enrolled sites."""

    folder: StudyFolder
    file: StudyFile
    register: Register

    @property
    def train_sites(self) -> tuple[str, ...]:
        """Sites that train and validate."""
        return self.register.names("train")

    @property
    def evaluate_sites(self) -> tuple[str, ...]:
        """Sites that judge the finished model."""
        return self.register.names("evaluate")


def run_study(study: Study, link: Link, progress: Progress, *, clock: Clock) -> Summary:
    """Run, or go on with, a study until its summary can be written."""
    started = _first_start(study.folder, clock)
    exchange = Exchange(link, study.file.study, deadline_s=study.file.deadlines.answer_s)
    names = tuple(sorted(study.register.sites))
    _wait_for_sites(study, link, names, progress)
    described = _describe(study, exchange, names)
    progress("described", sites=len(names))
    rounds = _run_rounds(study, exchange, described, progress)
    best, chosen_by = choose_best(rounds)
    arrays = Checkpoints(study.folder.rounds, study.file.study.trainable).weights(best)
    progress("external", round=best.round, sites=list(study.evaluate_sites))
    external = ask_once(
        study.folder,
        exchange,
        study.evaluate_sites,
        question=Question(best.round, arrays, best.threshold, study.file.study),
    )
    course = Course(started, rounds, best, chosen_by, external)
    return summarise(study.file, described, course, finished=clock())


def say_goodbye(study: Study, link: Link) -> None:
    """Tell every site that the study is over; one that is away now is not waited for long."""
    exchange = Exchange(link, study.file.study, deadline_s=_GOODBYE_S)
    names = tuple(sorted(study.register.sites))
    for site, answer in exchange.ask(Request(MessageType.FINISH, 0), names).items():
        if isinstance(answer, NoAnswer):
            _log.warning("%s did not confirm the end of the study: %s", site, answer.reason)


def _first_start(folder: StudyFolder, clock: Clock) -> datetime.datetime:
    if not folder.started.exists():
        write_atomic(folder.started, clock().isoformat().encode())
    return datetime.datetime.fromisoformat(folder.started.read_text())


def _wait_for_sites(study: Study, link: Link, names: tuple[str, ...], progress: Progress) -> None:
    end = time.monotonic() + study.file.deadlines.sites_s
    reported: frozenset[str] | None = None
    while (online := link.online()) < set(names):
        if online != reported:
            progress("waiting", online=sorted(online), missing=sorted(set(names) - online))
            reported = online
        if time.monotonic() > end:
            raise StudyStopped(
                f"Not connected in time: {', '.join(sorted(set(names) - online))}.",
                remedy="Ask these sites for the output of bs-client run, then run again.",
            )
        time.sleep(_POLL_S)
    progress("connected", online=sorted(online))


def _describe(study: Study, exchange: Exchange, names: tuple[str, ...]) -> Described:
    replies = _all(exchange.ask(Request(MessageType.DESCRIBE, 0), names), "describe")
    sites = [summarise_site(name, replies[name], study.register) for name in names]
    check_one_backbone(sites)
    return Described(sites=sites, replies=replies)


def _run_rounds(
    study: Study, exchange: Exchange, described: Described, progress: Progress
) -> list[RoundSummary]:
    settings = study.file.study
    checkpoints = Checkpoints(study.folder.rounds, settings.trainable)
    rounds = checkpoints.records()
    if rounds:
        arrays = checkpoints.weights(rounds[-1])
        for record in rounds:
            progress("round", **_facts(record, settings.rounds))
    else:
        arrays = _starting_weights(study, exchange)
    limits = {name: declared(described.replies[name]) for name in study.train_sites}
    for number in range(len(rounds), settings.rounds + 1):
        started = time.monotonic()
        trained: list[SiteRound] = []
        if number > 0:
            arrays, trained = _train(study, exchange, number, arrays, limits, progress)
        record = _validate(study, exchange, number, arrays, trained, started)
        checkpoints.write(record, arrays)
        rounds.append(record)
        progress("round", **_facts(record, settings.rounds))
    return rounds


def _starting_weights(study: Study, exchange: Exchange) -> NamedArrays:
    """Draw the head; ask one train site for the backbone's trainable part where there is one."""
    settings = study.file.study
    arrays = initial_head(settings.seed)
    if settings.trainable != "head":
        first = study.train_sites[0]
        request = Request(MessageType.INITIAL, 0)
        arrays |= _all(exchange.ask(request, (first,)), "initial")[first].arrays
    return {name: arrays[name] for name in array_shapes(settings.trainable)}


def _train(
    study: Study,
    exchange: Exchange,
    number: int,
    arrays: NamedArrays,
    limits: Mapping[str, Declared],
    progress: Progress,
) -> tuple[NamedArrays, list[SiteRound]]:
    request = Request(MessageType.TRAIN, number, arrays)
    verdicts: dict[str, str] = {}
    for _ in range(_ATTEMPTS):
        answers = exchange.ask(
            request,
            study.train_sites,
            answered=lambda site, _: progress("trained", site=site, round=number),
        )
        updates, verdicts = _screen(answers, limits)
        if set(updates) == set(study.train_sites):
            average = federated_average(updates)
            return average, [_site_round(name, answers[name]) for name in study.train_sites]
        progress("refused", round=number, verdicts=verdicts)
    raise StudyStopped(
        f"Round {number} has no usable update from: {_listed(verdicts)}.",
        remedy="Mend the cause at these sites, then run again: the study goes on with this round.",
    )


def _screen(
    answers: Mapping[str, Answer], limits: Mapping[str, Declared]
) -> tuple[dict[str, Update], dict[str, str]]:
    """Split the answers into admitted updates and reasons why the others are not."""
    updates: dict[str, Update] = {}
    refused: dict[str, str] = {}
    for site, answer in answers.items():
        if isinstance(answer, NoAnswer):
            refused[site] = answer.reason
            continue
        try:
            updates[site] = admit_update(answer, limits[site])
        except ReplyRefused as error:
            _log.warning("update of %s refused: %s", site, error)
            refused[site] = error.reason
    return updates, refused


def _site_round(name: str, answer: Answer) -> SiteRound:
    metrics = answer.metrics if isinstance(answer, Reply) else {}
    examples, loss, accuracy = (metrics.get(k) for k in ("num-examples", "loss", "accuracy"))
    return SiteRound(
        name=name,
        verdict=ACCEPTED,
        num_examples=examples if isinstance(examples, int) else None,
        loss=loss if isinstance(loss, float) else None,
        accuracy=accuracy if isinstance(accuracy, float) else None,
    )


def _validate(
    study: Study,
    exchange: Exchange,
    number: int,
    arrays: NamedArrays,
    trained: list[SiteRound],
    started: float,
) -> RoundSummary:
    request = Request(MessageType.EVALUATE, number, arrays)
    replies = _all(exchange.ask(request, study.train_sites), "evaluate")
    pooled = pool_validation(replies, study.file.study.threshold_rule)
    return RoundSummary(
        round=number,
        pooled_auc=pooled.auc,
        pooled_auc_bound=pooled.auc_bound,
        validation_loss=pooled.loss,
        validation_examples=pooled.examples,
        threshold=None if pooled.threshold is None else pooled.threshold.probability,
        weights_sha256=digest(arrays),
        seconds=time.monotonic() - started,
        sites=trained,
        hidden=dict(pooled.hidden),
    )


def _all(answers: Mapping[str, Answer], what: str) -> dict[str, Reply]:
    """Give the replies, or stop the study naming every site without a usable one."""
    reasons = {name: a.reason for name, a in answers.items() if isinstance(a, NoAnswer)}
    if reasons:
        raise StudyStopped(
            f"No usable answer to '{what}' from: {_listed(reasons)}.",
            remedy="Look into these sites' logs, mend the cause, then run again.",
        )
    return {name: answer for name, answer in answers.items() if isinstance(answer, Reply)}


def _listed(reasons: Mapping[str, str]) -> str:
    return ", ".join(f"{site} ({reason})" for site, reason in sorted(reasons.items()))


def _facts(record: RoundSummary, total: int) -> dict[str, object]:
    return {
        "round": record.round,
        "rounds": total,
        "pooled_auc": record.pooled_auc,
        "validation_loss": record.validation_loss,
        "seconds": record.seconds,
    }
