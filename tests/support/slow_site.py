"""Run as a program: a site process with the product's own session, and work that takes a while.

    python -m support.slow_site SITE_FOLDER [--seconds S] [--nan ROUND,ROUND]

What it learns in a round is drawn from the study's seed, the site and the round: an update that is
lost, counted twice or summed in another order shows in the bytes of the weights.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bs_client.cli.run import _end_on_signals
from bs_client.cli.shell import explained
from bs_client.config import SiteFolder
from bs_client.federation.activity import Activity
from bs_client.federation.session import take_part
from bs_common.contract import MessageType, Phase
from bs_common.lock import own_folder
from bs_common.messages import Reply, Request
from bs_common.randomness import generator
from support.fake_site import FakeWork

STEPS = 40


@dataclass
class SlowWork(FakeWork):
    """A site's work of a given length, and a line in a file for each piece that was finished."""

    seconds: float = 0.0
    nan_rounds: frozenset[int] = frozenset()
    worked: Path | None = None

    def train(self, request: Request) -> Reply:
        self.seen.clear()  # a long study's requests hold a gigabyte
        self._take_time(Phase.TRAINING)
        reply = super().train(request)
        draws = generator(self.settings.seed, self.name, request.round_number, "update")
        drawn = {
            name: array + draws.normal(0, 0.1, array.shape).astype(np.float32)
            for name, array in reply.arrays.items()
        }
        if request.round_number in self.nan_rounds:
            drawn = {name: np.full_like(array, np.nan) for name, array in drawn.items()}
        self._note(request)
        return Reply(MessageType.TRAIN, request.round_number, drawn, reply.metrics)

    def external(self, request: Request) -> Reply:
        self._take_time(Phase.DRAWING)
        self._note(request)
        return super().external(request)

    def _take_time(self, phase: Phase) -> None:
        tell = self.activity.steps(phase, phase.value)
        for step in range(STEPS):
            tell(step, STEPS)
            time.sleep(self.seconds / STEPS)

    def _note(self, request: Request) -> None:
        if self.worked is not None:
            with self.worked.open("a") as file:
                file.write(f"{request.message_type} {request.round_number}\n")


def positives_of(site: str) -> int:
    """Give sites of different names different sizes."""
    return 6 + len(site)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--nan", default="")
    given = parser.parse_args(sys.argv[1:])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder = SiteFolder(given.folder)
    stop = threading.Event()
    _end_on_signals(stop)
    invitation = folder.read_invitation()
    work = SlowWork(
        invitation.site,
        invitation.settings,
        positives=positives_of(invitation.site),
        activity=Activity(stop),
        seconds=given.seconds,
        nan_rounds=frozenset(int(n) for n in given.nan.split(",") if n),
        worked=folder.path / "worked.log",
    )
    with explained(), own_folder(folder.path, program="slow_site"):
        take_part(folder, work, stop)


if __name__ == "__main__":
    main()
