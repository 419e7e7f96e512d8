"""What the commands of a reader study do, put together from their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from bs_client.check.source import Source
from bs_client.reader.access import holders, make_link
from bs_client.reader.model_results import ModelResult, find_model_time, read_model_results
from bs_client.reader.new_study import AcceptedScans, Model, Progress, find_accepted, make_study
from bs_client.reader.open_study import open_study
from bs_client.reader.protocol import Protocol, ReaderStudyFolder, Scale
from bs_client.reader.sample import Sample, draw_sample, eligible_entries, listed_sample
from bs_client.reader.serving import now_ms
from bs_common.errors import ConfigError
from bs_common.joining import describe_faults, read_small_text


@dataclass(frozen=True, slots=True)
class Wishes:
    """Options of a new study, not checked yet; `Protocol` says what each means."""

    name: str
    seed: int
    readers: int
    cases_with: int
    cases_without: int
    practice: int
    scale: Scale
    sessions: int
    washout_days: int
    with_ai: bool
    time_limit_s: int | None
    idle_cutoff_s: int
    allow_back: bool


def make_reader_study(
    folder: Path,
    source: Source,
    wishes: Wishes,
    *,
    listed: Path | None,
    excluded: Path | None,
    model: Path | None,
    progress: Progress,
) -> Protocol:
    """Draw the cases and make the study's folder; give what was agreed.

    Raises ConfigError or DataError as the parts do; nothing is then left behind.
    """
    if wishes.with_ai and model is None:
        raise ConfigError(
            "There is no result of a model to show.",
            remedy="Run `bs-client predict` on the scans and give its --out folder as --model.",
        )
    _protocol(wishes, synthetic=False)  # faults are told before hundreds of scans are read
    results: Mapping[str, ModelResult] = {} if model is None else _results(model, source)
    accepted = find_accepted(source, progress=progress)
    sample = _sample(accepted, wishes, listed=listed, excluded=excluded)
    positives = sum(entry.label for entry in sample.cases)
    wishes = replace(wishes, cases_with=positives, cases_without=len(sample.cases) - positives)
    chosen = {entry.study_uid for entry in (*sample.cases, *sample.practice)}
    protocol = _protocol(wishes, synthetic=bool(chosen & accepted.synthetic))
    make_study(
        ReaderStudyFolder(folder),
        protocol,
        sample,
        accepted,
        source=source,
        model=Model(results, None if model is None else find_model_time(model)),
        progress=progress,
    )
    return protocol


def _protocol(wishes: Wishes, *, synthetic: bool) -> Protocol:
    try:
        return Protocol.model_validate({**asdict(wishes), "synthetic": synthetic})
    except ValidationError as error:
        raise ConfigError(
            f"The study cannot be made so: {describe_faults(error)}",
            remedy="Correct these options; `bs-client reader-study new --help` lists them.",
        ) from error


def _results(folder: Path, source: Source) -> Mapping[str, ModelResult]:
    return read_model_results(folder, threshold=source.settings.threshold)


def _sample(
    accepted: AcceptedScans, wishes: Wishes, *, listed: Path | None, excluded: Path | None
) -> Sample:
    left_out = frozenset(() if excluded is None else _read_uids(excluded))
    entries = eligible_entries(accepted.entries, excluded=left_out)
    if listed is not None:
        return listed_sample(
            entries, _read_uids(listed), practice=wishes.practice, seed=wishes.seed
        )
    return draw_sample(
        entries,
        cases_with=wishes.cases_with,
        cases_without=wishes.cases_without,
        practice=wishes.practice,
        seed=wishes.seed,
    )


def _read_uids(path: Path) -> list[str]:
    """Read one study UID a line; a `#` begins a remark."""
    lines = (line.partition("#")[0].strip() for line in read_small_text(path).splitlines())
    return [line for line in lines if line]


def renew_links(folder: Path, holder: str | None, *, address: str) -> dict[str, str]:
    """Make new one-time links for one person or for everybody."""
    study = open_study(ReaderStudyFolder(folder), now_ms)
    try:
        known = holders(study.protocol)
        if holder is not None and holder not in known:
            raise ConfigError(
                f"There is no reader {holder}.", remedy=f"One of: {', '.join(known)}."
            )
        chosen = known if holder is None else (holder,)
        return {one: make_link(study.store, one, address=address, at_ms=now_ms()) for one in chosen}
    finally:
        study.store.close()
