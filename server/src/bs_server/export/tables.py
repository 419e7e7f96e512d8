"""All tables of the report as numbers: cohort and flow, rounds, sites, environment, digests."""

from __future__ import annotations

from collections.abc import Iterator

from bs_server.export.external_tables import external_tables
from bs_server.export.table import HIDDEN, Cell, Table, why_hidden
from bs_server.report.comparison import COLUMNS, comparison_cells, ordered
from bs_server.report.privacy import refusal_rows
from bs_server.results.summary import ACCEPTED, ExternalSummary, SiteSummary, Summary

Row = tuple[Cell, ...]


def all_tables(summary: Summary) -> list[Table]:
    """Give every table, in the order of the report; a table without rows is left out."""
    tables = [
        _study(summary),
        _cohort(summary),
        _flow(summary),
        _rounds(summary),
        _replies(summary),
        *external_tables(summary),
        _comparison(summary),
        _messages(summary),
        _policies(summary),
        _refusals(summary),
        _settings(summary),
        _environment(summary),
        _digests(summary),
    ]
    return [table for table in tables if table.rows]


def _study(summary: Summary) -> Table:
    facts: dict[str, Cell] = {
        "study": summary.study,
        "scans": "synthetic: no clinical claim" if summary.synthetic else "not synthetic",
        "outcome": summary.outcome,
        "started (UTC)": summary.started,
        "finished (UTC)": summary.finished,
        "chosen round": summary.best_round,
        "chosen by": summary.chosen_by,
        "threshold": summary.threshold,
        "threshold rule": summary.settings.threshold_rule,
    }
    rows: list[Row] = list(facts.items())
    rows += [("never connected", site) for site in summary.absent]
    rows += [("note", note) for note in summary.notes]
    rows += [("differs from the paper", line) for line in summary.differences]
    return Table("study", "The study", ("fact", "value"), tuple(rows))


def _comparison(summary: Summary) -> Table:
    rows = [] if summary.comparison is None else ordered(summary.comparison)
    cells = tuple(tuple(comparison_cells(row)) for row in rows)
    return Table("comparison", "Models compared", COLUMNS, cells)


def _cohort(summary: Summary) -> Table:
    columns = ("site", "role", "split", "metastasis", "no_metastasis", "total", HIDDEN)
    rows = []
    for site in summary.sites:
        for row in site.cohort:
            cells = {name: f"{row.split}.{name}" for name in ("metastasis", "no_metastasis")}
            both = (row.metastasis, row.no_metastasis)
            why = why_hidden(cells, site.hidden)
            rows.append((site.name, site.role, row.split, *both, _sum(both), why))
    return Table("cohort", "Scans by site, split and label", columns, tuple(rows))


def _flow(summary: Summary) -> Table:
    columns = ("site", "step", "detail", "scans", HIDDEN)
    rows: list[Row] = []
    answers = {one.site: one for one in summary.external_sites}
    if summary.external is not None:
        answers.setdefault(summary.external.site, summary.external)
    for site in summary.sites:
        rows += _refused(site.name, "could not be used", site)
        used = _sum([n for row in site.cohort for n in (row.metastasis, row.no_metastasis)])
        rows.append(
            (site.name, "used", None, used, None if used is not None else "scans: a part is hidden")
        )
        for row in site.cohort:
            for label in ("metastasis", "no_metastasis"):
                why = site.hidden.get(f"{row.split}.{label}")
                rows.append((site.name, row.split, label, getattr(row, label), why))
        if (answer := answers.get(site.name)) is not None:
            rows += _refused(site.name, "could not be judged", answer)
            rows += [
                (site.name, "judged", cell, getattr(answer, cell), answer.hidden.get(cell))
                for cell in ("tp", "fn", "tn", "fp")
            ]
    return Table("flow", "What became of the scans", columns, tuple(rows))


