"""Reading every study of some files or folders with a released model, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bs_client.dicom.discovery import StudyFiles, find_studies
from bs_client.dicom.scan import BoneScan
from bs_client.dicom.settings import IngestSettings
from bs_client.dicom.structured_report import StudyResult
from bs_client.dicom.study import ACCEPTED, FileVerdict, inspect_study
from bs_client.explain.overlay import OverlayCaption, overlay_name
from bs_client.predict.dicom_results import DicomRequest, write_dicom_results
from bs_client.predict.model import OpenModel, Reading
from bs_client.predict.outcome import RESULTS, Outcome
from bs_client.predict.picture import Picture, draw_result
from bs_common.errors import ConfigError, DataError

FAILED = "failed"
Clock = Callable[[], datetime]
Progress = Callable[[int, int], None]  # studies done, studies in all


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is written for a scan besides its line in the table.

    maps : the overlay as a PNG.
    dicom : report and, with `maps`, the overlay as DICOM objects.
    seg, gsps : with `dicom`, also segmentations and a presentation state of the maps.
    """

    maps: bool
    dicom: bool
    seg: bool = False
    gsps: bool = False


def prepare_folder(folder: Path, inputs: Sequence[Path]) -> None:
    """Make the folder for results, and remove an earlier run's from it.

    Raises ConfigError if an input is not there, or results would lie among the scans.
    """
    for path in inputs:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder.", remedy="Name existing scans.")
        if folder.resolve().is_relative_to(path.resolve()):
            raise ConfigError(
                "The results would lie in the folder of the scans.",
                remedy="Give --out a folder elsewhere; the next run would take results for scans.",
            )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for pattern in ("case-*.png", "case-*.dcm", RESULTS):
        for old in folder.glob(pattern):
            old.unlink()


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """A model, how scans are read for it, and where its results go.

    folder : made by `prepare_folder`; what `wanted` names is written there under case numbers.
    clock : this site's time, for the DICOM results.
    """

    model: OpenModel
    ingest: IngestSettings
    folder: Path
    wanted: Wanted
    clock: Clock

    def predict(self, case: int, study: StudyFiles) -> Outcome:
        """Read one study; a refusal is an outcome."""
        reading = inspect_study(study.files, self.ingest)
        if reading.scan is not None:
            return self.read(case, reading.scan)
        assert reading.refusal is not None  # noqa: S101 (one of the two is always there)
        outcome = self._outcome(case, study.study_uid, study.files, reading.refusal.refusal)
        return replace(outcome, remark=str(reading.refusal))

    def read(self, case: int, scan: BoneScan) -> Outcome:
        """Score one accepted scan and write what is wanted of it."""
        outcome = self._outcome(case, scan.study_uid, scan.files, ACCEPTED)
        outcome = replace(outcome, warnings=scan.warnings)
        try:
            read = self.model.read(scan)
        except DataError as error:
            return replace(outcome, verdict=FAILED, remark=str(error))
        return self._write(replace(outcome, probability=read.probability), case, scan, read)

    def passed_over(self, verdict: FileVerdict) -> Outcome:
        """Give the outcome of a file that belongs to no study."""
        outcome = self._outcome(None, "", (verdict.file,), verdict.verdict)
        return replace(outcome, remark=verdict.reason)

    def _outcome(
        self, case: int | None, study_uid: str, files: tuple[Path, ...], verdict: str
    ) -> Outcome:
        return Outcome(case, study_uid, files, verdict, self.model.bundle.model.threshold)

    def _write(self, outcome: Outcome, case: int, scan: BoneScan, read: Reading) -> Outcome:
        """Write pictures and objects; what cannot be written is said beside the probability."""
        picture: Picture | None = None
        remarks = []
        if self.wanted.maps:
            try:
                picture = self._draw(self.folder / overlay_name(case), case, scan, read)
                outcome = replace(outcome, overlay=overlay_name(case))
            except DataError as error:
                remarks.append(f"no picture: {error}")
        if self.wanted.dicom:
            try:
                request = self._request(scan, read, picture)
                names = write_dicom_results(self.folder, case, request)
                outcome = replace(outcome, dicom=names)
            except DataError as error:
                remarks.append(f"no DICOM results: {error}")
        return replace(outcome, remark="; ".join(remarks))

    def _draw(self, path: Path, case: int, scan: BoneScan, read: Reading) -> Picture:
        bundle = self.model.bundle
        caption = OverlayCaption(
            case=case,
            probability=read.probability,
            threshold=bundle.model.threshold,
            label=None,
            synthetic=scan.synthetic or bundle.model.synthetic,
        )
        return draw_result(
            path,
            scan,
            (read.anterior_map, read.posterior_map),
            caption=caption,
            model=f"model {bundle.model.study} {bundle.manifest_sha256[:12]}",
        )

    def _request(self, scan: BoneScan, read: Reading, picture: Picture | None) -> DicomRequest:
        return DicomRequest(
            scan,
            self._result(scan, read),
            picture,
            (read.anterior_map, read.posterior_map),
            seg=self.wanted.seg,
            gsps=self.wanted.gsps,
            now=self.clock(),
        )

    def _result(self, scan: BoneScan, read: Reading) -> StudyResult:
        bundle = self.model.bundle
        return StudyResult(
            probability=read.probability,
            threshold=bundle.model.threshold,
            model_name=bundle.model.study,
            model_sha256=bundle.manifest_sha256,
            weights_sha256=bundle.model.weights_sha256,
            synthetic=scan.synthetic or bundle.model.synthetic,
        )


def predict_studies(
    inputs: Sequence[Path],
    predictor: Predictor,
    *,
    progress: Progress = lambda done, total: None,
) -> Iterator[Outcome]:
    """Give each study's outcome as soon as it is known, then the files that belong to no study.

    inputs : files and folders, which are only read.
    """
    index = find_studies(inputs)
    for case, study in enumerate(index.studies, start=1):
        yield predictor.predict(case, study)
        progress(case, len(index.studies))
    yield from map(predictor.passed_over, index.verdicts)
