"""The study from the first site's connection to the last site's goodbye, as one readable run.

Every finished round is on disk before it is announced, so a coordinator that is started again goes
on after the last one. The evaluate sites are asked once, after the best round is fixed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bs_common.contract import MessageType
from bs_common.messages import Request
from bs_server.config import StudyFile, StudyFolder
from bs_server.evaluation.compared import Beside, comparison_of
from bs_server.evaluation.external import ExternalMissing, ask_once
from bs_server.evaluation.question import Question, answered, compared
from bs_server.evaluation.readers import told_of_readers
from bs_server.federation.attendance import Attendance, Told
from bs_server.federation.exchange import Exchange, Link, NoAnswer, Patience, wait_for_all
from bs_server.federation.local_models import LocalModels
from bs_server.federation.members import Members
from bs_server.federation.quorum import listed
from bs_server.federation.rounds import Rounds
from bs_server.outcome import Course, Described, summarise
from bs_server.oversight.control import Control
from bs_server.results.best_round import choose_best
from bs_server.results.comparison import Comparison
from bs_server.results.summary import AWAY, ExternalSummary, RoundSummary, Summary
from bs_server.results.traffic import find_audit
from bs_server.storage.checkpoint import Checkpoints
from bs_server.storage.frozen import FrozenFile, FrozenModels
from bs_server.storage.history import Clock, open_history
from bs_server.trust.signed_register import Register

_log = logging.getLogger(__name__)
# A site that lost its connection tries again within a minute; one that has been away for longer
# is not waited for, and learns of the end when the study is run again.
_GOODBYE = Patience(longest_s=75.0, fewest=0, patience_s=75.0, away_s=75.0)
_POLL_S = 0.05
# An evaluate site whose policy lets fewer models be judged than there are judges the study's own.
POLICY_MODELS = "policy_models"


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


class StudyRun:
    """One process's run of a study.

    Parameters
    ----------
    told : hears every event.
    control : the wish to stop or pause, looked at many times a second.
    beat : called many times a second, whatever is waited for.
    """

    def __init__(
        self,
        study: Study,
        link: Link,
        told: Told,
        *,
        clock: Clock,
        control: Control | None = None,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._study = study
        self._told = told
        self._clock = clock
        self._beat = beat
        self._control = control or Control(study.folder.control)
        self._history = open_history(study.folder, study.file, clock)
        self._attendance = Attendance(link.online, study.register.sites, told=told)
        self._exchange = Exchange(
            link,
            study.file.study,
            deadline_s=study.file.deadlines.answer_s,
            attendance=self._attendance,
            pulse=self.pulse,
            told=told,
        )
        self._members = Members(
            study.folder,
            study.register,
            self._exchange,
            link,
            self._history,
            told=told,
            pulse=self.pulse,
        )

    def pulse(self) -> None:
        """Do what is due while waiting; raises StopRequested if the study shall end."""
        self._control.check()
        self._attendance.look()
        self._beat()

    def summary(self) -> Summary:
        """Run, or go on with, the study until its summary can be written.

        Where the external evaluation does not come in time, the summary says so, and the next run
        goes on from there.
        """
        file = self._study.file
        rounds = Rounds(
            self._study.folder,
            file,
            self._study.train_sites,
            self._members,
            self._exchange,
            self._control,
            self._history,
            self._told,
        )
        self._members.assemble(
            rounds.policy,
            sites_s=file.deadlines.sites_s,
            describe_s=file.deadlines.describe_s,
            begun=rounds.begun,
        )
        records = rounds.run()
        same_scans = file.quorum.candidates == "same_scans"
        best, chosen_by = choose_best(records, same_scans=same_scans)
        frozen = self._local_models(records)
        missing = False
        try:
            external = self._external(best, frozen)
        except ExternalMissing as error:
            external = list(answered(self._study.folder).values())
            missing = True
            self._told("external_missing", round=best.round, why=str(error))
        described = Described(sites=self._members.summaries, replies=self._members.replies)
        history = self._history.file
        course = Course(
            history.started,
            records,
            best,
            chosen_by,
            external,
            self._comparison(best, external, frozen),
            waiting_for_external=missing,
            notes=tuple(history.notes),
            absent=self._members.absent,
            audit=find_audit(self._study.folder.audit, self._study.register.sites),
            readers=tuple(told_of_readers(self._study.folder).values()),
        )
        return summarise(file, described, course, finished=self._clock())

    def goodbye(self, patience: Patience = _GOODBYE) -> None:
        """Tell every site that does not know it yet that the study is over."""
        known = self._history.file.dismissed
        sites = tuple(s for s in sorted(self._study.register.sites) if s not in known)
        request = Request(MessageType.FINISH, 0)
        for site, answer in self._exchange.ask(request, sites, patience=patience).items():
            if isinstance(answer, NoAnswer):
                _log.warning("%s did not confirm the end of the study: %s", site, answer.reason)
            else:
                self._history.dismiss(site)

    @property
    def _frozen(self) -> FrozenModels:
        return FrozenModels(self._study.folder.local, self._study.file.study.trainable)

    def _local_models(self, records: Sequence[RoundSummary]) -> FrozenFile | None:
        """Freeze the models of single sites, where the study compares with them and has a judge."""
        settings = self._study.file.study
        if not settings.compare_local or not self._study.evaluate_sites:
            return None
        local = LocalModels(
            self._frozen,
            settings,
            self._exchange,
            self._members,
            start_sha256=records[0].weights_sha256,
            told=self._told,
        )
        longest_s, rules = self._study.file.deadlines.local_s, self._study.file.quorum
        away_s = longest_s if rules.missing == "wait" else rules.away_s
        patience = Patience(longest_s, fewest=0, patience_s=longest_s, away_s=away_s)
        return local.gather(self._study.train_sites, patience=patience)

    def _comparison(
        self, best: RoundSummary, external: list[ExternalSummary], frozen: FrozenFile | None
    ) -> Comparison | None:
        if frozen is None:
            return None
        rows = compared(self._study.folder)
        answered_alone = [one.site for one in external if one.site not in rows]
        return comparison_of(
            self._study.file.study,
            best,
            external,
            rows,
            left_out=frozen.left_out,
            not_compared=dict.fromkeys(answered_alone if frozen.models else (), POLICY_MODELS),
        )

    def _external(self, best: RoundSummary, frozen: FrozenFile | None) -> list[ExternalSummary]:
        folder, file, sites = self._study.folder, self._study.file, self._study.evaluate_sites
        missing = tuple(site for site in sites if site not in answered(folder))
        if missing:
            self._told("external", round=best.round, sites=list(missing))
            self._wait_for_description(missing)
        arrays = Checkpoints(folder.rounds, file.study.trainable).weights(best)
        models = frozen.models if frozen is not None and missing else []
        beside = tuple(Beside(model, self._frozen.weights(model)) for model in models)
        few = [site for site in missing if self._members.judged_models(site) <= len(beside)]
        return ask_once(
            folder,
            self._exchange,
            sites,
            question=Question(best.round, arrays, best.threshold, file.study, beside),
            patience=wait_for_all(file.deadlines.external_s),
            judge_alone=few,
        )

    def _wait_for_description(self, sites: tuple[str, ...]) -> None:
        """Let an evaluate site that comes late say what it has before it is asked to judge."""
        deadlines = self._study.file.deadlines
        end = time.monotonic() + deadlines.external_s
        self._members.greet(deadlines.describe_s)
        while reasons := self._members.unusable(sites):
            if time.monotonic() > end or set(reasons.values()) != {AWAY}:
                raise ExternalMissing(
                    f"No external evaluation from {listed(reasons)}.",
                    remedy="Mend the cause at that site, then run again: only this step is left.",
                )
            self.pulse()
            time.sleep(_POLL_S)
            self._members.greet(deadlines.describe_s)


def run_study(
    study: Study,
    link: Link,
    told: Told,
    *,
    clock: Clock,
    control: Control | None = None,
    beat: Callable[[], None] = lambda: None,
) -> Summary:
    """Run, or go on with, a study until its summary can be written."""
    return StudyRun(study, link, told, clock=clock, control=control, beat=beat).summary()
