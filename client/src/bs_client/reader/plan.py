"""Who reads which case when, and in which arm: a random order for each reader and session."""

from __future__ import annotations

from collections.abc import Sequence

from bs_client.reader.protocol import Protocol
from bs_client.reader.records import Reading
from bs_common.randomness import generator


def plan_readings(
    protocol: Protocol, cases: Sequence[str], practice: Sequence[str]
) -> tuple[Reading, ...]:
    """Order the cases for every reader and session; practice cases come first, in one order.

    One session with the model: every case is read unaided and then aided. Two sessions with the
    model are a crossover: half of the cases, drawn for each reader, are aided in the first session
    and the other half in the second, so that each case is read in both arms by everybody.
    """
    planned: list[Reading] = []
    for reader in protocol.reader_names:
        aided_first = _aided_first(protocol, cases, reader)
        for session in range(1, protocol.sessions + 1):
            draws = generator(protocol.seed, "reader-study", "order", reader, session)
            order = [cases[k] for k in draws.permutation(len(cases))]
            first = list(practice) if session == 1 else []
            for position, code in enumerate(first + order, start=1):
                planned.append(
                    Reading(
                        id=len(planned) + 1,
                        reader=reader,
                        session=session,
                        position=position,
                        code=code,
                        practice=code in first,
                        aided=_is_aided(protocol, session, code, aided_first, code in first),
                    )
                )
    return tuple(planned)


def _aided_first(protocol: Protocol, cases: Sequence[str], reader: str) -> frozenset[str]:
    draws = generator(protocol.seed, "reader-study", "arms", reader)
    half = draws.permutation(len(cases))[: len(cases) // 2]
    return frozenset(cases[k] for k in half)


def _is_aided(
    protocol: Protocol, session: int, code: str, aided_first: frozenset[str], practice: bool
) -> bool:
    if not protocol.with_ai:
        return False
    if protocol.sessions == 1 or practice:
        return True
    return (code in aided_first) == (session == 1)
