"""The model card: what a released model is for, how it did, what it must not be used for.

Its headings follow Mitchell et al. 2019, Model cards for model reporting.
"""

from __future__ import annotations

import functools
from enum import StrEnum

from jinja2 import Environment, PackageLoader, StrictUndefined

from bs_common.architecture import parameter_count
from bs_common.released_model import ReleasedModel
from bs_server.report import tables, wording
from bs_server.report.headline import headline
from bs_server.results.summary import Summary


class CardFormat(StrEnum):
    """A text for people and repositories, and a page; the values are file suffixes."""

    MARKDOWN = "md"
    PAGE = "html"


def render_card(
    summary: Summary, model: ReleasedModel, *, key_sha256: str, form: CardFormat
) -> str:
    """Give the card of a released model; the same study gives the same card.

    Parameters
    ----------
    key_sha256 : fingerprint of the key that signed the model.
    """
    scope = model.settings.trainable
    return (
        _environment()
        .get_template(f"model_card.{form}")
        .render(
            model=model,
            headline=headline(summary),
            cohort=tables.cohort_rows(summary),
            sites=model.lineage.sites,
            validation_auc=wording.pooled_auc(model.validation.auc, model.validation.auc_bound),
            rates=[] if summary.external is None else tables.rate_rows(summary.external),
            differences=summary.differences,
            parameters=f"{parameter_count(scope):,}",
            random_start=model.settings.backbone.startswith("random:"),
            identity=_identity(model, key_sha256),
            moment=wording.moment,
            threshold=wording.threshold,
        )
    )


def _identity(model: ReleasedModel, key_sha256: str) -> dict[str, str]:
    """Name the digests by which the model and what it came from are recognised."""
    return {
        "weights": model.weights_sha256,
        "backbone": model.backbone_sha256,
        "settings": model.settings_sha256,
        "summary.json": model.lineage.summary_sha256,
        "signing key": key_sha256,
    }


@functools.cache
def _environment() -> Environment:
    # Escaped in Markdown too: what shows Markdown lets HTML through.
    return Environment(
        loader=PackageLoader("bs_server.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
