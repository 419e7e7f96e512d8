"""`bs-client receive` as a process: it says where it listens, and ends cleanly when told to."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bs_client.cli import app


def test_nobody_is_admitted_without_allow(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["receive", "--inbox", str(tmp_path / "inbox")])

    assert result.exit_code == 1
    assert "--allow PACS1" in result.stderr


@pytest.mark.integration
@pytest.mark.slow
def test_a_terminated_receiver_ends_with_status_zero(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    run = "from bs_client.cli import main; main()"
    options = ["--inbox", str(tmp_path / "inbox"), "--allow", "PACS1", "--port", port]
    command = [sys.executable, "-u", "-c", run, "receive", *options]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)

    assert f"port {port}" in first
    assert process.returncode == 0
    assert "bs-client check" in rest
