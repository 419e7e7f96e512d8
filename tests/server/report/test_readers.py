"""A finished reader study in the report."""

from __future__ import annotations

import re

import pytest

from bs_common.contract import MessageType
from bs_common.messages import Metric, Reply
from bs_server.evaluation.readers import summarise_readers
from bs_server.report import render_report
from bs_server.results.summary import Summary
from support.fake_site import READERS

ENDS = (("", 0.0), ("-low", -0.1), ("-high", 0.1))


def report_of(summary: Summary, metrics: dict[str, Metric], *hidden: str) -> str:
    reply = Reply(
        MessageType.READERS,
        2,
        {},
        {name: value for name, value in metrics.items() if name not in hidden},
        {"model-device": "cpu (2 threads)"},
        hidden,
    )
    told = summarise_readers("namur", reply)
    page = render_report(summary.model_copy(update={"readers": [told]}))
    return (
        page.replace("\N{NO-BREAK SPACE}", " ")
        .replace("\N{EN DASH}", "-")
        .replace("\N{MINUS SIGN}", "-")
    )


@pytest.fixture(scope="module")
def page(summary: Summary) -> str:
    times = {"model.seconds-alone": 0.81, "model.seconds-in-batch": 0.7}
    kappa = {f"unaided.fleiss-kappa{end}": 0.6 + more for end, more in ENDS}
    return report_of(summary, {**READERS, **times, **kappa})


def test_without_a_reader_study_the_report_says_nothing_of_one(summary: Summary) -> None:
    assert "Reader study" not in render_report(summary)


@pytest.mark.parametrize(
    "words",
    [
        *("Reader study at namur", "6 readers, cases: 67 with metastasis, 67 without."),
        *("0.900 (0.850 - 0.950)", "0.950 (0.910 - 0.990)", "0.600 (0.500 - 0.700)"),
        *("-0.050", "-0.100 to +0.000", "4.00", "9.5", "0.050", "180.0 min"),
        *("Model on cpu (2 threads): computing, one scan at once", "0.81 s", "0.7 s"),
    ],
)
def test_every_figure_stands_in_the_section(page: str, words: str) -> None:
    section = page.partition('aria-labelledby="readers-1"')[2].partition("</section>")[0]

    assert words in section


def test_the_figure_says_its_numbers_to_those_who_cannot_see_it(page: str) -> None:
    assert re.search(r'aria-label="AUC of readers and model: [^"]*0.950 \(0.910 to 0.990\)', page)


def test_no_reader_is_named_or_numbered_where_the_site_does_not_allow_it(page: str) -> None:
    assert "Each reader by number" not in page


def test_a_hidden_figure_says_why(summary: Summary) -> None:
    page = report_of(summary, dict(READERS), "cases.metastasis", "unaided.minutes")

    assert "hidden (small count) with metastasis" in page
    assert "hidden (small count) min" in page
