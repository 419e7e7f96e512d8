"""The site as an ordinary Flower client app: message types to pieces of work, behind the gate."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Protocol

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from bs_client.federation.activity import Activity
from bs_client.federation.gate import Gate
from bs_common.messages import Reply, Request, read_request, write_reply


class Work(Protocol):
    """What a site can be asked to do."""

    @property
    def data_sha256(self) -> str:
        """Digest of the scans, labels and splits that the work is about."""

    @property
    def activity(self) -> Activity:
        """What the work does now."""

    def describe(self, request: Request) -> Reply:
        """Say what this site has and runs."""

    def initial(self, request: Request) -> Reply:
        """Give the backbone's trainable part."""

    def train(self, request: Request) -> Reply:
        """Train the given weights on this site's scans."""

    def local(self, request: Request) -> Reply:
        """Train a model from this site's scans alone."""

    def evaluate(self, request: Request) -> Reply:
        """Validate the given weights."""

    def external(self, request: Request) -> Reply:
        """Judge the finished model."""

    def readers(self, request: Request) -> Reply:
        """Give the aggregates of a finished reader study."""


class _GatedApp(ClientApp):
    """A client app whose every message passes the gate.

    Flower's own mods are not asked for a message type that nothing is registered for.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self._gate = gate

    def __call__(self, message: Message, context: Context) -> Message:
        """Answer a message behind the gate."""
        return self._gate(message, context, super().__call__)


def make_app(work: Work, gate: Gate, finished: Event) -> ClientApp:
    """Give the client app of one site; `finished` is set when the coordinator ends the study."""
    app = _GatedApp(gate)

    def answer(message: Message, task: Callable[[Request], Reply]) -> Message:
        request = read_request(message.metadata.message_type, message.content, gate.settings)
        return Message(write_reply(task(request), gate.settings), reply_to=message)

    @app.query("describe")
    def describe(message: Message, _context: Context) -> Message:
        return answer(message, work.describe)

    @app.query("initial")
    def initial(message: Message, _context: Context) -> Message:
        return answer(message, work.initial)

    @app.train()
    def train(message: Message, _context: Context) -> Message:
        return answer(message, work.train)

    @app.train("local")
    def local(message: Message, _context: Context) -> Message:
        return answer(message, work.local)

    @app.evaluate()
    def evaluate(message: Message, _context: Context) -> Message:
        return answer(message, work.evaluate)

    @app.query("external")
    def external(message: Message, _context: Context) -> Message:
        return answer(message, work.external)

    @app.query("readers")
    def readers(message: Message, _context: Context) -> Message:
        return answer(message, work.readers)

    @app.query("progress")
    def progress(message: Message, _context: Context) -> Message:
        return answer(message, work.activity.answer)

    @app.query("finish")
    def finish(message: Message, _context: Context) -> Message:
        reply = answer(message, lambda request: Reply(request.message_type, request.round_number))
        finished.set()
        return reply

    return app
