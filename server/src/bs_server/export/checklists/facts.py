"""What a study's report says to checklists, each statement with the section it stands in.

Values are written by the report's own words, so that they read here as there.
"""

from __future__ import annotations

from collections.abc import Iterator

from bs_server.export.checklists.items import Fact
from bs_server.export.measures import CELLS
from bs_server.report import tables, wording
from bs_server.report.evaluated import Evaluated, evaluated
from bs_server.report.maps import MEASURES
from bs_server.report.subgroups import VARIABLES, level_text
from bs_server.results.external_values import Rate, SubgroupTable
from bs_server.results.summary import POOLED, RoundSummary, Summary

_SETTINGS = "methods"


def setting(summary: Summary, name: str, label: str, words: str = "{}") -> Fact:
    """State one setting of the study file."""
    value = summary.settings.model_dump(mode="json")[name]
    shown = None if value is None else str(value)
    return Fact(label, words, (shown,), _SETTINGS, name)


def sites(summary: Summary) -> list[Fact]:
    """Name every site with its part in the study."""
    return [Fact("Site", "{}, {}", (site.name, site.role), "cohort") for site in summary.sites]


def splits(summary: Summary) -> list[Fact]:
    """Count the scans of every site and split by label."""
    return [
        Fact(
            f"Scans of {site.name}, {row.split}",
            "{} with metastasis, {} without",
            (wording.count(row.metastasis), wording.count(row.no_metastasis)),
            "cohort",
        )
        for site in summary.sites
        for row in site.cohort
    ]


def flow(summary: Summary) -> list[Fact]:
    """Count the scans of each site as the flow diagram shows them."""
    return [
        Fact(f"Flow diagram, {row.name}", "{} scans in the study", (_known(row.used),), "flow")
        for row in tables.site_rows(summary)
    ]


def used(summary: Summary) -> list[Fact]:
    """Count the scans that each site used."""
    return [
        Fact(f"Used at {row.name}", "{} scans", (_known(row.used),), "cohort")
        for row in tables.site_rows(summary)
    ]


def refused(summary: Summary) -> list[Fact]:
    """Count what each site could not use, by reason."""
    facts = []
    for site in summary.sites:
        label = f"Could not be used at {site.name}"
        rows = tables.refusals(site, min_cell=site.min_cell)
        facts += [Fact(label, "{}: {}", (code, _known(count)), "cohort") for code, count in rows]
        if not rows:
            facts.append(Fact(label, "{}", ("none",), "cohort"))
    return facts


def not_judged(summary: Summary) -> list[Fact]:
    """Count what evaluate sites had described and could not judge any more, by reason."""
    return [
        Fact(f"Not judged{_at(summary, one)}", "{}: {}", (code, _known(count)), "external")
        for one in evaluated(summary)
        for code, count in tables.refusals(one.result, min_cell=one.min_cell)
    ]


def threshold(summary: Summary) -> list[Fact]:
    """State the threshold and how it came about."""
    chosen = "chosen on validation scans" if _is_chosen(summary) else "fixed before training"
    return [
        Fact(
            "Threshold",
            f"a scan is called positive at a probability of {{}} or more, {chosen}, before the "
            "external scans were judged",
            (wording.threshold(summary.threshold),),
            _SETTINGS,
            "threshold",
        ),
        setting(summary, "threshold_rule", "Rule for the threshold"),
    ]


def auc(summary: Summary) -> list[Fact]:
    """State the external AUC of every result, with its interval."""
    return [
        Fact(
            f"External AUC{_at(summary, one)}",
            "{} (95 % interval {})",
            (
                wording.number(one.result.auc, 3),
                None if one.result.auc_ci is None else wording.interval("auc", *one.result.auc_ci),
            ),
            "external",
        )
        for one in evaluated(summary)
    ]


def rates(summary: Summary, *names: str) -> list[Fact]:
    """State rates of every result with their intervals; all that the report has by default."""
    return [
        _rate(summary, one, name)
        for one in evaluated(summary)
        for name in names or wording.RATE_LABELS
        if name in one.result.rates or f"rates.{name}" in one.result.hidden
    ]


