"""Run as a program: a site process with the product's own session and a fake site's work."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from bs_client.config import SiteFolder
from bs_client.federation.session import take_part
from support.fake_site import FakeWork


def main() -> None:
    folder = SiteFolder(Path(sys.argv[1]))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    invitation = folder.read_invitation()
    work = FakeWork(invitation.site, invitation.settings, positives=int(sys.argv[2]))
    take_part(folder, work, stop)


if __name__ == "__main__":
    main()
