"""How often this site was asked for what, so that nobody can ask without end.

The count is the audit record's own, from the last approval on: it survives a restart, and nobody
can lower it without breaking the chain.
"""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Self

from bs_common.contract import MessageType
from bs_common.errors import ContractError

# The same request again is legitimate, after a restart or a cut line on either side, and has the
# same answer. An hour-long round over a line that is cut each minute stays far below.
MOST_ASKS = 1000
# Questions whose answers need no scan, as how a site is: one a second for eleven days.
MOST_STATUS_ASKS = 1_000_000
# Another request of the same kind in the same round is a probe: rounds go on from the same
# weights after a crash. Two more, for a coordinator that starts over.
MOST_DIFFERENT = 3
TOO_MANY = "too_many_messages"

# Asked for the study as a whole, not for a round of it.
_ONCE = (MessageType.LOCAL, MessageType.EXTERNAL)
_FROM_SCANS = (MessageType.TRAIN, MessageType.EVALUATE, *_ONCE, MessageType.READERS)
_Key = tuple[str, int]  # message type, round


class Asked:
    """Requests that were let in, by message type and round.

    Parameters
    ----------
    external_models : how many different external requests are let in, whatever their round
        (`policy.external_requests`).
    """

    def __init__(self, *, external_models: int = 1) -> None:
        self._external_models = external_models
        self._times: Counter[_Key] = Counter()
        self._contents: defaultdict[_Key, set[str]] = defaultdict(set)

    @classmethod
    def from_record(
        cls,
        entries: Iterable[Mapping[str, object]],
        *,
        since: datetime.datetime,
        external_models: int = 1,
    ) -> Self:
        """Count what an audit record says was let in since a time."""
        asked = cls(external_models=external_models)
        for entry in entries:
            when = datetime.datetime.fromisoformat(str(entry["time"]))
            if entry["direction"] == "in" and entry["verdict"] == "passed" and when >= since:
                number = entry["round_number"]
                key = asked._key(
                    str(entry["message_type"]), number if isinstance(number, int) else -1
                )
                asked._times[key] += 1
                asked._contents[key].add(str(entry["content_sha256"]))
        return asked

    def admit(self, message_type: str, round_number: int, content_sha256: str) -> None:
        """Count one request, or raise ContractError with `too_many_messages`."""
        key = self._key(message_type, round_number)
        different = self._contents[key] | {content_sha256}
        if len(different) > self._most_different(message_type):
            raise ContractError(
                TOO_MANY,
                "the same round was asked again with other weights",
                remedy="Ask the coordinator why. A second model may be judged on held-out scans "
                "where [policy] external_models in site.toml allows it.",
            )
        most = MOST_ASKS if message_type in _FROM_SCANS else MOST_STATUS_ASKS
        if self._times[key] >= most:
            raise ContractError(TOO_MANY, f"asked more than {most} times for one round")
        self._times[key] += 1
        self._contents[key] = different

    def _most_different(self, message_type: str) -> int:
        if message_type == MessageType.EXTERNAL:
            return self._external_models
        # The model of this site alone follows from the settings: there is one.
        return 1 if message_type == MessageType.LOCAL else MOST_DIFFERENT

    @staticmethod
    def _key(message_type: str, round_number: int) -> _Key:
        return message_type, -1 if message_type in _ONCE else round_number
