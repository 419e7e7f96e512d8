"""What a study's report says of sites, scans, settings and methods, each with its section.

Values are written by the report's own words, so that they read here as there.
"""

from __future__ import annotations

from bs_server.export.checklists.items import Fact, shown_count
from bs_server.report import tables, wording
from bs_server.results.summary import RoundSummary, Summary

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
        Fact(f"Flow diagram, {row.name}", "{} scans in the study", (shown_count(row.used),), "flow")
        for row in tables.site_rows(summary)
    ]


def used(summary: Summary) -> list[Fact]:
    """Count the scans that each site used."""
    return [
        Fact(f"Used at {row.name}", "{} scans", (shown_count(row.used),), "cohort")
        for row in tables.site_rows(summary)
    ]


def refused(summary: Summary) -> list[Fact]:
    """Count what each site could not use, by reason."""
    facts = []
    for site in summary.sites:
        label = f"Could not be used at {site.name}"
        rows = tables.refusals(site, min_cell=site.min_cell)
        facts += [
            Fact(label, "{}: {}", (code, shown_count(count)), "cohort") for code, count in rows
        ]
        if not rows:
            facts.append(Fact(label, "{}", ("none",), "cohort"))
    return facts


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
            "" if _is_chosen(summary) else "threshold",
        ),
        setting(summary, "threshold_rule", "Rule for the threshold"),
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


def _versions(party: str, versions: dict[str, str]) -> Fact:
    named = tuple(f"{name} {version}" for name, version in versions.items())
    return Fact(f"Software of {party}", ", ".join(["{}"] * len(named)), named, "versions")


def _best(summary: Summary) -> RoundSummary | None:
    return next((it for it in summary.rounds if it.round == summary.best_round), None)


def _is_chosen(summary: Summary) -> bool:
    return summary.threshold != summary.settings.threshold
