from __future__ import annotations

from pathlib import Path

from flwr.app import Context, Error, Message, RecordDict

from bs_common.audit import AuditLog
from bs_common.simulation import App
from bs_server.simulation.link import InProcessLink
from support.fake_site import TIME


def link_to(path: Path, *names: str) -> InProcessLink:
    """Give a link to sites that answer with an error of their own name."""

    def site(name: str) -> App:
        def app(message: Message, _context: Context) -> Message:
            return Message(Error(1, name), reply_to=message)

        return app

    apps = {name: site(name) for name in names}
    return InProcessLink(apps, AuditLog(path / "audit.jsonl", lambda: TIME))


def test_each_site_answers_for_itself_once(tmp_path: Path) -> None:
    link = link_to(tmp_path, "aalborg", "aachen")

    tickets = [link.send(s, "train", RecordDict(), group="1") for s in ("aachen", "aalborg")]

    replies = [link.receive(ticket) for ticket in tickets]
    assert [reply.error.reason for reply in replies if reply] == ["aachen", "aalborg"]
    assert [link.receive(ticket) for ticket in tickets] == [None, None]


def test_a_reply_that_is_dropped_is_gone(tmp_path: Path) -> None:
    link = link_to(tmp_path, "aachen")
    ticket = link.send("aachen", "train", RecordDict(), group="1")

    link.drop(ticket)

    assert link.receive(ticket) is None


def test_the_sites_are_always_there(tmp_path: Path) -> None:
    link = link_to(tmp_path, "aachen", "aalborg")

    assert link.online() == {"aachen", "aalborg"}
    assert link.connections("aachen") == 1
