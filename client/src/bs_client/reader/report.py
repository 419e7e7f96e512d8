"""The comparison as one page that needs nothing else, with a JSON file of its aggregates."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bs_client.config import SiteFolder
from bs_client.evaluation.inference_time import InferenceTime
from bs_client.reader.aggregates import aggregate
from bs_client.reader.analysis import Comparison, as_json, compare
from bs_client.reader.arms import split_arms
from bs_client.reader.case_key import read_key
from bs_client.reader.export import export_study
from bs_client.reader.figures import draw_roc, draw_spreads, draw_times
from bs_client.reader.open_study import OpenStudy
from bs_client.reader.protocol import Protocol
from bs_client.reader.readings import FinishedAnswer, finished_readers
from bs_client.reader.site_report import PAGE, SECTION, put_into_site
from bs_common.files import write_atomic
from bs_common.joining import read_document

TEMPLATES = Path(__file__).parent / "templates"


FIGURES = "analysis.json"


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """A finished comparison and what its pages say beside it.

    model_time : how long the model takes for a scan; None where that was not measured.
    finished : readers who have ended; all of them, unless some were left out on purpose.
    """

    protocol: Protocol
    comparison: Comparison
    model_time: InferenceTime | None
    finished: int

    def pages(self) -> dict[str, bytes]:
        """Give page and figures by file name."""
        figures = {
            "study": self.protocol.name,
            "protocol_sha256": self.protocol.sha256(),
            "synthetic": self.protocol.synthetic,
            **as_json(self.comparison),
            "model_time": None if self.model_time is None else self.model_time.model_dump(),
        }
        page = render(self.protocol, self.comparison, self.model_time)
        return {
            FIGURES: (json.dumps(figures, indent=2) + "\n").encode(),
            PAGE: page.encode(),
        }

    def show_at(self, site: SiteFolder) -> None:
        """Put it into the site's report; aggregates for the coordinator if all have finished."""
        put_into_site(
            site,
            {**self.pages(), SECTION: render_section(self).encode()},
            aggregate(self.protocol, self.comparison, model_time=self.model_time),
            finished=self.finished == self.protocol.readers,
        )


def analyse_study(study: OpenStudy, *, unfinished: bool) -> Analysis:
    """Export a finished study, compare, and write `index.html` and `analysis.json` (0600).

    Raises DataError as `collect_answers` says, ClassTooSmall for too few cases.
    """
    analysis = compare_answers(study, export_study(study, unfinished=unfinished))
    folder = study.folder.analysis
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in analysis.pages().items():
        write_atomic(folder / name, content, mode=0o600)
    return analysis


def compare_answers(study: OpenStudy, answers: Sequence[FinishedAnswer]) -> Analysis:
    """Compare the readers who have answered, with each other and with the model."""
    timed = study.folder.model_time
    return Analysis(
        protocol=study.protocol,
        comparison=compare(
            split_arms(answers), read_key(study.folder.key), seed=study.protocol.seed
        ),
        model_time=read_document(timed, InferenceTime) if timed.exists() else None,
        finished=len(finished_readers(study)),
    )


def render(
    protocol: Protocol, comparison: Comparison, model_time: InferenceTime | None = None
) -> str:
    """Make the page; pictures are inside it."""
    drawn = {"synthetic": protocol.synthetic}
    return (
        _environment()
        .get_template("analysis.html")
        .render(
            protocol=protocol,
            comparison=comparison,
            model_time=model_time,
            figures={
                "spreads": _embedded(draw_spreads(comparison, **drawn)),
                "roc": _embedded(draw_roc(comparison, **drawn)),
                "times": _embedded(draw_times(comparison, **drawn)),
            },
        )
    )


def render_section(analysis: Analysis) -> str:
    """Make what the site's report of the external evaluation shows of the readers."""
    roc = draw_roc(analysis.comparison, synthetic=analysis.protocol.synthetic)
    return (
        _environment()
        .get_template("site_section.html")
        .render(
            protocol=analysis.protocol,
            comparison=analysis.comparison,
            model_time=analysis.model_time,
            finished=analysis.finished,
            page=PAGE,
            roc=_embedded(roc),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "share": _share,
        "pair": _pair,
        "p_value": _p_value,
        "seconds": _seconds,
    }
    return environment


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _share(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _pair(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{_share(low)} to {_share(high)}"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"