def confusion(summary: Summary) -> list[Fact]:
    """State the four counts of every result."""
    return [
        Fact(
            f"Calls against labels{_at(summary, one)}",
            ", ".join(f"{cell.upper()} {{}}" for cell in CELLS),
            tuple(wording.count(getattr(one.result, cell)) for cell in CELLS),
            "external",
        )
        for one in evaluated(summary)
    ]


def validation(summary: Summary) -> list[Fact]:
    """State the pooled validation of the chosen round, on the training sites' own scans."""
    best = _best(summary)
    if best is None:
        return []
    auc_text = wording.pooled_auc(best.pooled_auc, best.pooled_auc_bound)
    loss, scans = wording.number(best.validation_loss, 4), wording.count(best.validation_examples)
    label = f"Internal validation, round {best.round}"
    return [
        Fact(label, "pooled AUC {} (bound of the score bins)", (auc_text,), "rounds"),
        Fact(label, "loss {} over {} scans", (loss, scans), "rounds"),
    ]


def choice(summary: Summary) -> list[Fact]:
    """State which round became the model, and why."""
    rule = {
        "pooled_auc": ("the highest {}", "pooled validation AUC"),
        "validation_loss": ("the lowest {}", "pooled validation loss"),
    }[summary.chosen_by]
    best = None if summary.best_round is None else f"{summary.best_round} (chosen)"
    return [
        Fact("Chosen round", "{}", (best,), "rounds"),
        Fact("Rule for the round", rule[0], (rule[1],), _SETTINGS),
    ]


def intervals(summary: Summary) -> list[Fact]:
    """State by which methods intervals are computed."""
    if summary.external is None:
        return []
    return [
        Fact("Interval of rates", "{} score interval, 95 %", ("Wilson's",), _SETTINGS),
        Fact("Interval of the AUC", "{}", (summary.external.auc_method,), _SETTINGS),
        setting(summary, "bootstrap_resamples", "Bootstrap draws"),
    ]


def subgroups(summary: Summary, *variables: str) -> list[Fact]:
    """State sensitivity and specificity of every level that has scans."""
    return [
        fact
        for one, group in _levels(summary, variables)
        for name, key, of in (
            ("Sensitivity", "tpr", (group.tp, group.fn)),
            ("Specificity", "tnr", (group.tn, group.fp)),
        )
        if of != (0, 0)  # no such scan, as none without metastasis has lesions
        for fact in [_level_rate(summary, one, group, name=name, key=key)]
    ]


def scans_by(summary: Summary, *variables: str) -> list[Fact]:
    """Count the calls of every level that has scans, whose sum is its scans."""
    return [
        Fact(
            f"Scans by {_variable(group)}{_at(summary, one)}",
            "{} (" + ", ".join(f"{cell.upper()} {{}}" for cell in CELLS) + ")",
            (level_text(group.level), *(wording.count(getattr(group, cell)) for cell in CELLS)),
            "subgroups",
        )
        for one, group in _levels(summary, variables)
    ]


def agreement(summary: Summary) -> list[Fact]:
    """State how the model's maps agree with masks."""
    return [
        Fact(
            f"Model's map{_at(summary, one)}",
            "{} {} (95 % interval {})",
            (
                MEASURES.get(measure, measure),
                wording.number(rate.value, 3),
                wording.interval("auc", rate.low, rate.high),
            ),
            "maps",
        )
        for one in evaluated(summary)
        if one.result.agreement is not None
        for measure, rate in one.result.agreement.by_source.get("model", {}).items()
    ]


def masks(summary: Summary) -> list[Fact]:
    """Count the scans on which lesions are drawn."""
    return [
        Fact(f"Scans with masks{_at(summary, one)}", "{}", (str(found.scans),), "maps")
        for one in evaluated(summary)
        if (found := one.result.agreement) is not None
    ]


def measures(summary: Summary) -> list[Fact]:
    """Name the measures that the external result has."""
    if summary.external is None:
        return []
    names = [name for name in wording.RATE_LABELS if name in summary.external.rates]
    labels = ("Area under the ROC curve", *(wording.RATE_LABELS[name] for name in names))
    return [Fact("Measure", "{}", (label,), "external") for label in labels]


