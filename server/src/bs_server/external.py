"""The one external evaluation: asked once, kept on disk, never asked again for this study."""

from __future__ import annotations

import numpy as np

from bs_common.architecture import NamedArrays
from bs_common.contract import CONFUSION_CELLS, MessageType
from bs_common.errors import ReplyRefused, StudyStopped
from bs_common.joining import read_document, write_document
from bs_common.messages import Reply, Request
from bs_common.metrics import Confusion, roc_points, wilson
from bs_common.weights import digest
from bs_server.config import StudyFolder
from bs_server.exchange import Exchange, NoAnswer
from bs_server.sites import refused_counts
from bs_server.summary import SMALL_CELL, ExternalSummary, Rate, RocPoints


def ask_once(
    folder: StudyFolder,
    exchange: Exchange,
    sites: tuple[str, ...],
    *,
    round_number: int,
    arrays: NamedArrays,
    threshold: float,
) -> ExternalSummary | None:
    """Give the evaluate site's judgement of the chosen weights, from disk if it was given before.

    A study without an evaluate site has none.
    """
    if not sites:
        return None
    if folder.external.exists():
        return read_document(folder.external, ExternalSummary)
    if len(sites) > 1:
        raise StudyStopped("A study has one evaluate site.", remedy="Enrol the others for another.")
    site = sites[0]
    answer = exchange.ask(Request(MessageType.EXTERNAL, round_number, arrays), sites)[site]
    if isinstance(answer, NoAnswer):
        raise StudyStopped(
            f"No usable external evaluation from {site} ({answer.reason}).",
            remedy="Mend the cause at that site, then run again: only this step is left.",
        )
    if answer.texts["weights-sha256"] != digest(arrays):
        raise StudyStopped(f"{site} judged other weights than it was sent.")
    result = summarise_external(site, answer, threshold)
    write_document(folder.external, result)
    return result


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
