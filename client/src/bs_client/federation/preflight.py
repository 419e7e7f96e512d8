"""What a site should know before it joins: each thing that must work, tried now, with a remedy.

A failure is what cannot get better without somebody at this site, or what trust forbids: joining
stops. A warning may be right tomorrow (a coordinator that does not run yet) or is a guess (memory).
"""

from __future__ import annotations

import datetime
import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from bs_client.check.crew import open_crew
from bs_client.check.inspection import inspect
from bs_client.check.labelled import in_words
from bs_client.check.report import Report, failed_report, make_report
from bs_client.check.source import site_source
from bs_client.check.table import summary
from bs_client.config import SiteFile, SiteFolder
from bs_client.data.labels import Split
from bs_client.federation.failures import explain
from bs_client.federation.policy import smallest_count
from bs_client.federation.transport import (
    CLOCK_REMEDY,
    Coordinator,
    certificate_expiry,
    clock_ahead_s,
    clock_fault,
    find_proxy,
    name_proxy,
    open_client,
)
from bs_common.architecture import CONVOLUTIONS
from bs_common.certificates import WARN_DAYS
from bs_common.errors import BoneScanError, ConnectionLost
from bs_common.joining import Invitation
from bs_common.settings import StudySettings

Clock = Callable[[], datetime.datetime]  # the time now, in UTC
Progress = Callable[[str, int, int], None]

_TIMEOUT_S = 10.0  # of each attempt to connect; an admin waits for it
_GIB = 2**30
_KEPT_FREE_BYTES = 2 * _GIB  # for logs, pictures and everybody else on the disk
_PROGRAM_BYTES = 1 * _GIB  # TensorFlow imported, 0.6 GB, and the weights
_PICTURES_BYTES_A_SCAN = 2**18
_CARRY_IN = "carry Keras' VGG16 file here and name it under [compute] backbone_file in site.toml."


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result in words, and what to do where it is not `ok`."""

    name: str
    verdict: Verdict
    says: str
    remedy: str = ""


def run_preflight(
    folder: SiteFolder,
    file: SiteFile,
    invitation: Invitation,
    *,
    clock: Clock,
    workers: int,
    progress: Progress,
) -> Iterator[Finding]:
    """Try everything, quick things first; each finding is given as soon as it is known."""
    coordinator = Coordinator(invitation.address, invitation.ca_certificate, file.connection.proxy)
    yield from check_coordinator(coordinator, clock)
    yield check_memory(invitation.settings, available_memory())
    yield check_device(invitation.settings)
    yield check_backbone(invitation.settings, file.compute.backbone_file)
    report = read_scans(folder, file, invitation, workers=workers, progress=progress)
    yield check_scans(report)
    yield check_counts(report, smallest_count(file.policy, invitation.settings))
    free = shutil.disk_usage(_existing(folder.path)).free
    yield check_disk(invitation.settings, scans=len(report.scans), free_bytes=free)


def check_coordinator(coordinator: Coordinator, clock: Clock) -> list[Finding]:
    """Ask the coordinator for a page that it does not have: a refusal tells enough.

    Gives findings on the address; where it is reached, on certificate and clock as well.
    """
    try:
        proxy = find_proxy(coordinator)
        with open_client(coordinator, timeout_s=_TIMEOUT_S) as client:
            try:
                with client.stream("GET", coordinator.url) as response:
                    now = clock()
                    expiry, ahead_s = certificate_expiry(response), clock_ahead_s(response, now=now)
            except httpx.HTTPError as error:
                raise explain(error, coordinator) from error
    except BoneScanError as error:
        # What is only unreachable may be so until the coordinator starts; all else is not.
        lost = isinstance(error, ConnectionLost)
        verdict = Verdict.WARNING if lost else Verdict.FAILED
        return [Finding("coordinator", verdict, str(error), error.remedy)]
    way = f"through the proxy {name_proxy(proxy)}" if proxy else "directly"
    return [
        Finding("coordinator", Verdict.OK, f"{coordinator.address} reached {way}, authority fits"),
        check_certificate(expiry, now),
        check_clock(ahead_s),
    ]


def check_certificate(expiry: datetime.datetime | None, now: datetime.datetime) -> Finding:
    """Say how long the coordinator's certificate holds."""
    if expiry is None:
        return Finding("certificate", Verdict.WARNING, "its last day could not be read")
    days = (expiry - now).days
    if days > WARN_DAYS:
        return Finding("certificate", Verdict.OK, f"valid for {days} days")
    return Finding(
        "certificate",
        Verdict.WARNING,
        f"expires in {days} days",
        "Tell the coordinator to run: bs-server renew. Nothing is to be done here.",
    )


def check_clock(ahead_s: float | None) -> Finding:
    """Compare this machine's clock with the coordinator's, which refuses signatures too far off."""
    if ahead_s is None:
        says = "the coordinator did not say what time it is"
        return Finding("clock", Verdict.WARNING, says, "Compare both clocks by hand.")
    fault = clock_fault(ahead_s)
    if fault:
        return Finding("clock", Verdict.FAILED, fault, CLOCK_REMEDY)
    return Finding("clock", Verdict.OK, f"within {math.ceil(abs(ahead_s)) + 1} s")


