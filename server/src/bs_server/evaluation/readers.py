"""Asking the evaluate sites for the aggregates of a finished reader study.

Months may lie between the external evaluation and the last reader's last case. So this is asked
apart from the study's run, whenever a site has its result; an answer is kept and not asked again.
"""

from __future__ import annotations

from bs_common.contract import READER_ARMS, SINGLE_READERS, MessageType
from bs_common.messages import Reply, Request
from bs_server.config import StudyFolder
from bs_server.federation.exchange import Exchange, NoAnswer, Patience
from bs_server.results.external_values import Rate
from bs_server.results.readers_values import (
    AucDifference,
    ModelOnCases,
    OneReader,
    ReaderArm,
    ReadersSummary,
    Spread,
)
from bs_server.results.summary import SMALL_CELL
from bs_server.storage.documents import Document, read_state, write_state


class ReadersFile(Document):
    """Each site's answer, as it lies on disk."""

    by_site: dict[str, ReadersSummary]


def told_of_readers(folder: StudyFolder) -> dict[str, ReadersSummary]:
    """Give the answers that are on disk, by site."""
    if not folder.readers.exists():
        return {}
    return dict(read_state(folder.readers, ReadersFile).by_site)


def ask_for_readers(
    folder: StudyFolder,
    exchange: Exchange,
    sites: tuple[str, ...],
    *,
    round_number: int,
    patience: Patience,
) -> dict[str, str]:
    """Ask the sites whose answer is not on disk; give the reason of each that did not answer."""
    known = told_of_readers(folder)
    missing = tuple(site for site in sites if site not in known)
    request = Request(MessageType.READERS, round_number)
    reasons = {}
    for site, answer in exchange.ask(request, missing, patience=patience).items():
        if isinstance(answer, NoAnswer):
            reasons[site] = answer.reason
        else:
            known[site] = summarise_readers(site, answer)
    write_state(folder.readers, ReadersFile(version=1, by_site=dict(sorted(known.items()))))
    return reasons


def summarise_readers(site: str, reply: Reply) -> ReadersSummary:
    """Turn a reply into its place in the summary; what is hidden becomes None."""
    count = _count(reply, "readers")
    return ReadersSummary(
        site=site,
        readers=count or 1,
        synthetic=bool(_count(reply, "synthetic")),
        metastasis=_count(reply, "cases.metastasis"),
        no_metastasis=_count(reply, "cases.no_metastasis"),
        arms=[_arm(reply, name) for name in READER_ARMS if _is_told(reply, f"{name}.")],
        model=_model(reply) if _is_told(reply, "model.") else None,
        readers_minus_model=_difference(reply, "readers-minus-model"),
        second_minus_first=_difference(reply, "second-minus-first"),
        hidden=dict.fromkeys(sorted(reply.hidden), SMALL_CELL),
    )


def _is_told(reply: Reply, prefix: str) -> bool:
    return any(name.startswith(prefix) for name in (*reply.metrics, *reply.hidden))


def _arm(reply: Reply, name: str) -> ReaderArm:
    return ReaderArm(
        name=name,
        auc=_spread(reply, f"{name}.auc"),
        sensitivity=_spread(reply, f"{name}.sensitivity"),
        specificity=_spread(reply, f"{name}.specificity"),
        f1=_spread(reply, f"{name}.f1"),
        mean_auc=_rate(reply, f"{name}.mean-auc"),
        fleiss_kappa=_rate(reply, f"{name}.fleiss-kappa"),
        krippendorff_alpha=_rate(reply, f"{name}.krippendorff-alpha"),
        seconds=_spread(reply, f"{name}.seconds"),
        minutes=_number(reply, f"{name}.minutes"),
        each_reader=_each_reader(reply, name),
    )


def _each_reader(reply: Reply, arm: str) -> list[OneReader]:
    """Give single readers by number; figures of which not every reader has one are left out."""
    columns = {name: reply.metrics.get(f"{arm}.each-reader.{name}") for name in SINGLE_READERS}
    lists = {name: column for name, column in columns.items() if isinstance(column, list)}
    readers = _count(reply, "readers") or 0
    whole = {name: column for name, column in lists.items() if len(column) == readers}
    if not whole:
        return []
    return [
        OneReader(
            number=row + 1,
            **{name: float(whole[name][row]) if name in whole else None for name in SINGLE_READERS},
        )
        for row in range(readers)
    ]


def _model(reply: Reply) -> ModelOnCases:
    return ModelOnCases(
        auc=_rate(reply, "model.auc"),
        sensitivity=_rate(reply, "model.sensitivity"),
        specificity=_rate(reply, "model.specificity"),
        f1=_rate(reply, "model.f1"),
        seconds_alone=_number(reply, "model.seconds-alone"),
        seconds_in_batch=_number(reply, "model.seconds-in-batch"),
        device=reply.texts["model-device"],
    )


def _difference(reply: Reply, name: str) -> AucDifference | None:
    estimate = _rate(reply, name)
    if estimate is None:
        return None
    return AucDifference(
        estimate=estimate,
        f=_number(reply, f"{name}.f"),
        df=_number(reply, f"{name}.df"),
        p=_number(reply, f"{name}.p"),
    )


def _spread(reply: Reply, name: str) -> Spread | None:
    middle = _number(reply, f"{name}.median")
    low, high = (_number(reply, f"{name}.{end}-quartile") for end in ("lower", "upper"))
    if middle is None or low is None or high is None:
        return None
    return Spread(median=middle, lower_quartile=low, upper_quartile=high)


def _rate(reply: Reply, name: str) -> Rate | None:
    value = _number(reply, name)
    if value is None:
        return None
    low, high = _number(reply, f"{name}-low"), _number(reply, f"{name}-high")
    whole = low is not None and high is not None
    return Rate(value=value, low=low if whole else None, high=high if whole else None)


def _number(reply: Reply, name: str) -> float | None:
    value = reply.metrics.get(name)
    return value if isinstance(value, float) else None


def _count(reply: Reply, name: str) -> int | None:
    value = reply.metrics.get(name)
    return value if isinstance(value, int) else None
