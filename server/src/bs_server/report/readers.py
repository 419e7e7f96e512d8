"""A finished reader study in the report: finished text for its tables, and one figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure

from bs_server.report import wording
from bs_server.report.drawing import INK, MAIN, MARK, QUIET, inline_svg, report_style
from bs_server.results.external_values import Rate
from bs_server.results.readers_values import (
    AucDifference,
    ModelOnCases,
    ReaderArm,
    ReadersSummary,
    Spread,
)
from bs_server.results.summary import Summary

FIGURES = ("auc", "sensitivity", "specificity", "f1")
MINUS = "\N{MINUS SIGN}"
_TO = f" {wording.GAP} "


@dataclass(frozen=True, slots=True)
class ReadersView:
    """What the report says of one site's reader study.

    intro : how many read what.
    answer : readers against model in a sentence, or why there is none.
    figures : rows of who, then AUC, sensitivity, specificity, F1.
    tests : rows of what, difference, interval, F, df, p.
    times : rows of who and the time.
    agreement : rows of arm, Fleiss' kappa of the calls, Krippendorff's alpha of the scores.
    each_reader : rows of arm, number, AUC, sensitivity, specificity; mostly empty.
    """

    site: str
    synthetic: bool
    intro: str
    answer: str
    figures: list[list[str]]
    tests: list[list[str]]
    times: list[list[str]]
    agreement: list[list[str]]
    each_reader: list[list[str]]
    figure: Markup | None


def reader_views(summary: Summary) -> list[ReadersView]:
    """Give every finished reader study of a summary as text."""
    return [
        ReadersView(
            site=one.site,
            synthetic=one.synthetic,
            intro=_intro(one),
            answer=_answer(one),
            figures=_figure_rows(one),
            tests=_test_rows(one),
            times=_time_rows(one),
            agreement=[_agreement_row(one, arm) for arm in one.arms],
            each_reader=[row for arm in one.arms for row in _single_rows(arm)],
            figure=_auc_figure(one),
        )
        for one in summary.readers
    ]


def _intro(one: ReadersSummary) -> str:
    cases = [
        f"{wording.cell(wording.count(count), f'cases.{label}', one.hidden)} {words}"
        for count, label, words in (
            (one.metastasis, "metastasis", "with metastasis"),
            (one.no_metastasis, "no_metastasis", "without"),
        )
    ]
    return f"{one.readers} readers, cases: {', '.join(cases)}."


def _answer(one: ReadersSummary) -> str:
    test = one.readers_minus_model
    if test is None:
        return "Readers and model were not compared: " + (
            "no model's result was given to the study."
            if one.model is None
            else "it takes two readers to tell how readers differ."
        )
    return (
        f"The readers' mean AUC minus the model's is {_signed(test.estimate.value)} "
        f"(95{wording.PER_CENT} CI {_signed_interval(test.estimate)}), p {_p_value(test.p)}. "
        "The interval allows for other readers and other cases."
    )


def _figure_rows(one: ReadersSummary) -> list[list[str]]:
    rows = []
    for arm in one.arms:
        spreads = [
            _shown(_spread(getattr(arm, name), 3), f"{arm.name}.{name}.median", one)
            for name in FIGURES
        ]
        rows.append([f"Readers, {arm.name}: median (quartiles)", *spreads])
        mean = _shown(_rate(arm.mean_auc), f"{arm.name}.mean-auc", one)
        rows.append([f"Readers, {arm.name}: mean (95{wording.PER_CENT} CI)", mean, "", "", ""])
    if one.model is not None:
        model = [_shown(_rate(getattr(one.model, name)), f"model.{name}", one) for name in FIGURES]
        rows.append([f"Model, same cases (95{wording.PER_CENT} CI)", *model])
    return rows


def _test_rows(one: ReadersSummary) -> list[list[str]]:
    named = (
        ("Readers minus model", one.readers_minus_model),
        (" minus ".join(arm.name for arm in reversed(one.arms)), one.second_minus_first),
    )
    return [_test_row(name, test) for name, test in named if test is not None]


def _test_row(name: str, test: AucDifference) -> list[str]:
    return [
        name,
        _signed(test.estimate.value),
        _signed_interval(test.estimate),
        wording.number(test.f, 2) or wording.GAP,
        "infinite" if test.df is None else f"{test.df:.1f}",
        _p_value(test.p),
    ]


def _time_rows(one: ReadersSummary) -> list[list[str]]:
    rows = []
    for arm in one.arms:
        seconds = _shown(_spread(arm.seconds, 1), f"{arm.name}.seconds.median", one)
        rows.append([f"Readers, {arm.name}: a case, median (quartiles)", f"{seconds} s"])
        minutes = _shown(wording.number(arm.minutes, 1), f"{arm.name}.minutes", one)
        rows.append([f"Readers, {arm.name}: all cases of all readers", f"{minutes} min"])
    return [*rows, *_model_times(one.model)]


def _model_times(model: ModelOnCases | None) -> Iterator[list[str]]:
    if model is None or model.seconds_alone is None or model.seconds_in_batch is None:
        return
    words = ("one scan at once", model.seconds_alone), ("in a batch, each", model.seconds_in_batch)
    for how, seconds in words:
        text = f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2g}"
        yield [f"Model on {model.device}: computing, {how}", f"{text} s"]


def _agreement_row(one: ReadersSummary, arm: ReaderArm) -> list[str]:
    return [
        arm.name,
        _shown(_rate(arm.fleiss_kappa), f"{arm.name}.fleiss-kappa", one),
        _shown(_rate(arm.krippendorff_alpha), f"{arm.name}.krippendorff-alpha", one),
    ]


def _single_rows(arm: ReaderArm) -> Iterator[list[str]]:
    for reader in arm.each_reader:
        values = (reader.auc, reader.sensitivity, reader.specificity)
        texts = [wording.number(value, 3) or "hidden" for value in values]
        yield [arm.name, str(reader.number), *texts]


def _shown(text: str | None, name: str, one: ReadersSummary) -> str:
    return wording.cell(text, name, one.hidden)


def _spread(spread: Spread | None, digits: int) -> str | None:
    if spread is None:
        return None
    middle, low, high = (
        f"{value:.{digits}f}"
        for value in (spread.median, spread.lower_quartile, spread.upper_quartile)
    )
    return f"{middle} ({low}{_TO}{high})"


def _rate(rate: Rate | None) -> str | None:
    if rate is None or rate.value is None:
        return None
    if rate.low is None or rate.high is None:
        return f"{rate.value:.3f}"
    return f"{rate.value:.3f} ({rate.low:.3f}{_TO}{rate.high:.3f})"


def _signed(value: float | None) -> str:
    return wording.GAP if value is None else f"{value:+.3f}".replace("-", MINUS)


def _signed_interval(rate: Rate) -> str:
    return f"{_signed(rate.low)} to {_signed(rate.high)}"


def _p_value(value: float | None) -> str:
    if value is None:
        return wording.GAP
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _auc_figure(one: ReadersSummary) -> Markup | None:
    """Draw the AUCs one below the other; each line says what it is the spread of."""
    lines = list(_auc_lines(one))
    if not lines:
        return None
    with report_style():
        figure = Figure(figsize=(6.4, 0.7 + 0.42 * len(lines)))
        axes = figure.subplots()
        for place, (_, (middle, low, high), colour) in enumerate(lines):
            axes.plot([low, high], [place, place], color=colour, linewidth=1.8)
            axes.plot([middle], [place], "o", color=colour, markersize=5.5)
        axes.set_yticks(range(len(lines)), [name for name, *_ in lines])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(lines) - 0.5, -0.5)
        axes.set_xlabel("AUC")
        axes.grid(axis="x", color=QUIET, linewidth=0.4, alpha=0.5)
        spoken = "; ".join(f"{n}: {m:.3f} ({lo:.3f} to {hi:.3f})" for n, (m, lo, hi), _ in lines)
        return inline_svg(figure, f"readers-{one.site}", f"AUC of readers and model: {spoken}.")


_Line = tuple[str, tuple[float, float, float], str]


def _auc_lines(one: ReadersSummary) -> Iterator[_Line]:
    for arm in one.arms:
        if arm.auc is not None:
            spread = (arm.auc.median, arm.auc.lower_quartile, arm.auc.upper_quartile)
            yield f"readers, {arm.name}\nmedian, quartiles", spread, INK
        yield from _with_interval(f"readers, {arm.name}\nmean, 95 % interval", arm.mean_auc, MARK)
    if one.model is not None:
        yield from _with_interval("model\n95 % interval", one.model.auc, MAIN)


def _with_interval(name: str, rate: Rate | None, colour: str) -> Iterator[_Line]:
    if rate is not None and None not in (rate.value, rate.low, rate.high):
        middle, low, high = (float(v) for v in (rate.value, rate.low, rate.high) if v is not None)
        yield name, (middle, low, high), colour
