"""The report page: what stands where is the template's, what is said is computed here."""

from __future__ import annotations

import functools
import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bs_server.report import calibration, external, maps, privacy, subgroups, tables, wording
from bs_server.report.beside import beside_tables
from bs_server.report.comparison import comparison_view
from bs_server.report.evaluated import Evaluated, evaluated
from bs_server.report.flow import trace_flow
from bs_server.report.flow_figure import flow_figures
from bs_server.report.headline import headline
from bs_server.report.places import PLACES
from bs_server.report.readers import reader_views
from bs_server.report.rounds import rounds_figure
from bs_server.results.summary import Summary

HIDDEN_REASONS = {
    "small_cell": "it, or a count beside it from which it would follow, is smaller than the "
    "smallest that the site lets out",
    "complementary": "it could have been worked out from the cells beside a small one",
}
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)</h2>', re.DOTALL)


def render_report(summary: Summary) -> str:
    """Give the report of a study as one HTML page that refers to nothing outside itself.

    The same summary gives the same page. Rates and intervals are shown as the summary holds them;
    none is computed here, except sums of scans, and the observed share of a calibration bin with
    its Wilson interval.
    """
    results = evaluated(summary)
    values: dict[str, object] = {
        "places": PLACES,
        "headline": headline(summary),
        "flow_figures": flow_figures(trace_flow(summary)),
        "cohort": tables.cohort_rows(summary),
        "cohort_totals": tables.cohort_totals(summary),
        "sites": tables.site_rows(summary),
        "rounds": tables.round_rows(summary),
        "rounds_figure": rounds_figure(summary),
        "replies": tables.reply_rows(summary),
        "settings": summary.settings.model_dump(mode="json"),
        "comparison": comparison_view(summary.comparison),
        "messages": privacy.message_rows(summary),
        "traffic": privacy.traffic_rows(summary),
        "policies": privacy.policy_rows(summary),
        "refusals": privacy.refusal_rows(summary),
        "hidden_reasons": _hidden_reasons(summary, results),
        "readers": reader_views(summary),
        "moment": wording.moment,
        "threshold": wording.threshold,
        "judges": " and ".join(one.site for one in summary.external_sites)
        or (summary.external.site if summary.external else ""),
        "results": [_shown(one, number) for number, one in enumerate(results)],
    }
    if results:
        values |= _external_values(results)
    return _environment().get_template("report.html").render(summary=summary, **values)


def _external_values(results: tuple[Evaluated, ...]) -> dict[str, object]:
    main = results[0]
    return {
        "auc_text": external.auc_text(main.result),
        "roc_figure": external.roc_figure(results),
        "confusion_figure": external.confusion_figure(main),
        "beside": beside_tables(results),
        "calibration_figure": calibration.calibration_figure(main),
        "decision_figure": calibration.decision_figure(main),
        "subgroups_figure": subgroups.subgroups_figure(main),
    }


def _shown(one: Evaluated, number: int) -> dict[str, object]:
    """Give one result's own tables and its map figure."""
    agreement = one.result.agreement
    return {
        "name": one.name,
        "pooled": one.pooled,
        "refused": tables.refusals(one.result, min_cell=one.min_cell),
        "fit": calibration.fit_row(one),
        "bins": calibration.bin_rows(one),
        "benefit": calibration.benefit_rows(one.result),
        "subgroups": subgroups.subgroup_rows(one),
        "scans_with_masks": None if agreement is None else agreement.scans,
        "agreement_hidden": one.result.hidden.get("agreement"),
        "agreement": [] if agreement is None else maps.agreement_rows(agreement),
        "agreement_figure": None
        if agreement is None
        else maps.agreement_figure(one.name, agreement, key=f"agreement-{number}"),
        "artefacts": maps.artefact_rows(one),
    }


def _hidden_reasons(summary: Summary, results: tuple[Evaluated, ...]) -> dict[str, str]:
    """Explain the reasons for which this summary hides a cell."""
    tables_ = [*(site.hidden for site in summary.sites), *(it.hidden for it in summary.rounds)]
    tables_ += [one.result.hidden for one in results]
    tables_ += [one.hidden for one in summary.readers]
    reasons = sorted({reason for table in tables_ for reason in table.values()})
    return {reason: HIDDEN_REASONS.get(reason, "withheld by the site") for reason in reasons}


def _headings(sections: Markup) -> list[tuple[str, Markup]]:
    """Give anchor and title of every section that a study has, in the order of the page."""
    # The title was escaped when its section was made.
    return [(anchor, Markup(title)) for anchor, title in _HEADING.findall(sections)]  # noqa: S704


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bs_server.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["headings"] = _headings
    return environment
