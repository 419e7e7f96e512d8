"""The one external evaluation: asked once, kept on disk, never asked again for this study.

What is asked is written down before it is sent. After a crash in between, the very same question
may be sent again, which the site answers from its own record; another model is never put to the
held-out scans.
"""

from __future__ import annotations

import numpy as np

from bs_common.architecture import NamedArrays
from bs_common.contract import CONFUSION_CELLS, MessageType
from bs_common.errors import ReplyRefused, StudyStopped, TrustError
from bs_common.messages import Reply, Request
from bs_common.metrics import Confusion, roc_points, wilson
from bs_common.weights import digest
from bs_server.config import StudyFolder
from bs_server.documents import Document, read_state, write_state
from bs_server.exchange import Exchange, NoAnswer, Patience
from bs_server.sites import refused_counts
from bs_server.summary import SMALL_CELL, ExternalSummary, Rate, RocPoints, Sha256


class AskedFile(Document):
    """What the evaluate site was, or was about to be, asked about."""

    round: int
    weights_sha256: Sha256


class ExternalFile(Document):
    """The external evaluation as it lies on disk."""

    result: ExternalSummary


class ExternalMissing(StudyStopped):
    """The evaluate site has not judged the model yet; only this step is left."""


def ask_once(
    folder: StudyFolder,
    exchange: Exchange,
    sites: tuple[str, ...],
    *,
    round_number: int,
    arrays: NamedArrays,
    threshold: float,
    patience: Patience | None = None,
) -> ExternalSummary | None:
    """Give the evaluate site's judgement of the chosen weights, from disk if it was given before.

    A study without an evaluate site has none.

    Raises
    ------
    ExternalMissing
        If the site does not answer in time, or has no usable answer now.
    TrustError
        If the site was asked about another model before.
    """
    if not sites:
        return None
    if folder.external.exists():
        return read_state(folder.external, ExternalFile).result
    if len(sites) > 1:
        raise StudyStopped("A study has one evaluate site.", remedy="Enrol the others for another.")
    site = sites[0]
    asked = AskedFile(version=1, round=round_number, weights_sha256=digest(arrays))
    _write_down(folder, asked, site)
    request = Request(MessageType.EXTERNAL, round_number, arrays)
    answer = exchange.ask(request, sites, patience=patience)[site]
    if isinstance(answer, NoAnswer):
        raise ExternalMissing(
            f"No usable external evaluation from {site} ({answer.reason}).",
            remedy="Mend the cause at that site, then run again: only this step is left.",
        )
    if answer.texts["weights-sha256"] != asked.weights_sha256:
        raise StudyStopped(f"{site} judged other weights than it was sent.")
    result = summarise_external(site, answer, threshold)
    write_state(folder.external, ExternalFile(version=1, result=result))
    return result


def _write_down(folder: StudyFolder, asked: AskedFile, site: str) -> None:
    if not folder.external_asked.exists():
        write_state(folder.external_asked, asked)
    before = read_state(folder.external_asked, AskedFile)
    if before != asked:
        raise TrustError(
            f"{site} was asked about round {before.round} ({before.weights_sha256[:12]}) already; "
            f"now round {asked.round} ({asked.weights_sha256[:12]}) would be put to its scans.",
            remedy="A held-out cohort judges one model. Find out what changed the choice: the "
            "rounds on disk, or 'candidates' in study.toml.",
        )


def summarise_external(site: str, reply: Reply, threshold: float) -> ExternalSummary:
    """Turn an evaluate site's reply into its place in the summary; hidden cells become null.

    Raises ReplyRefused if the ROC cells of the two classes do not belong together.
    """
    hidden = dict.fromkeys(_summary_names(reply.hidden), SMALL_CELL)
    cells = {name: _count(reply, name) for name in CONFUSION_CELLS}
    rates = _rates(cells)
    if None in cells.values():
        hidden |= {f"rates.{name}": SMALL_CELL for name in rates}
    return ExternalSummary(
        site=site,
        round=reply.round_number,
        auc=_share(reply, "auc"),
        auc_ci=_interval(reply),
        auc_method="DeLong",
        **cells,
        threshold=threshold,
        rates=rates,
        roc=_roc(reply),
        calibration=None,
        refused=refused_counts(reply),
        hidden=hidden,
    )


def _summary_names(hidden: tuple[str, ...]) -> list[str]:
    """Translate names on the wire to those of the summary, which has no overlays."""
    names = {"auc-low": "auc_ci", "auc-high": "auc_ci"}
    names |= {"roc.metastasis": "roc", "roc.no_metastasis": "roc"}
    return sorted({names.get(name, name) for name in hidden if name != "overlays"})


def _rates(cells: dict[str, int | None]) -> dict[str, Rate]:
    """Compute every rate whose four cells are known; the others are empty."""
    known = {name: count for name, count in cells.items() if count is not None}
    if len(known) < len(cells):
        names = (*Confusion(0, 0, 0, 0).fractions(), "f1")
        return {name: Rate(value=None, low=None, high=None) for name in names}
    confusion = Confusion(**known)
    rates = {name: _rate(*parts) for name, parts in confusion.fractions().items()}
    return rates | {"f1": Rate(value=confusion.f1, low=None, high=None)}


def _rate(counted: int, out_of: int) -> Rate:
    if out_of == 0:
        return Rate(value=None, low=None, high=None)
    low, high = wilson(counted, out_of)
    return Rate(value=counted / out_of, low=low, high=high)


def _roc(reply: Reply) -> RocPoints | None:
    without, with_metastasis = (
        reply.metrics.get(f"roc.{label}") for label in ("no_metastasis", "metastasis")
    )
    if not isinstance(without, list) or not isinstance(with_metastasis, list):
        return None
    if len(without) != len(with_metastasis):
        raise ReplyRefused("length", "the ROC cells of the two classes are not of one length")
    fpr, tpr = roc_points(np.array([without, with_metastasis], np.int64))
    return RocPoints(fpr=fpr.tolist(), tpr=tpr.tolist())


def _interval(reply: Reply) -> tuple[float, float] | None:
    low, high = _share(reply, "auc-low"), _share(reply, "auc-high")
    return None if low is None or high is None else (low, high)


def _share(reply: Reply, name: str) -> float | None:
    value = reply.metrics.get(name)
    return value if isinstance(value, float) else None


def _count(reply: Reply, name: str) -> int | None:
    value = reply.metrics.get(name)
    return value if isinstance(value, int) else None
