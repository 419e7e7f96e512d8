"""The whole study on one machine: synthetic scans, one coordinator and three sites as processes.

The sites run `bs-client` as any hospital would; this module starts it and never imports it.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console

from bs_common.errors import ConfigError
from bs_common.joining import Contact, Invitation, read_document
from bs_common.profiles import differences_from_paper
from bs_common.settings import Role, StudySettings
from bs_common.terms import terms_of
from bs_common.toml import write_toml
from bs_server.config import Deadlines, ServerSettings, StudyFile, StudyFolder
from bs_server.processes import STOP_S, Processes
from bs_server.progress import describe_event, describe_round, round_bar
from bs_server.trust.authority import make_authority
from bs_server.trust.register import enrol, invite

_HOST = "127.0.0.1"
_POLICY_DIFFERENCES = (
    "min_cell = 1 at every site (default: 5)",
    "release_local = true at every site (default: false)",
)


@dataclass(frozen=True, slots=True)
class DemoSite:
    """One hospital of the demo: its role and its cohort in the paper's proportions, reduced."""

    name: str
    role: Role
    train: tuple[int, int]  # with metastasis, without
    validation: tuple[int, int]
    external: tuple[int, int]


SITES = (
    DemoSite("aachen", "train", train=(28, 66), validation=(10, 10), external=(0, 0)),
    DemoSite("aalborg", "train", train=(16, 32), validation=(6, 6), external=(0, 0)),
    DemoSite("namur", "evaluate", train=(0, 0), validation=(0, 0), external=(25, 35)),
)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a user may choose."""

    folder: Path
    rounds: int
    seed: int


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Where the results lie."""

    report: Path
    summary: Path
    maps: Path


def run_demo(options: DemoOptions, console: Console) -> DemoResult:
    """Run the demo; everything it makes lies in its folder, which it empties first.

    Raises
    ------
    ConfigError
        If `bs-client` is not installed, or the folder holds something that is not a demo.
    StudyStopped
        If a process ends early; its log is named.
    """
    client = find_client()
    root = _fresh(options.folder.resolve())
    settings = demo_settings(options)
    console.print("Synthetic scans: nothing here says anything about patients.")
    console.print("Differences from the paper's profile:")
    for line in (*differences_from_paper(settings), *_POLICY_DIFFERENCES):
        console.print(f"  {line}")
    folder = _make_study(root / "coordinator", settings)
    sites = {site.name: root / site.name for site in SITES}
    make_phantoms(client, options.seed, sites, console)
    _join(client, folder, sites, console)
    _run_processes(client, folder, sites, console)
    return DemoResult(folder.report, folder.summary, sites["namur"] / "site/private/index.html")


def demo_settings(options: DemoOptions) -> StudySettings:
    """Give settings with which a study of four processes ends in minutes on two cores.

    A head on a random backbone learns slowly at the paper's learning rate, so it is ten times
    higher here, with five local epochs a round. Its probabilities lie high, so the threshold is
    chosen on the validation scans.
    """
    return StudySettings(
        name="demo",
        seed=options.seed,
        backbone="random:1",
        trainable="head",
        view_height=256,
        view_width=128,
        rounds=options.rounds,
        local_epochs=5,
        learning_rate=1e-3,
        threshold_rule="youden",
        compare_local=True,
    )


def find_client() -> Path:
    """Give the `bs-client` installed beside this program."""
    found = shutil.which("bs-client", path=str(Path(sys.executable).parent))
    if found is None:
        raise ConfigError(
            "bs-client is not installed in this environment; the demo runs three sites with it.",
            remedy="Run deploy/demo, or: uv sync --locked",
        )
    return Path(found)


def _fresh(root: Path) -> Path:
    """Empty the demo's folder; a marker tells it from a folder of somebody's own."""
    marker = root / ".bone-scan-demo"
    if root.exists() and any(root.iterdir()) and not marker.exists():
        raise ConfigError(
            f"{root} is not empty and was not made by the demo.",
            remedy="Choose another folder: bs-server demo --folder DIR",
        )
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    marker.touch()
    return root


