"""Releasing a finished study's model: one signed file, and a card that says what it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from bs_common.bundle import pack_bundle
from bs_common.errors import ConfigError
from bs_common.files import write_atomic
from bs_common.released_model import (
    ContributingSite,
    ExternalMetrics,
    Figure,
    Lineage,
    ReleasedModel,
    ValidationMetrics,
)
from bs_common.signing import release_fingerprint
from bs_server.config import StudyFolder
from bs_server.report.model_card import CardFormat, render_card
from bs_server.results.summary import ExternalSummary, RoundSummary, Summary, read_summary
from bs_server.storage.checkpoint import Checkpoints
from bs_server.trust.authority import Authority, read_or_make_release_key

SUFFIX = ".bsm"


@dataclass(frozen=True, slots=True)
class Release:
    """What was written, and the fingerprint by which others know the key.

    cards : the model card as Markdown and as a page.
    """

    bundle: Path
    cards: tuple[Path, ...]
    key_sha256: str


def release_model(folder: StudyFolder, out: Path | None = None) -> Release:
    """Sign the chosen round's weights and write them with a card; safe to repeat.

    The same study gives the same bytes each time.

    Parameters
    ----------
    out : the model's file, by default ``STUDY-model.bsm`` beside the summary; the cards lie
        beside it.

    Raises
    ------
    ConfigError
        The study has no summary yet, no round was chosen, or `out` lies in no folder.
    TrustError
        The weights on disk are not those of the summary, or the key could be read by others.
    """
    summary = _finished(folder)
    record = _chosen(summary)
    arrays = Checkpoints(folder.rounds, summary.settings.trainable).weights(record)
    key = read_or_make_release_key(Authority(folder.authority))
    digest = hashlib.sha256(folder.summary.read_bytes()).hexdigest()
    model = describe_model(summary, record, summary_sha256=digest)
    bundle = out or folder.path / f"{summary.study}-model{SUFFIX}"
    if not bundle.parent.is_dir():
        raise ConfigError(f"{bundle.parent}: not a folder.", remedy="Make it, or change --out.")
    write_atomic(bundle, pack_bundle(model, arrays, key))
    fingerprint = release_fingerprint(key.public_key())
    cards = []
    for form in CardFormat:
        card = bundle.with_name(f"{bundle.stem}-card.{form}")
        write_atomic(card, render_card(summary, model, key_sha256=fingerprint, form=form).encode())
        cards.append(card)
    return Release(bundle, tuple(cards), fingerprint)


def _finished(folder: StudyFolder) -> Summary:
    if not folder.summary.exists():
        raise ConfigError(
            f"{folder.path} holds no summary.json: the study has not ended.",
            remedy="Let it end with: bs-server run STUDY_DIR",
        )
    return read_summary(folder.summary)


def _chosen(summary: Summary) -> RoundSummary:
    for record in summary.rounds:
        if record.round == summary.best_round:
            return record
    raise ConfigError(
        "No round of this study was chosen, so there is no model to release.",
        remedy="See the report for why no round has a validation result.",
    )


def describe_model(summary: Summary, record: RoundSummary, *, summary_sha256: str) -> ReleasedModel:
    """Say of the chosen round's model what its users must know."""
    return ReleasedModel(
        study=summary.study,
        settings=summary.settings,
        settings_sha256=summary.settings_sha256,
        backbone_sha256=summary.sites[0].backbone_sha256,  # one and the same at all sites
        threshold=summary.threshold,
        validation=ValidationMetrics(
            auc=record.pooled_auc,
            auc_bound=record.pooled_auc_bound,
            loss=record.validation_loss,
            examples=record.validation_examples,
        ),
        external=None if summary.external is None else _external(summary.external),
        lineage=_lineage(summary, record, summary_sha256),
        synthetic=summary.synthetic,
        weights_sha256=record.weights_sha256,
        software=summary.versions,
        created=summary.finished,
    )


def _external(result: ExternalSummary) -> ExternalMetrics:
    low, high = result.auc_ci or (None, None)
    return ExternalMetrics(
        site=result.site,
        auc=Figure(value=result.auc, low=low, high=high),
        auc_method=result.auc_method,
        tp=result.tp,
        fn=result.fn,
        tn=result.tn,
        fp=result.fp,
        rates={
            name: Figure(value=rate.value, low=rate.low, high=rate.high)
            for name, rate in result.rates.items()
        },
    )


def _lineage(summary: Summary, record: RoundSummary, summary_sha256: str) -> Lineage:
    return Lineage(
        sites=tuple(
            ContributingSite(name=site.name, role=site.role, key_sha256=site.key_sha256)
            for site in summary.sites
        ),
        rounds=max(entry.round for entry in summary.rounds),
        round=record.round,
        chosen_by=summary.chosen_by,
        summary_sha256=summary_sha256,
    )
