"""The rules by which a site's update is admitted to the average, beyond the contract's own.

The contract has already fixed names, shapes, dtypes and finite values. What is left is whether the
numbers fit what the site declared when the study began.
"""

from __future__ import annotations

from dataclasses import dataclass

from bs_common.errors import ReplyRefused
from bs_common.messages import Reply
from bs_server.aggregation import Update


@dataclass(frozen=True, slots=True)
class Declared:
    """What a train site said of itself at the start; None where it hid the count."""

    train_positives: int | None


def admit_update(reply: Reply, declared: Declared) -> Update:
    """Give the update of a train reply.

    Raises
    ------
    ReplyRefused
        `example_count` if the examples are not twice the declared positives, as balanced epochs
        have it, or, where the site hid its positives, not an even number above zero.
    """
    examples = reply.metrics["num-examples"]
    if not isinstance(examples, int) or examples <= 0 or examples % 2:
        raise ReplyRefused("example_count", f"{examples} examples, expected an even number above 0")
    positives = declared.train_positives
    if positives is not None and examples != 2 * positives:
        raise ReplyRefused("example_count", f"{examples} examples, expected 2 x {positives}")
    return Update(reply.arrays, examples)
