"""The report page: what stands where is the template's, what is said is computed here."""

from __future__ import annotations

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined

from bs_server.report import external, tables, wording
from bs_server.report.headline import headline
from bs_server.report.readers import reader_views
from bs_server.report.rounds import rounds_figure
from bs_server.results.summary import ExternalSummary, Summary

HIDDEN_REASONS = {
    "small_cell": "a count it rests on was below the smallest the site lets out",
    "complementary": "it could have been worked out from the cells beside a small one",
}


def render_report(summary: Summary) -> str:
    """Give the report of a study as one HTML page that refers to nothing outside itself.

    The same summary gives the same page. Rates and intervals are shown as the summary holds them;
    none is computed here, except sums of scans and the observed share of a calibration bin.
    """
    values: dict[str, object] = {
        "headline": headline(summary),
        "cohort": tables.cohort_rows(summary),
        "cohort_totals": tables.cohort_totals(summary),
        "sites": tables.site_rows(summary),
        "rounds": tables.round_rows(summary),
        "rounds_figure": rounds_figure(summary),
        "replies": tables.reply_rows(summary),
        "settings": summary.settings.model_dump(mode="json"),
        "readers": reader_views(summary),
        "messages": tables.message_rows(summary),
        "hidden_reasons": _hidden_reasons(summary),
        "moment": wording.moment,
        "threshold": wording.threshold,
        "judges": " and ".join(one.site for one in summary.external_sites)
        or (summary.external.site if summary.external else ""),
    }
    if summary.external is not None:
        values |= _external_values(summary, summary.external)
    return _environment().get_template("report.html").render(summary=summary, **values)


def _external_values(summary: Summary, result: ExternalSummary) -> dict[str, object]:
    # Of several sites pooled no one limit holds.
    min_cell = next((site.min_cell for site in summary.sites if site.name == result.site), None)
    return {
        "auc_text": external.auc_text(result),
        "roc_figure": external.roc_figure(result),
        "external_refused": tables.refusals(result, min_cell=min_cell),
        "confusion_figure": external.confusion_figure(result, min_cell=min_cell),
        "calibration_figure": external.calibration_figure(result),
        "rates": tables.rate_rows(result),
        "calibration": tables.calibration_rows(result, min_cell=min_cell),
    }


def _hidden_reasons(summary: Summary) -> dict[str, str]:
    """Explain the reasons for which this summary hides a cell."""
    tables_ = [*(site.hidden for site in summary.sites), *(it.hidden for it in summary.rounds)]
    if summary.external is not None:
        tables_.append(summary.external.hidden)
    tables_ += [one.hidden for one in summary.readers]
    reasons = sorted({reason for table in tables_ for reason in table.values()})
    return {reason: HIDDEN_REASONS.get(reason, "withheld by the site") for reason in reasons}


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("bs_server.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
