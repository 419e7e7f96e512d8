"""What the sites say of themselves before a study starts, and whether they fit together."""

from __future__ import annotations

from collections.abc import Mapping

from bs_common.contract import SPLITS
from bs_common.errors import StudyStopped
from bs_common.keys import fingerprint
from bs_common.messages import Reply
from bs_server.federation.screening import Declared
from bs_server.results.summary import SMALL_CELL, CohortCount, SiteSummary
from bs_server.trust.signed_register import Register


def summarise_site(name: str, reply: Reply, register: Register) -> SiteSummary:
    """Turn a site's description into its place in the summary."""
    site = register.sites[name]
    return SiteSummary(
        name=name,
        role=site.role,
        key_sha256=fingerprint(site.key()),
        device=reply.texts["device"],
        versions={
            key.removeprefix("version."): text
            for key, text in sorted(reply.texts.items())
            if key.startswith("version.")
        },
        backbone_sha256=reply.texts["backbone-sha256"],
        cohort=[row for split in SPLITS if (row := _cohort_row(split, reply)) is not None],
        refused=refused_counts(reply),
        min_cell=_count(reply, "min-cell"),
        terms_sha256=site.terms_sha256,
        hidden=dict.fromkeys(reply.hidden, SMALL_CELL),
    )


def refused_counts(reply: Reply) -> dict[str, int]:
    """Give what a site could not use, by code, as far as it is not hidden."""
    prefix = "refused."
    return {
        key.removeprefix(prefix): count
        for key, count in sorted(reply.metrics.items())
        if key.startswith(prefix) and isinstance(count, int)
    }


def _cohort_row(split: str, reply: Reply) -> CohortCount | None:
    metastasis = _count(reply, f"{split}.metastasis")
    no_metastasis = _count(reply, f"{split}.no_metastasis")
    if metastasis == 0 and no_metastasis == 0:
        return None
    return CohortCount(split=split, metastasis=metastasis, no_metastasis=no_metastasis)


def declared(reply: Reply) -> Declared:
    """Keep what a train site's updates will be screened against."""
    return Declared(train_positives=_count(reply, "train.metastasis"))


def is_synthetic(replies: Mapping[str, Reply]) -> bool:
    """Tell whether any site's scans are phantoms."""
    return any(reply.metrics["synthetic"] == 1 for reply in replies.values())


def check_one_backbone(sites: list[SiteSummary]) -> None:
    """Raise StudyStopped unless every site starts from the same backbone weights."""
    by_digest: dict[str, list[str]] = {}
    for site in sites:
        by_digest.setdefault(site.backbone_sha256, []).append(site.name)
    if len(by_digest) > 1:
        groups = "; ".join(f"{', '.join(n)}: {d[:12]}" for d, n in sorted(by_digest.items()))
        raise StudyStopped(
            f"The sites do not start from the same backbone weights ({groups}).",
            remedy="Give every site the same weights file, then run again.",
        )


def _count(reply: Reply, name: str) -> int | None:
    value = reply.metrics.get(name)
    return value if isinstance(value, int) else None