def _refused(site: str, step: str, owner: SiteSummary | ExternalSummary) -> Iterator[Row]:
    prefix = "refused."
    hidden = {k.removeprefix(prefix): v for k, v in owner.hidden.items() if k.startswith(prefix)}
    for code in sorted({*owner.refused, *hidden}):
        yield site, step, code, owner.refused.get(code), hidden.get(code)


def _rounds(summary: Summary) -> Table:
    names = ("pooled_auc", "pooled_auc_bound", "validation_loss", "validation_examples")
    columns = ("round", "chosen", *names, "threshold", "seconds", "updates", HIDDEN)
    rows = tuple(
        (
            entry.round,
            "yes" if entry.round == summary.best_round else "no",
            *(getattr(entry, name) for name in names),
            entry.threshold,
            entry.seconds,
            sum(reply.verdict == ACCEPTED for reply in entry.sites),
            why_hidden({name: name for name in names}, entry.hidden),
        )
        for entry in sorted(summary.rounds, key=lambda entry: entry.round)
    )
    return Table("rounds", "Rounds, judged on validation scans", columns, rows)


def _replies(summary: Summary) -> Table:
    names = ("num_examples", "loss", "accuracy")
    columns = ("round", "site", "verdict", *names, "update_norm", HIDDEN)
    rows = tuple(
        (
            entry.round,
            reply.name,
            reply.verdict,
            *(getattr(reply, name) for name in names),
            reply.update_norm,
            why_hidden({name: f"{reply.name}.{name}" for name in names}, entry.hidden),
        )
        for entry in sorted(summary.rounds, key=lambda entry: entry.round)
        for reply in entry.sites
    )
    return Table("replies", "Local training by round and site", columns, rows)


def _messages(summary: Summary) -> Table:
    ways = ("left_site", "left_site_bytes", "sent_to_site", "sent_to_site_bytes", "not_used")
    rows: list[Row] = []
    if summary.audit is not None:
        rows += [
            (it.site, it.kind, it.received, it.received_bytes, it.sent, it.sent_bytes, it.refused)
            for it in summary.audit.traffic
        ]
    return Table("messages", "Messages by site and kind", ("site", "kind", *ways), tuple(rows))


def _policies(summary: Summary) -> Table:
    columns = ("site", "smallest_count_shown", "terms_sha256")
    rows = tuple((site.name, site.min_cell, site.terms_sha256) for site in summary.sites)
    return Table("policies", "What each site lets out, and the terms it approved", columns, rows)


def _refusals(summary: Summary) -> Table:
    rows = tuple((row.what, row.reason, row.count) for row in refusal_rows(summary))
    return Table("refusals", "What was refused", ("what", "reason", "times"), rows)


def _settings(summary: Summary) -> Table:
    values = summary.settings.model_dump(mode="json")
    rows = tuple((name, "not set" if value is None else value) for name, value in values.items())
    return Table("settings", "Settings that every site agreed to", ("setting", "value"), rows)


def _environment(summary: Summary) -> Table:
    rows: list[Row] = [("coordinator", *it) for it in summary.versions.items()]
    for site in summary.sites:
        rows += [(site.name, "device", site.device)]
        rows += [(site.name, *it) for it in site.versions.items()]
    return Table("environment", "Software and machines", ("party", "what", "value"), tuple(rows))


def _digests(summary: Summary) -> Table:
    rows: list[Row] = [("settings", summary.settings_sha256)]
    if summary.weights_sha256 is not None:
        rows.append((f"chosen weights, round {summary.best_round}", summary.weights_sha256))
    rows += [(f"weights, round {entry.round}", entry.weights_sha256) for entry in summary.rounds]
    for site in summary.sites:
        rows.append((f"key of {site.name}", site.key_sha256))
        rows.append((f"backbone at {site.name}", site.backbone_sha256))
    if summary.audit is not None:
        rows.append((f"audit log, line {summary.audit.lines}", summary.audit.head))
    return Table("digests", "SHA-256 digests", ("of", "sha256"), tuple(rows))


def _sum(counts: tuple[int | None, ...] | list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
