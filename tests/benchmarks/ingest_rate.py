"""How fast `bs-client check` reads studies: by process, and again when nothing changed.

Synthetic scans of the real size (1024 x 256, two views) are checked by one and by two processes,
turn by turn on the same machine, and then once more with what the first check remembered.

    python tests/benchmarks/ingest_rate.py --studies 60 --repeats 3 --json
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

from bs_client.check.crew import available_cores
from bs_client.check.outcome import check_path
from bs_client.phantom.cohort import CohortCounts, write_cohort
from bs_client.phantom.site_style import STYLES

PAPER_STUDIES = 2365


def main() -> None:
    """Print rates, ratios, and the time that the paper's studies would take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), chosen.studies, chosen.repeats)
    print(json.dumps(result) if chosen.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


def measure(root: Path, studies: int, repeats: int) -> dict[str, float | int]:
    """Check the same scans in each way by turns and give medians."""
    write_cohort(
        root / "site",
        style=STYLES["aachen"],
        counts=CohortCounts(negative=studies),
        seed=1,
        preset="realistic",
    )
    scans = root / "site" / "scans"
    one, two, again = [], [], []
    before = processor_seconds()
    for turn in range(repeats):
        one.append(seconds(scans, root / f"one-{turn}", workers=1))
        two.append(seconds(scans, root / f"two-{turn}", workers=2))
        again.append(seconds(scans, root / f"two-{turn}", workers=2))
    processor = (processor_seconds() - before) / (2 * repeats * studies)
    with_one, with_two, incremental = (statistics.median(times) for times in (one, two, again))
    return {
        "studies": studies,
        "cores": available_cores(),
        "seconds_one_process": round(with_one, 2),
        "seconds_two_processes": round(with_two, 2),
        "seconds_again": round(incremental, 2),
        "studies_per_s_per_process": round(studies / with_one, 1),
        "processor_ms_per_study": round(1000 * processor, 1),
        "ratio_two_to_one": round(with_one / with_two, 2),
        "ratio_again_to_first": round(with_two / incremental, 1),
        f"minutes_for_{PAPER_STUDIES}_two_processes": round(
            with_two / studies * PAPER_STUDIES / 60, 1
        ),
    }


def seconds(scans: Path, cache: Path, *, workers: int) -> float:
    """Time one whole check, contact sheet and all."""
    started = time.perf_counter()
    outcome = check_path(
        scans, labels=None, cache=cache, workers=workers, progress=lambda *said: None
    )
    if not outcome.report.ready:
        raise RuntimeError("; ".join(outcome.report.reasons))
    return time.perf_counter() - started


def processor_seconds() -> float:
    """Give the processor time of this process and its ended children; other load does not count."""
    users = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in users)


if __name__ == "__main__":
    main()