def _make_study(path: Path, settings: StudySettings) -> StudyFolder:
    path.mkdir(mode=0o700)
    folder = StudyFolder(path)
    port = _free_port()
    make_authority(
        folder.authority,
        study=settings.name,
        names=[_HOST],
        now=datetime.datetime.now(datetime.UTC),
    )
    server = ServerSettings(host=_HOST, port=port, address=f"{_HOST}:{port}")
    deadlines = Deadlines(sites_s=300, describe_s=900, answer_s=900, external_s=900)
    file = StudyFile(
        study=settings,
        server=server,
        deadlines=deadlines,
        coordinator=Contact(name="bs-server demo", contact="this machine"),
    )
    write_toml(folder.study_file, file)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def make_phantoms(client: Path, seed: int, sites: dict[str, Path], console: Console) -> None:
    """Make the three cohorts at the same time, each in `data` of its site's folder."""
    commands = {site.name: _phantom_command(client, seed, site, sites) for site in SITES}
    with Processes() as processes, console.status("making synthetic scans") as status:
        for name, command in commands.items():
            sites[name].mkdir(exist_ok=True)
            processes.start(name, command, log=sites[name] / "phantom.log")
        while running := processes.running():
            processes.check()
            status.update(f"making synthetic scans: {', '.join(running)}")
            time.sleep(0.1)
        processes.check()


def _phantom_command(client: Path, seed: int, site: DemoSite, sites: dict[str, Path]) -> list[str]:
    options = [
        f"--{split}={positives}+{negatives}"
        for split, (positives, negatives) in (
            ("train", site.train),
            ("validation", site.validation),
            ("external", site.external),
        )
    ]
    data = str(sites[site.name] / "data")
    style = ["--style", site.name, "--preset", "conspicuous", "--seed", str(seed)]
    return [str(client), "phantom", data, *style, *options]


def _join(client: Path, folder: StudyFolder, sites: dict[str, Path], console: Console) -> None:
    """Let the three sites join at the same time, each after a preflight of its own."""
    with Processes() as processes, console.status("joining: every site reads its scans"):
        for site in SITES:
            command = _join_command(client, invite(folder, site.name, site.role), sites[site.name])
            processes.start(site.name, command, log=sites[site.name] / "join.log")
        while processes.running():
            processes.check()
            time.sleep(0.1)
        processes.check()
    for name, root in sites.items():
        enrol(folder, root / "site" / f"{name}.enrol")


def _join_command(client: Path, invitation: Path, root: Path) -> list[str]:
    # Read off the file by its maker; a hospital reads the terms and gives their digest.
    terms = terms_of(read_document(invitation, Invitation)).digest()
    command = [str(client), "join", str(invitation), "--site", str(root / "site")]
    command += ["--data", str(root / "data/scans"), "--labels", str(root / "data/labels.csv")]
    # Synthetic scans: nothing is hidden, and every site's own model is let out and judged.
    command += ["--min-cell", "1", "--release-local", "--external-models", str(len(SITES))]
    return [*command, "--approve", terms]


def _run_processes(
    client: Path, folder: StudyFolder, sites: dict[str, Path], console: Console
) -> None:
    server = [str(Path(sys.executable).parent / "bs-server"), "run", str(folder.path), "--json"]
    with Processes() as processes:
        events = processes.start("coordinator", server, log=folder.path / "run.log", piped=True)
        for name, root in sites.items():
            processes.start(name, [str(client), "run", str(root / "site")], log=root / "run.log")
        _show(events, processes, console)
        processes.wait_for_all(STOP_S)


def _show(events: IO[bytes], processes: Processes, console: Console) -> None:
    with round_bar(console) as bar:
        task = bar.add_task("starting", total=None)
        for line in _lines(events, processes):
            facts = json.loads(line)
            event = facts.pop("event")
            if event == "round":
                total, number = facts["rounds"], facts["round"]
                bar.update(task, description="rounds", total=total, completed=number)
                bar.console.print(describe_round(facts))
            elif (said := describe_event(event, facts)) is not None:
                bar.console.print(said)


def _lines(stream: IO[bytes], processes: Processes) -> Iterator[bytes]:
    """Give the coordinator's lines as they come, looking after the other processes meanwhile."""
    os.set_blocking(stream.fileno(), False)
    rest = b""
    while True:
        chunk = stream.read()
        if chunk is None:
            processes.check()
            time.sleep(0.05)
            continue
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
    processes.check()
