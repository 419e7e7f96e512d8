"""The rounds of a study: train, screen, average, validate, keep; then the next one."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bs_common.architecture import NamedArrays, initial_head
from bs_common.contract import MessageType
from bs_common.errors import ReplyRefused, StudyStopped
from bs_common.messages import Reply, Request
from bs_common.settings import StudySettings
from bs_common.weights import digest
from bs_server.config import StudyFile, StudyFolder
from bs_server.federation.aggregation import Update, federated_average
from bs_server.federation.attendance import Told
from bs_server.federation.exchange import Exchange
from bs_server.federation.members import Members
from bs_server.federation.quorum import Gathered, Policy, Screen, gather, needed
from bs_server.federation.screening import Bound, admit_norm, admit_update, bound_after, update_norm
from bs_server.federation.validation import PooledValidation, pool_validation
from bs_server.oversight.control import Control, Wish
from bs_server.results.summary import ACCEPTED, Refusal, RoundSummary, SiteRound
from bs_server.storage.checkpoint import Checkpoints
from bs_server.storage.history import History
from bs_server.storage.start import starting_weights

_log = logging.getLogger(__name__)
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Rounds:
    """What every round needs.

    train_sites : all of them, described or not.
    """

    folder: StudyFolder
    file: StudyFile
    train_sites: tuple[str, ...]
    members: Members
    exchange: Exchange
    control: Control
    history: History
    told: Told

    @property
    def settings(self) -> StudySettings:
        """What the sites agreed to."""
        return self.file.study

    @property
    def checkpoints(self) -> Checkpoints:
        """The finished rounds on disk."""
        keep_last = self.file.storage.keep_last
        return Checkpoints(self.folder.rounds, self.settings.trainable, keep_last)

    @property
    def policy(self) -> Policy:
        """What a round does without some of its sites."""
        rules, longest_s = self.file.quorum, self.file.deadlines.answer_s
        return Policy(rules, len(self.train_sites), longest_s)

    @property
    def begun(self) -> bool:
        """Whether a round is on disk."""
        return self.folder.rounds.exists()

    def run(self) -> list[RoundSummary]:
        """Run the rounds that are not on disk yet and give the records of all."""
        resumed = self.checkpoints.resume(self._damaged)
        rounds = resumed.rounds if resumed else []
        for record in rounds:
            self._announce(record)
        arrays = resumed.arrays if resumed else self._start()
        for number in range(len(rounds), self.settings.rounds + 1):
            self._wait_while_paused(number)
            self.checkpoints.require_space()
            self.told("begun", round=number, rounds=self.settings.rounds)
            record, arrays = self._round(number, arrays, rounds)
            self.checkpoints.write(record, arrays)
            rounds.append(record)
            self._announce(record)
            self.checkpoints.forget_weights(rounds)
        return rounds

    def _start(self) -> NamedArrays:
        """Draw the head; ask one train site for the backbone's part where that is trained too."""

        def make() -> NamedArrays:
            arrays = initial_head(self.settings.seed)
            if self.settings.trainable != "head":
                first = self.members.usable_train_sites[0]
                answers = self.exchange.ask(Request(MessageType.INITIAL, 0), (first,))
                arrays |= needed(answers, "initial")[first].arrays
            return arrays

        return starting_weights(
            self.folder.start,
            self.settings.trainable,
            make=make,
            damaged=lambda why: self._damaged(0, why),
        )

    def _round(
        self, number: int, arrays: NamedArrays, before: Sequence[RoundSummary]
    ) -> tuple[RoundSummary, NamedArrays]:
        started = time.monotonic()
        trained: list[SiteRound] = []
        refusals: tuple[Refusal, ...] = ()
        self._gather_members()
        if number > 0:
            bound = bound_after(before, self.file.screening.norm_factor)
            arrays, trained, refusals = self._train(number, arrays, bound)
        gathered, pooled = self._validate(number, arrays)
        record = RoundSummary(
            round=number,
            pooled_auc=pooled.auc,
            pooled_auc_bound=pooled.auc_bound,
            validation_loss=pooled.loss,
            validation_examples=pooled.examples,
            threshold=None if pooled.threshold is None else pooled.threshold.probability,
            weights_sha256=digest(arrays),
            seconds=time.monotonic() - started,
            sites=trained,
            not_validated=gathered.left_out,
            refusals=[*refusals, *gathered.refusals],
            hidden=dict(pooled.hidden),
        )
        return record, arrays

    def _gather_members(self) -> None:
        """Ask those who came meanwhile what they have; wait until the quorum can be reached."""
        describe_s = self.file.deadlines.describe_s
        end = time.monotonic() + self.file.deadlines.answer_s
        self.members.greet(describe_s)
        while len(self.members.usable_train_sites) < self.policy.fewest:
            if time.monotonic() > end:
                raise StudyStopped(
                    f"Fewer than {self.policy.fewest} train sites can take part.",
                    remedy="bs-server status STUDY_DIR names each site's state; then run again.",
                )
            self.members.pulse()
            time.sleep(_POLL_S)
            self.members.greet(describe_s)

    def _train(
        self, number: int, arrays: NamedArrays, bound: Bound
    ) -> tuple[NamedArrays, list[SiteRound], tuple[Refusal, ...]]:
        norms: dict[str, float] = {}

        def screen(replies: Mapping[str, Reply]) -> dict[str, str]:
            for site, reply in replies.items():
                norms[site] = update_norm(reply.arrays, arrays)
            return self._screen(replies, norms, bound)

        gathered = self._ask(Request(MessageType.TRAIN, number, arrays), screen)
        limits = self.members.limits
        updates: dict[str, Update] = {}
        for site, reply in gathered.replies.items():
            updates[site] = admit_update(reply, limits[site])
            self.told("trained", site=site, round=number)
        rows = [
            _site_round(site, gathered.replies[site], norms[site])
            if site in gathered.replies
            else _left_out(site, gathered.left_out[site])
            for site in self.train_sites
        ]
        return federated_average(updates), rows, gathered.refusals

    def _screen(
        self, replies: Mapping[str, Reply], norms: Mapping[str, float], bound: Bound
    ) -> dict[str, str]:
        """Give the reason against each update that cannot be used."""
        largest = bound.of([norms[site] for site in sorted(replies)])
        reasons: dict[str, str] = {}
        for site, reply in replies.items():
            try:
                admit_update(reply, self.members.limits[site])
                admit_norm(norms[site], largest)
            except ReplyRefused as error:
                _log.warning("update of %s refused: %s", site, error)
                reasons[site] = error.reason
        return reasons

    def _validate(self, number: int, arrays: NamedArrays) -> tuple[Gathered, PooledValidation]:
        request = Request(MessageType.EVALUATE, number, arrays)
        gathered = self._ask(request, lambda _replies: {})
        return gathered, pool_validation(gathered.replies, self.file.study.threshold_rule)

    def _ask(self, request: Request, screen: Screen) -> Gathered:
        def told(refusal: Refusal) -> None:
            self.told("refused", round=request.round_number, **refusal.model_dump())

        gathered = gather(
            self.exchange.ask,
            request,
            self.members.usable_train_sites,
            self.policy,
            screen=screen,
            unasked=self.members.unusable(self.train_sites),
            told=told,
        )
        if gathered.left_out:
            kind, number = request.message_type.value, request.round_number
            self.told("without", round=number, message=kind, sites=gathered.left_out)
        return gathered

    def _wait_while_paused(self, number: int) -> None:
        """Stay between two rounds while somebody wishes a pause; the sites stay connected."""
        if self.control.wish is not Wish.PAUSE:
            return
        self.told("paused", round=number)
        end = time.monotonic() + self.file.deadlines.paused_s
        while self.control.wish is Wish.PAUSE:
            if time.monotonic() > end:
                raise StudyStopped(
                    f"Paused before round {number} for longer than paused_s allows.",
                    remedy="bs-server resume STUDY_DIR, then run again.",
                )
            self.members.pulse()
            time.sleep(_POLL_S)
        self.told("resumed", round=number)

    def _damaged(self, number: int, why: str) -> None:
        self.history.note(
            f"What was on disk of round {number} could not be used ({why}); the study went back "
            "to the round before and computed it again."
        )
        self.told("damaged", round=number, why=why)

    def _announce(self, record: RoundSummary) -> None:
        self.told(
            "round",
            round=record.round,
            rounds=self.settings.rounds,
            pooled_auc=record.pooled_auc,
            validation_loss=record.validation_loss,
            seconds=record.seconds,
            without={s.name: s.verdict for s in record.sites if s.verdict != ACCEPTED},
        )


def _site_round(name: str, reply: Reply, norm: float) -> SiteRound:
    examples, loss, accuracy = (
        reply.metrics.get(key) for key in ("num-examples", "loss", "accuracy")
    )
    return SiteRound(
        name=name,
        verdict=ACCEPTED,
        num_examples=examples if isinstance(examples, int) else None,
        loss=loss if isinstance(loss, float) else None,
        accuracy=accuracy if isinstance(accuracy, float) else None,
        update_norm=norm,
    )


def _left_out(name: str, reason: str) -> SiteRound:
    return SiteRound(name=name, verdict=reason, num_examples=None, loss=None, accuracy=None)
