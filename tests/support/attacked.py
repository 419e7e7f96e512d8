"""A coordinator under attack, and enrolled sites that go on working beside it, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

from flwr.app import Message, RecordDict

from bs_client.federation import link as site_link
from bs_client.federation.link import work_until
from bs_client.federation.session import take_part
from bs_client.federation.transport import Coordinator
from bs_common.architecture import NamedArrays, initial_head
from bs_common.audit import AuditLog, read_entries
from bs_common.contract import MessageType, request_shapes
from bs_common.errors import StudyStopped
from bs_common.keys import read_private_key
from bs_common.messages import Request, write_request
from bs_common.settings import Role, StudySettings
from bs_common.sizes import message_limits
from bs_server.cli.shell import now
from bs_server.federation.exchange import Answer, Exchange
from bs_server.gateway.link import FleetLink
from bs_server.trust.authority import Authority
from bs_server.trust.signed_register import read_register
from support.fake_site import FakeWork
from support.raw_site import RawSite
from support.study_maker import HOST, MadeStudy, approve, make_study

SETTINGS = StudySettings(name="attacked", backbone="random:1", trainable="head", rounds=3)
ROLES: dict[str, Role] = {"aachen": "train", "aalborg": "train", "namur": "evaluate"}
ELSEWHERE = "127.0.0.2"  # where attackers call from; the sites call from 127.0.0.1

Handle = Callable[[Message], Message]


@dataclass
class Attacked:
    """A running link with its audit log; `news` gives what was recorded since it was last asked."""

    study: MadeStudy
    link: FleetLink
    read: int = field(default=0)

    @property
    def authority(self) -> Authority:
        return Authority(self.study.folder.authority)

    @property
    def ca_certificate(self) -> str:
        return self.authority.ca_certificate.read_text()

    @property
    def log(self) -> Path:
        return self.study.folder.audit

    def news(self) -> list[tuple[str, str]]:
        """Peer and verdict of every new line of the coordinator's log."""
        self.link.write_refusals(all_of_them=True)
        entries = read_entries(self.log) if self.log.exists() else []
        new, self.read = entries[self.read :], len(entries)
        return [(str(entry["peer"]), str(entry["verdict"])) for entry in new]

    def raw(self, site: str, *, source: str = HOST) -> RawSite:
        """Speak with the key of an enrolled site."""
        key = read_private_key(self.study.sites[site].key)
        return RawSite(self.link.port, self.ca_certificate, key, source=source)

    def ask(self, site: str, kind: MessageType, number: int = 1, *, seconds: float = 20) -> Answer:
        """Ask as the study does."""
        request = Request(kind, number, weights() if request_shapes(kind, SETTINGS) else {})
        return Exchange(self.link, SETTINGS, deadline_s=seconds).ask(request, (site,))[site]

    def send(self, site: str, kind: str, content: RecordDict) -> Message:
        """Send anything at all, and give what comes back."""
        ticket = self.link.send(site, kind, content, group="1")
        found: list[Message] = []

        def arrived() -> bool:
            if (message := self.link.receive(ticket)) is not None:
                found.append(message)
            return bool(found)

        wait_for(arrived)
        return found[0]


@contextmanager
def attacked(root: Path) -> Iterator[Attacked]:
    """Open the link of a study of three enrolled sites."""
    # Flower keeps one identity a process; here the coordinator keeps it.
    with mock.patch.object(site_link, "TaskIdentity", SimpleNamespace()):
        yield from _attacked(root)


def _attacked(root: Path) -> Iterator[Attacked]:
    study = make_study(root, SETTINGS, ROLES)
    authority = Authority(study.folder.authority)
    with FleetLink(
        host=HOST,
        port=0,
        certificate=authority.server_certificate,
        private_key=authority.server_key,
        sites=read_register(study.folder).enrolled(),
        limits=message_limits(SETTINGS),
        audit=AuditLog(study.folder.audit, now),
    ) as link:
        yield Attacked(study, link)


@contextmanager
def site_with_gate(under: Attacked, name: str, work: FakeWork | None = None) -> Iterator[Path]:
    """Let a site take part with the product's own session and gate; give its audit log."""
    folder = under.study.sites[name]
    approve(folder, address=f"{HOST}:{under.link.port}")
    stop = threading.Event()
    given = work or FakeWork(name, SETTINGS)

    def work_until_told() -> None:
        with suppress(StudyStopped):  # what a site that refused a changed study ends with
            take_part(folder, given, stop)

    with _in_thread(stop, work_until_told):
        wait_for(lambda: name in under.link.online())
        yield folder.audit


@contextmanager
def site_past_its_gate(under: Attacked, name: str, handle: Handle) -> Iterator[None]:
    """Let a site answer with whatever `handle` gives: a program that has no gate."""
    stop = threading.Event()
    coordinator = Coordinator(f"{HOST}:{under.link.port}", under.ca_certificate)
    key = read_private_key(under.study.sites[name].key)
    with _in_thread(stop, lambda: work_until(stop, coordinator, key, handle)):
        wait_for(lambda: name in under.link.online())
        yield


@contextmanager
def _in_thread(stop: threading.Event, work: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)


def weights() -> NamedArrays:
    return initial_head(0)


def request(kind: MessageType, number: int = 1) -> RecordDict:
    """A request as the coordinator writes it."""
    arrays = weights() if request_shapes(kind, SETTINGS) else {}
    return write_request(Request(kind, number, arrays), SETTINGS)


def wait_for(claim: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
