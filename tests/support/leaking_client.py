"""Run as a program: site processes whose answers to a train request carry what must not leave.

    python -m support.leaking_client (SITE LEAK PLACE PAYLOAD.npy)...

A leak happens behind the product's gate, as by a careless change of the site's work, or past it,
as by a program that has no gate. The sites are forked, so that they start in the time of one.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
from flwr.app import Array, ConfigRecord, Context, Error, Message

from bs_client.config import SiteFolder
from bs_client.federation import session
from bs_client.federation.gate import Gate
from bs_common.contract import MessageType
from support.fake_site import FakeWork

Place = Literal["behind", "past"]
Payload = np.ndarray[Any, np.dtype[Any]]
Call = Callable[[Message, Context], Message]


def add_array(_: Message, answer: Message, payload: Payload) -> Message:
    """Send one array more than the model's."""
    answer.content.array_records["arrays"]["extra"] = Array(payload)
    return answer


def replace_array(_: Message, answer: Message, payload: Payload) -> Message:
    """Send an array of another shape under the name of the model's."""
    answer.content.array_records["arrays"]["weights"] = Array(payload)
    return answer


def dress_as_weights(_: Message, answer: Message, payload: Payload) -> Message:
    """Send a vector of the right length, part of which holds something else."""
    vector = answer.content.array_records["arrays"]["weights"].numpy()
    vector[: payload.size] = payload
    answer.content.array_records["arrays"]["weights"] = Array(vector)
    return answer


def add_bytes(_: Message, answer: Message, payload: Payload) -> Message:
    """Send bytes among the texts."""
    answer.content.config_records["config"]["note"] = payload.tobytes()
    return answer


def add_numbers(_: Message, answer: Message, payload: Payload) -> Message:
    """Send a list of numbers among the metrics."""
    answer.content.metric_records["metrics"]["scores"] = payload.tolist()
    return answer


def add_record(_: Message, answer: Message, payload: Payload) -> Message:
    """Send a record more than a reply has."""
    answer.content["notes"] = ConfigRecord({"who": str(payload)})
    return answer


def fail_with_text(request: Message, _: Message, payload: Payload) -> Message:
    """Send an error that says too much."""
    return Message(Error(1, f"cannot read {payload}"), reply_to=request)


LEAKS: dict[str, Callable[[Message, Message, Payload], Message]] = {
    leak.__name__: leak
    for leak in (
        add_array,
        replace_array,
        dress_as_weights,
        add_bytes,
        add_numbers,
        add_record,
        fail_with_text,
    )
}


def leaking_gate(name: str, place: Place, payload: Payload) -> type[Gate]:
    """Give the product's gate with a leak on one side of it."""

    def leak(request: Message, answer: Message) -> Message:
        if request.metadata.message_type != MessageType.TRAIN:
            return answer
        return LEAKS[name](request, answer, payload)

    class LeakingGate(Gate):
        def __call__(self, message: Message, context: Context, call_next: Call) -> Message:
            if place == "past":
                return leak(message, super().__call__(message, context, call_next))
            return super().__call__(message, context, lambda m, c: leak(m, call_next(m, c)))

    return LeakingGate


def take_part(site: str, leak: str, place: str, payload: str) -> None:
    """Take part in a study until it ends or this process is told to."""
    folder = SiteFolder(Path(site))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    invitation = folder.read_invitation()
    gate = leaking_gate(leak, "past" if place == "past" else "behind", np.load(payload))
    with mock.patch.object(session, "Gate", gate):
        session.take_part(folder, FakeWork(invitation.site, invitation.settings), stop)


def main() -> None:
    """Fork a process for each site; they end when this one is told to."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    words = iter(sys.argv[1:])
    sites = [
        multiprocessing.get_context("fork").Process(target=take_part, args=four, daemon=True)
        for four in zip(words, words, words, words, strict=True)
    ]
    for site in sites:
        site.start()
    for site in sites:
        site.join()


if __name__ == "__main__":
    main()
