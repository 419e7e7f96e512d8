"""The sites as they described themselves: asked when they come, kept on disk.

A site that comes late, or back with other data, is asked before the next round; one that is away
keeps the description it gave.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bs_common.contract import MessageType
from bs_common.errors import StudyStopped
from bs_common.messages import Metric, Reply, Request
from bs_common.settings import Name
from bs_server.config import StudyFolder
from bs_server.federation.exchange import Exchange, Link, NoAnswer, wait_for_all
from bs_server.federation.quorum import Policy, listed
from bs_server.federation.reasons import LOOK_THERE, remedy_for
from bs_server.federation.screening import Declared
from bs_server.federation.sites import check_one_backbone, declared, summarise_site
from bs_server.results.summary import AWAY, SiteSummary
from bs_server.storage.documents import Document, read_state, write_state
from bs_server.storage.history import History
from bs_server.trust.signed_register import Register

_log = logging.getLogger(__name__)
_POLL_S = 0.05
BACKBONE = "backbone"  # the site starts from other weights than the rest


class Description(Document):
    """One site's description as it came."""

    metrics: dict[str, Metric]
    texts: dict[str, str]
    hidden: list[str]


class DescriptionsFile(Document):
    """All sites' descriptions."""

    sites: dict[Name, Description]


@dataclass
class Members:
    """The sites of a running study that have said what they have.

    Parameters
    ----------
    told : hears `waiting`, `connected` and `described`.
    pulse : called while waiting; an exception from it ends the wait.
    """

    folder: StudyFolder
    register: Register
    exchange: Exchange
    link: Link
    history: History
    told: Callable[..., None]
    pulse: Callable[[], None]
    replies: dict[str, Reply] = field(default_factory=dict)
    _described_at: dict[str, int] = field(default_factory=dict)  # site -> its connection then
    _reasons: dict[str, str] = field(default_factory=dict)  # site -> why it has no description

    def __post_init__(self) -> None:
        if self.folder.descriptions.exists():
            kept = read_state(self.folder.descriptions, DescriptionsFile).sites
            self.replies = {
                site: Reply(MessageType.DESCRIBE, 0, {}, d.metrics, d.texts, tuple(d.hidden))
                for site, d in kept.items()
                if site in self.register.sites
            }

    @property
    def summaries(self) -> list[SiteSummary]:
        """The described sites' places in the summary, in name order."""
        return [summarise_site(s, self.replies[s], self.register) for s in sorted(self.replies)]

    @property
    def absent(self) -> tuple[str, ...]:
        """Sites that never described themselves."""
        return tuple(sorted(set(self.register.sites) - set(self.replies)))

    @property
    def limits(self) -> Mapping[str, Declared]:
        """What each described train site's updates are checked against."""
        return {
            site: declared(self.replies[site])
            for site in self.register.names("train")
            if site in self.replies
        }

    def judged_models(self, site: str) -> int:
        """Give how many sets of weights a described evaluate site's policy lets it judge."""
        found = self.replies[site].metrics.get("external-models")
        return found if isinstance(found, int) else 1

    def unusable(self, sites: tuple[str, ...]) -> dict[str, str]:
        """Give those of the sites that cannot be asked in a round, with the reason."""
        return {
            site: BACKBONE if site in self.replies else self._reasons.get(site, AWAY)
            for site in sites
            if site not in self.replies or self._other_backbone(site)
        }

    def assemble(self, policy: Policy, *, sites_s: float, describe_s: float, begun: bool) -> None:
        """Wait for the sites that are not described yet, and ask them.

        Where the policy goes on without missing sites, enough train sites are enough once
        `sites_s` have passed, or at once in a study that had `begun` before; otherwise all must
        come, or the study stops with a reason.
        """
        tolerant = policy.rules.missing == "go_on"
        if not (begun and tolerant and len(self.usable_train_sites) >= policy.fewest):
            self._wait(policy, sites_s)
        self.greet(describe_s)
        reasons = self.unusable(tuple(sorted(self.register.sites)))
        usable = len(self.usable_train_sites)
        if reasons and not (tolerant and usable >= policy.fewest):
            check_one_backbone(self.summaries)
            raise StudyStopped(
                f"No usable answer to 'describe' from: {listed(reasons)}.",
                remedy=remedy_for(reasons.values(), otherwise=LOOK_THERE),
            )
        self.told("described", sites=len(self.replies))

    def greet(self, describe_s: float) -> None:
        """Ask those sites what they have that have connected since they were last asked."""
        online = self.link.online()
        new = {
            site: self.link.connections(site)
            for site in sorted(self.register.sites)
            if site in online and self._described_at.get(site) != self.link.connections(site)
        }
        if not new:
            return
        request = Request(MessageType.DESCRIBE, 0)
        answers = self.exchange.ask(request, tuple(new), patience=wait_for_all(describe_s))
        for site, answer in answers.items():
            if isinstance(answer, NoAnswer):
                _log.warning("%s did not describe itself: %s", site, answer.reason)
                self._reasons[site] = answer.reason
                continue
            self._described_at[site] = new[site]
            self._take(site, answer)
        self._keep()

    @property
    def usable_train_sites(self) -> tuple[str, ...]:
        """Train sites that can be asked in a round."""
        sites = self.register.names("train")
        return tuple(site for site in sites if site not in self.unusable((site,)))

    def _wait(self, policy: Policy, sites_s: float) -> None:
        if not self.absent:
            return
        begun, reported = time.monotonic(), None
        while missing := set(self.absent) - self.link.online():
            online = sorted(self.link.online())
            if online != reported:
                self.told("waiting", online=online, missing=sorted(missing))
                reported = online
            if time.monotonic() - begun > sites_s:
                self._check_enough(policy, missing)
                return
            self.pulse()
            time.sleep(_POLL_S)
        self.told("connected", online=sorted(self.link.online()))

    def _check_enough(self, policy: Policy, missing: set[str]) -> None:
        here = set(self.register.names("train")) - missing
        if policy.rules.missing != "go_on" or len(here) < policy.fewest:
            raise StudyStopped(
                f"Not connected in time: {', '.join(sorted(missing))}.",
                remedy="Ask these sites for the output of bs-client run, then run again.",
            )
        self.history.note(f"The study began without {', '.join(sorted(missing))}.")

    def _take(self, site: str, reply: Reply) -> None:
        before = self.replies.get(site)
        if before is not None and _content(before) != _content(reply):
            names = ", ".join(sorted(_changed(before, reply)))
            self.history.note(f"{site} describes itself otherwise than before: {names}.")
        self.replies[site] = reply

    def _keep(self) -> None:
        described = {
            site: Description(
                version=1,
                metrics=dict(reply.metrics),
                texts=dict(reply.texts),
                hidden=list(reply.hidden),
            )
            for site, reply in sorted(self.replies.items())
        }
        write_state(self.folder.descriptions, DescriptionsFile(version=1, sites=described))

    def _other_backbone(self, site: str) -> bool:
        """Tell whether the site's backbone differs from that of the first train site."""
        first = next((s for s in self.register.names("train") if s in self.replies), site)
        digests = (self.replies[s].texts["backbone-sha256"] for s in (first, site))
        return len(set(digests)) > 1


def _content(reply: Reply) -> tuple[object, ...]:
    return dict(reply.metrics), dict(reply.texts), reply.hidden


def _changed(before: Reply, after: Reply) -> set[str]:
    old = {**before.metrics, **before.texts, **dict.fromkeys(before.hidden)}
    new = {**after.metrics, **after.texts, **dict.fromkeys(after.hidden)}
    return {name for name in {*old, *new} if old.get(name, "-") != new.get(name, "-")}
