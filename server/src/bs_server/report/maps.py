"""Maps against masks and where no metastasis can be: tables and a figure with intervals."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from bs_server.report import wording
from bs_server.report.drawing import COLOURS, MARKERS, QUIET, inline_svg, report_style
from bs_server.report.evaluated import Evaluated
from bs_server.results.external_values import MapAgreement, Rate

MEASURES = {
    "pointing": "Pointing game, highest point in a metastasis",
    "pointing-tolerant": "Pointing game, one cell of the map off allowed",
    "energy": "Share of the map inside metastases",
    "auprc": "Area under the precision-recall curve",
    "iou": "Overlap at equal area (IoU)",
    "dice": "Overlap at equal area (Dice)",
}
SOURCES = {
    "model": "Model's map",
    "intensity": "Counts of the scan",
    "body": "Body, no preference",
    "ceiling": "Ceiling: the mask, as coarse as the map",
}
PLACES_OF_ARTEFACTS = {
    "outside-body": "Outside the body",
    "bladder": "On the bladder, where drawn",
    "injection": "On the injection site, where drawn",
}


@dataclass(frozen=True, slots=True)
class AgreementRow:
    """One measure: (mean, interval) for every source."""

    measure: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ArtefactRow:
    """Mean share of a map at one kind of place."""

    place: str
    share: str


def agreement_rows(agreement: MapAgreement) -> list[AgreementRow]:
    """Write every measure that some source has, in the order of `SOURCES`."""
    shown = [m for m in MEASURES if any(m in found for found in agreement.by_source.values())]
    return [
        AgreementRow(
            MEASURES[measure],
            tuple(_mean_text(agreement.by_source.get(s, {}).get(measure)) for s in SOURCES),
        )
        for measure in shown
    ]


def artefact_rows(one: Evaluated) -> list[ArtefactRow]:
    """Write the mean share of a map where no metastasis can be, hidden ones as such."""
    hidden = [n.removeprefix("artefacts.") for n in one.result.hidden if n.startswith("artefacts.")]
    names = [n for n in PLACES_OF_ARTEFACTS if n in one.result.artefacts or n in hidden]
    return [
        ArtefactRow(
            PLACES_OF_ARTEFACTS[name],
            wording.cell(
                wording.rate("accuracy", one.result.artefacts.get(name)),
                f"artefacts.{name}",
                one.result.hidden,
                min_cell=one.min_cell,
            ),
        )
        for name in names
    ]


def agreement_figure(name: str, agreement: MapAgreement, *, key: str) -> Markup | None:
    """Draw every measure's mean and interval for the model and what it is held against."""
    measures = [m for m in MEASURES if any(m in found for found in agreement.by_source.values())]
    if not measures:
        return None
    with report_style():
        figure = Figure(figsize=(7.2, 0.8 + 0.52 * len(measures)))
        axes = figure.subplots()
        for index, (source, words) in enumerate(SOURCES.items()):
            found = agreement.by_source.get(source, {})
            places = [row + 0.18 * (index - 1.5) for row in range(len(measures))]
            known = [
                (place, rate.value, rate)
                for place, measure in zip(places, measures, strict=True)
                if (rate := found.get(measure)) is not None and rate.value is not None
            ]
            colour, marker = COLOURS[index], MARKERS[index]
            for place, _, rate in known:
                if rate.low is not None and rate.high is not None:
                    axes.plot([rate.low, rate.high], [place, place], color=colour, linewidth=1.2)
            values = [value for _, value, _ in known]
            at = [place for place, _, _ in known]
            axes.plot(values, at, marker, color=colour, markersize=4.5, label=words)
        axes.set_yticks(range(len(measures)), [MEASURES[m].replace(", ", ",\n") for m in measures])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(measures) - 0.5, -0.5))
        axes.set_xlabel(f"Mean over {agreement.scans} scans with 95 % interval (share, 0 to 1)")
        axes.grid(axis="x", color=QUIET, alpha=0.25, linewidth=0.6)
        axes.tick_params(axis="y", length=0)
        figure.legend(loc="outside upper center", ncols=2)
        spoken = f"Agreement of maps with masks at {name}; the table below gives the values."
        return inline_svg(figure, key, spoken)


def _mean_text(rate: Rate | None) -> tuple[str, str]:
    if rate is None or rate.value is None:
        return wording.GAP, ""
    return f"{rate.value:.3f}", wording.interval("auc", rate.low, rate.high) or ""
