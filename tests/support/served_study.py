"""A reader study served by a real process, which a test may kill and start again."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner

from bs_client.cli import app
from support.study_maker import free_port

START_S = 60.0
STARTER = "from bs_client.cli import main; main()"


def bs_client(*words: str | Path) -> str:
    """Run a command of the site to its end; give what it printed."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


@dataclass
class ServedStudy:
    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def links(self) -> dict[str, str]:
        printed = bs_client("reader-study", "link", self.folder, "--address", self.address)
        pairs = (line.split() for line in printed.splitlines() if "/enter/" in line)
        return {words[0]: words[1] for words in pairs}

    def start(self) -> None:
        words = ["reader-study", "serve", str(self.folder), "--address", self.address]
        self.process = subprocess.Popen([sys.executable, "-c", STARTER, *words])
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.address}/static/favicon.svg", timeout=1).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def kill(self) -> None:
        """End the server as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None
