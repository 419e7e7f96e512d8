"""Asking each train site for a model from its own scans alone, to compare the study's with.

A site that may not let it out, or does not answer, is left out with its reason; the study goes on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from bs_common.contract import MessageType, most_compared
from bs_common.errors import ReplyRefused
from bs_common.messages import Reply, Request
from bs_common.settings import StudySettings
from bs_common.weights import digest
from bs_server.federation.attendance import Told
from bs_server.federation.exchange import Answer, Exchange, NoAnswer, Patience
from bs_server.federation.members import Members
from bs_server.federation.screening import Declared
from bs_server.federation.validation import pool_validation
from bs_server.storage.frozen import FrozenFile, FrozenModel, FrozenModels

_log = logging.getLogger(__name__)

# No more models fit in the one external request (`bs_common.contract.MOST_COMPARED`).
NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class LocalModels:
    """The models of single sites in a running study.

    start_sha256 : of the weights that the study started from, and each site's model too.
    told : hears `local` with the sites that are asked, and `local_model` with each that answered.
    """

    store: FrozenModels
    settings: StudySettings
    exchange: Exchange
    members: Members
    start_sha256: str
    told: Told

    def gather(self, sites: tuple[str, ...], *, patience: Patience) -> FrozenFile:
        """Give the frozen list; ask those sites first whose model is not on disk, once for all.

        Each answer is on disk as soon as it has come, so that a study that is killed meanwhile goes
        on with the rest.
        """
        known = self.store.find_list()
        if known is not None:
            return known
        room = most_compared(self.settings)
        left_out = dict.fromkeys(sites[room:], NO_ROOM)
        missing = tuple(site for site in sites[:room] if self.store.find(site) is None)
        left_out |= self.members.unusable(missing)
        asked = tuple(site for site in missing if site not in left_out)
        if asked:
            self.told("local", sites=list(asked))
            self._ask(asked, left_out, patience)
        return self.store.close_list(sites, left_out)

    def _ask(self, sites: tuple[str, ...], left_out: dict[str, str], patience: Patience) -> None:
        def take(site: str, answer: Answer) -> None:
            try:
                self._take(site, answer)
                self.told("local_model", site=site)
            except ReplyRefused as error:
                _log.warning("no local model of %s: %s", site, error)
                left_out[site] = error.reason

        request = Request(MessageType.LOCAL, 0)
        answers = self.exchange.ask(request, sites, patience=patience, answered=take)
        for site, answer in answers.items():
            if isinstance(answer, NoAnswer):
                left_out[site] = answer.reason

    def _take(self, site: str, answer: Answer) -> None:
        if isinstance(answer, NoAnswer):
            raise ReplyRefused(answer.reason, "no usable answer")
        admit_local(answer, self.members.limits[site], self.settings, self.start_sha256)
        self.store.keep(freeze(site, answer, self.settings), answer.arrays)


def admit_local(
    reply: Reply, declared: Declared, settings: StudySettings, start_sha256: str
) -> None:
    """Raise ReplyRefused unless a local model comes from the study's start, rounds and scans.

    With `other_start`, `best_round` or `example_count`.
    """
    if reply.texts["start-sha256"] != start_sha256:
        raise ReplyRefused("other_start", "the site started from other weights than the study")
    if _whole(reply, "best-round") > settings.rounds:
        raise ReplyRefused("best_round", "the site chose a round that the study does not have")
    examples, positives = _whole(reply, "train-examples"), declared.train_positives
    if examples % 2 or positives not in (None, examples // 2):
        raise ReplyRefused("example_count", f"{examples} examples, expected 2 x {positives}")


def freeze(site: str, reply: Reply, settings: StudySettings) -> FrozenModel:
    """Write down what is known of a site's model; its validation is pooled as a round's is."""
    validation = pool_validation({site: reply}, settings.threshold_rule)
    chosen = validation.threshold
    return FrozenModel(
        site=site,
        weights_sha256=digest(reply.arrays),
        best_round=_whole(reply, "best-round"),
        validation_auc=validation.auc,
        threshold=settings.threshold if chosen is None else chosen.probability,
    )


def _whole(reply: Reply, name: str) -> int:
    value = reply.metrics[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} is not a whole number")
    return value
