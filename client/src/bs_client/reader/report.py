"""The comparison as one page that needs nothing else, with a JSON file of its aggregates."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bs_client.reader.analysis import Comparison, as_json, compare
from bs_client.reader.arms import split_arms
from bs_client.reader.case_key import read_key
from bs_client.reader.export import export_study
from bs_client.reader.figures import draw_roc, draw_spreads, draw_times
from bs_client.reader.open_study import OpenStudy
from bs_client.reader.protocol import Protocol
from bs_common.files import write_atomic

TEMPLATES = Path(__file__).parent / "templates"


def analyse_study(study: OpenStudy, *, unfinished: bool) -> Path:
    """Export a finished study, compare, and write `index.html` and `analysis.json` (0600).

    Raises DataError as `collect_answers` says, ClassTooSmall for too few cases.
    """
    answers = export_study(study, unfinished=unfinished)
    comparison = compare(split_arms(answers), read_key(study.folder.key), seed=study.protocol.seed)
    folder = study.folder.analysis
    folder.mkdir(mode=0o700, exist_ok=True)
    aggregates = {
        "study": study.protocol.name,
        "protocol_sha256": study.protocol.sha256(),
        "synthetic": study.protocol.synthetic,
        **as_json(comparison),
    }
    content = (json.dumps(aggregates, indent=2) + "\n").encode()
    write_atomic(folder / "analysis.json", content, mode=0o600)
    page = render(study.protocol, comparison).encode()
    write_atomic(folder / "index.html", page, mode=0o600)
    return folder / "index.html"


def render(protocol: Protocol, comparison: Comparison) -> str:
    """Make the page; pictures are inside it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "pair": _pair, "p_value": _p_value}
    drawn = {"synthetic": protocol.synthetic}
    return environment.get_template("analysis.html").render(
        protocol=protocol,
        comparison=comparison,
        figures={
            "spreads": _embedded(draw_spreads(comparison, **drawn)),
            "roc": _embedded(draw_roc(comparison, **drawn)),
            "times": _embedded(draw_times(comparison, **drawn)),
        },
    )


def _embedded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _share(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def _pair(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{_share(low)} to {_share(high)}"


def _p_value(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
