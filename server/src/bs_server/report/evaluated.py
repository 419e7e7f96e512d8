"""The external results that the report shows side by side: the pooled one first, then each site."""

from __future__ import annotations

from dataclasses import dataclass

from bs_server.results.summary import POOLED, ExternalSummary, Summary


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One external result and how the report speaks of it.

    name : the site, or ``all sites`` for the pooled result.
    min_cell : the site's smallest count shown; None for the pooled result, which has no one limit.
    """

    name: str
    result: ExternalSummary
    min_cell: int | None

    @property
    def pooled(self) -> bool:
        """Whether several sites are taken together."""
        return self.result.site == POOLED


def evaluated(summary: Summary) -> tuple[Evaluated, ...]:
    """Give every result of a study: the one that counts first, then, of several, each site's."""
    if summary.external is None:
        return ()
    main = summary.external
    others = summary.external_sites if main.site == POOLED else ()
    limits = {site.name: site.min_cell for site in summary.sites}
    return tuple(
        Evaluated(
            name="all sites" if one.site == POOLED else one.site,
            result=one,
            min_cell=limits.get(one.site),
        )
        for one in (main, *others)
    )