def external_sites(summary: Summary) -> list[Fact]:
    """Name the sites that judged, and what they had no part in."""
    results = [one.result for one in evaluated(summary)]
    judges = " and ".join(result.site for result in results if result.site != POOLED)
    if not judges:
        return []
    values = (judges, "trained nothing", str(results[0].round))
    return [Fact("Tested at", "{}, {}, asked once, with round {}", values, "external")]


def disjoint(_summary: Summary) -> list[Fact]:
    """State on which level splits are disjoint."""
    return [Fact("Partitions", "{}", ("One patient is never in two splits",), "methods")]


def nothing_left(_summary: Summary) -> list[Fact]:
    """State what no message held."""
    said = "No image, no label, no score of a single scan and no key is part of any message"
    return [Fact("Between the sites", "{}", (said,), "privacy")]


def software(summary: Summary) -> list[Fact]:
    """State the versions of every party, and what each site computed on."""
    facts = [_versions("coordinator", summary.versions)]
    for site in summary.sites:
        facts.append(_versions(site.name, site.versions))
        facts.append(Fact(f"Device of {site.name}", "{}", (site.device,), "versions"))
    return facts


def one_model(summary: Summary) -> list[Fact]:
    """State that one model was judged, not several that vote."""
    words = "none; one model, the sites' average, with weights {}"
    return [Fact("Ensemble", words, (summary.weights_sha256,), "digests")]


def weights(summary: Summary) -> list[Fact]:
    """State the digest of the one model that was judged."""
    digest = summary.weights_sha256
    return [Fact("Weights of the model", "SHA-256 {}", (digest,), "digests")]


def backbones(summary: Summary) -> list[Fact]:
    """State the digest of the starting convolutions at every site."""
    return [
        Fact(f"Backbone at {site.name}", "SHA-256 {}", (site.backbone_sha256,), "digests")
        for site in summary.sites
    ]


def settings_digest(summary: Summary) -> Fact:
    """State the digest of the settings that all sites agreed to."""
    return Fact(
        "Settings that every site agreed to", "SHA-256 {}", (summary.settings_sha256,), "digests"
    )


def _rate(summary: Summary, one: Evaluated, name: str) -> Fact:
    rate = one.result.rates.get(name, Rate(value=None, low=None, high=None))
    label = f"{wording.RATE_LABELS.get(name, name)}{_at(summary, one)}"
    value, between = wording.rate(name, rate.value), wording.interval(name, rate.low, rate.high)
    return Fact(label, "{} (95 % interval {})", (value, between), "external")


def _levels(
    summary: Summary, variables: tuple[str, ...]
) -> Iterator[tuple[Evaluated, SubgroupTable]]:
    """Give every level that has scans, or may have, of some variables or all."""
    for one in evaluated(summary):
        for group in one.result.subgroups:
            wanted = not variables or group.variable in variables
            if wanted and any(getattr(group, cell) != 0 for cell in CELLS):
                yield one, group


def _level_rate(
    summary: Summary, one: Evaluated, group: SubgroupTable, *, name: str, key: str
) -> Fact:
    rate: Rate = getattr(group, name.casefold())
    values = (wording.rate(key, rate.value), wording.interval(key, rate.low, rate.high))
    label = f"{name} by {_variable(group)}{_at(summary, one)}"
    return Fact(label, "{} {} ({})", (level_text(group.level), *values), "subgroups")


def _variable(group: SubgroupTable) -> str:
    return VARIABLES.get(group.variable, group.variable).casefold()


def _versions(party: str, versions: dict[str, str]) -> Fact:
    named = tuple(f"{name} {version}" for name, version in versions.items())
    return Fact(f"Software of {party}", ", ".join(["{}"] * len(named)), named, "versions")


def _at(summary: Summary, one: Evaluated) -> str:
    return f", {one.name}" if len(evaluated(summary)) > 1 else ""


def _best(summary: Summary) -> RoundSummary | None:
    return next((it for it in summary.rounds if it.round == summary.best_round), None)


def _is_chosen(summary: Summary) -> bool:
    return summary.threshold != summary.settings.threshold


def _known(text: str) -> str | None:
    """Give a cell's text, or None where it says that the cell is hidden."""
    return text if text.isdecimal() else None