def available_memory() -> int:
    """Give the bytes that Linux would give a new program without swapping (proc(5), meminfo)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvail"))
    except (OSError, StopIteration):  # not Linux, or an old one
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def needed_memory(settings: StudySettings) -> int:
    """Estimate the bytes of a training step: every convolution's output, and its gradient, float32.

    A scan is one image of both views side by side; what is frozen needs no gradient and is
    computed a few scans at a time.
    """
    pixels = settings.view_height * 2 * settings.view_width
    outputs = sum(
        filters * (pixels >> 2 * level)  # each block halves both sides
        for level, block in enumerate(CONVOLUTIONS.values())
        for filters in block
    )
    copies = 2 * settings.batch_size if settings.trainable == "all" else 4
    return _PROGRAM_BYTES + 4 * outputs * copies


def check_memory(settings: StudySettings, available_bytes: int) -> Finding:
    """Compare free memory with an estimate; a warning, for swap and other programs may give way."""
    needed = needed_memory(settings)
    says = f"{available_bytes / _GIB:.1f} GiB free, about {needed / _GIB:.1f} needed"
    if available_bytes >= needed:
        return Finding("memory", Verdict.OK, says)
    remedy = "Close other programs before bs-client run, or use a machine with more memory."
    return Finding("memory", Verdict.WARNING, says, remedy)


def check_device(settings: StudySettings) -> Finding:
    """Name what will compute, as the system shows it; TensorFlow is not started for this."""
    cores = len(os.sched_getaffinity(0))
    if Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi"):
        return Finding("device", Verdict.OK, f"an NVIDIA GPU driver and {cores} cores")
    says = f"{cores} cores, no GPU driver"
    if settings.trainable == "head":
        return Finding("device", Verdict.OK, says)
    return Finding(
        "device",
        Verdict.WARNING,
        f"{says}, and '{settings.trainable}' computes convolutions for every scan in every pass",
        "It works, and takes long. A GPU is used where the extra is installed: bs-client[gpu]",
    )


def check_backbone(settings: StudySettings, file: Path | None) -> Finding:
    """Say whether the starting weights can be had here."""
    kind, _, detail = settings.backbone.partition(":")
    if kind == "random":
        return Finding("starting weights", Verdict.OK, "drawn at random, as the study says")
    named = file or (Path(detail) if kind == "file" else None)
    if named is not None:
        if named.is_file() and os.access(named, os.R_OK):
            return Finding("starting weights", Verdict.OK, f"{named} is there")
        return Finding(
            "starting weights",
            Verdict.FAILED if file else Verdict.WARNING,
            f"{named} is not there or not readable",
            _CARRY_IN,
        )
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    if any(home.glob("vgg16_weights*notop.h5")):
        return Finding("starting weights", Verdict.OK, f"Keras' file is in {home}")
    return Finding(
        "starting weights",
        Verdict.WARNING,
        "bs-client run will download Keras' VGG16 file (59 MB)",
        f"Without internet: {_CARRY_IN}",
    )


def read_scans(
    folder: SiteFolder,
    file: SiteFile,
    invitation: Invitation,
    *,
    workers: int,
    progress: Progress,
) -> Report:
    """Read every scan as training will; what `bs-client check` read before is not read again."""
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)  # what was read is kept in it
    try:
        source = site_source(folder, file, invitation)
        with open_crew(workers) as crew:
            return make_report(source, inspect(source, crew, progress=progress))
    except BoneScanError as error:
        return failed_report(in_words(error))
    except OSError as error:  # of a scan it would be a verdict
        return failed_report(f"{error.strerror}: {error.filename}.")


def check_scans(report: Report) -> Finding:
    """Say how many scans were accepted, and why training could not start if it could not."""
    codes = ", ".join(f"{code} {number}" for code, number in report.studies_refused)
    says = summary(report) + (f" Refused studies: {codes}." if codes else "")
    remedy = "bs-client check SITE_DIR (or a folder) shows each file and what each code means."
    if not report.ready:
        says = " ".join((says, *report.reasons)) if report.verdicts else " ".join(report.reasons)
        return Finding("scans", Verdict.FAILED, says, f"Correct scans or labels. {remedy}")
    if report.studies_refused:
        return Finding("scans", Verdict.OK, says, remedy)
    return Finding("scans", Verdict.OK, says)


def check_counts(report: Report, min_cell: int) -> Finding:
    """Say whether any class is so small that this site's own limit would stop its answers."""
    groups = report.labelled.cohort.groups if report.labelled is not None else ()
    small = [
        f"{group.scans} {group.split} scans with{'' if group.label else 'out'} metastasis"
        for group in groups
        if group.split in tuple(Split) and 0 < group.scans < min_cell
    ]
    if not small:
        return Finding("small counts", Verdict.OK, f"no class has fewer than {min_cell} scans")
    return Finding(
        "small counts",
        Verdict.WARNING,
        f"{'; '.join(small)}: fewer than min_cell = {min_cell}",
        "Such answers are refused by this site's own gate. Give more patients this split, or "
        "lower min_cell if your data protection officer agrees.",
    )


def needed_disk(settings: StudySettings, scans: int) -> int:
    """Estimate the bytes of a site's cache: prepared views, pictures, frozen activations.

    For block5 these are 512 maps of a sixteenth of the height and width, as is and mirrored.
    """
    pixels = settings.view_height * 2 * settings.view_width
    maps = 2 * 512 * pixels // 16**2 if settings.trainable == "block5" else 0
    return scans * (4 * (pixels + maps) + _PICTURES_BYTES_A_SCAN)


def check_disk(settings: StudySettings, *, scans: int, free_bytes: int) -> Finding:
    """Compare free space at the site's folder with what its cache will take."""
    needed = needed_disk(settings, scans)
    says = f"{free_bytes / _GIB:.1f} GiB free, about {needed / _GIB:.1f} needed"
    if free_bytes >= needed + _KEPT_FREE_BYTES:
        return Finding("disk", Verdict.OK, says)
    remedy = "Free some space, or put the site's folder on another disk: --site DIR"
    verdict = Verdict.WARNING if free_bytes >= needed else Verdict.FAILED
    return Finding("disk", verdict, says, remedy)


def _existing(path: Path) -> Path:
    """Give the nearest folder above that is there."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
